import Foundation
import NIOCore
import Peers
import Support
import Synchronization
import YardKit

/// A hoster as far as peers see it: who it is, whom it knows, and a server on loopback that really listens.
final class TestHoster: Sendable {
    let identity: Identity
    let book: PeerBookInMemory
    let server: PeerServer
    let client: PeerClient
    let events: Events
    private let running: Task<Void, Never>

    final class Events: Sendable {
        private let list = Mutex<[String]>([])
        var texts: [String] { list.withLock { $0 } }
        func add(_ event: PeerEvent) { list.withLock { $0.append(event.text) } }
    }

    init(
        _ name: String, identity: Identity? = nil, methods: [PeerMethod] = TestMethods.all,
        limits: PeerLimits = .quick
    ) async throws {
        let identity = try identity ?? Identity(making: PeerName(name))
        let (book, events) = (PeerBookInMemory(), Events())
        self.identity = identity
        self.book = book
        self.events = events
        client = try PeerClient(identity, limits: limits)
        let server = try await PeerServer(
            identity, book: book, listeningOn: [("127.0.0.1", 0)], methods: methods, limits: limits
        ) { events.add($0) }
        self.server = server
        running = Task { await server.run() }
    }

    deinit { running.cancel() }

    /// As `run` in a process that ends.
    func stop() async {
        running.cancel()
        await running.value
    }

    /// How asking a peer fails; nil: it does not.
    func failure(
        asking peer: Peer, _ method: String = "echo", _ content: JSONValue = .null,
        within limit: TimeAmount = .seconds(5)
    ) async -> PeerError? {
        await PeersTests.failure { () throws(PeerError) in
            try await client.ask(peer, method, content, within: limit)
        }
    }

    var port: Int { server.ports[0] }

    /// As another hoster has it in its book.
    func peer(port: Int? = nil, may permissions: PeerPermissions = .standard) throws -> Peer {
        Peer(
            name: identity.name, address: try PeerAddress("127.0.0.1:\(port ?? self.port)"),
            fingerprint: identity.fingerprint, since: Date(), permissions: permissions)
    }

    /// Files for a foreign program that shows this hoster's certificate.
    func pemFile(in folder: TemporaryFolder) throws -> String {
        try folder.write(identity.name.text + ".pem", identity.pem)
    }
}

/// Two who are peers.
func twoPeers(limits: PeerLimits = .quick) async throws -> (TestHoster, TestHoster) {
    let a = try await TestHoster("a", limits: limits)
    let b = try await TestHoster("b", limits: limits)
    try await a.book.add(b.peer())
    try await b.book.add(a.peer())
    return (a, b)
}

extension PeerLimits {
    /// Limits at which a test need not wait long.
    static var quick: PeerLimits {
        var limits = PeerLimits()
        limits.close = .milliseconds(300)
        return limits
    }

    static func with(_ change: (inout PeerLimits) -> Void) -> PeerLimits {
        var limits = PeerLimits.quick
        change(&limits)
        return limits
    }
}

/// What the hosters of the tests can be asked.
enum TestMethods {
    static let all = [
        PeerMethod("echo", for: .offer) { .answer($0.content) },
        PeerMethod("who", for: []) { .answer(.string($0.peer.name.text)) },
        PeerMethod("fetch", for: .fetch) { _ in .answer(.null) },
        PeerMethod("no", for: .offer) { _ in .refusal("there is no room") },
        PeerMethod("long", for: .offer) { _ in
            .answer(.string(String(repeating: "x", count: 2 << 20)))
        },
        PeerMethod("slow", for: .offer) { _ in
            try? await Task.sleep(for: .seconds(30))
            return .answer(.null)
        },
        // Gives back what comes.
        PeerMethod("mirror", for: .offer) { _ in
            .stream(.null) { (stream) throws(PeerError) in
                while let bytes = try await stream.read() { try await stream.write(bytes) }
            }
        },
        // Reads to the end, then tells the sum.
        PeerMethod("sum", for: .offer) { _ in
            .stream(.null) { (stream) throws(PeerError) in
                var sum = ByteSum()
                while let bytes = try await stream.read() { sum.add(bytes) }
                try await stream.write(ByteBuffer(string: sum.text))
            }
        },
        // Sends so many bytes.
        PeerMethod("send", for: .offer) { request in
            let count = request.content.integer ?? 0
            return .stream(.null) { (stream) throws(PeerError) in
                var source = ByteSource(count)
                while let bytes = source.next() { try await stream.write(bytes) }
            }
        },
        PeerMethod("give up", for: .offer) { _ in
            .stream(.null) { (stream) throws(PeerError) in
                _ = try await stream.read()
                throw PeerError(.unusable, "the disk is full")
            }
        },
        PeerMethod("idle", for: .offer) { _ in
            .stream(.null) { (stream) throws(PeerError) in
                try? await Task.sleep(for: .seconds(2))
                try await stream.write(ByteBuffer(string: "at last"))
            }
        },
    ]
}

/// Waits until something is so, without holding up a thread.
func eventually(seconds: Double = 10, _ isSo: () async throws -> Bool) async rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !isSo() {
        guard ContinuousClock.now < deadline else { return false }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return true
}

/// The error that this throws; nil: it throws none.
func failure<Value>(_ work: () async throws(PeerError) -> Value) async -> PeerError? {
    do throws(PeerError) {
        _ = try await work()
        return nil
    } catch {
        return error
    }
}

/// Counts across tasks.
final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}
