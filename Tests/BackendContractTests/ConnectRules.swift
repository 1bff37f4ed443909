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
        "Without first bytes a connection completes as soon as it is made, and its origin may speak first",
        arguments: Subject.all, [OriginKind.ipv4, .ipv6, .unix])
    func connectsWithoutBytes(_ subject: Subject, kind: OriginKind) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(kind)
            let held = try bench.connect(to: origin, sending: BufferSlice())
            var accepted: (any ContractPeer)?
            try bench.until("the origin has the connection") {
                accepted = try origin.accept()
                return accepted != nil
            }
            let peer = try #require(accepted)
            #expect(try bench.completion(.connect, of: held).result == 0)
            bench.receive(held)
            _ = try peer.send(Array("220 ready".utf8))
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == Array("220 ready".utf8))
            bench.send(held, try bench.buffer([1, 2, 3]))
            #expect(try bench.completion(.send, of: held).result == 3)
            try Self.expect([1, 2, 3], at: peer, bench)
        }
    }

    @Test("Without first bytes a connection that is refused fails, too", arguments: Subject.all)
    func refusedWithoutBytes(_ subject: Subject) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(.refusing)
            let held = try bench.connect(to: origin, sending: BufferSlice())
            #expect(try bench.completion(.connect, of: held).result == -ECONNREFUSED)
            bench.pass()
            #expect(bench.isQuiet)
            bench.close(held)
        }
    }

    @Test("Bytes that were put in front of the data are sent with it, all at once", arguments: Subject.all)
    func sendsHeadroom(_ subject: Subject) throws {
        try subject.check { bench in
            let origin = try bench.world.makeOrigin(.ipv4)
            var slice = try bench.buffer(Self.pattern(900))
            let front = BufferSlice(
                buffer: slice.buffer, offset: -Int32(BufferPool.headroomBytes),
                count: UInt32(BufferPool.headroomBytes))
            bench.backend.overwrite(front, with: [UInt8](repeating: 0xee, count: BufferPool.headroomBytes))
            #expect(bench.backend.bytes(slice) == Self.pattern(900), "the data is as it was")
            slice.offset = -300
            slice.count += 300
            let held = try bench.connect(to: origin, sending: slice)
            #expect(try bench.completion(.connect, of: held).result == 1200)
            var accepted: (any ContractPeer)?
            try bench.until("the origin has the connection") {
                accepted = try origin.accept()
                return accepted != nil
            }
            let expected = [UInt8](repeating: 0xee, count: 300) + Self.pattern(900)
            try Self.expect(expected, at: try #require(accepted), bench)
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
