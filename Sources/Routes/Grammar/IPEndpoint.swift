/// An address with a port: what a listener is bound to and a target is reached at.
package struct IPEndpoint: Hashable, Sendable, BitwiseCopyable {
    /// The address.
    package var address: IPAddress
    /// The port, 1 to 65,535 when it was parsed from text.
    package var port: UInt16

    /// An endpoint from its parts.
    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}

extension IPEndpoint: CustomStringConvertible {
    /// `192.0.2.1:443` or `[2001:db8::1]:443`.
    package var description: String {
        switch address {
        case .v4: "\(address):\(port)"
        case .v6: "[\(address)]:\(port)"
        }
    }
}
