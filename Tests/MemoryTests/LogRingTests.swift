import DataPlane
import Glibc
import Linux
import Support
import Testing
import Wire

/// A pipe whose ends a test closes on its own.
private final class TestPipe: Sendable {
    let readEnd: Int32
    let writeEnd: Int32

    init(blocking: Bool = true) throws {
        var ends: [Int32] = [-1, -1]
        try check(unsafe pipe(&ends))
        (readEnd, writeEnd) = (ends[0], ends[1])
        if !blocking { _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK) }
    }

    /// Reads until the end of the stream.
    func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe read(readEnd, &part, part.count)
            guard count > 0 else { return bytes }
            bytes += part[..<count]
        }
    }
}

/// What a thread has read, for the thread that waits for it.
// SAFETY: written before the thread ends, read after that was waited for.
private final class Collected: @unchecked Sendable {
    var bytes: [UInt8] = []
}

@Suite struct LogRingTests {
    private func line(_ number: Int, _ length: Int) -> [UInt8] {
        Array("\(number) ".utf8) + [UInt8](repeating: 0x2e, count: length) + [0x0a]
    }

    /// Drains the ring through a pipe, into memory.
    private func drain(_ ring: LogRing) throws -> [UInt8] {
        let pipe = try TestPipe()
        let collected = Collected()
        let reader = Background { collected.bytes = pipe.readAll() }
        let isGood = ring.drain(to: pipe.writeEnd).error == nil
        closeDescriptor(pipe.writeEnd)
        try reader.wait()
        closeDescriptor(pipe.readEnd)
        #expect(isGood)
        return collected.bytes
    }

    @Test("A full ring drops whole lines, says so, and takes lines again when it was read")
    func full() throws {
        let ring = LogRing()
        var random = SeededRandom(seed: 5)
        for round in 0..<20 {
            var expected: [UInt8] = []
            var dropped = 0
            var number = 0
            while dropped < 3 {
                let line = line(round * 100_000 + number, random.below(900))
                if ring.append(line.span.rawBytes) { expected += line } else { dropped += 1 }
                number += 1
            }
            #expect(expected.count > 250_000, "there is room for 256 KiB")
            #expect(try drain(ring) == expected)
        }
    }

    @Test("A line longer than the ring is dropped, and nothing else is")
    func longer() throws {
        let ring = LogRing()
        let isTaken = ring.append([UInt8](repeating: 1, count: (1 << 18) + 1).span.rawBytes)
        #expect(!isTaken)
        let whole = ring.append([UInt8](repeating: 2, count: 1 << 18).span.rawBytes)
        #expect(whole)
        #expect(try drain(ring) == [UInt8](repeating: 2, count: 1 << 18))
    }

    @Test(
        "While one thread writes and another reads, every line that was taken arrives once and whole"
    )
    func concurrent() throws {
        let ring = LogRing()
        let pipe = try TestPipe()
        let collected = Collected()
        let reader = Background { collected.bytes = pipe.readAll() }
        let taken = Collected()
        let writer = Background {
            var random = SeededRandom(seed: 9)
            for number in 0..<60_000 {
                let line = line(number, random.below(200))
                if ring.append(line.span.rawBytes) { taken.bytes += line }
            }
        }
        let deadline = monotonicNanoseconds() + 30_000_000_000
        var isOver = false
        while !isOver, monotonicNanoseconds() < deadline {
            isOver = (try? writer.wait(seconds: 0)) != nil
            #expect(ring.drain(to: pipe.writeEnd).error == nil)
        }
        closeDescriptor(pipe.writeEnd)
        try reader.wait()
        closeDescriptor(pipe.readEnd)
        #expect(isOver)
        #expect(taken.bytes.count > 100_000)
        #expect(collected.bytes == taken.bytes)
    }

