import DataPlane
import Support
import Testing

/// A whole worker on a simulated kernel, by seeds. `SWITCHYARD_SEED=…` runs one seed and tells its last
/// events; `SWITCHYARD_SEEDS=…` runs so many instead of the usual number.
@Suite struct SimulationTests {
    static let seedsUsual = 4000

    @Test func everySeedKeepsEveryRule() async {
        if let seed = environmentNumber("SWITCHYARD_SEED") {
            report(SeedRun(seed: UInt64(seed), bell: makeBell(), log: LogReader()), eventCount: 200)
            return
        }
        let count = environmentNumber("SWITCHYARD_SEEDS") ?? Self.seedsUsual
        let total = await withTaskGroup(of: Tally.self) { group in
            for part in 0..<2 {
                group.addTask { Tally(seeds: stride(from: UInt64(part), to: UInt64(count), by: 2)) }
            }
            return await group.reduce(into: Tally()) { $0.add($1) }
        }
        for run in total.failed.prefix(5) { report(run, eventCount: 40) }
        #expect(total.failed.isEmpty, "\(total.failed.count) of \(count) seeds fail")
        print(total.summary)
        // Fewer seeds than usual do not see everything, and a failing one has not come to its end.
        guard count >= Self.seedsUsual, total.failed.isEmpty else { return }
        for fault in SimulatedFault.allCases {
            #expect(total.hits[fault.rawValue] > 0, "\(fault) never happened")
        }
        for mark in Mark.allCases { #expect(total.marks[mark.rawValue] > 0, "\(mark) never happened") }
    }

    @Test func theSameSeedIsTheSameWorld() {
        let (bell, log) = (makeBell(), LogReader())
        for seed in UInt64(0)..<20 {
            let first = SeedRun(seed: seed, bell: bell, log: log)
            let second = SeedRun(seed: seed, bell: bell, log: log)
            #expect(first.digest == second.digest && first.eventCount == second.eventCount, "seed \(seed)")
        }
        #expect(
            SeedRun(seed: 1, bell: bell, log: log).digest != SeedRun(seed: 2, bell: bell, log: log).digest)
    }

    private func report(_ run: SeedRun, eventCount: Int) {
        let events = run.lastEvents(eventCount).joined(separator: "\n")
        guard !run.failures.isEmpty else {
            print(
                "seed \(run.seed): \(run.turnCount) turns, \(run.eventCount) events, "
                    + "digest \(run.digest)\n\(events)"
            )
            return
        }
        let sentences = run.failures.prefix(5).joined(separator: "\n")
        Issue.record("SWITCHYARD_SEED=\(run.seed) fails:\n\(sentences)\nafter\n\(events)")
    }
}

/// Rung by every worker, heard by nobody.
func makeBell() -> LogBell {
    guard let bell = try? LogBell() else { preconditionFailure("no event descriptor") }
    return bell
}

/// What became of one seed.
struct SeedRun: Sendable {
    let seed: UInt64
    let failures: [String]
    let digest: UInt64
    let eventCount: Int
    let turnCount: Int
    let hits: [Int]
    let marks: [Int]
    private let trace: SimulatedTrace

    init(seed: UInt64, bell: LogBell, log: LogReader) {
        CrashReport.note(seed)
        let world = World(seed: seed, bell: bell, log: log)
        world.run()
        self.seed = seed
        failures = world.judge.failures
        trace = world.worker.backend.trace
        digest = trace.digest
        eventCount = trace.eventCount
        turnCount = world.turnCount
        hits = trace.hits
        marks = world.marks
    }

    func lastEvents(_ count: Int) -> [String] {
        trace.events(last: count).map { event in
            let microseconds = event.nanoseconds / 1000
            let value =
                event.kind == .completed
                ? "\(OperationKind(rawValue: UInt8(event.value & 0xff)) ?? .none) \(event.value >> 8)"
                : "\(event.value)"
            return "\(microseconds)us #\(event.connection) \(event.kind) \(value)"
        }
    }
}

/// What became of many seeds.
struct Tally: Sendable {
    var seedCount = 0
    var turnCount = 0
    var eventCount = 0
    var hits = [Int](repeating: 0, count: SimulatedFault.allCases.count)
    var marks = [Int](repeating: 0, count: Mark.allCases.count)
    var failed: [SeedRun] = []

    init() {}

    init(seeds: some Sequence<UInt64>) {
        let (bell, log) = (makeBell(), LogReader())
        for seed in seeds { add(SeedRun(seed: seed, bell: bell, log: log)) }
    }

    mutating func add(_ run: SeedRun) {
        seedCount += 1
        turnCount += run.turnCount
        eventCount += run.eventCount
        for index in hits.indices { hits[index] += run.hits[index] }
        for index in marks.indices { marks[index] += run.marks[index] }
        if !run.failures.isEmpty { failed.append(run) }
    }

    mutating func add(_ other: Tally) {
        seedCount += other.seedCount
        turnCount += other.turnCount
        eventCount += other.eventCount
        for index in hits.indices { hits[index] += other.hits[index] }
        for index in marks.indices { marks[index] += other.marks[index] }
        failed = (failed + other.failed).sorted { $0.seed < $1.seed }
    }

    var summary: String {
        let faults = SimulatedFault.allCases.map { "\($0) \(hits[$0.rawValue])" }.joined(separator: ", ")
        let seen = Mark.allCases.map { "\($0) \(marks[$0.rawValue])" }.joined(separator: ", ")
        return
            "\(seedCount) seeds, \(turnCount) turns, \(eventCount) events\nfaults: \(faults)\nmarks: \(seen)"
    }
}
