import DataPlane
import Linux
import Support
import Testing
import Wire

@Suite struct TargetTrackerTests {
    static let second: UInt64 = 1_000_000_000
    static let address = SocketAddress(ipv4: 0xc000_0201, port: 443)
    static let other = SocketAddress(ipv4: 0xc000_0201, port: 444)

    private func tracker(capacity: Int = 16) -> TargetTracker { TargetTracker(capacity: capacity, key: 42) }

    /// Fails an attempt, with or without another session that keeps the entry.
    private func fail(_ tracker: inout TargetTracker, at now: UInt64) {
        guard let index = tracker.begin(Self.address) else {
            Issue.record("there is room")
            return
        }
        tracker.noteFailure(index, nowNanoseconds: now)
        tracker.end(index)
    }

    @Test("A target rests after three failures in a row, and not after two")
    func rest() {
        var tracker = tracker()
        let now = 100 * Self.second
        fail(&tracker, at: now)
        fail(&tracker, at: now)
        var isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        #expect(!isResting)
        fail(&tracker, at: now)
        isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        #expect(isResting)
        let hasResting = tracker.hasResting
        #expect(hasResting)
        isResting = tracker.isResting(Self.other, nowNanoseconds: now)
        #expect(!isResting, "another port is another target")
        isResting = tracker.isResting(Self.address, nowNanoseconds: now + TargetTracker.restFirstNanoseconds)
        #expect(!isResting)
    }

