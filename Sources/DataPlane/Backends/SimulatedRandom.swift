/// Random numbers that a seed determines (splitmix64). All chance of a simulation comes from these.
package struct SimulatedRandom: Sendable {
    private var state: UInt64

    /// Equal seeds give equal numbers.
    package init(seed: UInt64) { state = seed }

    /// 64 evenly distributed bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Self.mix(state)
    }

    /// The finishing step of splitmix64: every bit of the input reaches every bit of the output.
    package static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number within the range, evenly distributed but for the last bits.
    package mutating func number(in range: ClosedRange<Int>) -> Int {
        let span = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int(truncatingIfNeeded: next().multipliedFullWidth(by: span).high)
    }

    /// A number within the range, small ones as likely as large ones of any magnitude.
    package mutating func magnitude(in range: ClosedRange<Int>) -> Int {
        let span = range.upperBound - range.lowerBound
        let bits = number(in: 0...(Int.bitWidth - span.leadingZeroBitCount))
        return range.lowerBound + min(span, number(in: 0...(1 << bits)))
    }

    /// True with the given probability.
    package mutating func chance(perMille: Int) -> Bool { perMille > 0 && number(in: 0...999) < perMille }

    /// One of the given values, which are at least one.
    package mutating func pick<Value>(_ values: [Value]) -> Value {
        values[number(in: 0...(values.count - 1))]
    }
}
