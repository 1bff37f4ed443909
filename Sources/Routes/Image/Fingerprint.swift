/// A 64-bit digest of a route's content, the same in every process and for every seed.
///
/// It is made of what a route means, never of where its parts lie in an image, so two images can be compared
/// by it. Two different routes of one name share it once in 2⁶⁴; the cost would be a change that is not
/// logged.
struct Fingerprint {
    private(set) var value: UInt64

    // The first 64 bits behind the point of the square roots of 7, 11 and 13.
    private static let start: UInt64 = 0xA54F_F53A_5F1D_36F1
    private static let factor: UInt64 = 0x510E_527F_ADE6_82D1
    private static let finish: UInt64 = 0x9B05_688C_2B3E_6C1F

    init(kind: UInt64) {
        value = Self.start
        combine(kind)
    }

    mutating func combine(_ word: UInt64) {
        value = NameHash.fold(value ^ word, Self.factor) &+ (value << 29 | value >> 35)
    }

    mutating func combine(_ bytes: RawSpan, _ range: Range<Int>) {
        let seed = HashSeed(first: Self.start, second: Self.finish)
        combine(NameHash.hash(bytes, range, seed: seed))
    }

    /// The digest; the last step makes every bit depend on every word.
    var finished: UInt64 { NameHash.fold(value ^ Self.finish, Self.factor) }
}
