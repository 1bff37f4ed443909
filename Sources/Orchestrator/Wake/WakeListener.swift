import Foundation
import Linux
import Logging
import NIOCore
import NIOPosix

/// Where the edge says that a visitor waits for a site that sleeps: a unix socket, a connection for each
/// message, `wake NAME` and a line feed.
final class WakeListener: Sendable {
    private let channel: any Channel

    /// Listens, in the place of an earlier process that has left its socket there.
    init(path: String, wake: @escaping @Sendable (_ name: String) -> Void) async throws(Refusal) {
        removeFile(path)
        do {
            channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.backlog, value: 1024)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(WakeReader(wake: wake))
                    }
                }
                .bind(unixDomainSocketPath: path).get()
            try LocalSocket.open(path)
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be listened on: \(error)")
        }
    }

    func close() async { try? await channel.close() }
}

/// Who may use our sockets.
enum LocalSocket {
    /// The group whose members may; the edge is one of them.
    static let group = "switchyard"

    /// Root and that group, where there is one.
    static func open(_ path: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: path)
        try? FileManager.default.setAttributes([.groupOwnerAccountName: group], ofItemAtPath: path)
    }
}

/// Reads one message, and not longer than it takes to send one.
private final class WakeReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private static let bytesMax = 300
    private static let limit = TimeAmount.seconds(5)

    private let wake: @Sendable (String) -> Void
    private var bytes: [UInt8] = []
    private var timer: Scheduled<Void>?

    init(wake: @escaping @Sendable (String) -> Void) { self.wake = wake }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: Self.limit) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView.prefix(Self.bytesMax)
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            if bytes.count >= Self.bytesMax { context.close(promise: nil) }
            return
        }
        let words = bytes[..<end].split(separator: UInt8(ascii: " "))
        if words.count == 2, words[0].elementsEqual("wake".utf8) {
            wake(String(decoding: words[1], as: UTF8.self))
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { timer?.cancel() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
