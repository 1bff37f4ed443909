/// An IPv4 or IPv6 address, in the numeric order of its text: `192.0.2.1` is `0xC0000201`.
package enum IPAddress: Hashable, Sendable, BitwiseCopyable {
    /// An IPv4 address, most significant byte first in the text.
    case v4(UInt32)
    /// An IPv6 address as its upper and lower eight bytes.
    case v6(high: UInt64, low: UInt64)

    /// The IPv4 address within an IPv4-mapped IPv6 one (`::ffff:192.0.2.1`), which is how a listener on `[::]`
    /// sees IPv4 clients; any other address is returned as it is.
    package var unmapped: IPAddress {
        switch self {
        case .v4: self
        case .v6(let high, let low): high == 0 && low >> 32 == 0xFFFF ? .v4(UInt32(truncatingIfNeeded: low)) : self
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

extension IPAddress: CustomStringConvertible { package var description: String { "" } }
