/// A range of addresses in CIDR form. The bits behind the prefix are zero.
package struct AddressPrefix: Hashable, Sendable, BitwiseCopyable {
    /// The first address of the range.
    package var address: IPAddress
    /// How many leading bits count: 0 to 32 or 0 to 128.
    package var lengthBits: Int

    /// The range of `lengthBits` around `address`; bits behind the prefix are cleared.
    /// The length must fit the address family.
    package init(address: IPAddress, lengthBits: Int) {
        precondition(
            (0...address.widthBits).contains(lengthBits), "the prefix length fits the address family")
        self.address = Self.masked(address, lengthBits: lengthBits)
        self.lengthBits = lengthBits
    }

    /// True exactly when the address is in the range. IPv4-mapped IPv6 addresses are compared as IPv4.
    package func contains(_ other: IPAddress) -> Bool {
        let candidate = other.unmapped
        switch (address, candidate) {
        case (.v4, .v4), (.v6, .v6): return Self.masked(candidate, lengthBits: lengthBits) == address
        case (.v4, .v6), (.v6, .v4): return false
        }
    }

    /// The address with all bits behind the first `lengthBits` cleared.
    static func masked(_ address: IPAddress, lengthBits: Int) -> IPAddress {
        switch address {
        case .v4(let value):
            // A smart shift by the whole width gives 0, so length 0 needs no case of its own.
            return .v4(value & (UInt32.max << (32 - lengthBits)))
        case .v6(let high, let low):
            let highMask = UInt64.max << (64 - min(lengthBits, 64))
            let lowMask = UInt64.max << (64 - max(lengthBits - 64, 0))
            return .v6(high: high & highMask, low: low & lowMask)
        }
    }
}

extension AddressPrefix: CustomStringConvertible {
    /// `192.0.2.0/24`.
    package var description: String { "\(address)/\(lengthBits)" }
}
