import DataPlane
import Testing

/// A backend under test, with a world around it.
struct Subject: Sendable, CustomTestStringConvertible {
    /// Sessions that the backend is made for: few, so that a test can use its buffers up.
    static let sessionsMax = 32
    /// Pipes that it may make.
    static let pipesMax = 4

    let testDescription: String
    private let makeParts: @Sendable (Subject) throws -> (any ContractBackend, any ContractWorld)
    private(set) var sessionsMax = Self.sessionsMax
    private(set) var pipesMax = Self.pipesMax

    /// Backends on real sockets: one line each.
    static let real: [Subject] = [
        real("epoll") {
            try EpollBackend(descriptorsMax: 65_536, sessionsMax: $0.sessionsMax, pipesMax: $0.pipesMax)
        },
        real("io_uring") {
            try RingBackend(descriptorsMax: 65_536, sessionsMax: $0.sessionsMax, pipesMax: $0.pipesMax)
        },
    ]

    /// Every backend that there is.
    static let all: [Subject] = real + [Subject("simulated", SimulatedWorld.make)]

    init(
        _ name: String,
        _ makeParts: @escaping @Sendable (Subject) throws -> (any ContractBackend, any ContractWorld)
    ) {
        testDescription = name
        self.makeParts = makeParts
    }

    private static func real<Backend: IOBackend & SendableMetatype & ~Copyable>(
        _ name: String, _ make: @escaping @Sendable (Subject) throws -> Backend
    ) -> Subject {
        Subject(name) { (BackendBox(try make($0)), try RealWorld()) }
    }

    /// The same with more of everything.
    func resized(sessionsMax: Int, pipesMax: Int) -> Subject {
        var subject = self
        subject.sessionsMax = sessionsMax
        subject.pipesMax = pipesMax
        return subject
    }

    /// Checks one rule on a backend and a world of its own.
    func check(_ rule: (Bench) throws -> Void) throws {
        let (backend, world) = try makeParts(self)
        let bench = Bench(backend, world)
        do {
            try rule(bench)
        } catch {
            bench.abandon()
            throw error
        }
        try bench.finish()
    }
}
