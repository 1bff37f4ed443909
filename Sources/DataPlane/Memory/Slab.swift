/// A fixed number of slots for trivial values, given out and taken back in constant time. Memory is touched
/// only as slots come into use, and the slot given back last is given out first, while it is still in the
/// cache.
package struct Slab<Element: BitwiseCopyable>: ~Copyable {
    private let elements: Region<Element>
    /// A stack of the slots that were given back.
    private let freed: Region<UInt32>
    private var freedCount = 0
    /// Slots from here on were never given out.
    private var untouched = 0
    /// How many slots there are.
    package let capacity: Int

    package init(capacity: Int) {
        self.capacity = capacity
        elements = Region(capacity: capacity)
        freed = Region(capacity: capacity)
    }

    /// How many slots are given out.
    package var count: Int { untouched - freedCount }

    /// How many more can be given out.
    package var freeCount: Int { capacity - count }

    /// A slot, whose content is what its last tenant left, or zero bytes; nil when all are taken.
    package mutating func allocate() -> Int? {
        if freedCount > 0 {
            freedCount -= 1
            return Int(freed[freedCount])
        }
        guard untouched < capacity else { return nil }
        untouched += 1
        return untouched - 1
    }

    /// Gives a slot back. It must have been given out, and once only.
    package mutating func free(_ index: Int) {
        precondition(index < untouched && freedCount < untouched, "a slot is freed once")
        freed[freedCount] = UInt32(truncatingIfNeeded: index)
        freedCount += 1
    }

    /// Slots that have ever been given out: `0 ..< touchedCount`.
    package var touchedCount: Int { untouched }

    /// A slot's value, in place.
    package subscript(index: Int) -> Element {
        @inline(always) _read { yield elements[index] }
        @inline(always) nonmutating _modify { yield &elements[index] }
    }
}
