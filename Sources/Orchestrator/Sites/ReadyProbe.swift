import Linux
import NIOCore
import NIOPosix
import Runme
import Wire

/// Finds out whether a site serves, as a client of it would: a TLS handshake for its name is begun and
/// answered. It is not finished, so no key is needed and no certificate looked at.
enum ReadyProbe {
    /// A server on this machine or its bridge answers within this, or is not ready.
    private static let connectLimit = TimeAmount.milliseconds(250)
    private static let answerLimit = TimeAmount.seconds(2)

    /// One attempt.
    static func answers(
        _ address: HostPort, name: String, check: Runme.Ready.Check, proxy: Runme.ProxyHeader? = nil
    ) async -> Bool {
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(connectLimit)
                .connect(host: address.host, port: Int(address.port)).get()
            guard check == .hello else {
                try? await channel.close()
                return true
            }
            return await askHello(channel, name, proxy)
        } catch {
            return false
        }
    }

    /// The first bytes of a connection of our own.
    static func hello(_ name: String, proxy: Runme.ProxyHeader?) -> [UInt8] {
        var random = InlineArray<96, UInt8>(repeating: 0)
        for word in 0..<12 {
            let bits = randomBits()
            for byte in 0..<8 { random[word * 8 + byte] = UInt8(truncatingIfNeeded: bits >> (byte * 8)) }
        }
        return (proxy?.ownHeader ?? []) + ClientHelloBuilder(name: Array(name.utf8), random: random).record
    }

    private static func askHello(
        _ channel: any Channel, _ name: String, _ proxy: Runme.ProxyHeader?
    ) async -> Bool {
        let answer = channel.eventLoop.makePromise(of: Bool.self)
        let limit = channel.eventLoop.scheduleTask(in: answerLimit) { answer.succeed(false) }
        do {
            try await channel.eventLoop.submit {
                try channel.pipeline.syncOperations.addHandler(AnswerReader(answer))
            }.get()
            try await channel.writeAndFlush(ByteBuffer(bytes: hello(name, proxy: proxy)))
        } catch {
            answer.succeed(false)
        }
        let isGood = (try? await answer.futureResult.get()) ?? false
        limit.cancel()
        try? await channel.close()
        return isGood
    }
}

extension Runme.ProxyHeader {
    /// The header of a connection that is made on nobody's behalf (the PROXY protocol's specification,
    /// sections 2.1 and 2.2).
    var ownHeader: [UInt8] {
        switch self {
        case .v1: Array("PROXY UNKNOWN\r\n".utf8)
        case .v2: Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x20, 0, 0, 0]
        }
    }
}

/// Looks at the first bytes of an answer: a handshake record with a ServerHello (RFC 8446 sections 5.1 and
/// 4).
private final class AnswerReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let answer: EventLoopPromise<Bool>
    private var bytes: [UInt8] = []

    init(_ answer: EventLoopPromise<Bool>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView.prefix(6)
        guard bytes.count >= 6 else { return }
        answer.succeed(bytes[0] == 22 && bytes[1] == 3 && bytes[5] == 2)
    }

    func channelInactive(context: ChannelHandlerContext) { answer.succeed(false) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { answer.succeed(false) }
}
