import Foundation
import Support
import Testing
import Wire

/// The router's name against the name that OpenSSL's server sees.
@Suite struct HelloOracleTests {
    /// Where the seeds start; each mutated hello has the next one. A failure names its seed: HELLO_SEED=seed
    /// HELLO_COUNT=1 in the environment replays it alone, and other numbers search on.
    private static let firstSeed = setting("HELLO_SEED") ?? 1
    private static let helloCount = Int(setting("HELLO_COUNT") ?? 150_000)

    private static func setting(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    private static var bases: [HelloBuilder] {
        var variants = HelloFixture.all.compactMap { HelloBuilder(parsing: $0.bytes) }
        variants.append(HelloBuilder(name: "www.example.org"))
        variants.append(HelloBuilder(name: nil))
        variants.append(.browser(name: "www.example.org"))
        var resuming = HelloBuilder(name: "resumed.example.org")
        resuming.extensions?.append(.init(type: 45, body: [1, 1]))
        resuming.extensions?.append(.preSharedKey())
        variants.append(resuming)
        return variants
    }

    @Test(
        "The second parser of the tests takes every recorded hello apart and builds it again, byte for byte")
    func builderRoundTrip() throws {
        for fixture in HelloFixture.all {
            let hello = try #require(HelloBuilder(parsing: fixture.bytes), "\(fixture)")
            let message = Array(fixture.bytes.prefix(Int(parse(fixture.bytes).hello.byteCount)).dropFirst(5))
            #expect(hello.message() == message, "\(fixture)")
        }
    }

    @Test("OpenSSL sees in every recorded hello the name that the router sees", arguments: HelloFixture.all)
    func recordedHellos(fixture: HelloFixture) {
        let verdict = HelloOracle.shared.ask(fixture.bytes)
        let (outcome, hello) = parse(fixture.bytes)
        #expect(HelloAgreement(outcome, hello, verdict) == .same, "\(verdict)")
    }

    @Test("A mutated hello has the name that OpenSSL sees, or is refused")
    func mutatedHellos() {
        var mutator = HelloMutator(bases: Self.bases)
        var counts: [HelloAgreement: Int] = [:]
        var outcomes: [HelloOutcomeKind: Int] = [:]
        var contradictions = 0
        for index in 0..<Self.helloCount {
            let seed = Self.firstSeed &+ UInt64(index)
            let bytes = mutator.hello(seed: seed)
            let (outcome, hello) = parse(bytes)
            outcomes[HelloOutcomeKind(outcome), default: 0] += 1
            var agreement = HelloAgreement(outcome, hello, HelloOracle.shared.ask(bytes))
            if case .laxer(let reason) = agreement, outcome != .needMore,
                !holdsJustThisName(bytes, outcome, hello)
            {
                agreement = .contradiction("\(outcome) \(hello.name.text) is not the one name; \(reason)")
            }
            if case .contradiction(let words) = agreement {
                contradictions += 1
                if contradictions <= 5 { Issue.record("seed \(seed): \(words)") }
            } else {
                counts[agreement, default: 0] += 1
            }
        }
        #expect(contradictions == 0, "of \(Self.helloCount) hellos; the first seeds are above")
        report(counts, outcomes)
        guard Self.helloCount > 1000 else { return }
        // A mutator that breaks everything, or nothing, would prove nothing.
        #expect(outcomes[.name, default: 0] > Self.helloCount / 5)
        #expect(outcomes[.malformed, default: 0] > Self.helloCount / 10)
    }

    /// Where OpenSSL refuses before it comes to the name, the second parser is the judge: just this one name
    /// must be in the bytes, or none.
    private func holdsJustThisName(_ bytes: [UInt8], _ outcome: HelloOutcome, _ hello: ClientHello) -> Bool {
        guard let extensions = HelloBuilder(parsing: bytes).map({ $0.extensions ?? [] }) else { return false }
        let bodies = extensions.filter { $0.type == 0 }.map(\.body)
        if outcome == .noName { return bodies.isEmpty }
        // Length of the list, type and length of the name: five bytes in front of the name.
        let name = Array(bodies.first?.dropFirst(5) ?? [])
        return bodies == [HelloBuilder.Extension.serverName(name).body]
            && HostName.spelled(name) == hello.name
    }

    private func report(_ counts: [HelloAgreement: Int], _ outcomes: [HelloOutcomeKind: Int]) {
        let list = outcomes.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }
        say("\(Self.helloCount) mutated hellos from seed \(Self.firstSeed): \(list)")
        for (agreement, count) in counts.sorted(by: { $0.value > $1.value }) {
            say("  \(count) \(agreement)")
        }
    }

    @Test("No flip of one bit in a recorded hello makes the router see another name than OpenSSL")
    func bitFlips() {
        var flips = 0
        var named = 0
        for fixture in HelloFixture.all {
            let helloBytes = Int(parse(fixture.bytes).hello.byteCount)
            for bit in 0..<helloBytes * 8 {
                var bytes = fixture.bytes
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                let (outcome, hello) = parse(bytes)
                let agreement = HelloAgreement(outcome, hello, HelloOracle.shared.ask(bytes))
                if case .contradiction(let words) = agreement {
                    Issue.record("\(fixture), byte \(bit / 8), bit \(bit % 8): \(words)")
                }
                flips += 1
                named += outcome == .name ? 1 : 0
            }
        }
        say("\(flips) flips of one bit: \(named) still had a name")
    }

    @Test("A hello cut into records anywhere has the name that OpenSSL sees", arguments: HelloFixture.all)
    func recordCuts(fixture: HelloFixture) throws {
        let message = try #require(HelloBuilder(parsing: fixture.bytes)).message()
        for cut in stride(from: 1, to: message.count, by: 7) {
            let bytes = HelloBuilder.records(of: message, sizes: [cut])
            let (outcome, hello) = parse(bytes)
            #expect(HelloAgreement(outcome, hello, HelloOracle.shared.ask(bytes)) == .same, "cut at \(cut)")
        }
    }
}

/// The outcome without its reason, for counting.
enum HelloOutcomeKind: Hashable {
    case needMore, name, noName, foreign, malformed, overLimit

    init(_ outcome: HelloOutcome) {
        self =
            switch outcome {
            case .needMore: .needMore
            case .name: .name
            case .noName: .noName
            case .plainHTTP, .sslv2, .notTLS: .foreign
            case .malformed: .malformed
            case .tooLarge, .tooManyRecords: .overLimit
            }
    }
}
