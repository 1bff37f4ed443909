/// A logarithm in whole numbers: pure targets have no mathematics library, and every edge must get the same
/// bits.
enum FixedLogarithm {
    /// So many bits of the result stand behind the binary point. With 6 bits before it, and 16 bits of a
    /// weight, a product with a weight stays below 2⁶⁴.
    static let fractionBits = 24

    /// The negative binary logarithm of `value` / 2⁶⁴, as a fixed-point number from 0 to 64 × 2²⁴; 0 counts
    /// as 1.
    static func distance(of value: UInt64) -> UInt64 {
        let draw = max(value, 1)
        let zeros = draw.leadingZeroBitCount
        // The mantissa in 1..<2, as 1.31 fixed point; squaring it yields one bit of the logarithm after the
        // other.
        var mantissa = (draw << UInt64(zeros)) >> 32
        var fraction: UInt64 = 0
        for _ in 0..<fractionBits {
            mantissa = (mantissa &* mantissa) >> 31
            fraction <<= 1
            if mantissa >= 1 << 32 {
                mantissa >>= 1
                fraction |= 1
            }
        }
        return (UInt64(zeros + 1) << UInt64(fractionBits)) - fraction
    }
}
