import Orchestrator
import Testing

/// What is done next, for every wish and every state that a site can be in.
struct SitePlanTests {
    private static let conditions: [SiteCondition] =
        [
            .absent, .stopped(isCurrent: true), .stopped(isCurrent: false), .halfStopped(isCurrent: true),
            .halfStopped(isCurrent: false),
        ]
        + [true, false].flatMap { isCurrent in
            [true, false].map { .running(isCurrent: isCurrent, isWhole: $0, incarnation: "1") }
        }

    /// A site as the plan sees it, and what a step makes of it if it succeeds.
    private struct World {
        var plan: SitePlan
        var hasRecord = true
        /// Whether visitors were ever led to something that does not serve.
        var isMisled: Bool {
            guard plan.route == .target else { return false }
            guard case .running(_, _, let incarnation) = plan.condition else { return true }
            return plan.readyIncarnation != incarnation
        }

        mutating func perform(_ step: SitePlan.Step) {
            switch step {
            case .publish(let route): plan.route = route
            case .make: plan.condition = .stopped(isCurrent: true)
            case .start:
                // What serves already goes on while the rest is started.
                var incarnation = "2"
                if case .running(_, _, let old) = plan.condition { incarnation = old }
                plan.condition = .running(isCurrent: true, isWhole: true, incarnation: incarnation)
            case .probe:
                if case .running(_, _, let incarnation) = plan.condition {
                    plan.readyIncarnation = incarnation
                }
            case .snapshot:
                if case .running(_, _, let incarnation) = plan.condition {
                    plan.snapshotIncarnation = incarnation
                }
            case .stop:
                plan.readyIncarnation = nil
                switch plan.condition {
                case .running(let isCurrent, _, _), .halfStopped(let isCurrent):
                    plan.condition = .stopped(isCurrent: isCurrent)
                case .absent, .stopped: Issue.record("what does not run is not stopped")
                }
            case .clear:
                plan.condition = .absent
                hasRecord = false
            case .settled: break
            case .wait: plan.isBackingOff = false
            }
        }
    }

    /// All states × all wishes lead to what is wanted in a few steps, and never lead a visitor astray that
    /// was not led astray before.
    @Test func everyStateLeadsToEveryWish() {
        for wish in Wish.allCases {
            for condition in Self.conditions {
                for route in SitePlan.Route.allCases {
                    for ready in [nil, "1"] {
                        for isBackingOff in [false, true] {
                            let plan = SitePlan(
                                wish: wish, condition: condition, route: route, readyIncarnation: ready,
                                isBackingOff: isBackingOff)
                            check(World(plan: plan))
                        }
                    }
                }
            }
        }
    }

    private func check(_ start: World) {
        var world = start
        var steps: [SitePlan.Step] = []
        while world.hasRecord, world.plan.next != .settled {
            let wasMisled = world.isMisled
            steps.append(world.plan.next)
            world.perform(world.plan.next)
            #expect(wasMisled || !world.isMisled, "\(start.plan): \(steps)")
            guard steps.count < 12 else {
                Issue.record("\(start.plan) does not come to an end: \(steps)")
                return
            }
        }
        switch start.plan.wish {
        case .removed: #expect(!world.hasRecord && world.plan.route == .none)
        case .stopped: #expect(world.plan.route == .reject && !isRunning(world))
        case .asleep: #expect(world.plan.route == .asleep && !isRunning(world))
        case .awake: #expect(world.plan.route == .target && isRunning(world) && !world.isMisled)
        }
    }

    private func isRunning(_ world: World) -> Bool {
        switch world.plan.condition {
        case .running(isCurrent: true, isWhole: true, _): world.plan.wish == .awake
        case .running, .halfStopped: true
        case .absent, .stopped: false
        }
    }

    /// Who served has data that is worth a snapshot; it comes after new visitors wait and before the end.
    @Test func aSiteThatServedIsMadeConsistentBeforeItSleeps() {
        var world = World(
            plan: SitePlan(
                wish: .asleep, condition: .running(isCurrent: true, isWhole: true, incarnation: "1"),
                route: .target, readyIncarnation: "1"))
        var steps: [SitePlan.Step] = []
        while world.plan.next != .settled {
            steps.append(world.plan.next)
            world.perform(world.plan.next)
        }
        #expect(steps == [.publish(.asleep), .snapshot, .stop])
    }

    /// A visitor who comes during the snapshot finds the site running: nothing is stopped or started.
    @Test func aVisitorDuringTheSnapshotIsLedBackAtOnce() {
        let plan = SitePlan(
            wish: .awake, condition: .running(isCurrent: true, isWhole: true, incarnation: "1"),
            route: .asleep, readyIncarnation: "1", snapshotIncarnation: "1")
        #expect(plan.next == .publish(.target))
    }

    @Test func pausesGrowToAMinuteAndAreForgottenAfterCalm() {
        var backOff = BackOff()
        var pauses: [Double] = []
        var now = 1000.0
        for _ in 0..<10 {
            backOff.fail(atSeconds: now)
            pauses.append((backOff.untilSeconds - now).rounded(.toNearestOrEven))
            now = backOff.untilSeconds
        }
        #expect(pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60])
        backOff.fail(atSeconds: now + 200)
        #expect(backOff.failures == 1)
    }
}
