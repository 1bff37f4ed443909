/// Memory in which a worker puts together what it sends, one thing at a time. Allocated once.
package struct ByteScratch: ~Copyable {
    private let memory: Region<UInt8>

    package init(capacity: Int) { memory = Region(capacity: capacity) }

    /// Writes over what was written before; there is room for the whole capacity. Returns what was
    /// written.
    package func write(_ body: (inout OutputRawSpan) -> Void) -> ScratchBytes {
        // SAFETY: the memory is ours, of that size, and outlives the span, which does not leave `body`.
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: memory.base, count: memory.capacity)
        var output = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        body(&output)
        return unsafe ScratchBytes(start: memory.base, count: output.finalize(for: buffer))
    }
}

/// Where bytes lie in a ``ByteScratch``: valid until it is written to again, which the worker that holds it
/// sees to.
@safe package struct ScratchBytes: BitwiseCopyable {
    // SAFETY: points into a `ByteScratch` that the worker holds.
    fileprivate let start: UnsafeMutablePointer<UInt8>
    /// How many there are.
    package let count: Int

    /// The bytes.
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: see above.
            unsafe _overrideLifetime(
                Span(_unsafeStart: UnsafePointer(start), count: count), borrowing: self)
        }
    }
}
