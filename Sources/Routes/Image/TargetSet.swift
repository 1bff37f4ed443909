/// A set of targets of one route, by their place in the route (0…63). Trivial; one word.
package struct TargetSet: Hashable, Sendable, BitwiseCopyable {
    /// Bit n stands for the route's target n.
    package var bits: UInt64

    /// A set from its bits; by default the empty one.
    package init(bits: UInt64 = 0) {
        self.bits = bits
    }

    /// True exactly when the target with this place, 0…63, is in the set.
    package func contains(_ place: Int) -> Bool { bits >> UInt64(place) & 1 != 0 }

    /// Adds the target with this place, 0…63.
    package mutating func insert(_ place: Int) {
        precondition((0..<Route.targetCountMax).contains(place), "a target's place is below 64")
        bits |= 1 << UInt64(place)
    }

    /// Removes the target with this place, 0…63.
    package mutating func remove(_ place: Int) {
        precondition((0..<Route.targetCountMax).contains(place), "a target's place is below 64")
        bits &= ~(1 << UInt64(place))
    }

    /// The targets that are in either set.
    package func union(_ other: TargetSet) -> TargetSet { TargetSet(bits: bits | other.bits) }

    /// True exactly when it holds no target.
    package var isEmpty: Bool { bits == 0 }
}
