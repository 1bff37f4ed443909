import NIOCore
import NIOSSL
import Synchronization
import YardKit

/// Whom a connection leads to, for its errors: `b (203.0.113.7:7443)`.
struct Place: Sendable, CustomStringConvertible {
    let description: String

    init(name: PeerName?, at address: String) {
        description = name.map { "\($0) (\(address))" } ?? address
    }
}

/// One TLS connection to or from a peer, as tasks use it: lines first, then perhaps chunks. Reading is for
/// one task at a time.
actor PeerConnection {
    nonisolated let channel: any Channel
    nonisolated let limits: PeerLimits
    /// What the check of the other end's certificate has found, if it is the reason for a failure.
    private nonisolated let verdict: Verdict
    private nonisolated let mailbox: Mailbox
    private nonisolated let secured: EventLoopFuture<String?>
    private nonisolated let shownPlace: Mutex<Place>

    /// Bytes behind the last line.
    private var rest = ByteBuffer()
    private var chunks = StreamReader()

    /// Adds what a connection needs to the pipeline of its channel; on the channel's loop.
    init(
        on channel: any Channel, tls: some ChannelHandler, verdict: Verdict, place: Place, limits: PeerLimits
    ) throws {
        self.channel = channel
        self.limits = limits
        self.verdict = verdict
        shownPlace = Mutex(place)
        let secured = channel.eventLoop.makePromise(of: String?.self)
        self.secured = secured.futureResult
        mailbox = Mailbox(secured: secured)
        let clock = ConnectionClock(.until(.now() + limits.handshake, waitingFor: "the TLS handshake"))
        try channel.pipeline.syncOperations.addHandlers([tls, clock, mailbox])
    }

    /// Whom it leads to. A server learns that on the way.
    nonisolated var place: Place {
        get { shownPlace.withLock { $0 } }
        set { shownPlace.withLock { $0 = newValue } }
    }

    // MARK: Phases

    /// The protocol that both have agreed on in the handshake.
    nonisolated func handshake() async throws(PeerError) -> String? {
        do {
            return try await secured.get()
        } catch {
            throw failure(error)
        }
    }

    /// What is done next, and until when.
    nonisolated func expect(_ what: String, within limit: TimeAmount) {
        begin(.until(.now() + limit, waitingFor: what))
    }

    /// Chunks follow.
    nonisolated func expectStream() {
        begin(.stream(silence: limits.silence, keepAlive: limits.keepAlive, stall: limits.stall))
    }

    private nonisolated func begin(_ phase: ConnectionPhase) {
        channel.triggerUserOutboundEvent(phase, promise: nil)
    }

    /// Ends it; what was written before goes out, as far as the other end takes it at once.
    nonisolated func close() async { try? await channel.close() }

    /// The same, for those who cannot wait.
    nonisolated func closeSoon() { channel.close(promise: nil) }

    // MARK: Lines

    /// The next line, without its end; nil: the other end has closed before it began one.
    func readLine(bytesMax: Int) async throws(PeerError) -> [UInt8]? {
        var line = ByteBuffer()
        while true {
            let view = rest.readableBytesView
            if let end = view.firstIndex(of: UInt8(ascii: "\n")) {
                guard line.readableBytes + (end - view.startIndex) <= bytesMax else {
                    throw tooLong(bytesMax)
                }
                if var part = rest.readSlice(length: end - view.startIndex) { line.writeBuffer(&part) }
                rest.moveReaderIndex(forwardBy: 1)
                return Array(line.readableBytesView)
            }
            guard line.readableBytes + view.count <= bytesMax else { throw tooLong(bytesMax) }
            line.writeBuffer(&rest)
            guard let more = try await take() else {
                if line.readableBytes == 0 { return nil }
                throw cutOff
            }
            rest = more
        }
    }

    /// The next line as JSON.
    func readValue(bytesMax: Int) async throws(PeerError) -> JSONValue? {
        guard let line = try await readLine(bytesMax: bytesMax) else { return nil }
        guard let value = try? JSONReader.read(line) else {
            throw PeerError(.unclear, "\(place) says something that makes no sense")
        }
        return value
    }

    nonisolated func write(_ value: JSONValue) async throws(PeerError) {
        let line = value.line + "\n"
        guard line.utf8.count <= limits.lineBytesMax else {
            throw PeerError(
                .tooLong,
                "\(place): a line of \(line.utf8.count) bytes is too long; \(limits.lineBytesMax) "
                    + "is the limit"
            )
        }
        try await write(ByteBuffer(string: line))
    }

    // MARK: Chunks

    /// The next part of a stream. There is always one: that it ends without an end is an error.
    func readChunk() async throws(PeerError) -> StreamChunk {
        if rest.readableBytes > 0 {
            chunks.receive(rest)
            rest = ByteBuffer()
        }
        while true {
            if let chunk = try nextChunk() { return chunk }
            guard let more = try await take() else { throw cutOff }
            chunks.receive(more)
        }
    }

    private func nextChunk() throws(PeerError) -> StreamChunk? {
        do throws(StreamReader.Failure) {
            return try chunks.next()
        } catch {
            throw PeerError(.unclear, "\(place) sends a stream that makes no sense")
        }
    }

    /// Returns when the system has taken the bytes, so that nobody writes faster than they go.
    nonisolated func write(_ bytes: ByteBuffer) async throws(PeerError) {
        do {
            try await channel.writeAndFlush(bytes)
        } catch {
            // Why it was closed is known where the reading ended.
            throw failure(mailbox.failure ?? error)
        }
    }

    /// Says why there will be nothing more, if the other end still listens, and closes.
    nonisolated func abort(_ reason: String) async {
        let channel = channel
        let (written, limit) = (channel.eventLoop.makePromise(of: Void.self), limits.close)
        channel.writeAndFlush(StreamChunk.abort(reason).bytes, promise: written)
        let late = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
        try? await written.futureResult.get()
        late.cancel()
        await close()
    }

    // MARK: Failures

    private func take() async throws(PeerError) -> ByteBuffer? {
        do {
            return try await mailbox.take(from: channel)
        } catch {
            throw failure(error)
        }
    }

    /// It has ended where something was expected.
    nonisolated var cutOff: PeerError {
        Task.isCancelled ? unwanted : PeerError(.cutOff, "the connection to \(place) was cut off")
    }

    private nonisolated var unwanted: PeerError {
        PeerError(.cancelled, "the connection to \(place) is not wanted any more")
    }

    private nonisolated func tooLong(_ bytesMax: Int) -> PeerError {
        PeerError(.tooLong, "\(place) sends a line of more than \(bytesMax) bytes")
    }

    /// What an error of the channel means.
    nonisolated func failure(_ error: any Error) -> PeerError {
        if Task.isCancelled { return unwanted }
        if let error = error as? PeerError { return error }
        if let refusal = verdict.refusal { return refusal }
        switch error {
        case let error as Overdue: return PeerError(.timedOut, "\(place): waited too long for \(error.what)")
        case let error as NIOSSLError: return failure(tls: error)
        case let error as BoringSSLError: return failure(boring: error)
        default: return cutOff
        }
    }

    private nonisolated func failure(tls error: NIOSSLError) -> PeerError {
        switch error {
        case .handshakeFailed(let inner), .shutdownFailed(let inner): failure(boring: inner)
        default: cutOff
        }
    }

    /// TLS tells by an alert that a certificate is refused, and the library tells of alerts by text alone.
    private nonisolated func failure(boring error: BoringSSLError) -> PeerError {
        let text = "\(error)"
        if text.contains("ALERT_CERTIFICATE") || text.contains("ALERT_BAD_CERTIFICATE")
            || text.contains("ALERT_ACCESS_DENIED") || text.contains("ALERT_UNKNOWN_CA")
        {
            return PeerError(
                .ourCertificate,
                "\(place) refuses our certificate: it does not know us as a peer, or does so no more")
        }
        guard case .sslError(let stack) = error, !stack.isEmpty else { return cutOff }
        if text.contains("EOF during handshake") { return cutOff }
        return PeerError(.unclear, "\(place) does not speak TLS 1.3 as a peer does")
    }
}

/// What the check of a certificate has found.
final class Verdict: Sendable {
    private let error = Mutex<PeerError?>(nil)

    /// Why the other end is refused by us; nil: it is not.
    var refusal: PeerError? {
        get { error.withLock { $0 } }
        set { error.withLock { $0 = newValue } }
    }
}
