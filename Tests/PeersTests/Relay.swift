import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// A link between two hosters that can be cut: bytes go through it until so many have gone from the server
/// to the client, or until it is told; then it is closed, or only silent.
final class Relay: Sendable {
    enum Cut: Sendable {
        case closed
        case silent
    }

    private let listener: any Channel
    private let gates = Mutex<[Gate]>([])

    init(to port: Int, after bytesMax: Int = .max, _ cut: Cut = .closed) async throws {
        let box = Box()
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                let far = ClientBootstrap(group: near.eventLoop).channelOption(.autoRead, value: false)
                    .connect(host: "127.0.0.1", port: port)
                return far.flatMap { far in
                    near.eventLoop.makeCompletedFuture {
                        let gate = Gate(near: near, far: far, bytesMax: bytesMax, cut)
                        box.relay?.gates.withLock { $0.append(gate) }
                        try far.pipeline.syncOperations.addHandler(Copy(to: near, gate, counts: true))
                        try near.pipeline.syncOperations.addHandler(Copy(to: far, gate, counts: false))
                        far.read()
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        box.relay = self
    }

    deinit { listener.close(promise: nil) }

    var port: Int { listener.localAddress?.port ?? 0 }

    func cut() { for gate in gates.withLock({ $0 }) { gate.close() } }

    private final class Box: Sendable {
        private let held = Mutex<Weak>(Weak())
        struct Weak { weak var relay: Relay? }
        var relay: Relay? {
            get { held.withLock { $0.relay } }
            set { held.withLock { $0.relay = newValue } }
        }
    }

    final class Gate: Sendable {
        let near: any Channel
        let far: any Channel
        let kind: Cut
        let left: Mutex<Int>

        init(near: any Channel, far: any Channel, bytesMax: Int, _ kind: Cut) {
            (self.near, self.far, self.kind) = (near, far, kind)
            left = Mutex(bytesMax)
        }

        func close() {
            left.withLock { $0 = 0 }
            guard kind == .closed else { return }
            near.close(promise: nil)
            far.close(promise: nil)
        }
    }

    private final class Copy: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let other: any Channel
        let gate: Gate
        let counts: Bool

        init(to other: any Channel, _ gate: Gate, counts: Bool) {
            (self.other, self.gate, self.counts) = (other, gate, counts)
        }

        func channelActive(context: ChannelHandlerContext) { context.read() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            let channel = context.channel
            let (count, isCut) = gate.left.withLock { left in
                guard counts else { return (left > 0 ? bytes.readableBytes : 0, false) }
                let count = min(left, bytes.readableBytes)
                if left != .max { left -= count }
                return (count, left == 0)
            }
            guard let part = bytes.readSlice(length: count), count > 0 || !isCut else { return }
            let gate = gate
            other.writeAndFlush(part).whenComplete { _ in if isCut { gate.close() } else { channel.read() } }
        }

        func channelInactive(context: ChannelHandlerContext) { gate.close() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { gate.close() }
    }
}
