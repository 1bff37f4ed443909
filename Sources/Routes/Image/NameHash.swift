/// A keyed hash over short byte strings, eight bytes at a time.
///
/// Each step multiplies the state by a secret odd number into 128 bits and folds the halves together, so that
/// every input bit reaches every output bit after one step. The state is added back after each step: a step
/// whose product is zero does not erase what came before it. The last word overlaps the one before it, and
/// the length is part of the start, so no padding is needed and no two lengths share a state.
///
/// It is fast (about one multiplication a word) and good enough to keep names apart for somebody who does not
/// know the seed. It is not cryptographic: somebody who sees hashes could learn the seed, so none may leave
/// the process.
package enum NameHash {
    // Arbitrary odd numbers: the first 64 bits behind the point of the square roots of 2, 3 and 5.
    private static let lengthFactor: UInt64 = 0x6A09_E667_F3BC_C909
    private static let stepFactor: UInt64 = 0xBB67_AE85_84CA_A73B
    private static let finalFactor: UInt64 = 0x3C6E_F372_FE94_F82B

    /// The hash of the bytes `range` of `bytes`.
    package static func hash(_ bytes: RawSpan, _ range: Range<Int>, seed: HashSeed) -> UInt64 {
        let key = (seed.second ^ stepFactor) | 1
        let count = range.count
        var state = seed.first ^ (UInt64(truncatingIfNeeded: count) &* lengthFactor)
        if count >= 8 {
            var index = range.lowerBound
            let last = range.upperBound - 8
            while index < last {
                state = step(state, bytes.word64(at: index), key: key)
                index += 8
            }
            state = step(state, bytes.word64(at: last), key: key)
        } else if count >= 4 {
            let low = UInt64(bytes.word32(at: range.lowerBound))
            state = step(state, low << 32 | UInt64(bytes.word32(at: range.upperBound - 4)), key: key)
        } else if count > 0 {
            let first = UInt64(bytes.word8(at: range.lowerBound))
            let middle = UInt64(bytes.word8(at: range.lowerBound + count >> 1))
            let last = UInt64(bytes.word8(at: range.upperBound - 1))
            state = step(state, first << 16 | middle << 8 | last, key: key)
        }
        return fold(state ^ seed.second, finalFactor)
    }

    @inline(always)
    private static func step(_ state: UInt64, _ word: UInt64, key: UInt64) -> UInt64 {
        fold(state ^ word, key) &+ (state << 23 | state >> 41)
    }

    /// Both halves of the product, folded into one word.
    @inline(always)
    static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
