import NIOCore
import NIOPosix
import Runme

/// Finds out whether another hoster's edge takes what the edge here would forward, before a site depends on
/// it: a TLS hello behind a header of the PROXY protocol is answered by an edge that believes this machine.
enum EdgeProbe {
    private static let limit = TimeAmount.seconds(3)
    private static let alert: UInt8 = 21
    private static let handshake: UInt8 = 22
    /// It has no route for the name yet (RFC 6066 section 3).
    private static let unrecognizedName: UInt8 = 112

    /// What is wrong, in one sentence; nil: nothing, as far as can be seen. Who says nothing at all has the
    /// name wait, as an edge does with sites that sleep or move.
    static func objection(to address: HostPort, name: String) async -> String? {
        let subject = "the edge at \(address), to which visitors would be forwarded,"
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(limit)
                .connect(host: address.host, port: Int(address.port)).get()
            guard let answer = await answer(on: channel, name) else { return nil }
            let isGood =
                answer.first == handshake
                || answer.count >= 7 && answer[0] == alert && answer[6] == unrecognizedName
            return isGood
                ? nil
                : "\(subject) does not take them: accept-proxy= there has to name this machine's address"
        } catch {
            return "\(subject) cannot be reached: \(error)"
        }
    }

    /// The first bytes, none if it has closed; nil: it says nothing.
    private static func answer(on channel: any Channel, _ name: String) async -> [UInt8]? {
        let answer = channel.eventLoop.makePromise(of: [UInt8]?.self)
        let timer = channel.eventLoop.scheduleTask(in: limit) { answer.succeed(nil) }
        do {
            try await channel.eventLoop.submit {
                try channel.pipeline.syncOperations.addHandler(FirstBytesReader(answer))
            }.get()
            let hello = ReadyProbe.hello(name, proxy: .v2)
            try await channel.writeAndFlush(ByteBuffer(bytes: hello))
        } catch {
            answer.succeed([])
        }
        let bytes = (try? await answer.futureResult.get()) ?? []
        timer.cancel()
        try? await channel.close()
        return bytes
    }
}

private final class FirstBytesReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let answer: EventLoopPromise<[UInt8]?>
    private var bytes: [UInt8] = []

    init(_ answer: EventLoopPromise<[UInt8]?>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView.prefix(7)
        if bytes.count >= 7 { answer.succeed(bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) { answer.succeed(bytes) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.succeed(bytes) }
}
