import DataPlane
import Linux
import Routes
import Support
import Synchronization

/// A real worker on a thread of its own, every call of which is counted, between clients and an origin that
/// the test plays.
final class WorkerBench {
    /// What the worker's thread calls.
    let counter: ThreadCounter
    let links: WorkerLinks
    /// Where all routes lead.
    let origin: StreamListener
    private let settings: WorkerSettings
    private let log: LogKeeper
    private let worker: Background
    private let endpoints: [Endpoint]

    /// Its listeners, by their numbers.
    enum Door: Int, CaseIterable {
        /// TLS, from anybody and from peers that announce their clients, and plain HTTP.
        case plain, trusted, http

        fileprivate var plan: ListenerPlan {
            let loopback = AddressPrefix(address: .v4(0x7f00_0001), lengthBits: 32)
            return ListenerPlan(
                kind: self == .http ? .http : .tls, target: SocketAddress(),
                acceptProxyFrom: self == .trusted ? [loopback] : [])
        }
    }

    /// Known to the table, next to the names that clients ask for.
    private static let otherNamesCount = 1000

    /// Runs the body on a bench, and takes that apart again whatever happens.
    static func run(_ subject: Subject, logsAccess: Bool, _ body: (WorkerBench) throws -> Void) throws {
        let bench = try WorkerBench(subject, logsAccess: logsAccess)
        do {
            try body(bench)
        } catch {
            _ = try? bench.stop()
            throw error
        }
        let lineCount = try bench.stop()
        let ended = Int(bench.links.counters[.ended])
        guard bench.links.counters[.logDropped] == 0, lineCount == (logsAccess ? ended : 0) else {
            throw BenchFailure(description: "\(lineCount) access lines for \(ended) sessions")
        }
    }

    private init(_ subject: Subject, logsAccess: Bool) throws {
        ignoreBrokenPipeSignal()
        let bell = try LogBell()
        let counter = ThreadCounter()
        links = try WorkerLinks(logBell: bell)
        origin = try StreamListener()
        var settings = WorkerSettings()
        settings.logsAccess = logsAccess
        settings.sessionsPerSourceMax = WorkerParts.sessionsMax
        let listeners = try Door.allCases.map { _ in
            try listen(on: SocketAddress(ipv4: 0x7f00_0001, port: 0), userTimeoutMilliseconds: 900_000)
        }
        let addresses = listeners.compactMap { localAddress(of: $0) }
        guard addresses.count == listeners.count else {
            throw BenchFailure(description: "a listener has no address")
        }
        endpoints = addresses.map { .ipv4(port: $0.port) }

        let parts = WorkerParts(
            table: try Self.table(leadingTo: origin.endpoint), settings: settings, links: links,
            shared: WorkerShared(
                sources: SourceCounters(connectionsMax: 1024, keys: (1, 2)),
                parkedSources: SourceCounters(connectionsMax: 1024, keys: (3, 4)),
                limitedRoutes: SourceCounters(connectionsMax: 1024, keys: (5, 6)), randomSeed: 5))
        self.counter = counter
        self.settings = settings
        log = try LogKeeper(ring: links.log, bell: bell)
        worker = Background { try counter.count { try subject.run(parts) } }
        for door in Door.allCases {
            try tell(
                .addListener(
                    descriptor: listeners[door.rawValue], index: UInt32(door.rawValue),
                    label: addresses[door.rawValue], plan: door.plan))
        }
    }

    /// Ends everything; returns how many access lines were written.
    private func stop() throws -> Int {
        links.mailbox.send(.stop)
        try worker.wait()
        return try log.stop()
    }

    private static func table(leadingTo target: Endpoint) throws -> RouteTable {
        var text = "exact.example \(target)\n*.wild.example \(target)\nrefused.example reject\n* \(target)\n"
        text += "proxied.example \(target) proxy=v2\nweb.example \(target) http=all:\(target)\n"
        text += "terms.example \(target) max=1000 idle=1h drain=1m\n"
        for number in 0..<otherNamesCount { text += "name\(number).example \(target)\n" }
        let file = SourceFile(path: "cost.routes", text: text)
        return RouteTable(
            copying: try RouteCompiler.compile([file], seed: HashSeed(first: 17, second: 42)).image)
    }

