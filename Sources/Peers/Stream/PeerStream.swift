package import NIOCore
import Synchronization

/// The bytes behind an answer, both ways. Each direction ends by itself, and both ends learn of it; one that
/// does not end in order is an error at its reader. One task may read while another one writes.
package final class PeerStream: Sendable {
    /// Larger buffers are sent in several chunks.
    static let chunkBytesMax = 1 << 17

    let connection: PeerConnection
    private let isFinished = Atomic(false)
    private let isEnded = Atomic(false)
    private let readCount = Atomic(0)
    private let writtenCount = Atomic(0)

    init(_ connection: PeerConnection) { self.connection = connection }

    /// How many bytes have come and gone, for a progress bar. Any task may look.
    package var bytesRead: Int { readCount.load(ordering: .relaxed) }
    package var bytesWritten: Int { writtenCount.load(ordering: .relaxed) }

    /// The next bytes; nil: the other end has finished, and all of it has come.
    package func read() async throws(PeerError) -> ByteBuffer? {
        if isEnded.load(ordering: .relaxed) { return nil }
        switch try await connection.readChunk() {
        case .data(let bytes):
            readCount.add(bytes.readableBytes, ordering: .relaxed)
            return bytes
        case .end:
            isEnded.store(true, ordering: .relaxed)
            return nil
        case .abort(let reason): throw PeerError(.stopped, "\(connection.place) has stopped: \(reason)")
        }
    }

    /// Sends bytes; returns when there is room for more.
    package func write(_ bytes: ByteBuffer, within limit: BandwidthLimit? = nil) async throws(PeerError) {
        precondition(!isFinished.load(ordering: .relaxed), "nothing is written behind the end")
        var bytes = bytes
        let portion = min(Self.chunkBytesMax, limit?.portion ?? Self.chunkBytesMax)
        while let part = bytes.readSlice(length: min(portion, bytes.readableBytes)), part.readableBytes > 0 {
            try await limit?.pass(part.readableBytes)
            try await connection.write(StreamChunk.data(part).bytes)
            writtenCount.add(part.readableBytes, ordering: .relaxed)
        }
    }

    /// There is nothing more from us; the other direction goes on.
    package func finish() async throws(PeerError) {
        guard !isFinished.exchange(true, ordering: .relaxed) else { return }
        try await connection.write(StreamChunk.end.bytes)
    }

    /// After the work on a stream: says that we are through, and waits until the other end is, so that who
    /// returns from here knows that all was read and worked on there.
    func settle() async throws(PeerError) {
        try await finish()
        while try await read() != nil {}
    }

    /// After work that has failed: the other end learns why. If the failure is that we cannot send, the other
    /// end may have told the reason.
    func giveUp(_ error: PeerError) async -> PeerError {
        guard error.kind == .cutOff else {
            await connection.abort(error.text)
            return error
        }
        await connection.close()
        do throws(PeerError) {
            while try await read() != nil {}
        } catch let reason where reason.kind == .stopped {
            return reason
        } catch {}
        return error
    }
}
