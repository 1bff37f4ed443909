import DataPlane
import Glibc
import Testing

extension BackendContractTests {
    @Test("There are as many pipes as were allowed, each for one user at a time", arguments: Subject.all)
    func pipes(_ subject: Subject) throws {
        try subject.check { bench in
            var pipes: [PipeIndex] = []
            while let pipe = bench.backend.acquirePipe() { pipes.append(pipe) }
            #expect(pipes.count == Subject.pipesMax)
            #expect(Set(pipes.map(\.raw)).count == pipes.count)
            for isEmpty in [true, false] {
                bench.backend.releasePipe(pipes[0], isEmpty: isEmpty)
                #expect(bench.backend.acquirePipe() != nil)
                #expect(bench.backend.acquirePipe() == nil)
            }
            for pipe in pipes { bench.backend.releasePipe(pipe, isEmpty: true) }
            bench.backend.trim()
            bench.backend.trim()
            var again: [PipeIndex] = []
            while let pipe = bench.backend.acquirePipe() { again.append(pipe) }
            #expect(again.count == Subject.pipesMax)
            for pipe in again { bench.backend.releasePipe(pipe, isEmpty: true) }
        }
    }

    /// Fills a pipe with what comes next.
    private func fill(_ pipe: PipeIndex, from held: Held, _ bench: Bench) throws -> Int {
        var result = Int(-EAGAIN)
        for _ in 0..<3 where result == Int(-EAGAIN) {
            // Readable may be from before: a socket that was not found empty may have something.
            bench.awaitReadable(held)
            _ = try bench.completion(.readable, of: held)
            result = bench.backend.fill(pipe, from: held.descriptor)
        }
        return result
    }

    /// Moves what there is from one socket to another through a pipe, as a relay would; how much until the
    /// peer's end.
    private func relay(
        _ bench: Bench, from source: Held, to sink: Held, meanwhile: () throws -> Void
    ) throws -> Int {
        let pipe = try #require(bench.backend.acquirePipe())
        var (moved, pending, isWaiting) = (0, 0, false)
        defer { bench.backend.releasePipe(pipe, isEmpty: pending == 0) }
        var isOver = false
        try bench.until("all is moved") {
            try meanwhile()
            if bench.claim(.readable, of: source) != nil || bench.claim(.writable, of: sink) != nil {
                isWaiting = false
            }
            while !isWaiting, !isOver {
                let result =
                    pending == 0
                    ? bench.backend.fill(pipe, from: source.descriptor)
                    : bench.backend.drain(pipe, to: sink.descriptor, count: pending)
                if result == Int(-EAGAIN) {
                    if pending == 0 { bench.awaitReadable(source) } else { bench.awaitWritable(sink) }
                    isWaiting = true
                    bench.collect()
                } else if pending == 0 {
                    try #require(result >= 0)
                    isOver = result == 0
                    pending = result
                } else {
                    try #require(result > 0 && result <= pending)
                    moved += result
                    pending -= result
                }
            }
            return isOver
        }
        return moved
    }

    @Test(
        "Bytes that go through pipes arrive equal and in order; the end is a fill of 0",
        arguments: Subject.all)
    func splices(_ subject: Subject) throws {
        try subject.check { bench in
            let (source, sender) = try bench.pair()
            let (sink, receiver) = try bench.pair()
            let stream = Self.pattern(3_000_017)
            var (sent, seen, turns) = (0, [UInt8](), 0)
            let moved = try relay(bench, from: source, to: sink) {
                turns += 1
                if sent < stream.count {
                    sent += try sender.send(Array(stream[sent..<min(sent + 200_000, stream.count)]))
                    if sent == stream.count { try sender.endSending() }
                }
                // Reads by fits and starts, so that the sink takes nothing now and then.
                guard turns % 4 == 0 else { return }
                while case .bytes(let bytes) = try receiver.receive(upTo: 1 << 18) { seen += bytes }
            }
            #expect(moved == stream.count)
            bench.backend.shutdownWrite(sink.descriptor)
            try bench.until("the rest arrives") {
                switch try receiver.receive(upTo: 1 << 18) {
                case .bytes(let bytes): seen += bytes
                case .end: return true
                case .nothing, .reset: break
                }
                return false
            }
            #expect(seen == stream)
        }
    }

