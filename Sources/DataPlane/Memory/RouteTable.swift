import CLinux
package import Routes
import Wire

/// A compiled table of routes in memory of its own, shared by the workers. A worker looks names up through a
/// ``RouteTableView``, which is a plain address; it keeps the table itself until the next one has taken its
/// place.
///
/// A look-up goes to four places of the table that are far from each other: slot, name, route, target. In a
/// large table each is a page of its own, which must be found before it is read. Huge pages shorten that: a
/// look-up among a million names by about a tenth on a virtual machine, whose host may not have any.
@safe package final class RouteTable: Sendable {
    // SAFETY: written once in `init`, never changed, freed in `deinit`.
    private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
    /// The size of the table's image in bytes.
    package let byteCount: Int
    /// What was mapped for it; 0: it was small enough for the allocator.
    private let mappedBytes: Int
    private let marks: RouteMarks
    // SAFETY: written once in `init`, never changed, freed in `deinit`; nil: no route has `max=`.
    private nonisolated(unsafe) let identities: UnsafeMutableBufferPointer<UInt64>
    private let hasTerms: Bool
    /// Below this the last huge page, which is not full, would weigh too much.
    private static let mappedBytesMin = 16 << 20

    /// Copies the image that `Routes` has compiled. Bytes that are no image have no targets.
    package init(copying image: [UInt8]) {
        byteCount = image.count
        let bytes = image.span.rawBytes
        let isImage = (try? RouteImage.validate(bytes)) != nil
        marks = RouteMarks(targetCount: isImage ? RouteImage.targetCount(in: bytes) : 0)
        let terms = isImage ? TableTerms(bytes) : nil
        hasTerms = terms?.hasAny ?? false
        let known = terms?.identities ?? []
        // SAFETY: room for all of them, initialised at once.
        unsafe identities = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: known.count)
        unsafe _ = identities.initialize(from: known)
        let hugePage = CLINUX_HUGE_PAGE_BYTES
        let rounded = (image.count + hugePage - 1) / hugePage * hugePage
        // SAFETY: a mapping of at least the image's size, or none; the image is copied whole.
        if image.count >= Self.mappedBytesMin, let mapping = unsafe clinux_map_huge(rounded) {
            unsafe memory = mapping
            mappedBytes = rounded
        } else {
            unsafe memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, image.count), alignment: 64)
            mappedBytes = 0
        }
        // SAFETY: the memory has room for the image.
        unsafe image.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe memory.copyMemory(from: base, byteCount: bytes.count)
        }
    }

    deinit {
        // SAFETY: nobody refers to us any more, and the numbers are trivial.
        unsafe identities.deallocate()
        // SAFETY: nobody refers to us any more, and the memory is as it was made in `init`.
        if mappedBytes > 0 { unsafe _ = munmap(memory, mappedBytes) } else { unsafe memory.deallocate() }
    }

    /// The image.
    package var image: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: the memory lives as long as we do.
            unsafe _overrideLifetime(RawSpan(_unsafeStart: memory, byteCount: byteCount), borrowing: self)
        }
    }

    /// Marks a target, by its index in the image, as not to be chosen, or takes that back. For one thread at
    /// a time.
    package func mark(_ targetIndex: UInt32, _ isMarked: Bool) { marks.set(targetIndex, isMarked) }

    /// Which targets of a route are marked.
    package func marked(_ route: Route) -> TargetSet { marks.view.marked(route) }

    /// Whether any target is marked.
    package var hasMarks: Bool { marks.view.hasAny }

    /// What the sessions of a route with `max=` are counted by.
    package func limitIdentity(_ routeIndex: UInt32) -> UInt64 { view.identity(routeIndex) }

    // SAFETY: whoever reads through it holds us.
    var view: RouteTableView {
        unsafe RouteTableView(
            memory: memory, byteCount: byteCount, marks: marks.view, hasTerms: hasTerms,
            identities: UnsafeBufferPointer(identities))
    }
}

/// Where a table's image lies: valid while its ``RouteTable`` is held, which the worker that uses it does.
@safe package struct RouteTableView: BitwiseCopyable {
    fileprivate let memory: UnsafeMutableRawPointer
    fileprivate let byteCount: Int
    /// Which targets are not to be chosen.
    let marks: RouteMarksView
    /// Whether any route has `max=`, `idle=` or `drain=`.
    let hasTerms: Bool
    fileprivate let identities: UnsafeBufferPointer<UInt64>

    /// What the sessions of a route with `max=` are counted by.
    func identity(_ routeIndex: UInt32) -> UInt64 {
        // SAFETY: the index is checked first.
        let count = unsafe identities.count
        precondition(Int(routeIndex) < count, "the route belongs to a table with limits")
        return unsafe identities[Int(routeIndex)]
    }

    /// The image.
    var image: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: see above.
            unsafe _overrideLifetime(RawSpan(_unsafeStart: memory, byteCount: byteCount), borrowing: self)
        }
    }
}
