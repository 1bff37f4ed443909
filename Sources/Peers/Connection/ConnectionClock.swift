import NIOCore

/// What a connection is doing, and how long that may take.
enum ConnectionPhase: Sendable {
    /// One thing is to be done by then, in whatever trickle it comes.
    case until(NIODeadline, waitingFor: String)
    /// A stream: both ends say something from time to time, if only that they are there.
    case stream(silence: TimeAmount, keepAlive: TimeAmount, stall: TimeAmount)
}

/// Something was not done in its time.
struct Overdue: Error {
    let what: String
}

/// Ends a connection that takes too long. It stands between TLS and the ``Mailbox``, and hears of phases by
/// events that go out through the pipeline.
final class ConnectionClock: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var phase: ConnectionPhase
    private var timer: Scheduled<Void>?
    /// Since when somebody has wanted to read; nil: nobody does, and silence is our own doing.
    private var wantedSince: NIODeadline?
    private var heard = NIODeadline.now()
    private var said = NIODeadline.now()
    /// Writes that are under way, and when the last of them began or ended: the channel's own "writable" says
    /// nothing, for what it waits with may be little.
    private var writesUnderWay = 0
    private var taken = NIODeadline.now()

    init(_ phase: ConnectionPhase) { self.phase = phase }

    func handlerAdded(context: ChannelHandlerContext) { start(context) }
    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        guard let phase = event as? ConnectionPhase else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        self.phase = phase
        (heard, said) = (.now(), .now())
        start(context)
        promise?.succeed()
    }

    private func start(_ context: ChannelHandlerContext) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let next: NIODeadline =
            switch phase {
            case .until(let deadline, _): deadline
            case .stream(let silence, let keepAlive, let stall):
                .now() + min(silence / 4, keepAlive / 2, stall / 4)
            }
        timer = context.eventLoop.scheduleTask(deadline: next) {
            let (clock, context) = bound.value
            clock.look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        switch phase {
        case .until(_, let what): end(context, what)
        case .stream(let silence, let keepAlive, let stall):
            if let wantedSince, now - max(wantedSince, heard) > silence {
                end(context, "a sign of life")
            } else if writesUnderWay > 0, now - taken > stall {
                end(context, "the other end to take something")
            } else {
                if writesUnderWay == 0, now - said > keepAlive {
                    context.writeAndFlush(wrapOutboundOut(StreamChunk.alive), promise: nil)
                    said = now
                }
                start(context)
            }
        }
    }

    private func end(_ context: ChannelHandlerContext, _ what: String) {
        context.fireErrorCaught(Overdue(what: what))
    }

    // MARK: What goes by

    func read(context: ChannelHandlerContext) {
        if wantedSince == nil { wantedSince = .now() }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard = .now()
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        wantedSince = nil
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        said = .now()
        if writesUnderWay == 0 { taken = said }
        writesUnderWay += 1
        let written = promise ?? context.eventLoop.makePromise()
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.writesUnderWay -= 1
            self.taken = .now()
        }
        context.write(data, promise: written)
    }
}

extension TimeAmount {
    fileprivate static func / (amount: TimeAmount, divisor: Int64) -> TimeAmount {
        .nanoseconds(max(1, amount.nanoseconds / divisor))
    }
}