    /// Gives the worker a message and waits until it has acted on it.
    private func tell(_ message: WorkerMessage) throws {
        let number = links.mailbox.send(message)
        try until("the worker answers") { links.mailbox.isAcknowledged(number) }
    }

    /// Has the worker do something that does cost: it reads its mailbox.
    func sendMessage() throws { try tell(.settings(settings)) }

    // MARK: Connections

    /// The hello of one client; the names are found in every way that there is.
    static func hello(_ number: Int) -> [UInt8] {
        let names = [
            "exact.example", "\(number).wild.example", "name\(number % otherNamesCount).example", "none.test",
        ]
        return hello(name: names[number % names.count])
    }

    static func hello(name: String) -> [UInt8] { HelloBuilder(name: name).record() }

    /// A connection to the worker that has said its hello.
    func makeClient(_ hello: [UInt8], at door: Door = .plain) throws -> StreamSocket {
        let client = try StreamSocket(to: endpoints[door.rawValue])
        try client.send(hello)
        return client
    }

    /// A session that relays: its client, and the origin's end, which has the hello.
    func makeSession(_ number: Int) throws -> (client: StreamSocket, origin: StreamSocket) {
        let hello = Self.hello(number)
        let client = try makeClient(hello)
        let accepted = try origin.accept()
        guard try accepted.receive(exactly: hello.count) == hello else {
            throw BenchFailure(description: "the origin does not get the hello")
        }
        return (client, accepted)
    }

    /// Waits until all sessions are over.
    func waitForEnds() throws {
        try until("all sessions end") { links.counters[.sessions] == 0 }
    }

    private func until(_ what: String, _ condition: () -> Bool) throws {
        let start = monotonicNanoseconds()
        while !condition() {
            guard monotonicNanoseconds() - start < 20_000_000_000 else {
                throw BenchFailure(description: "not within 20 s: \(what)")
            }
            sleepMicroseconds(100)
        }
    }

    // MARK: Measuring

    /// What the worker's thread called, and the time that went by, during some work.
    func measure(_ work: () throws -> Void) throws -> Measurement {
        settle()
        let (costs, splices) = (counter.costs, counter.spliceCount)
        let (wall, processor) = (monotonicNanoseconds(), counter.processorNanoseconds)
        try work()
        let wallEnd = monotonicNanoseconds()
        settle()
        return Measurement(
            costs: counter.costs - costs, spliceCount: Int(counter.spliceCount - splices),
            wallNanoseconds: wallEnd - wall, processorNanoseconds: counter.processorNanoseconds - processor)
    }

    /// What the worker does behind the last byte that a peer sees is part of what went before.
    private func settle() { sleepMicroseconds(5000) }
}

/// A bench does not do what the test needs.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
}

/// What some work took.
struct Measurement {
    var costs: Costs
    var spliceCount: Int
    var wallNanoseconds: UInt64
    var processorNanoseconds: UInt64

    /// One line on the time; no test fails for it, because the machine has others to serve.
    func report(_ what: String, units: Int, _ subject: Subject, logsAccess: Bool) {
        let count = UInt64(max(1, units))
        let label = "\(subject.testDescription), access log \(logsAccess ? "on" : "off")"
        print(
            "cost: \(label): \(units) \(what): \(wallNanoseconds / count) ns wall, "
                + "\(processorNanoseconds / count) ns CPU of the worker each; called: \(costs)")
    }
}

/// Writes a worker's access lines to a file, on a thread of its own as the edge does.
final class LogKeeper {
    private let folder: TemporaryFolder
    private let bell: LogBell
    private let isOver = Flag()
    private let writer: Background

    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }

    init(ring: LogRing, bell: LogBell) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("log")
        self.folder = folder
        self.bell = bell
        writer = Background { [isOver] in
            let descriptor = try openForAppending(path)
            defer { closeDescriptor(descriptor) }

            while !isOver.value.load(ordering: .acquiring) {
                bell.wait()
                _ = ring.drain(to: descriptor)
            }
            _ = ring.drain(to: descriptor)
        }
    }

    /// Ends the thread; returns how many lines it has written.
    func stop() throws -> Int {
        isOver.value.store(true, ordering: .releasing)
        bell.ring()
        try writer.wait()
        return folder.read("log").utf8.count { $0 == UInt8(ascii: "\n") }
    }
}
