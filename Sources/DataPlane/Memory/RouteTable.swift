/// A compiled table of routes in memory of its own, shared by the workers. A worker looks names up through a
/// ``RouteTableView``, which is a plain address; it keeps the table itself until the next one has taken its
/// place.
@safe package final class RouteTable: Sendable {
    // SAFETY: written once in `init`, never changed, freed in `deinit`.
    private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
    /// The size of the table's image in bytes.
    package let byteCount: Int

    /// Copies the image that `Routes` has compiled.
    package init(copying image: [UInt8]) {
        byteCount = image.count
        // SAFETY: the image is copied whole into memory of its size.
        unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, image.count), alignment: 64)
        unsafe image.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe memory.copyMemory(from: base, byteCount: bytes.count)
        }
    }

    deinit { unsafe memory.deallocate() }

    /// The image.
    package var image: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: the memory lives as long as we do.
            unsafe _overrideLifetime(RawSpan(_unsafeStart: memory, byteCount: byteCount), borrowing: self)
        }
    }

    var view: RouteTableView { unsafe RouteTableView(memory: memory, byteCount: byteCount) }
}

/// Where a table's image lies: valid while its ``RouteTable`` is held, which the worker that uses it does.
@safe struct RouteTableView: BitwiseCopyable {
    fileprivate let memory: UnsafeMutableRawPointer
    fileprivate let byteCount: Int

    /// The image.
    var image: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: see above.
            unsafe _overrideLifetime(RawSpan(_unsafeStart: memory, byteCount: byteCount), borrowing: self)
        }
    }
}
