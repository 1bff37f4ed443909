import DataPlane
import Support
import Testing

@Suite struct TimerWheelTests {
    static let tick: UInt64 = 1 << TimerWheel.tickShift
    static let second: UInt64 = 1_000_000_000
    static let day: UInt64 = 86_400 * second

    /// What the wheel must amount to: a list of deadlines.
    struct Model {
        /// By slot: the deadline, or the time of setting it where that is later.
        var dueBySlot: [Int: UInt64] = [:]

        var earliest: UInt64? { dueBySlot.values.min() }
    }

    @Test(
        "Whatever is set, moved or cleared, a deadline comes up once, never early, at most a tick late",
        arguments: 1...24 as ClosedRange<UInt64>)
    func agreesWithAList(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // The clock of a machine that was started just now, or long ago.
        var now = random.oneIn(2) ? UInt64(random.below(1000)) : UInt64(random.below(1 << 60))
        let slotCount = random.oneIn(2) ? 4 : 300
        var wheel = TimerWheel(capacity: slotCount, nowNanoseconds: now)
        var model = Model()
        for _ in 0..<4000 {
            let slot = random.below(slotCount)
            switch random.below(8) {
            case 0...3:
                let due = Self.deadline(from: now, &random)
                wheel.set(slot, dueNanoseconds: due)
                model.dueBySlot[slot] = max(due, now)
            case 4:
                wheel.clear(slot)
                model.dueBySlot[slot] = nil
            default:
                now += Self.sleep(&random)
                check(wheel.millisecondsToNext(nowNanoseconds: now), against: model, now: now)
                collect(&wheel, &model, now: now)
                let left = wheel.millisecondsToNext(nowNanoseconds: now)
                check(left, against: model, now: now)
                #expect(left != 0, "with nothing due, a wait of nothing would spin")
            }
        }
    }

    /// In the past, within a tick, within the wheel's 69 s, beyond it, and so far away that it means never.
    private static func deadline(from now: UInt64, _ random: inout SeededRandom) -> UInt64 {
        switch random.below(8) {
        case 0: now - min(now, UInt64(random.below(Int(second))))
        case 1: now + UInt64(random.below(Int(tick)))
        case 2, 3: now + UInt64(random.below(Int(second)))
        case 4, 5: now + UInt64(random.below(Int(80 * second)))
        case 6: now + UInt64(random.below(Int(30 * day)))
        default: random.oneIn(2) ? .max : now + 2000 * day
        }
    }

    private static func sleep(_ random: inout SeededRandom) -> UInt64 {
        switch random.below(40) {
        case 0: UInt64(random.below(Int(3 * day)))
        case 1: UInt64(random.below(Int(900 * day)))
        case 2...6: UInt64(random.below(Int(100 * second)))
        case 7...20: UInt64(random.below(Int(second)))
        default: UInt64(random.below(Int(2 * tick)))
        }
    }

    private func collect(_ wheel: inout TimerWheel, _ model: inout Model, now: UInt64) {
        while let slot = wheel.nextExpired(nowNanoseconds: now) {
            guard let due = model.dueBySlot.removeValue(forKey: slot) else {
                Issue.record("slot \(slot) had no deadline, or came up twice")
                return
            }
            #expect(due <= now, "never early")
        }
        if let earliest = model.earliest {
            #expect(earliest + min(Self.tick, .max - earliest) > now, "at most one tick late")
        }
    }

    private func check(_ milliseconds: Int32?, against model: Model, now: UInt64) {
        guard let earliest = model.earliest else { return }
        guard let milliseconds else {
            Issue.record("the wheel says that it is empty, and something is due at \(earliest)")
            return
        }
        let wakes = now + UInt64(milliseconds) * 1_000_000
        let latest = max(earliest, now).addingReportingOverflow(Self.tick + 1_000_000)
        #expect(
            latest.overflow || wakes <= latest.partialValue, "the wait ends within a tick of the deadline")
    }

    @Test("An empty wheel has nothing to wait for, also after its last deadline was cleared or has come up")
    func empty() {
        var wheel = TimerWheel(capacity: 2, nowNanoseconds: 5)
        var wait = wheel.millisecondsToNext(nowNanoseconds: 5)
        #expect(wait == nil)

        wheel.set(0, dueNanoseconds: Self.second)
        wheel.set(1, dueNanoseconds: 2 * Self.second)
        wheel.clear(0)
        wheel.clear(0)
        var expired = wheel.nextExpired(nowNanoseconds: 3 * Self.second)
        #expect(expired == 1)
        expired = wheel.nextExpired(nowNanoseconds: 3 * Self.second)
        #expect(expired == nil)
        wait = wheel.millisecondsToNext(nowNanoseconds: 3 * Self.second)
        #expect(wait == nil)
    }

    @Test("A deadline that every byte moves away stays in one place, and still comes up at its last time")
    func movedAway() {
        var wheel = TimerWheel(capacity: 1, nowNanoseconds: 0)
        var now: UInt64 = 0
        while now < 300 * Self.second {
            wheel.set(0, dueNanoseconds: now + 30 * Self.second)
            now += 100_000_000
            let expired = wheel.nextExpired(nowNanoseconds: now)
            #expect(expired == nil)
        }
        let last = now - 100_000_000 + 30 * Self.second
        var expired = wheel.nextExpired(nowNanoseconds: last)
        #expect(expired == nil)
        expired = wheel.nextExpired(nowNanoseconds: last + Self.tick)
        #expect(expired == 0)
    }

    @Test("A deadline set after a long sleep, before anyone has looked at the wheel, is in time")
    func setAfterSleep() {
        var wheel = TimerWheel(capacity: 2, nowNanoseconds: 0)
        let now = 5000 * Self.second
        wheel.set(0, dueNanoseconds: now + Self.second)
        var expired = wheel.nextExpired(nowNanoseconds: now)
        #expect(expired == nil)
        expired = wheel.nextExpired(nowNanoseconds: now + Self.second + Self.tick)
        #expect(expired == 0)
    }

    @Test("Deadlines still come up in a process that has run for years")
    func years() {
        var wheel = TimerWheel(capacity: 1, nowNanoseconds: 0)
        for year in 1...12 as ClosedRange<UInt64> {
            let now = year * 365 * Self.day
            wheel.set(0, dueNanoseconds: now + Self.second)
            var expired = wheel.nextExpired(nowNanoseconds: now + Self.second / 2)
            #expect(expired == nil, "in year \(year)")
            expired = wheel.nextExpired(nowNanoseconds: now + Self.second + Self.tick)
            #expect(expired == 0, "in year \(year)")
        }
    }
}