    @Test("A descriptor that fails for good loses the lines, which are counted, and the ring goes on")
    func failure() throws {
        let ring = LogRing()
        let pipe = try TestPipe()
        var isTaken = ring.append(line(1, 5).span.rawBytes)
        #expect(isTaken)
        isTaken = ring.append(line(2, 5).span.rawBytes)
        #expect(isTaken)
        let loss = ring.drain(to: pipe.readEnd)
        #expect(loss.lines == 2 && loss.error != nil, "nobody can write to the reading end")
        isTaken = ring.append(line(2, 5).span.rawBytes)
        #expect(isTaken)
        #expect(try drain(ring) == line(2, 5))
        closeDescriptor(pipe.readEnd)
        closeDescriptor(pipe.writeEnd)
    }

    @Test("A descriptor that takes nothing for a while is waited for, without using the processor")
    func slowReader() throws {
        let ring = LogRing()
        let pipe = try TestPipe(blocking: false)
        let expected = [UInt8](repeating: 0x61, count: 200_000)
        let isTaken = ring.append(expected.span.rawBytes)
        #expect(isTaken, "more than a pipe holds")
        let spent = Collected()
        let drainer = Background {
            let isGood = ring.drain(to: pipe.writeEnd).error == nil
            closeDescriptor(pipe.writeEnd)
            var time = timespec()
            unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            let milliseconds = time.tv_sec * 1000 + time.tv_nsec / 1_000_000
            spent.bytes = [UInt8(clamping: milliseconds), isGood ? 1 : 0]
        }
        sleepMicroseconds(300_000)
        #expect(pipe.readAll() == expected)
        try drainer.wait()
        closeDescriptor(pipe.readEnd)
        #expect(spent.bytes[0] < 100, "of the 300 ms that nobody read")
        #expect(spent.bytes[1] == 1)
    }
}

@Suite struct MailboxTests {
    private func isReadable(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, 0) == 1
    }

    private func index(_ message: WorkerMessage) -> UInt32? {
        if case .removeListener(let index) = message { index } else { nil }
    }

    @Test("Messages arrive once and in order, and taking them leaves none")
    func order() throws {
        let mailbox = try Mailbox()
        for index in 0..<5 as Range<UInt32> { mailbox.send(.removeListener(index: index)) }
        #expect(mailbox.take().compactMap(index) == [0, 1, 2, 3, 4])
        #expect(mailbox.take().isEmpty)
    }

    @Test("A message is acknowledged when the worker has acted on it, and not before")
    func acknowledged() throws {
        let mailbox = try Mailbox()
        let first = mailbox.send(.stop)
        let second = mailbox.send(.stop)
        #expect(mailbox.take().count == 2)
        #expect(!mailbox.isAcknowledged(first))
        mailbox.acknowledge(1)
        #expect(mailbox.isAcknowledged(first))
        #expect(!mailbox.isAcknowledged(second))
        mailbox.acknowledge(1)
        #expect(mailbox.isAcknowledged(second))
        let third = mailbox.send(.stop)
        #expect(!mailbox.isAcknowledged(third))
    }

    @Test("The wake descriptor becomes readable with a message, and stays so until it is read")
    func wake() throws {
        let mailbox = try Mailbox()
        #expect(!isReadable(mailbox.wakeDescriptor))
        mailbox.send(.stop)
        mailbox.send(.stop)
        #expect(isReadable(mailbox.wakeDescriptor))
        var count: UInt64 = 0
        let byteCount = unsafe read(mailbox.wakeDescriptor, &count, 8)
        #expect(byteCount == 8)
        #expect(count == 2)
        #expect(!isReadable(mailbox.wakeDescriptor))
    }

    @Test("Messages from four threads all arrive, each thread's in order")
    func threads() throws {
        let mailbox = try Mailbox()
        let threads = (0..<4 as Range<UInt32>).map { thread in
            Background {
                for number in 0..<1000 as Range<UInt32> {
                    mailbox.send(.removeListener(index: thread * 1000 + number))
                }
            }
        }
        var received: [UInt32] = []
        let deadline = monotonicNanoseconds() + 20_000_000_000
        while received.count < 4000, monotonicNanoseconds() < deadline {
            received += mailbox.take().compactMap(index)
        }
        for thread in threads { try thread.wait() }
        #expect(received.count == 4000)
        for thread in 0..<4 as Range<UInt32> {
            let mine = received.filter { $0 / 1000 == thread }
            #expect(mine == Array(thread * 1000..<(thread + 1) * 1000))
        }
    }
}
