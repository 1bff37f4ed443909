/// Where a ``LabelPool`` keeps a name.
package struct LabelIndex: BitwiseCopyable, Equatable {
    /// The slot's number; the long slots count from the top bit on. Negative one: no name.
    let raw: Int32
    /// No name.
    package static let none = LabelIndex(raw: -1)
    static let longFlag: Int32 = 1 << 30
    /// Whether it lies in one of the long slots.
    package var isLong: Bool { self != .none && raw & Self.longFlag != 0 }
    var slot: Int { Int(raw & ~Self.longFlag) }
}

/// Names that sessions keep until they are logged. Most are short: up to 63 bytes lie in a slot of 64, longer
/// ones in one of 256, so that an idle session does not hold the room of the longest name there can be.
package struct LabelPool: ~Copyable {
    /// Room of a short name, its length included.
    package static let shortBytes = 64
    private static let longBytes = 256
    private var shortSlots: Slab<UInt8>
    private var longSlots: Slab<UInt8>
    private let shortMemory: Region<UInt8>
    private let longMemory: Region<UInt8>

    /// `capacity`: how many names there may be at once.
    package init(capacity: Int) {
        shortSlots = Slab(capacity: capacity)
        longSlots = Slab(capacity: capacity)
        shortMemory = Region(capacity: capacity * Self.shortBytes)
        longMemory = Region(capacity: capacity * Self.longBytes)
    }

    /// How many names are kept.
    var count: Int { shortSlots.count + longSlots.count }

    /// Keeps a copy of a name of at most 255 bytes.
    package mutating func store(_ name: RawSpan) -> LabelIndex {
        precondition(name.byteCount < Self.longBytes, "a host name has at most 253 bytes")
        let isLong = name.byteCount >= Self.shortBytes
        guard let slot = isLong ? longSlots.allocate() : shortSlots.allocate() else { return .none }
        let label = LabelIndex(raw: Int32(truncatingIfNeeded: slot) | (isLong ? LabelIndex.longFlag : 0))
        // SAFETY: the slot is ours, and the count was checked against its size.
        unsafe start(label)[0] = UInt8(truncatingIfNeeded: name.byteCount)
        unsafe name.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe UnsafeMutableRawPointer(start(label) + 1).copyMemory(from: base, byteCount: bytes.count)
        }
        return label
    }

    /// Forgets a name; nothing happens for ``LabelIndex/none``.
    package mutating func free(_ label: LabelIndex) {
        guard label != .none else { return }
        if label.isLong { longSlots.free(label.slot) } else { shortSlots.free(label.slot) }
    }

    /// The name's bytes; none for ``LabelIndex/none``.
    @_lifetime(borrow self)
    package borrowing func bytes(_ label: LabelIndex) -> RawSpan {
        guard label != .none else { return RawSpan() }
        // SAFETY: the first byte of a slot is the count of those that follow, and the memory lives as long as
        // we do.
        let span = unsafe RawSpan(_unsafeStart: start(label) + 1, byteCount: Int(start(label)[0]))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    private func start(_ label: LabelIndex) -> UnsafeMutablePointer<UInt8> {
        // SAFETY: slots are below the capacity that the memory was made for.
        unsafe label.isLong
            ? longMemory.base + label.slot * Self.longBytes : shortMemory.base + label.slot * Self.shortBytes
    }
}
