/// An IPv4 or IPv6 address, in the numeric order of its text: `192.0.2.1` is `0xC0000201`.
package enum IPAddress: Hashable, Sendable, BitwiseCopyable {
    /// An IPv4 address, most significant byte first in the text.
    case v4(UInt32)
    /// An IPv6 address as its upper and lower eight bytes.
    case v6(high: UInt64, low: UInt64)

    /// The IPv4 address within an IPv4-mapped IPv6 one (`::ffff:192.0.2.1`), which is how a listener on
    /// `[::]` sees IPv4 clients; any other address is returned as it is.
    package var unmapped: IPAddress {
        switch self {
        case .v4: self
        case .v6(let high, let low):
            high == 0 && low >> 32 == 0xFFFF ? .v4(UInt32(truncatingIfNeeded: low)) : self
        }
    }

    /// True exactly for `0.0.0.0` and `::`, which mean "any" to a listener and nothing to a client.
    package var isUnspecified: Bool {
        switch self {
        case .v4(let value): value == 0
        case .v6(let high, let low): high == 0 && low == 0
        }
    }

    /// 32 or 128.
    package var widthBits: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The usual text form; IPv6 as RFC 5952 wants it, without brackets.
    package var description: String {
        switch self {
        case .v4(let value):
            return "\(value >> 24).\(value >> 16 & 0xFF).\(value >> 8 & 0xFF).\(value & 0xFF)"
        case .v6(let high, let low):
            if high == 0, low >> 32 == 0xFFFF { return "::ffff:\(unmapped)" }
            var groups: [UInt64] = []
            for half in [high, low] {
                for shift in [48, 32, 16, 0] as [UInt64] { groups.append(half >> shift & 0xFFFF) }
            }
            return Self.text(of: groups)
        }
    }

    /// Eight groups, the longest run of at least two zeros written as `::`.
    private static func text(of groups: [UInt64]) -> String {
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func joined(_ part: ArraySlice<UInt64>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return joined(groups[...]) }
        return joined(groups[..<best.lowerBound]) + "::" + joined(groups[best.upperBound...])
    }
}
