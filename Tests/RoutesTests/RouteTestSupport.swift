import Routes
import Testing
import Wire

/// A seeded source of random numbers: a failing test prints its seed and replays exactly.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

let testSeed = HashSeed(first: 0x0123_4567_89AB_CDEF, second: 0xFEDC_BA98_7654_3210)

/// Compiles one text, or fails the test with the diagnostics.
func compile(_ text: String, seed: HashSeed = testSeed) throws -> CompiledRoutes {
    try compile(bytes: Array(text.utf8), seed: seed)
}

func compile(bytes: [UInt8], seed: HashSeed = testSeed) throws -> CompiledRoutes {
    do throws(InvalidSource) {
        return try RouteCompiler.compile([SourceFile(path: "test.routes", bytes: bytes)], seed: seed)
    } catch {
        Issue.record("\(error.diagnostics.rendered)")
        throw error
    }
}

/// The rendered errors and warnings of a routes text.
func diagnostics(_ text: String) -> String {
    do throws(InvalidSource) {
        return try RouteCompiler.compile([SourceFile(path: "t", text: text)], seed: testSeed).warnings
            .rendered
    } catch {
        return error.diagnostics.rendered
    }
}

/// The rendered errors and warnings of a configuration text.
func configurationDiagnostics(_ text: String) -> String {
    do throws(InvalidSource) {
        return try Configuration.parse(SourceFile(path: "c", text: text)).warnings.rendered
    } catch {
        return error.diagnostics.rendered
    }
}

extension [UInt8] {
    func find(_ name: String) -> RouteMatch {
        let bytes = Array(name.utf8)
        return RouteImage.find(bytes.span.rawBytes, in: span.rawBytes)
    }

    /// The route of a name that must be in the table.
    func route(_ name: String) throws -> Route {
        let match = find(name)
        try #require(match.kind != .none)
        return RouteImage.route(match.routeIndex, in: span.rawBytes)
    }

    func options(_ name: String) throws -> RouteOptions {
        let route = try route(name)
        return RouteImage.options(route.optionsIndex, in: span.rawBytes)
    }

    func targets(_ name: String) throws -> [Target] {
        let route = try route(name)
        return (0..<route.targetCount).map {
            RouteImage.target(route.targetStart + UInt32($0), in: span.rawBytes)
        }
    }

    func text(_ address: TargetAddress) -> String { RouteImage.text(of: address, in: span.rawBytes) }

    func changes(to other: [UInt8], examplesMax: Int = 10) -> RouteChanges {
        RouteChanges(from: span.rawBytes, to: other.span.rawBytes, examplesMax: examplesMax)
    }
}
