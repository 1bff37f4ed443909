import Wire

/// An address by which visitors reach an edge, as it stands in DNS.
package struct VisitorAddress: Hashable, Sendable, CustomStringConvertible {
    /// The records that hold such addresses.
    package enum Kind: String, CaseIterable, Sendable {
        case ipv4 = "A"
        case ipv6 = "AAAA"
    }

    /// The type of its record.
    package let kind: Kind
    /// As it was written.
    package let description: String
    private let high: UInt64
    private let low: UInt64

    /// nil: it is no IP address. An IPv6 address has no brackets and no zone.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if let value = AddressText.ipv4(bytes.span.rawBytes) {
            (kind, high, low) = (.ipv4, 0, UInt64(value))
        } else if let value = AddressText.ipv6(bytes.span.rawBytes) {
            (kind, high, low) = (.ipv6, value.high, value.low)
        } else {
            return nil
        }
        description = String(text)
    }

    /// However it was written, it is the same address.
    package static func == (one: VisitorAddress, other: VisitorAddress) -> Bool {
        one.kind == other.kind && one.high == other.high && one.low == other.low
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(high)
        hasher.combine(low)
    }
}
