import DataPlane
import Glibc
import Testing

extension BackendContractTests {
    @Test(
        "A receive without a buffer takes one when bytes are there, and hands it over",
        arguments: Subject.all, [false, true])
    func receives(_ subject: Subject, mayHaveBytes: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair(mayHaveBytes: mayHaveBytes)
            bench.receive(held)
            bench.pass()
            #expect(bench.isQuiet, "nothing has come yet")
            _ = try peer.send([1, 2, 3])
            let completion = try bench.completion(.receive, of: held)
            #expect(completion.result == 3)
            #expect(try bench.bytes(completion) == [1, 2, 3])
            bench.receive(held)
            bench.pass()
            #expect(bench.isQuiet, "the same bytes do not come twice")
        }
    }

    @Test(
        "Bytes that were there before a socket was adopted are received", arguments: Subject.all,
        [false, true])
    func receivesEarlyBytes(_ subject: Subject, mayHaveBytes: Bool) throws {
        try subject.check { bench in
            let listener = try bench.listen()
            bench.backend.setAcceptBudget(1)
            let peer = try bench.world.connect(to: listener.address)
            _ = try peer.send([7, 8])
            let descriptor = try bench.accept()
            bench.pass(milliseconds: 10)
            let held = bench.adopt(descriptor, mayHaveBytes: mayHaveBytes)
            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [7, 8])
        }
    }

    @Test(
        "A receive with a buffer appends behind the slice, touches nothing else, and gives the buffer back",
        arguments: Subject.all, [0, 2, 100] as [Int32])
    func appends(_ subject: Subject, offset: Int32) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let before = Self.pattern(200)
            let slice = try bench.buffer(before)
            let part = BufferSlice(buffer: slice.buffer, offset: offset, count: 50)
            bench.receive(held, appendingTo: part)
            bench.pass(milliseconds: 5)
            _ = try peer.send([0xaa, 0xbb, 0xcc])
            let completion = try bench.completion(.receive, of: held)
            #expect(completion.result == 3)
            #expect(completion.buffer == slice.buffer)
            let expected =
                Array(before[..<Int(offset + 50)]) + [0xaa, 0xbb, 0xcc] + Array(before[Int(offset + 53)...])
            #expect(bench.backend.bytes(slice) == expected)
        }
    }

    @Test(
        "No more is received than the buffer has room for; the rest comes with the next receive",
        arguments: Subject.all)
    func room(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let start = Int32(BufferPool.dataBytes - 10)
            let slice = try bench.buffer(Self.pattern(Int(start)))
            _ = try peer.send(Self.pattern(100))
            bench.pass(milliseconds: 10)
            bench.receive(held, appendingTo: slice)
            let completion = try bench.completion(.receive, of: held)
            #expect(completion.result == 10)
            let end = BufferSlice(buffer: slice.buffer, offset: start, count: 10)
            #expect(bench.backend.bytes(end) == Self.pattern(10))
            #expect(bench.backend.bytes(slice) == Self.pattern(Int(start)))

            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == Self.pattern(90, from: 10))
        }
    }

    @Test("A long stream is received whole and in order, however it is cut", arguments: Subject.all)
    func receivesStream(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let stream = Self.pattern(1_000_003)
            var (sent, seen) = (0, [UInt8]())
            seen.reserveCapacity(stream.count)
            var size = 1
            bench.receive(held)
            try bench.until("a megabyte comes") {
                if sent < stream.count {
                    size = size &* 5 % 60_013 + 1
                    sent += try peer.send(Array(stream[sent..<min(sent + size, stream.count)]))
                    if sent == stream.count { try peer.endSending() }
                }
                bench.turn(milliseconds: sent == stream.count ? 5 : 0)
                while let completion = bench.claim(.receive, of: held) {
                    guard completion.result != 0 else { return true }
                    seen += try bench.bytes(completion)
                    bench.receive(held)
                    bench.collect()
                }
                return false
            }
            #expect(seen == stream)
        }
    }

    @Test("A peer's end is a receive of 0, behind all its bytes, and takes no buffer", arguments: Subject.all)
    func end(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.receive(held)
            bench.pass(milliseconds: 5)
            _ = try peer.send([5])
            try peer.endSending()
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [5])
            bench.receive(held)
            let end = try bench.completion(.receive, of: held)
            #expect(end.result == 0)
            #expect(end.buffer == .none)

            // The other direction goes on.
            bench.send(held, try bench.buffer([6]))
            #expect(try bench.completion(.send, of: held).result == 1)
            try Self.expect([6], at: peer, bench)
        }
    }

    @Test(
        "A peer's reset is a receive of -ECONNRESET, whether it waited or not, and no fault besides",
        arguments: Subject.all, [false, true])
    func reset(_ subject: Subject, isWaiting: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            if isWaiting {
                bench.receive(held)
                bench.pass(milliseconds: 5)
            }
            peer.reset()
            if !isWaiting {
                bench.pass(milliseconds: 5)
                bench.receive(held)
            }
            let completion = try bench.completion(.receive, of: held)
            #expect(completion.result == -ECONNRESET)
            #expect(completion.buffer == .none)
            bench.pass()
            // Without an operation in flight, a fault may have said it first.
            #expect(
                isWaiting ? bench.isQuiet : bench.claimAll(.fault).count <= 1, "the operation has said it")
        }
    }

    @Test(
        "A receive that is said to complete at once does; none is said to when all was received",
        arguments: Subject.all)
    func mayReceive(_ subject: Subject) throws {
        try subject.check { bench in
            for endsAtOnce in [false, true] {
                let (held, peer) = try bench.pair()
                bench.receive(held)
                bench.pass(milliseconds: 5)
                _ = try peer.send([1, 2, 3])
                if endsAtOnce { try peer.endSending() }
                #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1, 2, 3])
                guard endsAtOnce else {
                    #expect(!bench.backend.mayReceive(held.descriptor))
                    continue
                }
                bench.pass(milliseconds: 5)
                let isSure = bench.backend.mayReceive(held.descriptor)
                bench.receive(held)
                if isSure { bench.turn(milliseconds: 0) }
                #expect(!isSure || !bench.isInFlight(.receive, held))
                #expect(try bench.completion(.receive, of: held).result == 0)
            }
        }
    }

    /// How a receive comes to nothing.
    enum Failure: CaseIterable, Sendable {
        case end, reset, cancel
    }

    @Test(
        "A receive with a buffer gives it back whatever becomes of it", arguments: Subject.all,
        Failure.allCases)
    func givesBufferBack(_ subject: Subject, failure: Failure) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer([1, 2, 3])
            bench.receive(held, appendingTo: slice)
            bench.pass(milliseconds: 5)
            switch failure {
            case .end: try peer.endSending()
            case .reset: peer.reset()
            case .cancel: bench.backend.cancel(held.descriptor)
            }
            let completion = try bench.completion(.receive, of: held)
            #expect(completion.buffer == slice.buffer)
            switch failure {
            case .end: #expect(completion.result == 0)
            case .reset: #expect(completion.result == -ECONNRESET)
            case .cancel: #expect(completion.result == -ECANCELED)
            }
            #expect(bench.backend.bytes(slice) == [1, 2, 3])
        }
    }

    @Test(
        "A socket that waits for bytes holds no buffer; when there is none for them, they wait",
        arguments: Subject.all)
    func idleHoldsNothing(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.receive(held)
            bench.pass(milliseconds: 5)
            var last = BufferIndex.none
            while let buffer = bench.backend.makeBuffer(copying: [1]) {
                if last != .none { bench.keep(last) }
                last = buffer
            }
            #expect(bench.isQuiet)
            _ = try peer.send([9, 9])
            var refused = try bench.completion(.receive, of: held)
            // A backend may have given the kernel some in advance.
            for _ in 0..<1000 where refused.result == 2 {
                bench.keep(refused.buffer)
                bench.receive(held)
                _ = try peer.send([9, 9])
                refused = try bench.completion(.receive, of: held)
            }
            #expect(refused.result == -ENOBUFS)
            #expect(refused.buffer == .none)

            bench.backend.release(last)
            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [9, 9])
        }
    }

    @Test(
        "Awaiting readability takes no bytes, and completes again while there are some",
        arguments: Subject.all)
    func awaitsReadable(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair(mayHaveBytes: false)
            bench.awaitReadable(held)
            bench.pass()
            #expect(bench.isQuiet)
            _ = try peer.send([1, 2])
            #expect(try bench.completion(.readable, of: held).result >= 0)
            bench.awaitReadable(held)
            #expect(try bench.completion(.readable, of: held).result >= 0)
            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1, 2])
            bench.awaitReadable(held)
            bench.pass()
            #expect(bench.isQuiet, "all was received")
            bench.backend.cancel(held.descriptor)
            _ = try bench.completion(.readable, of: held)
        }
    }

    @Test(
        "Awaiting readability completes at a peer's end and at its reset", arguments: Subject.all,
        [Failure.end, .reset])
    func awaitsEnd(_ subject: Subject, failure: Failure) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair(mayHaveBytes: false)
            bench.awaitReadable(held)
            bench.pass(milliseconds: 5)
            if failure == .end { try peer.endSending() } else { peer.reset() }
            _ = try bench.completion(.readable, of: held)
            bench.receive(held)
            #expect(try bench.completion(.receive, of: held).result == (failure == .end ? 0 : -ECONNRESET))
        }
    }
}
