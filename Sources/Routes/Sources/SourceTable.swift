/// The `allow` and `deny` lines as workers read them: one flat image, in which the time of a look-up does not
/// depend on how many lines there are.
///
/// The lines are folded into ranges that do not overlap, and neighbours with the same verdict into one. What
/// is left of a family is the list of addresses at which the verdict changes, so a verdict is the one of the
/// first address, turned over as often as there are changes up to the address in question. A directory by
/// the leading bits says between which changes to look, and a binary search does the rest.
///
/// ```
/// header     per family: count of changes (4), leading bits of the directory (1), first verdict (1), 0 (2),
///            offset of the directory (4), offset of the changes (4)
/// directory  2^bits + 1 words (4): how many changes there are below the first address with these bits
/// changes    4 bytes each for IPv4, 16 for IPv6 (upper half first), ascending
/// ```
package enum SourceTable {
    /// Of one family's part of the header.
    enum Field {
        static let count = 0
        static let directoryBits = 4
        static let firstVerdict = 5
        static let directory = 8
        static let changes = 12
    }

    static let familyBytes = 16
    static let headerBytes = 2 * familyBytes
    /// A directory of IPv4 is then one word for each /16.
    static let directoryBitsMax = 16

    /// Whether a client with the address may connect: the verdict of the first line that fits, and yes when
    /// none does. IPv4-mapped addresses are judged as IPv4.
    package static func allows(_ address: IPAddress, in image: RawSpan) -> Bool {
        switch address.unmapped {
        case .v4(let bits):
            let leading = bits >> 16
            var (low, high) = changes(near: leading, family: 0, in: image)
            let start = Int(truncatingIfNeeded: image.word32(at: Field.changes))
            while low < high {
                let middle = (low &+ high) / 2
                if image.word32(at: start &+ middle &* 4) <= bits { low = middle &+ 1 } else { high = middle }
            }
            return verdict(after: low, family: 0, in: image)
        case .v6(let upper, let lower):
            let leading = UInt32(truncatingIfNeeded: upper >> 48)
            var (low, high) = changes(near: leading, family: familyBytes, in: image)
            let start = Int(truncatingIfNeeded: image.word32(at: familyBytes + Field.changes))
            while low < high {
                let middle = (low &+ high) / 2
                let place = start &+ middle &* 16
                let top = image.word64(at: place)
                let isAtMost = top < upper || top == upper && image.word64(at: place &+ 8) <= lower
                if isAtMost { low = middle &+ 1 } else { high = middle }
            }
            return verdict(after: low, family: familyBytes, in: image)
        }
    }

    /// Between which changes an address with these 16 leading bits lies.
    @inline(always)
    private static func changes(
        near leading: UInt32, family: Int, in image: RawSpan
    ) -> (low: Int, high: Int) {
        let bits = UInt32(image.word8(at: family &+ Field.directoryBits))
        let place = Int(leading >> (UInt32(directoryBitsMax) &- bits)) &* 4
        let entry = Int(truncatingIfNeeded: image.word32(at: family &+ Field.directory)) &+ place
        return (Int(image.word32(at: entry)), Int(image.word32(at: entry &+ 4)))
    }

    @inline(always)
    private static func verdict(after changeCount: Int, family: Int, in image: RawSpan) -> Bool {
        (image.word8(at: family &+ Field.firstVerdict) != 0) != (changeCount & 1 != 0)
    }
}
