import DataPlane
import Glibc
import Testing

extension BackendContractTests {
    @Test(
        "A connection that is made sends the first bytes and says how many", arguments: Subject.all,
        [OriginKind.ipv4, .ipv6, .unix])
    func connects(_ subject: Subject, kind: OriginKind) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(kind)
            let slice = try bench.buffer(Self.pattern(900))
            let part = BufferSlice(buffer: slice.buffer, offset: 100, count: 700)
            let held = try bench.connect(to: origin, sending: part)
            let completion = try bench.completion(.connect, of: held)
            #expect(completion.result == 700)
            #expect(completion.token.side == .origin)

            var accepted: (any ContractPeer)?
            try bench.until("the origin has the connection") {
                accepted = try origin.accept()
                return accepted != nil
            }
            let peer = try #require(accepted)
            try Self.expect(Self.pattern(700, from: 100), at: peer, bench)

            // The connection is one like any other.
            bench.receive(held)
            _ = try peer.send([1, 2])
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1, 2])
            bench.close(held)
            #expect(try Self.sightOfEnd(peer, bench) == .end)
        }
    }

    @Test("An origin that speaks first is heard", arguments: Subject.all)
    func originSpeaksFirst(_ subject: Subject) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(.ipv4)
            let held = try bench.connect(to: origin, sending: try bench.buffer([1]))
            var accepted: (any ContractPeer)?
            try bench.until("the origin has the connection") {
                accepted = try origin.accept()
                return accepted != nil
            }
            let peer = try #require(accepted)
            _ = try peer.send([8, 8])
            try peer.endSending()
            _ = try bench.completion(.connect, of: held)
            bench.pass(milliseconds: 10)
            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [8, 8])
            bench.receive(held)
            #expect(try bench.completion(.receive, of: held).result == 0)
        }
    }

    @Test(
        "A connection that is refused completes once, with a failure, and its socket can be closed",
        arguments: Subject.all, [OriginKind.refusing, .refusingUnix])
    func refused(_ subject: Subject, kind: OriginKind) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(kind)
            let held = try bench.connect(to: origin, sending: try bench.buffer([1]))
            #expect(try bench.completion(.connect, of: held).result == -ECONNREFUSED)
            bench.pass()
            #expect(bench.isQuiet, "neither a second answer nor a fault")
            bench.close(held)
            bench.pass()
            #expect(bench.isQuiet)
        }
    }

    @Test(
        "A connection that nobody answers waits, and completes once, as cancelled, when it is cancelled",
        arguments: Subject.all)
    func blackHole(_ subject: Subject) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(.blackHole)
            let held = try bench.connect(to: origin, sending: try bench.buffer([1]))
            bench.pass(milliseconds: 100)
            #expect(bench.isQuiet)
            bench.backend.cancel(held.descriptor)
            #expect(try bench.completion(.connect, of: held).result == -ECANCELED)
            bench.pass()
            #expect(bench.isQuiet)
            bench.close(held)
            bench.pass()
            #expect(bench.isQuiet)
        }
    }
}
