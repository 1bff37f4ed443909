import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization
import YardKit

/// Answers peers. Whoever has no certificate that is pinned gets no further than the TLS handshake; while an
/// invitation is open, it may say the one line of a ``JoinRequest``.
package final class PeerServer: Sendable {
    let book: any PeerBook
    let limits: PeerLimits
    let report: @Sendable (PeerEvent) -> Void
    private let methods: [String: PeerMethod]
    private let listeners: [any Channel]
    private let arrivals: AsyncStream<Arrival>
    private let hall: Hall

    /// A connection, and what was found out about its other end.
    struct Arrival: Sendable {
        let number: Int
        let source: String
        let connection: PeerConnection
        let admission: Admission
    }

    /// Listens. The address of each `host` is an IP address.
    package init(
        _ identity: Identity, book: any PeerBook, listeningOn addresses: [(host: String, port: Int)],
        methods: [PeerMethod], limits: PeerLimits = PeerLimits(),
        report: @escaping @Sendable (PeerEvent) -> Void = { _ in }
    ) async throws(PeerError) {
        self.book = book
        self.limits = limits
        self.report = report
        self.methods = Dictionary(methods.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let (arrivals, sender) = AsyncStream.makeStream(of: Arrival.self)
        self.arrivals = arrivals
        let hall = Hall(try Secrets(identity, limits), limits, book: book, sender)
        self.hall = hall
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Out of descriptors: it waits a little before it tries again.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try hall.enter(channel) }
            }
        var listeners: [any Channel] = []
        for (host, port) in addresses {
            do {
                listeners.append(try await bootstrap.bind(host: host, port: port).get())
            } catch {
                for listener in listeners { try? await listener.close() }
                throw PeerError(.unusable, "\(host):\(port) cannot be listened on for peers: \(error)")
            }
        }
        self.listeners = listeners
    }

    /// The ports, in the order of the addresses: for those that were given as 0.
    package var ports: [Int] { listeners.compactMap(\.localAddress?.port) }

    /// Answers until the task is cancelled; then all ends at once.
    package func run() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                for await arrival in arrivals {
                    group.addTask { await self.serve(arrival) }
                }
                group.cancelAll()
            }
        } onCancel: {
            for listener in listeners { listener.close(promise: nil) }
            hall.close()
        }
        for listener in listeners { try? await listener.close() }
    }

    /// Connections from now on show this certificate.
    package func use(_ identity: Identity) throws(PeerError) { hall.secrets = try Secrets(identity, limits) }

    /// Ends all connections of somebody who is a peer no more; the book has forgotten it already.
    package func disconnect(_ fingerprint: Fingerprint) { hall.disconnect(fingerprint) }

    var identity: Identity { hall.secrets.identity }

    // MARK: One connection

    private func serve(_ arrival: Arrival) async {
        await withTaskCancellationHandler {
            do throws(PeerError) {
                try await converse(arrival)
            } catch {
                // Of strangers nothing is told: there may be any number of them.
                if case .peer(let peer) = arrival.admission.value { report(.failed(peer, error)) }
            }
            await arrival.connection.close()
        } onCancel: {
            arrival.connection.closeSoon()
        }
    }

    private func converse(_ arrival: Arrival) async throws(PeerError) {
        let connection = arrival.connection
        let protocolName = try await connection.handshake()
        switch (arrival.admission.value, protocolName) {
        case (.peer(let peer), PeerProtocol.peer):
            connection.place = Place(name: peer.name, at: arrival.source)
            guard hall.admit(arrival.number, as: peer.fingerprint) else {
                try await refuse(arrival, PeerError(.busy, "too many connections at once"))
                return
            }
            // Who was removed since its certificate was looked at is no peer any more; who is removed from
            // now on is found by `disconnect`.
            guard try await book.peer(with: peer.fingerprint) == peer else { return }
            try await answer(peer, on: connection)
        case (.peer(let peer), PeerProtocol.join):
            try await join(arrival, as: peer.fingerprint)
        case (.stranger(let fingerprint), PeerProtocol.join):
            try await join(arrival, as: fingerprint)
        case (.outOfTime(let error), _):
            try await refuse(arrival, error)
        case (.stranger(let fingerprint), PeerProtocol.peer):
            try await refuse(
                arrival, PeerError(.ourCertificate, "no peer has the fingerprint \(fingerprint)"))
        case (.unknown, _), (.peer, _), (.stranger, _):
            // Another protocol; or TLS has taken up an earlier session, for which no certificate was checked.
            return
        }
    }

    /// Says no instead of a greeting: nothing of the other end has been read.
    private func refuse(_ arrival: Arrival, _ error: PeerError) async throws(PeerError) {
        report(.refused(from: arrival.source, error))
        try await arrival.connection.write(ProtocolRefusal(error).line)
    }

    /// Says who we are, and reads the one line that is the request; nil: it wanted to know no more.
    func greet(_ connection: PeerConnection, bytesMax: Int) async throws(PeerError) -> [UInt8]? {
        connection.expect("the request", within: limits.request)
        try await connection.write(PeerGreeting.line(name: identity.name, at: Date()))
        return try await connection.readLine(bytesMax: bytesMax)
    }

    private func answer(_ peer: Peer, on connection: PeerConnection) async throws(PeerError) {
        let line: [UInt8]
        do throws(PeerError) {
            guard let read = try await greet(connection, bytesMax: limits.lineBytesMax) else { return }
            line = read
        } catch {
            if error.kind == .tooLong {
                try await connection.write(
                    ProtocolRefusal(.tooLong, "a request has at most \(limits.lineBytesMax) bytes").line)
            }
            throw error
        }
        guard let request = ProtocolRequest(line) else {
            try await connection.write(ProtocolRefusal(.unclear, "this is no request").line)
            throw PeerError(.unclear, "\(connection.place) sends something that is no request")
        }
        let (answer, error) = await self.answer(to: request, of: peer, on: connection)
        if let error { report(.failed(peer, error)) }
        switch answer {
        case .refusal(let text):
            try await say(ProtocolRefusal(.refused, text).line, on: connection)
        case .answer(let content):
            try await say(ProtocolAnswer(content: content, isStream: false).line, on: connection)
        case .stream(let content, let work):
            try await say(ProtocolAnswer(content: content, isStream: true).line, on: connection)
            try await stream(on: connection, work)
        }
    }

    private func answer(
        to request: ProtocolRequest, of peer: Peer, on connection: PeerConnection
    ) async -> (PeerAnswer, PeerError?) {
        guard let method = methods[request.method] else {
            let text =
                "there is no `\(printable(request.method, charactersMax: 40))` here: our versions differ"
            return (.refusal(text), PeerError(.refused, text))
        }
        guard peer.permissions.isSuperset(of: method.permissions) else {
            let text = "you may not \(method.permissions.subtracting(peer.permissions).text)"
            return (.refusal(text), PeerError(.refused, text))
        }
        // The work has its own limits; the client waits as long as it wants.
        connection.expect("the answer", within: .hours(24))
        return (await method.answer(PeerRequest(peer: peer, content: request.content)), nil)
    }

    private func say(_ line: JSONValue, on connection: PeerConnection) async throws(PeerError) {
        connection.expect("the other end to take the answer", within: limits.request)
        try await connection.write(line)
    }

    private func stream(
        on connection: PeerConnection, _ work: @Sendable (PeerStream) async throws(PeerError) -> Void
    ) async throws(PeerError) {
        connection.expectStream()
        let stream = PeerStream(connection)
        do throws(PeerError) {
            try await work(stream)
            try await stream.settle()
        } catch {
            throw await stream.giveUp(error)
        }
    }
}
