import CLinux

/// Buffers of one size in one mapping. The pool is as large as the worst case (every session with both
/// directions stalled); what is not used is not touched, and what was used in a rush is given back by
/// ``trim()``.
package struct BufferPool: ~Copyable {
    /// Bytes in front of the data, for a header that is put before bytes already received (PROXY protocol).
    package static let headroomBytes = 512
    /// Bytes of data a buffer can hold: a whole TLS record of the largest size (16 KiB and its framing) and
    /// more.
    package static let dataBytes = strideBytes - headroomBytes
    /// Five pages: a small message touches only the first.
    package static let strideBytes = 20_480

    /// So many free buffers keep their memory whatever happens. Few: to give a page back and touch it anew
    /// costs four microseconds, and that once between two trims at most.
    package static let keptBuffers = 8

    private let memory: Region<UInt8>
    private let freed: Region<Int32>
    private var freedCount = 0
    private var untouched = 0
    private let capacity: Int
    /// The fewest free buffers since the last trim: the bottom of the stack, which nobody touched in the
    /// meantime.
    private var freedCountMin = 0
    /// The bottom of the stack whose memory was given back already.
    private var trimmedCount = 0

    package init(capacity: Int) {
        self.capacity = capacity
        memory = Region(capacity: capacity * Self.strideBytes)
        freed = Region(capacity: capacity)
    }

    /// How many buffers are in use.
    package var count: Int { untouched - freedCount }

    /// A buffer with anything in it; nil when all are taken.
    package mutating func allocate() -> BufferIndex? {
        if freedCount > 0 {
            freedCount -= 1
            freedCountMin = min(freedCountMin, freedCount)
            trimmedCount = min(trimmedCount, freedCount)
            return BufferIndex(freed[freedCount])
        }
        guard untouched < capacity else { return nil }
        untouched += 1
        return BufferIndex(Int32(truncatingIfNeeded: untouched - 1))
    }

    /// Gives a buffer back.
    package mutating func free(_ buffer: BufferIndex) {
        precondition(
            buffer.raw >= 0 && Int(buffer.raw) < untouched && freedCount < untouched, "a buffer is freed once"
        )
        freed[freedCount] = buffer.raw
        freedCount += 1
    }

    /// Gives back the memory of buffers that have been free since the last call, but for a few.
    package mutating func trim() {
        let coldCount = max(0, min(freedCountMin, freedCount - Self.keptBuffers))
        while trimmedCount < coldCount {
            // SAFETY: the buffer is free, so nobody reads or writes it; it reads as zero afterwards.
            unsafe _ = clinux_discard(
                start(BufferIndex(freed[trimmedCount])) - Self.headroomBytes, Self.strideBytes)
            trimmedCount += 1
        }
        freedCountMin = freedCount
    }

    /// Where a buffer's data starts.
    package func start(_ buffer: BufferIndex) -> UnsafeMutablePointer<UInt8> {
        precondition(buffer.raw >= 0 && Int(buffer.raw) < untouched)
        // SAFETY: the index was checked; the headroom belongs to the same buffer.
        return unsafe memory.base + (Int(buffer.raw) * Self.strideBytes + Self.headroomBytes)
    }

    /// The place of a slice, which must lie within its buffer's data and the room in front of it. For an
    /// empty slice, which needs no buffer, it is any place.
    package func pointer(_ slice: BufferSlice) -> UnsafeMutablePointer<UInt8> {
        guard slice.count > 0 else { return unsafe memory.base }
        precondition(
            Int(slice.offset) >= -Self.headroomBytes
                && Int(slice.offset) + Int(slice.count) <= Self.dataBytes, "a slice lies within its buffer")
        // SAFETY: checked above.
        return unsafe start(slice.buffer) + Int(slice.offset)
    }

    /// Puts bytes in the place of a slice.
    package func overwrite(_ slice: BufferSlice, with bytes: RawSpan) {
        precondition(Int(slice.count) == bytes.byteCount, "the bytes have the slice's length")
        // SAFETY: `pointer` checks the bounds, and the buffer is its holder's alone.
        unsafe bytes.withUnsafeBytes {
            unsafe UnsafeMutableRawBufferPointer(start: pointer(slice), count: Int(slice.count)).copyMemory(
                from: $0)
        }
    }

    /// The bytes of a slice.
    @_lifetime(borrow self)
    package borrowing func bytes(_ slice: BufferSlice) -> RawSpan {
        // SAFETY: `pointer` checks the bounds, and the memory lives as long as the pool does.
        let span = unsafe RawSpan(_unsafeStart: pointer(slice), byteCount: Int(slice.count))
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
