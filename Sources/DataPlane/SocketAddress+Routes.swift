package import Linux
package import Routes
import Wire

extension SocketAddress {
    /// The address that an IP target or listener has in a configuration.
    package init(_ endpoint: IPEndpoint) {
        switch endpoint.address {
        case .v4(let bits): self.init(ipv4: bits, port: endpoint.port)
        case .v6(let high, let low): self.init(ipv6: high, low, port: endpoint.port)
        }
    }

    /// The address that `to=` of a listener has in a configuration.
    init(_ address: ConfiguredAddress) {
        switch address {
        case .ip(let endpoint): self.init(endpoint)
        case .unix(let path): self.init(path: Array(path.utf8).span.rawBytes)
        }
    }

    /// The address of a target; a unix socket's path lies in the table's image.
    package init(_ address: TargetAddress, in image: RawSpan) {
        switch address {
        case .ip(let endpoint): self.init(endpoint)
        case .unix(let offset, let length):
            self.init(path: image.extracting(Int(offset)..<(Int(offset) + Int(length))))
        }
    }

    /// The IP address and port; nil for a unix socket. An IPv4 client of an IPv6 listener has an IPv4
    /// address.
    package var endpoint: IPEndpoint? {
        guard pathByteCount == 0, family != 0 else { return nil }
        let (high, low) = ipHalves
        guard high == 0, low >> 32 == 0xffff else {
            return IPEndpoint(address: .v6(high: high, low: low), port: port)
        }
        return IPEndpoint(address: .v4(UInt32(truncatingIfNeeded: low)), port: port)
    }
}
