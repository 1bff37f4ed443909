/// The encoder half of Punycode, RFC 3492.
enum Punycode {
    // Section 5 of the RFC.
    private static let base: UInt32 = 36
    private static let thresholdMin: UInt32 = 1
    private static let thresholdMax: UInt32 = 26
    private static let skew: UInt32 = 38
    private static let damp: UInt32 = 700
    private static let initialBias: UInt32 = 72
    private static let initialCode: UInt32 = 0x80

    /// The ASCII form of a label, without the `xn--` before it; nil on overflow, which no label of legal
    /// length reaches.
    static func encode(_ label: [Unicode.Scalar]) -> [UInt8]? {
        var output = label.filter(\.isASCII).map { UInt8($0.value) }
        let basicCount = UInt32(output.count)
        var handled = basicCount
        if basicCount > 0 { output.append(UInt8(ascii: "-")) }

        var code = initialCode
        var delta: UInt32 = 0
        var bias = initialBias
        while handled < label.count {
            guard let next = label.lazy.map(\.value).filter({ $0 >= code }).min() else { return nil }
            let (growth, growthOverflows) = (next - code).multipliedReportingOverflow(by: handled + 1)
            let (sum, sumOverflows) = delta.addingReportingOverflow(growth)
            if growthOverflows || sumOverflows { return nil }
            delta = sum
            code = next
            for scalar in label {
                if scalar.value < code {
                    if delta == .max { return nil }
                    delta += 1
                }
                if scalar.value == code {
                    append(delta, bias: bias, to: &output)
                    bias = adapt(delta, count: handled + 1, isFirst: handled == basicCount)
                    delta = 0
                    handled += 1
                }
            }
            if delta == .max { return nil }
            delta += 1
            code += 1
        }
        return output
    }

    /// Writes one delta as a variable-length integer: section 3.3 of the RFC.
    private static func append(_ delta: UInt32, bias: UInt32, to output: inout [UInt8]) {
        var rest = delta
        var weight = base
        while true {
            let threshold =
                weight <= bias ? thresholdMin : min(max(weight - bias, thresholdMin), thresholdMax)
            if rest < threshold { break }
            output.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            weight += base
        }
        output.append(digit(rest))
    }

    /// a…z are 0…25, 0…9 are 26…35.
    private static func digit(_ value: UInt32) -> UInt8 {
        UInt8(truncatingIfNeeded: value < 26 ? value + 0x61 : value - 26 + 0x30)
    }

    /// Section 3.4 of the RFC.
    private static func adapt(_ delta: UInt32, count: UInt32, isFirst: Bool) -> UInt32 {
        var rest = isFirst ? delta / damp : delta / 2
        rest += rest / count
        var shift: UInt32 = 0
        while rest > (base - thresholdMin) * thresholdMax / 2 {
            rest /= base - thresholdMin
            shift += base
        }
        return shift + (base - thresholdMin + 1) * rest / (rest + skew)
    }
}