    @Test("Each further failure doubles the rest, up to 30 seconds")
    func backOff() {
        var tracker = tracker()
        var now = 100 * Self.second
        fail(&tracker, at: now)
        fail(&tracker, at: now)
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] as [UInt64] {
            fail(&tracker, at: now)
            let before = tracker.isResting(Self.address, nowNanoseconds: now + seconds * Self.second - 1)
            let after = tracker.isResting(Self.address, nowNanoseconds: now + seconds * Self.second)
            #expect(before, "rests for \(seconds) s")
            #expect(!after, "rests for no more than \(seconds) s")
            now += seconds * Self.second
        }
    }

    @Test("A connection that is taken ends the rest and forgets the failures")
    func success() {
        var tracker = tracker()
        let now = 100 * Self.second
        for _ in 0..<5 { fail(&tracker, at: now) }
        let index = tracker.begin(Self.address) ?? -1
        tracker.noteSuccess(index)
        var isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        #expect(!isResting)
        var hasResting = tracker.hasResting
        #expect(!hasResting)
        tracker.end(index)
        let failures = tracker[index].failuresTotal
        let connections = tracker[index].connectionsTotal
        #expect(failures == 5 && connections == 6, "the totals stay")

        fail(&tracker, at: now)
        fail(&tracker, at: now)
        isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        hasResting = tracker.hasResting
        #expect(!isResting, "counting begins anew")
    }

    @Test("Failures in a row count however slowly they come, as long as they are not a minute apart")
    func slowFailures() {
        var tracker = tracker()
        var now = 1000 * Self.second
        for _ in 0..<3 {
            fail(&tracker, at: now)
            // The worker sweeps once a second.
            for _ in 0..<50 {
                now += Self.second
                tracker.sweep(nowNanoseconds: now)
            }
        }
        fail(&tracker, at: now)
        let isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        #expect(isResting)
    }

    @Test("A success of somebody else ends the rest, too")
    func answered() {
        var tracker = tracker()
        let now = 100 * Self.second
        for _ in 0..<3 { fail(&tracker, at: now) }
        tracker.noteAnswered(Self.other)
        var isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        #expect(isResting)
        tracker.noteAnswered(Self.address)
        isResting = tracker.isResting(Self.address, nowNanoseconds: now)
        let failing = tracker.failingCount
        #expect(!isResting && failing == 0)
    }

    /// Sweeps once a second for so long.
    private func sweep(_ tracker: inout TargetTracker, from start: UInt64, seconds: UInt64) {
        for second in 0...seconds { tracker.sweep(nowNanoseconds: start + second * Self.second) }
    }

    @Test("The failures of an address that is never used again are forgotten, and later its totals")
    func sweep() {
        var tracker = tracker()
        let now = 1000 * Self.second
        for _ in 0..<10 { fail(&tracker, at: now) }
        sweep(&tracker, from: now, seconds: 30)
        var hasResting = tracker.hasResting
        #expect(hasResting, "the rest was over a moment ago")
        sweep(&tracker, from: now, seconds: 120)
        hasResting = tracker.hasResting
        #expect(!hasResting)
        var count = tracker.count
        #expect(count == 1)
        sweep(&tracker, from: now + 120 * Self.second, seconds: 601)
        count = tracker.count
        #expect(count == 0)
    }

    @Test("A sweep forgets nothing of a target that has sessions")
    func sweptWithSessions() {
        var tracker = tracker()
        let now = 1000 * Self.second
        let index = tracker.begin(Self.address) ?? -1
        for _ in 0..<3 { tracker.noteFailure(index, nowNanoseconds: now) }
        sweep(&tracker, from: now, seconds: 3600)
        #expect(tracker[index].failureCount == 3)
        let sessions = tracker.sessionCount(Self.address)
        #expect(sessions == 1)
        tracker.noteSuccess(index)
        tracker.end(index)
        sweep(&tracker, from: now + 3600 * Self.second, seconds: 602)
        let count = tracker.count
        #expect(count == 0)
    }

    @Test("With no room for another address, sessions go on without being counted")
    func capacity() {
        var tracker = tracker(capacity: 2)
        let first = tracker.begin(Self.address)
        let second = tracker.begin(Self.other)
        let third = tracker.begin(SocketAddress(ipv4: 1, port: 1))
        #expect(first != nil)
        #expect(second != nil)
        #expect(third == nil)
        let known = tracker.begin(Self.address)
        #expect(known == first, "an address that is remembered has room")
        tracker.end(second ?? -1)
        let again = tracker.begin(SocketAddress(ipv4: 1, port: 1))
        #expect(again != nil)
    }

    /// Addresses of all families, many of which share a bucket.
    private static let addresses: [SocketAddress] = (0..<400).map { number in
        switch number % 4 {
        case 0: SocketAddress(ipv4: UInt32(0x0a00_0000 + number), port: 443)
        case 1: SocketAddress(ipv4: 0x0a00_0000, port: UInt16(1 + number))
        case 2: SocketAddress(ipv6: 0x2001_0db8_0000_0000, UInt64(number), port: 443)
        default: SocketAddress(path: Array("/run/site-\(number)/tls.sock".utf8).span.rawBytes)
        }
    }

    @Test(
        "Sessions are counted by address, and an address without sessions makes room for another one")
    func counts() {
        var random = SeededRandom(seed: 11)
        var tracker = TargetTracker(capacity: 100, key: 1)
        var sessions: [(address: Int, index: Int)] = []
        for _ in 0..<30_000 {
            if random.oneIn(2) {
                let address = random.below(Self.addresses.count)
                let isKnown = sessions.contains { $0.address == address }
                let distinct = Set(sessions.map(\.address)).count
                guard let index = tracker.begin(Self.addresses[address]) else {
                    #expect(!isKnown && distinct == 100, "refused only when full")
                    continue
                }
                let isMine = tracker[index].address.isSame(as: Self.addresses[address])
                #expect(isMine)
                sessions.append((address, index))
            } else if !sessions.isEmpty {
                tracker.end(sessions.remove(at: random.below(sessions.count)).index)
            }
            let asked = random.below(Self.addresses.count)
            let counted = tracker.sessionCount(Self.addresses[asked])
            #expect(counted == UInt32(sessions.count { $0.address == asked }))
            let (count, distinct) = (tracker.count, Set(sessions.map(\.address)).count)
            #expect(count >= distinct && count <= 100)
        }
    }
}
