import DataPlane
import Testing

extension BackendContractTests {
    @Test(
        "A wait with nothing to tell lasts as long as it was asked to", arguments: Subject.all,
        [1, 30, 120] as [Int32])
    func timeLimit(_ subject: Subject, milliseconds: Int32) throws {
        try subject.check { bench in
            let before = bench.backend.nowNanoseconds
            bench.turn(milliseconds: milliseconds)
            let passed = bench.backend.nowNanoseconds - before
            #expect(bench.isQuiet)
            #expect(passed >= UInt64(milliseconds) * 1_000_000)
            #expect(passed < UInt64(milliseconds + 1000) * 1_000_000, "but for what a busy machine adds")
        }
    }

    @Test("A wait of nothing does not wait, and time stands still between two waits", arguments: Subject.all)
    func noWait(_ subject: Subject) throws {
        try subject.check { bench in
            let before = bench.backend.nowNanoseconds
            for _ in 0..<100 { bench.turn(milliseconds: 0) }
            let now = bench.backend.nowNanoseconds
            #expect(now - before < 1_000_000_000)
            _ = try bench.listen()
            #expect(bench.backend.nowNanoseconds == now, "the clock is read once per turn")
        }
    }

    @Test("The clock never goes back", arguments: Subject.all)
    func clock(_ subject: Subject) throws {
        try subject.check { bench in
            var last = bench.backend.nowNanoseconds
            for step in 0..<50 as Range<Int32> {
                bench.turn(milliseconds: step % 3)
                #expect(bench.backend.nowNanoseconds >= last)
                last = bench.backend.nowNanoseconds
            }
        }
    }

    @Test("A wait ends at once when the wake descriptor is written to", arguments: Subject.all)
    func wakes(_ subject: Subject) throws {
        try subject.check { bench in
            let wake = try bench.world.makeWake()
            bench.backend.addWake(wake.descriptor)
            let before = bench.backend.nowNanoseconds
            try wake.ring(afterMilliseconds: 30)
            // A wait may end early for nothing, but not late.
            try bench.until("the wake completes") {
                if bench.isQuiet { bench.turn(milliseconds: 8000) }
                return !bench.claimAll(.wake).isEmpty
            }
            #expect(bench.backend.nowNanoseconds - before < 4_000_000_000)
        }
    }

    @Test(
        "Each time the wake descriptor is written to there is a wake, and none without",
        arguments: Subject.all)
    func wakesAgain(_ subject: Subject) throws {
        try subject.check { bench in
            let wake = try bench.world.makeWake()
            bench.backend.addWake(wake.descriptor)
            bench.pass()
            #expect(bench.isQuiet)
            for _ in 0..<5 {
                wake.ring()
                var wakes = 0
                try bench.until("the wake completes") {
                    wakes += bench.claimAll(.wake).count
                    return wakes > 0
                }
                bench.pass(milliseconds: 10)
                #expect(wakes == 1)
                #expect(bench.isQuiet)
            }
            // Several at once may be one.
            wake.ring()
            wake.ring()
            bench.pass(milliseconds: 10)
            #expect((1...2).contains(bench.claimAll(.wake).count))
        }
    }

    @Test("A wait does not wait while completions have not been taken", arguments: Subject.all)
    func outstanding(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            _ = try peer.send([1, 2, 3])
            bench.pass(milliseconds: 10)
            bench.receive(held)
            let before = bench.backend.nowNanoseconds
            bench.backend.wait(milliseconds: 5000)
            bench.backend.wait(milliseconds: 5000)
            #expect(bench.backend.nowNanoseconds - before < 2_000_000_000)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1, 2, 3])
        }
    }

    @Test("Completions come in the order in which operations finished", arguments: Subject.all)
    func order(_ subject: Subject) throws {
        try subject.check { bench in
            let pairs = try (0..<8).map { _ in try bench.pair() }
            for (held, _) in pairs { bench.receive(held) }
            bench.pass(milliseconds: 5)
            for place in [5, 2, 7, 0, 3, 6, 1, 4] {
                _ = try pairs[place].peer.send([UInt8(place)])
                bench.pass(milliseconds: 5)
            }
            let completions = bench.claimAll(.receive)
            #expect(try completions.map { try bench.bytes($0)[0] } == [5, 2, 7, 0, 3, 6, 1, 4])
        }
    }
}

extension BackendContractTests {
    @Test(
        "A watched end is told once as a fault, also one that came before, and leaves the bytes in place",
        arguments: Subject.all, [false, true])
    func watchedEnd(_ subject: Subject, cameBefore: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            _ = try peer.send([1, 2, 3])
            bench.pass(milliseconds: 10)
            if cameBefore { try peer.endSending() }
            bench.backend.watchEnd(held.descriptor)
            if !cameBefore {
                bench.pass(milliseconds: 20)
                #expect(bench.isQuiet, "bytes are no end")
                _ = try peer.send([4])
                bench.pass(milliseconds: 20)
                #expect(bench.isQuiet, "bytes are no end")
                try peer.endSending()
            }
            let before = bench.backend.nowNanoseconds
            let fault = try bench.completion(.fault, of: held)
            #expect(fault.result == 0)
            #expect(bench.backend.nowNanoseconds - before < 300_000_000)
            bench.pass(milliseconds: 20)
            #expect(bench.isQuiet, "it is told once")
            bench.receive(held)
            let bytes = try bench.bytes(try bench.completion(.receive, of: held))
            #expect(bytes == (cameBefore ? [1, 2, 3] : [1, 2, 3, 4]))
        }
    }

    @Test("Bytes that come while an end is watched are received later", arguments: Subject.all)
    func watchedInVain(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.backend.watchEnd(held.descriptor)
            _ = try peer.send([1, 2, 3])
            bench.pass(milliseconds: 20)
            #expect(bench.isQuiet)
            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1, 2, 3])
            bench.receive(held)
            try peer.endSending()
            #expect(try bench.completion(.receive, of: held).result == 0, "and then it is no fault")
            bench.pass(milliseconds: 20)
            #expect(bench.isQuiet)
        }
    }
}
