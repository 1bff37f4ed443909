import NIOCore
import NIOTLS
import Synchronization

/// The end of a channel's pipeline: what has come in lies here until a task takes it. When there is much of
/// it the channel reads no more, so that a slow taker holds up the other end and not our memory.
final class Mailbox: ChannelDuplexHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Reading rests at so many bytes, which is a few chunks, and goes on at the half.
    private static let bytesMax = 1 << 18

    /// What a chunk takes: a trickle of single bytes costs more than its bytes.
    private static func cost(_ chunk: ByteBuffer) -> Int { chunk.readableBytes + 256 }

    /// How the incoming side has ended.
    enum End {
        /// The other end has closed it in order.
        case closed
        case failed(any Error)
    }

    private struct Contents {
        var chunks = CircularBuffer<ByteBuffer>()
        var byteCount = 0
        var end: End?
        /// The channel wanted to read, and there was too much here.
        var isReadHeld = false
        var taker: CheckedContinuation<Result<ByteBuffer?, any Error>, Never>?
    }

    private let contents = Mutex(Contents())
    /// Succeeds with the protocol that TLS has agreed on. Unused where there is no TLS.
    private let secured: EventLoopPromise<String?>?

    init(secured: EventLoopPromise<String?>? = nil) { self.secured = secured }

    /// Why nothing more comes, if that is not the other end's wish.
    var failure: (any Error)? {
        contents.withLock { contents in
            if case .failed(let error) = contents.end { error } else { nil }
        }
    }

    /// What has come next; nil: the other end has closed. For one task at a time.
    func take(from channel: any Channel) async throws -> ByteBuffer? {
        let (result, goesOn) = await takeResult()
        if goesOn { channel.read() }
        return try result.get()
    }

    private func takeResult() async -> (Result<ByteBuffer?, any Error>, goesOn: Bool) {
        let ready = contents.withLock { contents -> (Result<ByteBuffer?, any Error>, Bool)? in
            if let chunk = contents.chunks.popFirst() {
                contents.byteCount -= Self.cost(chunk)
                let goesOn = contents.isReadHeld && contents.byteCount <= Self.bytesMax / 2
                if goesOn { contents.isReadHeld = false }
                return (.success(chunk), goesOn)
            }
            return contents.end.map { (Self.result(of: $0), false) }
        }
        if let ready { return ready }
        let result = await withCheckedContinuation { taker in
            let ready = contents.withLock { contents -> Result<ByteBuffer?, any Error>? in
                precondition(contents.taker == nil, "one task takes at a time")
                if let chunk = contents.chunks.popFirst() {
                    contents.byteCount -= Self.cost(chunk)
                    return .success(chunk)
                }
                if let end = contents.end { return Self.result(of: end) }
                contents.taker = taker
                return nil
            }
            if let ready { taker.resume(returning: ready) }
        }
        // What was held, was held because of bytes that are taken now.
        let goesOn = contents.withLock { contents in
            defer { if contents.byteCount == 0 { contents.isReadHeld = false } }
            return contents.isReadHeld && contents.byteCount == 0
        }
        return (result, goesOn)
    }

    private static func result(of end: End) -> Result<ByteBuffer?, any Error> {
        switch end {
        case .closed: .success(nil)
        case .failed(let error): .failure(error)
        }
    }

    // MARK: The channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let chunk = unwrapInboundIn(data)
        let taker = contents.withLock { contents in
            let taker = contents.taker.take()
            if taker == nil {
                contents.chunks.append(chunk)
                contents.byteCount += Self.cost(chunk)
            }
            return taker
        }
        taker?.resume(returning: .success(chunk))
    }

    func read(context: ChannelHandlerContext) {
        let isFull = contents.withLock { contents in
            contents.isReadHeld = contents.byteCount >= Self.bytesMax
            return contents.isReadHeld
        }
        if !isFull { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let protocolName) = event as? TLSUserEvent {
            secured?.succeed(protocolName)
        }
        if let event = event as? ChannelEvent, event == .inputClosed { end(.closed) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.failed(error))
        context.close(promise: nil)
    }

    /// The first end counts: what follows a failure is a consequence of it.
    private func end(_ end: End) {
        let taker = contents.withLock { contents in
            guard contents.end == nil else {
                return nil as CheckedContinuation<Result<ByteBuffer?, any Error>, Never>?
            }
            contents.end = end
            return contents.taker.take()
        }
        taker?.resume(returning: Self.result(of: end))
        switch end {
        case .closed: secured?.fail(ChannelError.eof)
        case .failed(let error): secured?.fail(error)
        }
    }
}
