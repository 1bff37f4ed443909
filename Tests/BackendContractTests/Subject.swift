import DataPlane
import Testing

/// A backend under test, with a world around it.
struct Subject: Sendable, CustomTestStringConvertible {
    /// Sessions that the backend is made for: few, so that a test can use its buffers up.
    static let sessionsMax = 32
    /// Pipes that it may make.
    static let pipesMax = 4

    let testDescription: String
    private let makeBackend: @Sendable (_ sessionsMax: Int, _ pipesMax: Int) throws -> any ContractBackend
    private let makeWorld: @Sendable () throws -> any ContractWorld
    private var sessionsMax = Self.sessionsMax
    private var pipesMax = Self.pipesMax

    /// Backends on real sockets: one line each.
    static let real: [Subject] = [
        real("epoll") { try EpollBackend(descriptorsMax: 65_536, sessionsMax: $0, pipesMax: $1) }
    ]

    /// Every backend that there is.
    static let all: [Subject] = real

    init(
        _ name: String,
        _ makeBackend:
            @escaping @Sendable (_ sessionsMax: Int, _ pipesMax: Int) throws -> any ContractBackend,
        in makeWorld: @escaping @Sendable () throws -> any ContractWorld
    ) {
        testDescription = name
        self.makeBackend = makeBackend
        self.makeWorld = makeWorld
    }

    private static func real<Backend: IOBackend & SendableMetatype & ~Copyable>(
        _ name: String, _ make: @escaping @Sendable (_ sessionsMax: Int, _ pipesMax: Int) throws -> Backend
    ) -> Subject {
        Subject(name, { BackendBox(try make($0, $1)) }, in: { try RealWorld() })
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
        let bench = Bench(try makeBackend(sessionsMax, pipesMax), try makeWorld())
        do {
            try rule(bench)
        } catch {
            bench.abandon()
            throw error
        }
        try bench.finish()
    }
}
