import Crypto
import NIOCore
import NIOPosix
import NIOSSL
import Runme
import Synchronization

/// Finishes a TLS handshake with a site, and tells which certificate it shows.
enum CertificateProbe {
    private static let limit = TimeAmount.seconds(2)

    /// SHA-256 of it, as hexadecimal digits.
    static func fingerprint(
        at address: HostPort, name: String, proxy: Runme.ProxyHeader?
    ) async -> Result<String, Refusal> {
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            // Which one it is is compared; who has signed it is the visitors' affair.
            configuration.certificateVerification = .noHostnameVerification
            let context = try NIOSSLContext(configuration: configuration)
            let holder = Shown()
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(limit)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let tls = try NIOSSLClientHandler(context: context, serverHostname: name) {
                            chain, promise in
                            holder.note(chain)
                            // It is known now; no byte of ours is worth sending.
                            promise.succeed(NIOSSLVerificationResult.failed)
                        }
                        if let proxy {
                            try channel.pipeline.syncOperations.addHandler(FirstBytes(proxy.ownHeader))
                        }
                        try channel.pipeline.syncOperations.addHandlers(tls, EndOfProbe())
                    }
                }
                .connect(host: address.host, port: Int(address.port)).get()
            let timer = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
            try? await channel.closeFuture.get()
            timer.cancel()
            if let print = holder.print { return .success(print) }
            return .failure(Refusal(.unavailable, "it shows no certificate"))
        } catch {
            return .failure(Refusal(.unavailable, "\(error)"))
        }
    }

    private final class Shown: Sendable {
        private let seen = Mutex<String?>(nil)

        var print: String? { seen.withLock { $0 } }

        func note(_ chain: [NIOSSLCertificate]) {
            guard let bytes = try? chain.first?.toDERBytes() else { return }
            let sum = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            seen.withLock { $0 = sum }
        }
    }
}

/// Sends bytes in front of everything else.
private final class FirstBytes: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = ByteBuffer
    private var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if !bytes.isEmpty {
            context.write(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            bytes = []
        }
        context.write(data, promise: promise)
    }
}

private final class EndOfProbe: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
