import DataPlane
import Glibc
import Testing

extension BackendContractTests {
    @Test("What is sent arrives, and the result is its count", arguments: Subject.all)
    func sends(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer(Self.pattern(5000))
            bench.send(held, BufferSlice(buffer: slice.buffer, offset: 1000, count: 3000))
            #expect(try bench.completion(.send, of: held).result == 3000)
            try Self.expect(Self.pattern(3000, from: 1000), at: peer, bench)
        }
    }

    @Test("Bytes that the end follows arrive before it", arguments: Subject.all, [false, true])
    func sendsEnd(_ subject: Subject, closes: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer(Self.pattern(700))
            bench.send(held, slice, endFollows: true)
            #expect(try bench.completion(.send, of: held).result == 700)
            if closes { bench.close(held) } else { bench.backend.shutdownWrite(held.descriptor) }
            try Self.expect(Self.pattern(700), at: peer, bench)
            #expect(try Self.sightOfEnd(peer, bench) == .end)
        }
    }

    /// Sends the same buffer over and over until the peer, which does not read, holds up. Returns the count
    /// of bytes that were taken, and leaves a send of the rest of a buffer in flight.
    private func stall(_ held: Held, _ slice: BufferSlice, _ bench: Bench) throws -> Int {
        var taken = 0
        while taken < 100_000_000 {
            let done = UInt32(taken) % slice.count
            bench.send(
                held, BufferSlice(buffer: slice.buffer, offset: Int32(done), count: slice.count - done))
            // What has room is taken at once or soon; what is not taken for a while has none.
            for _ in 0..<20 {
                bench.turn(milliseconds: 2)
                guard let completion = bench.claim(.send, of: held) else { continue }
                try #require(completion.result > 0)
                try #require(completion.result <= Int32(slice.count - done))
                taken += Int(completion.result)
                break
            }
            if bench.isInFlight(.send, held) { return taken }
        }
        throw ContractFailure("a peer that does not read takes everything")
    }

    @Test(
        "While a peer does not read, a send is short or waits, then completes; no byte is lost",
        arguments: Subject.all)
    func stalledSend(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let period = 16_000
            let slice = try bench.buffer(Self.pattern(period))
            var sent = try stall(held, slice, bench)
            #expect(bench.isQuiet)

            var seen = 0
            var isSame = true
            func read() throws {
                while case .bytes(let bytes) = try peer.receive(upTo: 65_536) {
                    for byte in bytes {
                        isSame =
                            isSame
                            && byte
                                == UInt8(truncatingIfNeeded: (seen % period) &* 31 &+ (seen % period) >> 8)
                        seen += 1
                    }
                }
            }
            try bench.until("the send completes") {
                try read()
                guard let completion = bench.claim(.send, of: held) else { return false }
                #expect(completion.result > 0)
                sent += Int(completion.result)
                return true
            }
            try bench.until("all that was taken arrives") {
                try read()
                return seen >= sent
            }
            #expect(seen == sent)
            #expect(isSame)
        }
    }

    @Test(
        "A socket that has room is writable at once; one that has none, when the peer has read",
        arguments: Subject.all)
    func awaitsWritable(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.awaitWritable(held)
            #expect(try bench.completion(.writable, of: held).result >= 0)

            _ = try stall(held, try bench.buffer(Self.pattern(16_000)), bench)
            bench.backend.cancel(held.descriptor)
            #expect(try bench.completion(.send, of: held).result == -ECANCELED)
            bench.awaitWritable(held)
            bench.pass()
            #expect(bench.isQuiet, "the peer has not read")
            var isWritable = false
            try bench.until("it is writable again") {
                _ = try peer.receive(upTo: 1 << 20)
                isWritable = isWritable || bench.claim(.writable, of: held) != nil
                return isWritable
            }
        }
    }

    @Test(
        "A peer that has ended its side and reads nothing keeps a send waiting, and wakes nobody",
        arguments: Subject.all, [false, true])
    func stalledByHalfClosed(_ subject: Subject, isAwaiting: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            _ = try stall(held, try bench.buffer(Self.pattern(16_000)), bench)
            try peer.endSending()
            if isAwaiting {
                bench.backend.cancel(held.descriptor)
                _ = try bench.completion(.send, of: held)
                bench.awaitWritable(held)
            }
            // What was on its way may still be taken.
            bench.pass(milliseconds: 100)
            try #require(bench.isInFlight(isAwaiting ? .writable : .send, held))
            let before = bench.backend.nowNanoseconds
            bench.turn(milliseconds: 200)
            let passed = bench.backend.nowNanoseconds - before
            #expect(bench.isInFlight(isAwaiting ? .writable : .send, held))
            #expect(passed >= 150_000_000, "\(passed) ns")
        }
    }

    @Test("A send that waits and a receive that waits do not get in each other's way", arguments: Subject.all)
    func bothWays(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.receive(held)
            _ = try stall(held, try bench.buffer(Self.pattern(16_000)), bench)
            _ = try peer.send([4, 2])
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [4, 2])
            #expect(bench.isInFlight(.send, held))
            bench.receive(held)
            var result: Int32 = 0
            try bench.until("the send completes") {
                _ = try peer.receive(upTo: 1 << 20)
                result = bench.claim(.send, of: held)?.result ?? 0
                return result != 0
            }
            #expect(result > 0)
            #expect(bench.isInFlight(.receive, held))
        }
    }

    @Test(
        "A send to a peer that has reset the connection fails, also one that was waiting",
        arguments: Subject.all, [false, true])
    func sendsToReset(_ subject: Subject, isWaiting: Bool) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer(Self.pattern(16_000))
            if isWaiting {
                _ = try stall(held, slice, bench)
                peer.reset()
            } else {
                peer.reset()
                try bench.until("the reset arrives") { bench.backend.peerAddress(held.descriptor) == nil }
                bench.send(held, slice)
            }
            let result = try bench.completion(.send, of: held).result
            #expect(result == -ECONNRESET || result == -EPIPE)
            bench.pass()
            // Without an operation in flight, a fault may have said it first.
            if isWaiting { #expect(bench.claimAll(.fault).isEmpty, "the operation has said it") }
        }
    }

    @Test(
        "Cancelling completes each operation in flight once, as cancelled, and the socket goes on",
        arguments: Subject.all)
    func cancels(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            bench.receive(held)
            _ = try stall(held, try bench.buffer(Self.pattern(16_000)), bench)
            bench.backend.cancel(held.descriptor)
            let received = try bench.completion(.receive, of: held)
            #expect(received.result == -ECANCELED)
            #expect(received.buffer == .none)
            #expect(try bench.completion(.send, of: held).result == -ECANCELED)
            bench.backend.cancel(held.descriptor)
            bench.pass()
            #expect(bench.isQuiet, "nothing is left to cancel")

            _ = try peer.send([3])
            bench.receive(held)
            #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [3])
        }
    }

    @Test("An operation that had finished when it was cancelled completes as it did", arguments: Subject.all)
    func cancelsTooLate(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            _ = try peer.send([1, 2, 3])
            bench.pass(milliseconds: 10)
            bench.receive(held)
            bench.backend.wait(milliseconds: 1000)
            bench.backend.cancel(held.descriptor)
            let completion = try bench.completion(.receive, of: held)
            #expect(completion.result == 3)
            #expect(try bench.bytes(completion) == [1, 2, 3])
            bench.pass()
            #expect(bench.isQuiet)
        }
    }

    @Test(
        "Waiting for readiness can be cancelled, and gives no buffer that an earlier receive has given",
        arguments: Subject.all)
    func cancelsAwaiting(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let slice = try bench.buffer([1])
            bench.receive(held, appendingTo: slice)
            _ = try peer.send([2])
            #expect(try bench.completion(.receive, of: held).buffer == slice.buffer)
            _ = try stall(held, try bench.buffer(Self.pattern(16_000)), bench)
            bench.backend.cancel(held.descriptor)
            _ = try bench.completion(.send, of: held)

            bench.awaitReadable(held)
            bench.awaitWritable(held)
            bench.pass(milliseconds: 5)
            bench.backend.cancel(held.descriptor)
            for kind in [OperationKind.readable, .writable] {
                let completion = try bench.completion(kind, of: held)
                #expect(completion.result == -ECANCELED)
                #expect(completion.buffer == .none)
            }
        }
    }
}
