import Wire

/// The private network of one site: sixteen addresses of a pool. The engine's own choice of networks ends
/// after some thirty of them, and gives a container another address with each start; ours has one that is
/// known before.
package struct SiteNetwork: Equatable, Sendable {
    /// How many addresses a site has: the network's own, the host's, the container's that serves, eight for
    /// sidecars, and the broadcast's.
    static let addressCount: UInt32 = 16

    /// A pool of networks: `10.213.0.0/16`.
    package struct Pool: Equatable, Sendable {
        package let base: UInt32
        package let prefixLength: Int

        /// nil unless it is an IPv4 network of 8 to 28 bits whose other bits are zero.
        package init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let length = Int(parts[1]), (8...28).contains(length),
                let base = AddressText.ipv4(Array(parts[0].utf8).span.rawBytes),
                base & (UInt32.max >> UInt32(length)) == 0
            else { return nil }
            self.base = base
            prefixLength = length
        }

        /// How many sites fit.
        package var networkCount: Int { 1 << (28 - prefixLength) }

        /// The network of that number.
        package subscript(index: Int) -> SiteNetwork {
            precondition((0..<networkCount).contains(index), "a network of the pool")
            return SiteNetwork(base: base + UInt32(index) * SiteNetwork.addressCount)
        }
    }

    let base: UInt32

    /// In the form with a prefix length.
    package var subnet: String { "\(text(0))/28" }
    /// The host's address.
    package var gateway: String { text(1) }
    /// The address of the container that serves.
    package var address: String { text(2) }
    /// Where the engine takes the addresses of sidecars from.
    package var range: String { "\(text(8))/29" }
    /// The bridge, as the host sees it (15 bytes at most): named for its addresses, which are nobody else's.
    package var interface: String {
        let digits = String(base, radix: 16)
        return "yard" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Its first and its last address.
    var addresses: ClosedRange<UInt32> { base...(base + (Self.addressCount - 1)) }

    private func text(_ offset: UInt32) -> String {
        let address = base + offset
        return [24, 16, 8, 0].map { "\(address >> $0 & 255)" }.joined(separator: ".")
    }
}
