import CLinux

/// A pipe's two descriptors.
package struct PipeEnds: BitwiseCopyable {
    /// Where bytes come out.
    package var readEnd: Int32
    /// Where bytes go in.
    package var writeEnd: Int32

    /// The two ends of one pipe.
    package init(readEnd: Int32, writeEnd: Int32) {
        self.readEnd = readEnd
        self.writeEnd = writeEnd
    }
}

/// Pipes for splice(2), made when first needed and kept for the next user. Each costs two descriptors and,
/// while it holds bytes, the pages they came in.
package struct PipePool: ~Copyable {
    /// What one move asks for, and the capacity asked of the kernel. The count of bytes that a pipe really
    /// takes depends on how they lie in pages, so nothing relies on it.
    package static let pipeBytes = 1 << 20

    private let ends: Region<PipeEnds>
    private let freed: Region<Int32>
    private var freedCount = 0
    private var madeCount = 0
    /// Numbers whose pipe was closed, and which wait for a new one.
    private let closed: Region<Int32>
    private var closedCount = 0
    private var freedCountMin = 0
    private let capacity: Int

    /// `capacity`: the most pipes there may be, at least 1.
    package init(capacity: Int) {
        self.capacity = capacity
        ends = Region(capacity: capacity)
        freed = Region(capacity: capacity)
        closed = Region(capacity: capacity)
    }

    deinit {
        for place in 0..<freedCount { closeEnds(freed[place]) }
    }

    /// The descriptors of a pipe that is in use.
    package subscript(pipe: PipeIndex) -> PipeEnds { ends[Int(pipe.raw)] }

    /// How many pipes are in use.
    package var count: Int { madeCount - freedCount - closedCount }

    /// An empty pipe; nil when there are none to be had.
    package mutating func acquire() -> PipeIndex? {
        if freedCount > 0 {
            freedCount -= 1
            freedCountMin = min(freedCountMin, freedCount)
            return PipeIndex(freed[freedCount])
        }
        return make()
    }

    @inline(never)
    private mutating func make() -> PipeIndex? {
        guard closedCount > 0 || madeCount < capacity else { return nil }
        var descriptors: (Int32, Int32) = (-1, -1)
        // SAFETY: the tuple is two C ints in a row, which pipe2 fills. EMFILE: the caller copies instead.
        let result = unsafe withUnsafeMutableBytes(of: &descriptors) {
            unsafe clinux_pipe($0.baseAddress!.assumingMemoryBound(to: Int32.self))
        }
        guard result == 0 else { return nil }
        // EPERM: over the user's share of pipe memory (pipe(7)). Such a pipe may be as small as two pages,
        // and copying through a buffer is then the better way.
        guard clinux_set_pipe_size(descriptors.1, Int32(Self.pipeBytes)) >= 0 else {
            _ = clinux_close(descriptors.0)
            _ = clinux_close(descriptors.1)
            return nil
        }
        return adopt(PipeEnds(readEnd: descriptors.0, writeEnd: descriptors.1))
    }

    /// Takes a pipe that somebody else has made, and gives it to the caller; nil when there is no room.
    @inline(never)
    package mutating func adopt(_ made: PipeEnds) -> PipeIndex? {
        guard closedCount > 0 || madeCount < capacity else { return nil }
        let number: Int32
        if closedCount > 0 {
            closedCount -= 1
            number = closed[closedCount]
        } else {
            number = Int32(truncatingIfNeeded: madeCount)
            madeCount += 1
        }
        ends[Int(number)] = made
        return PipeIndex(number)
    }

    /// Gives a pipe back; one that still holds bytes is closed.
    package mutating func release(_ pipe: PipeIndex, isEmpty: Bool) {
        guard isEmpty else {
            closeEnds(pipe.raw)
            closed[closedCount] = pipe.raw
            closedCount += 1
            return
        }
        freed[freedCount] = pipe.raw
        freedCount += 1
    }

    /// Closes the pipes that have been free since the last call, but for a few.
    package mutating func trim() {
        let keptPipes = 8
        let surplus = max(0, min(freedCountMin, freedCount - keptPipes))
        for _ in 0..<surplus {
            freedCount -= 1
            closeEnds(freed[freedCount])
            closed[closedCount] = freed[freedCount]
            closedCount += 1
        }
        freedCountMin = freedCount
    }

    private func closeEnds(_ number: Int32) {
        _ = clinux_close(ends[Int(number)].readEnd)
        _ = clinux_close(ends[Int(number)].writeEnd)
    }
}
