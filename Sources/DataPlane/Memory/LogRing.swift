import CLinux
package import Linux
import Synchronization

/// Lines on their way from one worker to the log: a ring of bytes with one writer and one reader, and no
/// lock. When the reader is slow (a full disk, a blocked terminal) lines are dropped and counted; a worker
/// never waits.
@safe package final class LogRing: Sendable {
    private let bytesMax: Int
    // SAFETY: written once here, freed in deinit. Bytes from `tail` up to `head` belong to the reader, all
    // others to the writer; the atomics hand them over.
    private nonisolated(unsafe) let memory: UnsafeMutablePointer<UInt8>
    private let head = Atomic<Int>(0)
    private let tail = Atomic<Int>(0)

    /// With room for about a thousand lines, unless told otherwise.
    package init(bytesMax: Int = 1 << 18) {
        self.bytesMax = bytesMax
        // SAFETY: freed in deinit; nothing is read that was not written.
        unsafe memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytesMax)
    }

    deinit { unsafe memory.deallocate() }

    /// Whether there is nothing to write.
    package var isEmpty: Bool { head.load(ordering: .acquiring) == tail.load(ordering: .relaxed) }

    /// Adds a line, whole or not at all. For the worker.
    package func append(_ line: RawSpan) -> Bool {
        let end = head.load(ordering: .relaxed)
        guard line.byteCount <= bytesMax - (end - tail.load(ordering: .acquiring)) else { return false }
        // SAFETY: the bytes are copied within the closure.
        unsafe line.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress else { return }
            let place = end % bytesMax
            let first = min(bytes.count, bytesMax - place)
            // SAFETY: the room was checked; what does not fit before the ring's end goes to its start.
            unsafe UnsafeMutableRawPointer(memory + place).copyMemory(from: source, byteCount: first)
            unsafe UnsafeMutableRawPointer(memory).copyMemory(
                from: source + first, byteCount: bytes.count - first)
        }
        head.store(end + line.byteCount, ordering: .releasing)
        return true
    }

    /// Takes out what there is. For the reader.
    package func take() -> [UInt8] {
        let start = tail.load(ordering: .relaxed)
        let end = head.load(ordering: .acquiring)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(end - start)
        // SAFETY: the bytes between tail and head are the reader's.
        for place in start..<end { unsafe bytes.append(memory[place % bytesMax]) }
        tail.store(end, ordering: .releasing)
        return bytes
    }

    /// What a descriptor that has failed did to the lines.
    package struct Loss {
        /// Lines that are not in the log, or not as a whole.
        package var lines = 0
        /// Whether the beginning of one of them is.
        package var isTorn = false
        /// Nil: nothing was lost.
        package var error: Errno?

        package init() {}
    }

    /// Writes what there is to a descriptor and takes it out of the ring. When the descriptor fails for good,
    /// what is left is lost. For the reader.
    package func drain(to descriptor: Int32) -> Loss {
        var start = tail.load(ordering: .relaxed)
        let end = head.load(ordering: .acquiring)
        var loss = Loss()
        while start < end {
            let place = start % bytesMax
            let count = min(end - start, bytesMax - place)
            // SAFETY: the bytes between tail and head are the reader's.
            let written = unsafe clinux_write(descriptor, memory + place, count)
            if written == Int(-EINTR) { continue }
            if written == Int(-EAGAIN) {
                // Somebody has made our standard error non-blocking: waiting is this thread's business.
                _ = clinux_wait_writable(descriptor, -1)
                continue
            }
            guard written > 0 else {
                loss.error = Errno(result: written)
                loss.lines = lineCount(start..<end)
                tail.store(end, ordering: .releasing)
                return loss
            }
            // SAFETY: as above; a full disk takes a part, and the rest of the line is lost with what follows.
            loss.isTorn = unsafe memory[place + written - 1] != UInt8(ascii: "\n")
            start += written
            tail.store(start, ordering: .releasing)
        }
        return Loss()
    }

    private func lineCount(_ places: Range<Int>) -> Int {
        // SAFETY: the caller is the reader, and the bytes between tail and head are its.
        places.count { unsafe memory[$0 % bytesMax] == UInt8(ascii: "\n") }
    }
}
