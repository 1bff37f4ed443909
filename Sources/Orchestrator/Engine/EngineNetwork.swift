import Wire

/// A network that the engine has, whoever made it.
package struct EngineNetwork: Equatable, Sendable {
    /// What the engine calls it.
    package var name: String
    /// The first and the last address of each of its parts, as far as they are IPv4.
    package var addresses: [ClosedRange<UInt32>]

    /// `subnets` are as the engine writes them: `172.17.0.0/16`.
    package init(name: String, subnets: [String]) {
        self.name = name
        addresses = subnets.compactMap { subnet in
            let parts = subnet.split(separator: "/")
            guard parts.count == 2, let length = UInt32(parts[1]), length <= 32,
                let base = AddressText.ipv4(Array(parts[0].utf8).span.rawBytes)
            else { return nil }
            let hosts = length == 0 ? UInt32.max : (1 << (32 - length)) - 1
            return (base & ~hosts)...(base | hosts)
        }
    }

    /// Whether they cannot both be on this machine.
    package func overlaps(_ network: SiteNetwork) -> Bool {
        addresses.contains { $0.overlaps(network.addresses) }
    }
}
