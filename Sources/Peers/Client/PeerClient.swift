import Foundation
import Linux
package import NIOCore
import NIOPosix
import NIOSSL
package import YardKit

/// Asks peers. A connection for each request: requests are few, and large things go through a stream.
package struct PeerClient: Sendable {
    let identity: Identity
    private let limits: PeerLimits
    private let peerContext: NIOSSLContext
    private let joinContext: NIOSSLContext

    package init(_ identity: Identity, limits: PeerLimits = PeerLimits()) throws(PeerError) {
        self.identity = identity
        self.limits = limits
        peerContext = try identity.securityContext(protocols: [PeerProtocol.peer], limits: limits)
        joinContext = try identity.securityContext(protocols: [PeerProtocol.join], limits: limits)
    }

    /// Asks nothing: whether it is there and knows us, and what time it has.
    package func greet(_ peer: Peer) async throws(PeerError) -> PeerGreeting {
        try await converse(with: .init(peer), joining: false) { (_, greeting) throws(PeerError) in greeting }
    }

    /// One request and its answer, which may take so long.
    package func ask(
        _ peer: Peer, _ method: String, _ content: JSONValue = .null, within limit: TimeAmount = .seconds(60)
    ) async throws(PeerError) -> JSONValue {
        try await converse(with: .init(peer), joining: false) { (connection, _) throws(PeerError) in
            try await request(
                ProtocolRequest(method: method, content: content).line, on: connection, within: limit
            ).content
        }
    }

    /// One request whose answer goes on as a stream. It has gone well when this returns: the peer has read to
    /// our end, and its own work has ended well. What `work` throws is told to the peer.
    package func stream<Value: Sendable>(
        _ peer: Peer, _ method: String, _ content: JSONValue = .null, within limit: TimeAmount = .seconds(60),
        _ work: @escaping @Sendable (JSONValue, PeerStream) async throws(PeerError) -> Value
    ) async throws(PeerError) -> Value {
        try await converse(with: .init(peer), joining: false) { (connection, _) throws(PeerError) in
            let line = ProtocolRequest(method: method, content: content).line
            let answer = try await request(line, on: connection, within: limit)
            guard answer.isStream else {
                throw PeerError(
                    .unclear, "\(connection.place) answers \(method) without a stream: our versions differ")
            }
            connection.expectStream()
            let stream = PeerStream(connection)
            do throws(PeerError) {
                let value = try await work(answer.content, stream)
                try await stream.settle()
                return value
            } catch {
                throw await stream.giveUp(error)
            }
        }
    }

    // MARK: A connection

    /// Whom to connect to.
    struct Destination: Sendable {
        let name: PeerName
        let address: PeerAddress
        let fingerprint: Fingerprint

        init(name: PeerName, address: PeerAddress, fingerprint: Fingerprint) {
            self.name = name
            self.address = address
            self.fingerprint = fingerprint
        }

        init(_ peer: Peer) {
            self.init(name: peer.name, address: peer.address, fingerprint: peer.fingerprint)
        }

        var place: Place { Place(name: name, at: address.description) }
    }

    /// Connects, shakes hands, reads the greeting, and closes after the work.
    func converse<Value: Sendable>(
        with destination: Destination, joining: Bool,
        _ work: (PeerConnection, PeerGreeting) async throws(PeerError) -> Value
    ) async throws(PeerError) -> Value {
        if let error = PeerError.outOfTime("our own certificate", identity.validity, at: Date()) {
            throw error
        }
        let connection = try await connect(to: destination, joining ? joinContext : peerContext)
        let result = await withTaskCancellationHandler {
            await Self.result { () throws(PeerError) in
                guard try await connection.handshake() != nil else {
                    throw PeerError(.unclear, "\(connection.place) speaks another version of our protocol")
                }
                connection.expect("the greeting", within: limits.handshake)
                guard let value = try await connection.readValue(bytesMax: limits.joinBytesMax) else {
                    throw connection.cutOff
                }
                if let refusal = ProtocolRefusal(value) { throw Self.error(refusal, from: connection) }
                return try await work(connection, PeerGreeting(value, at: Date()))
            }
        } onCancel: {
            connection.closeSoon()
        }
        await connection.close()
        return try result.get()
    }

    private static func result<Value>(
        _ work: () async throws(PeerError) -> Value
    ) async -> Result<Value, PeerError> {
        do throws(PeerError) {
            return .success(try await work())
        } catch {
            return .failure(error)
        }
    }

    private func connect(
        to destination: Destination, _ context: NIOSSLContext
    ) async throws(PeerError) -> PeerConnection {
        let (place, limits) = (destination.place, limits)
        let verdict = Verdict()
        let connecting = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(limits.connect)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
        do {
            return try await connecting.connect(
                host: destination.address.host, port: destination.address.port
            ) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let tls = try NIOSSLClientHandler(context: context, serverHostname: nil) {
                        chain, promise in
                        verdict.refusal = Self.refusal(of: chain, destination)
                        promise.succeed(verdict.refusal == nil ? .certificateVerified : .failed)
                    }
                    return try PeerConnection(
                        on: channel, tls: tls, verdict: verdict, place: place, limits: limits)
                }
            }
        } catch {
            throw PeerError(.unreachable, "\(place) cannot be reached: \(Self.words(error))")
        }
    }

    /// Why the certificate of the other end is not good; nil: it is.
    private static func refusal(of chain: [NIOSSLCertificate], _ destination: Destination) -> PeerError? {
        guard let shown = ShownCertificate(chain) else {
            return PeerError(
                .theirCertificate, "\(destination.place) shows a certificate that cannot be read")
        }
        guard shown.fingerprint == destination.fingerprint else {
            return PeerError(
                .theirCertificate,
                "\(destination.place) is somebody else: its fingerprint is \(shown.fingerprint), and we know "
                    + "\(destination.name) by \(destination.fingerprint)")
        }
        return PeerError.outOfTime("the certificate of \(destination.place)", shown.validity, at: Date())
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let one = error.connectionErrors.first { return words(one.error) }
            return error.dnsAError != nil || error.dnsAAAAError != nil
                ? "no address is known for \(error.host)" : "there was no answer"
        case let error as IOError: return "\(Errno(number: error.errnoCode))"
        case ChannelError.connectTimeout: return "there was no answer"
        default: return "\(error)"
        }
    }

    // MARK: Lines

    /// Sends a request and reads its answer.
    func request(
        _ line: JSONValue, on connection: PeerConnection, within limit: TimeAmount
    ) async throws(PeerError) -> ProtocolAnswer {
        connection.expect("the answer", within: limit)
        do throws(PeerError) {
            try await connection.write(line)
        } catch  where error.kind == .cutOff {
            // It may have said why before it closed.
        }
        guard let value = try await connection.readValue(bytesMax: limits.lineBytesMax) else {
            throw connection.cutOff
        }
        if let refusal = ProtocolRefusal(value) { throw Self.error(refusal, from: connection) }
        guard let answer = ProtocolAnswer(value) else {
            throw PeerError(.unclear, "\(connection.place) gives an answer that is none")
        }
        return answer
    }

    private static func error(_ refusal: ProtocolRefusal, from connection: PeerConnection) -> PeerError {
        PeerError(refusal.kind, "\(connection.place) says no: \(refusal.text)")
    }
}