    @Test(
        "A fill with nothing there says so, and readability is then awaited in earnest",
        arguments: Subject.all)
    func fillsNothing(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let pipe = try #require(bench.backend.acquirePipe())
            #expect(bench.backend.fill(pipe, from: held.descriptor) == Int(-EAGAIN))
            bench.awaitReadable(held)
            bench.pass()
            #expect(bench.isQuiet)
            _ = try peer.send([1, 2, 3])
            _ = try bench.completion(.readable, of: held)
            #expect(bench.backend.fill(pipe, from: held.descriptor) == 3)
            #expect(bench.backend.drain(pipe, to: held.descriptor, count: 3) == 3)
            try Self.expect([1, 2, 3], at: peer, bench)
            bench.backend.releasePipe(pipe, isEmpty: true)
        }
    }

    @Test("A drain moves no more than it was asked to", arguments: Subject.all)
    func drainsInParts(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let pipe = try #require(bench.backend.acquirePipe())
            _ = try peer.send(Self.pattern(1000))
            #expect(try fill(pipe, from: held, bench) == 1000)
            #expect(bench.backend.drain(pipe, to: held.descriptor, count: 10) == 10)
            #expect(bench.backend.drain(pipe, to: held.descriptor, count: 990) == 990)
            try Self.expect(Self.pattern(1000), at: peer, bench)
            bench.backend.releasePipe(pipe, isEmpty: true)
        }
    }

    @Test(
        "A drain to a peer that does not read says so, and goes on when it has read", arguments: Subject.all)
    func drainsLater(_ subject: Subject) throws {
        try subject.check { bench in
            let (source, sender) = try bench.pair()
            let (sink, receiver) = try bench.pair()
            let pipe = try #require(bench.backend.acquirePipe())
            var (sent, filled, drained, isStalled) = (0, 0, 0, false)
            try bench.until("the sink takes no more") {
                sent += try sender.send(Self.pattern(60_000))
                while filled == drained, case let count = bench.backend.fill(pipe, from: source.descriptor),
                    count > 0
                {
                    filled += count
                    while filled > drained, !isStalled {
                        let result = bench.backend.drain(pipe, to: sink.descriptor, count: filled - drained)
                        isStalled = result == Int(-EAGAIN)
                        drained += max(0, result)
                    }
                }
                return isStalled
            }
            bench.awaitWritable(sink)
            bench.pass()
            #expect(bench.isQuiet)
            var seen = 0
            try bench.until("the sink takes some again") {
                if case .bytes(let bytes) = try receiver.receive(upTo: 1 << 20) { seen += bytes.count }
                return bench.claim(.writable, of: sink) != nil
            }
            #expect(bench.backend.drain(pipe, to: sink.descriptor, count: filled - drained) > 0)
            bench.backend.releasePipe(pipe, isEmpty: false)
        }
    }

    @Test(
        "A fill from a connection that was reset fails, and so does a drain into one", arguments: Subject.all)
    func splicesReset(_ subject: Subject) throws {
        try subject.check { bench in
            let (source, sender) = try bench.pair()
            let (sink, receiver) = try bench.pair()
            let pipe = try #require(bench.backend.acquirePipe())
            _ = try sender.send([1, 2, 3])
            #expect(try fill(pipe, from: source, bench) == 3)
            receiver.reset()
            sender.reset()
            for held in [source, sink] {
                try bench.until("the resets arrive") { bench.backend.peerAddress(held.descriptor) == nil }
            }
            let drained = bench.backend.drain(pipe, to: sink.descriptor, count: 3)
            #expect(drained == Int(-EPIPE) || drained == Int(-ECONNRESET))
            bench.backend.releasePipe(pipe, isEmpty: false)
            let fresh = try #require(bench.backend.acquirePipe())
            #expect(bench.backend.fill(fresh, from: source.descriptor) == Int(-ECONNRESET))
            bench.backend.releasePipe(fresh, isEmpty: true)
        }
    }

    @Test(
        "A pipe that was given back with bytes in it does not bring them to its next user",
        arguments: Subject.all)
    func forgetsBytes(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            for round in 0..<10 as Range<UInt8> {
                let pipe = try #require(bench.backend.acquirePipe())
                _ = try peer.send([round, round])
                #expect(try fill(pipe, from: held, bench) == 2)
                if round % 2 == 0 {
                    bench.backend.releasePipe(pipe, isEmpty: false)
                } else {
                    #expect(bench.backend.drain(pipe, to: held.descriptor, count: 1 << 16) == 2)
                    try Self.expect([round, round], at: peer, bench)
                    bench.backend.releasePipe(pipe, isEmpty: true)
                }
            }
        }
    }

    @Test("A buffer made of bytes holds them, and there are as many as there are", arguments: Subject.all)
    func makesBuffers(_ subject: Subject) throws {
        try subject.check { bench in
            #expect(bench.backend.makeBuffer(copying: Self.pattern(BufferPool.dataBytes + 1)) == nil)
            let full = try bench.buffer(Self.pattern(BufferPool.dataBytes))
            #expect(bench.backend.bytes(full) == Self.pattern(BufferPool.dataBytes))
            var slices: [BufferSlice] = []
            while let buffer = bench.backend.makeBuffer(copying: [UInt8(truncatingIfNeeded: slices.count), 1])
            {
                bench.keep(buffer)
                slices.append(BufferSlice(buffer: buffer, offset: 0, count: 2))
            }
            #expect(slices.count >= 2 * Subject.sessionsMax)
            for (number, slice) in slices.enumerated() {
                #expect(bench.backend.bytes(slice) == [UInt8(truncatingIfNeeded: number), 1])
            }
            bench.release(slices[3].buffer)
            _ = try bench.buffer([1])
            bench.backend.trim()
            bench.backend.trim()
            #expect(bench.backend.bytes(full) == Self.pattern(BufferPool.dataBytes), "what is in use stays")
        }
    }
}
