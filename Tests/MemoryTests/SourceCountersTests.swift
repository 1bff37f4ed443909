import DataPlane
import Routes
import Support
import Synchronization
import Testing

@Suite struct SourceCountersTests {
    private func counters() -> SourceCounters {
        SourceCounters(connectionsMax: 10_000, keys: (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210))
    }

    private func acquired(_ address: IPAddress, limit: Int, in view: SourceCountersView) -> Int {
        var count = 0
        while view.acquire(address, limit: limit) { count += 1 }
        return count
    }

    @Test("One address has exactly as many sessions as the limit says", arguments: [1, 2, 7, 256, 5000])
    func limit(limit: Int) {
        let counters = counters()
        let view = counters.view
        let address = IPAddress.v4(0xc000_0201)
        #expect(acquired(address, limit: limit, in: view) == limit)
        #expect(!view.acquire(address, limit: limit), "a refused attempt leaves no trace")

        view.release(address)
        #expect(view.acquire(address, limit: limit))
        #expect(!view.acquire(address, limit: limit))

        for _ in 0..<limit { view.release(address) }
        #expect(acquired(address, limit: limit, in: view) == limit)
    }

    @Test("A lower limit counts for what comes, and takes nothing away")
    func lowered() {
        let counters = counters()
        let view = counters.view
        let address = IPAddress.v4(1)
        #expect(acquired(address, limit: 10, in: view) == 10)
        #expect(!view.acquire(address, limit: 5))
        for _ in 0..<6 { view.release(address) }
        #expect(view.acquire(address, limit: 5))
        #expect(!view.acquire(address, limit: 5))
    }

    @Test("An address at its limit does not count against any other")
    func independent() {
        let counters = counters()
        let view = counters.view
        let greedy = IPAddress.v4(0x0a00_0001)
        #expect(acquired(greedy, limit: 4000, in: view) == 4000)
        for other in 0x0a00_0002..<0x0a00_2000 as Range<UInt32> {
            #expect(view.acquire(.v4(other), limit: 100), "the neighbour \(other)")
        }
        for high in 1...4000 as ClosedRange<UInt64> {
            #expect(view.acquire(.v6(high: 0x2001_0db8_0000_0000 | high, low: 1), limit: 100))
        }
    }

    @Test("IPv6 addresses count by their /64, which one customer has for himself")
    func networks() {
        let counters = counters()
        let view = counters.view
        for low in 0..<20 as Range<UInt64> {
            #expect(
                view.acquire(.v6(high: 0x2001_0db8_0000_0001, low: low &* 0x9e37_79b9_7f4a_7c15), limit: 20))
        }
        #expect(!view.acquire(.v6(high: 0x2001_0db8_0000_0001, low: 99), limit: 20))
        #expect(view.acquire(.v6(high: 0x2001_0db8_0000_0002, low: 99), limit: 20))
        view.release(.v6(high: 0x2001_0db8_0000_0001, low: 5))
        #expect(view.acquire(.v6(high: 0x2001_0db8_0000_0001, low: 77), limit: 20))
    }

    /// What four workers count at once.
    private final class Shared: Sendable {
        let counters = SourceCounters(connectionsMax: 10_000, keys: (1, 2))
        let current = Atomic<Int>(0)
        let most = Atomic<Int>(0)
    }

    @Test(
        "Four threads that count one address lose no session, and pass the limit by less than their number"
    )
    func concurrent() throws {
        let shared = Shared()
        let limit = 50
        let address = IPAddress.v4(0x7f00_0001)
        let threads = (0..<4 as Range<UInt64>).map { seed in
            Background {
                var random = SeededRandom(seed: seed)
                var held = 0
                for _ in 0..<100_000 {
                    if random.oneIn(2) {
                        guard shared.counters.view.acquire(address, limit: limit) else { continue }
                        held += 1
                        let now = shared.current.add(1, ordering: .relaxed).newValue
                        shared.most.max(now, ordering: .relaxed)
                    } else if held > 0 {
                        held -= 1
                        shared.current.subtract(1, ordering: .relaxed)
                        shared.counters.view.release(address)
                    }
                }
                shared.current.subtract(held, ordering: .relaxed)
                for _ in 0..<held { shared.counters.view.release(address) }
            }
        }
        for thread in threads { try thread.wait() }

        #expect(shared.most.load(ordering: .relaxed) >= limit / 2, "the threads did get near the limit")
        #expect(shared.most.load(ordering: .relaxed) < limit + threads.count)
        #expect(acquired(address, limit: limit, in: shared.counters.view) == limit, "everything came back")
    }
}
