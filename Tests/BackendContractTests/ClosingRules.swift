import DataPlane
import Glibc
import Testing

extension BackendContractTests {
    @Test(
        "A close in order is an end for the peer, behind every byte; a close with reset is a reset",
        arguments: Subject.all, [false, true])
    func closes(_ subject: Subject, isReset: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer(Self.pattern(10_000))
            bench.send(held, slice)
            #expect(try bench.completion(.send, of: held).result == 10_000)
            if isReset {
                try Self.expect(Self.pattern(10_000), at: peer, bench)
                bench.close(held, reset: true)
                #expect(try Self.sightOfEnd(peer, bench) == .reset)
            } else {
                bench.close(held, reset: false)
                try Self.expect(Self.pattern(10_000), at: peer, bench)
                #expect(try Self.sightOfEnd(peer, bench) == .end)
            }
        }
    }

    @Test(
        "The end of one direction arrives behind every byte that was sent, and the other direction goes on",
        arguments: Subject.all)
    func halfCloses(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer(Self.pattern(16_000))
            for _ in 0..<3 {
                bench.send(held, slice)
                #expect(try bench.completion(.send, of: held).result == 16_000)
            }
            bench.backend.shutdownWrite(held.descriptor)
            try Self.expect(
                Self.pattern(16_000) + Self.pattern(16_000) + Self.pattern(16_000), at: peer, bench)
            #expect(try Self.sightOfEnd(peer, bench) == .end)

            bench.receive(held)
            bench.pass(milliseconds: 5)
            _ = try peer.send([1])
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1])
            bench.receive(held)
            try peer.endSending()
            #expect(try bench.completion(.receive, of: held).result == 0)
        }
    }

    @Test("A half-close of a connection that the peer has reset does no harm", arguments: Subject.all)
    func halfClosesReset(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            peer.reset()
            try bench.until("the reset arrives") { bench.backend.peerAddress(held.descriptor) == nil }
            bench.backend.shutdownWrite(held.descriptor)
            bench.receive(held)
            #expect(try bench.completion(.receive, of: held).result <= 0)
        }
    }

    @Test("A reset while nothing is in flight is told once, as a fault", arguments: Subject.all)
    func faults(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.receive(held)
            bench.pass(milliseconds: 5)
            _ = try peer.send([1])
            _ = try bench.bytes(try bench.completion(.receive, of: held))
            peer.reset()
            var faults: [Completion] = []
            try bench.until("the fault is told") {
                faults += bench.claimAll(.fault)
                return !faults.isEmpty
            }
            bench.pass()
            faults += bench.claimAll(.fault)
            #expect(faults.count == 1)
            #expect(faults.allSatisfy { $0.token == held.owner.with(.fault) && $0.result < 0 })
            #expect(bench.isQuiet)
        }
    }

    @Test(
        "An orderly end while nothing is in flight is no fault: it is told to the next receive",
        arguments: Subject.all)
    func noFault(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.receive(held)
            bench.pass(milliseconds: 5)
            _ = try peer.send([1])
            _ = try bench.bytes(try bench.completion(.receive, of: held))
            try peer.endSending()
            bench.pass()
            #expect(bench.isQuiet)
            bench.receive(held)
            #expect(try bench.completion(.receive, of: held).result == 0)
        }
    }

    /// Makes a new connection the tenant of the number of a socket to which bytes or a reset have come in the
    /// same turn. Nil when another thread of the tests has taken the number in between.
    private func reuse(
        _ bench: Bench, whileUnread isUnread: Bool
    ) throws -> (held: Held, peer: any ContractPeer)? {
        let (first, firstPeer) = try bench.pair()
        let (second, secondPeer) = try bench.pair()
        // The backend knows the second socket and has nothing in flight on it.
        bench.receive(first)
        bench.receive(second)
        bench.pass(milliseconds: 5)
        bench.backend.cancel(second.descriptor)
        _ = try bench.completion(.receive, of: second)
        return try bench.exchange(second) {
            _ = try firstPeer.send([1])
            if isUnread { _ = try secondPeer.send([2]) } else { secondPeer.reset() }
            _ = try bench.bytes(try bench.completion(.receive, of: first))
            _ = bench.claimAll(.fault)
        }
    }

    @Test(
        "A descriptor number that is used again brings nothing of its earlier socket along",
        arguments: Subject.all, [false, true])
    func reusesNumber(_ subject: Subject, whileUnread: Bool) throws {
        try subject.check { bench in
            var reused: (held: Held, peer: any ContractPeer)?
            for _ in 0..<50 where reused == nil { reused = try reuse(bench, whileUnread: whileUnread) }
            let (held, peer) = try #require(reused, "a number was used again")
            bench.receive(held)
            bench.pass()
            #expect(bench.isQuiet, "the earlier socket's bytes or reset are not the new one's")
            _ = try peer.send([7])
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [7])
            bench.send(held, try bench.buffer([8]))
            #expect(try bench.completion(.send, of: held).result == 1)
            try Self.expect([8], at: peer, bench)
        }
    }
}
