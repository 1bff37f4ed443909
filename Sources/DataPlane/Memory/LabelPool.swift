/// Where a ``LabelPool`` keeps a name.
package struct LabelIndex: BitwiseCopyable, Equatable {
    /// The slot's number below, its size in the bits from ``sizeShift`` on. Negative one: no name.
    let raw: Int32
    /// No name.
    package static let none = LabelIndex(raw: -1)
    private static let sizeShift: Int32 = 29

    private init(raw: Int32) { self.raw = raw }

    init(_ size: LabelSize, slot: Int) {
        raw = Int32(truncatingIfNeeded: slot) | Int32(size.rawValue) << Self.sizeShift
    }

    /// How large its slot is; meaningless for ``none``.
    package var size: LabelSize {
        LabelSize(rawValue: UInt8(truncatingIfNeeded: raw >> Self.sizeShift)) ?? .long
    }
    /// Its slot's number among those of its size.
    package var slot: Int { Int(raw & (1 << Self.sizeShift - 1)) }
}

/// The sizes of a ``LabelPool``'s slots.
package enum LabelSize: UInt8, BitwiseCopyable, CaseIterable {
    case short, medium, long

    /// Room for a name, its length included.
    package var bytes: Int {
        switch self {
        case .short: 32
        case .medium: 64
        case .long: 256
        }
    }
}

/// Names that sessions keep until they are logged. Most are short: up to 31 bytes lie in a slot of 32, up to
/// 63 in one of 64, longer ones in one of 256, so that an idle session does not hold the room of the longest
/// name there can be.
package struct LabelPool: ~Copyable {
    private var short: LabelSlots
    private var medium: LabelSlots
    private var long: LabelSlots

    /// `capacity`: how many names there may be at once, and as many addresses, which take a short slot.
    package init(capacity: Int) {
        short = LabelSlots(capacity: 2 * capacity, size: .short)
        medium = LabelSlots(capacity: capacity, size: .medium)
        long = LabelSlots(capacity: capacity, size: .long)
    }

    /// How many names are kept.
    var count: Int { short.slots.count + medium.slots.count + long.slots.count }

    /// Keeps a copy of a name of at most 255 bytes.
    package mutating func store(_ name: RawSpan) -> LabelIndex {
        precondition(name.byteCount < LabelSize.long.bytes, "a host name has at most 253 bytes")
        if name.byteCount < LabelSize.short.bytes { return short.store(name) }
        return name.byteCount < LabelSize.medium.bytes ? medium.store(name) : long.store(name)
    }

    /// Forgets a name; nothing happens for ``LabelIndex/none``.
    package mutating func free(_ label: LabelIndex) {
        guard label != .none else { return }
        switch label.size {
        case .short: short.slots.free(label.slot)
        case .medium: medium.slots.free(label.slot)
        case .long: long.slots.free(label.slot)
        }
    }

    /// The name's bytes; none for ``LabelIndex/none``.
    @_lifetime(borrow self)
    package borrowing func bytes(_ label: LabelIndex) -> RawSpan {
        guard label != .none else { return RawSpan() }
        // SAFETY: a name's slot is one of its size.
        let start =
            switch label.size {
            case .short: unsafe short.start(label.slot)
            case .medium: unsafe medium.start(label.slot)
            case .long: unsafe long.start(label.slot)
            }
        // SAFETY: the first byte of a slot is the count of those that follow, and the memory lives as long as
        // we do.
        let span = unsafe RawSpan(_unsafeStart: start + 1, byteCount: Int(start[0]))
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}

/// Slots of one size.
private struct LabelSlots: ~Copyable {
    var slots: Slab<UInt8>
    private let memory: Region<UInt8>
    private let size: LabelSize

    init(capacity: Int, size: LabelSize) {
        slots = Slab(capacity: capacity)
        memory = Region(capacity: capacity * size.bytes)
        self.size = size
    }

    mutating func store(_ name: RawSpan) -> LabelIndex {
        guard let slot = slots.allocate() else { return .none }
        // SAFETY: the slot is ours, and the count was checked against its size.
        unsafe start(slot)[0] = UInt8(truncatingIfNeeded: name.byteCount)
        unsafe name.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe UnsafeMutableRawPointer(start(slot) + 1).copyMemory(from: base, byteCount: bytes.count)
        }
        return LabelIndex(size, slot: slot)
    }

    func start(_ slot: Int) -> UnsafeMutablePointer<UInt8> {
        precondition(slot < slots.capacity)
        // SAFETY: slots are below the capacity that the memory was made for.
        return unsafe memory.base + slot * size.bytes
    }
}
