import Migration
import Support
import Testing

/// Whole migrations between two hosters for whom things go wrong, by seeds. `SWITCHYARD_SEED=…` runs one seed
/// and tells its last events; `SWITCHYARD_SEEDS=…` runs so many instead of the usual number.
@Suite struct MigrationSimulationTests {
    static let seedsUsual = 5000

    @Test func everySeedKeepsEveryRule() async {
        if let seed = environmentNumber("SWITCHYARD_SEED") {
            return report(seed: UInt64(seed), eventCount: 400)
        }
        let count = environmentNumber("SWITCHYARD_SEEDS") ?? Self.seedsUsual
        let total = await withTaskGroup(of: Tally.self) { group in
            for part in 0..<2 {
                group.addTask {
                    var tally = Tally()
                    for seed in stride(from: UInt64(part), to: UInt64(count), by: 2) {
                        CrashReport.note(seed)
                        let world = World(seed: seed)
                        world.run()
                        tally.add(world, seed: seed)
                    }
                    return tally
                }
            }
            return await group.reduce(into: Tally()) { $0.add($1) }
        }
        for failure in total.failures.prefix(3) { report(seed: failure.seed, eventCount: 60) }
        #expect(total.failures.isEmpty, "\(total.failures.count) of \(count) seeds fail")
        print(total.summary)
        guard count >= Self.seedsUsual, total.failures.isEmpty else { return }
        for name in total.unseen { Issue.record("\(name) never happened") }
    }

    @Test func theSameSeedIsTheSameWorld() {
        for seed in 0..<40 as Range<UInt64> {
            let (first, second) = (World(seed: seed, isTraced: true), World(seed: seed, isTraced: true))
            first.run()
            second.run()
            #expect(first.trace == second.trace, "seed \(seed)")
        }
    }

    /// One thing goes wrong, at every step there is.
    @Test func oneMisfortuneAtAnyStepIsSurvived() async {
        let total = await withTaskGroup(of: Tally.self) { group in
            for kind in World.Misfortune.Kind.allCases {
                group.addTask { Self.everywhere(kind) }
            }
            return await group.reduce(into: Tally()) { $0.add($1) }
        }
        for failure in total.failures.prefix(5) { Issue.record("\(failure.sentence)") }
        #expect(total.failures.isEmpty, "\(total.failures.count) of \(total.worlds) worlds fail")
        print("one misfortune: \(total.worlds) worlds, \(total.steps) steps")
    }

    private static func everywhere(_ kind: World.Misfortune.Kind) -> Tally {
        var tally = Tally()
        for seed in 1...2 as ClosedRange<UInt64> {
            var scenario = Scenario()
            scenario.migrations = Int(seed)
            scenario.steps = 1
            scenario.imageMustBeCarried = seed == 1
            let calm = World(seed: seed, scenario: scenario, misfortune: nil)
            calm.run()
            tally.add(calm, seed: seed)
            // Every step of one that needs all there is; every third of one there and back.
            for step in stride(from: 1, through: calm.steps, by: seed == 1 ? 1 : 3) {
                let misfortune = World.Misfortune(kind: kind, step: step)
                let world = World(seed: seed, scenario: scenario, misfortune: misfortune)
                // It does not end before it has struck.
                world.scenario.steps = step + 1
                world.run()
                tally.add(world, seed: seed, "\(kind) at step \(step) of seed \(seed): ")
            }
        }
        return tally
    }

    private func report(seed: UInt64, eventCount: Int) {
        let world = World(seed: seed, isTraced: true)
        world.run()
        let events = (world.trace ?? []).suffix(eventCount).joined(separator: "\n")
        guard let failure = world.judge.failure else {
            return print("seed \(seed): \(world.steps) steps\n\(world.scenario)\n\(events)")
        }
        Issue.record("SWITCHYARD_SEED=\(seed) fails: \(failure)\nafter\n\(events)")
    }
}

/// What became of many worlds.
struct Tally: Sendable {
    var worlds = 0
    var steps = 0
    var faults = [Int](repeating: 0, count: Fault.allCases.count)
    var marks = [Int](repeating: 0, count: Mark.allCases.count)
    var originStates: Set<String> = []
    var destinationStates: Set<String> = []
    var failures: [(seed: UInt64, sentence: String)] = []

    mutating func add(_ world: World, seed: UInt64, _ title: String = "") {
        worlds += 1
        steps += world.steps
        for index in faults.indices { faults[index] += world.faults[index] }
        for index in marks.indices { marks[index] += world.marks[index] }
        originStates.formUnion(world.originStates)
        destinationStates.formUnion(world.destinationStates)
        if let failure = world.judge.failure { failures.append((seed, title + failure)) }
    }

    mutating func add(_ other: Tally) {
        worlds += other.worlds
        steps += other.steps
        for index in faults.indices { faults[index] += other.faults[index] }
        for index in marks.indices { marks[index] += other.marks[index] }
        originStates.formUnion(other.originStates)
        destinationStates.formUnion(other.destinationStates)
        failures = (failures + other.failures).sorted { $0.seed < $1.seed }
    }

    /// Faults, marks and states that no world has seen.
    var unseen: [String] {
        Fault.allCases.filter { faults[$0.rawValue] == 0 }.map { "the fault \($0)" }
            + Mark.allCases.filter { marks[$0.rawValue] == 0 }.map { "the mark \($0)" }
            + Lifecycle.originStates.subtracting(originStates).map { "the origin's state \($0)" }
            + Lifecycle.destinationStates.subtracting(destinationStates).map {
                "the destination's state \($0)"
            }
    }

    var summary: String {
        let seenFaults = Fault.allCases.map { "\($0) \(faults[$0.rawValue])" }.joined(separator: ", ")
        let seenMarks = Mark.allCases.map { "\($0) \(marks[$0.rawValue])" }.joined(separator: ", ")
        return "\(worlds) worlds, \(steps) steps\nfaults: \(seenFaults)\nmarks: \(seenMarks)"
    }
}
