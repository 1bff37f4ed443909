package import Linux
package import Routes

/// What a worker does with the connections of a listener: what is spoken there, whose PROXY protocol headers
/// are believed, and where a `listen tcp` leads. Trivial, so that it is read in place at each accept.
package struct ListenerPlan: BitwiseCopyable, Sendable {
    /// What clients speak on a port.
    package enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// TLS: sessions are routed by the name in the hello.
        case tls
        /// HTTP: requests are redirected or forwarded by their Host field.
        case http
        /// Anything: each connection goes to ``ListenerPlan/target`` as it is.
        case tcp
    }

    /// More prefixes than ``Listener/acceptProxyMax`` are refused by the grammar, so these are always enough.
    private static let prefixesMax = 64

    /// What clients speak.
    package private(set) var kind = Kind.tls
    /// How many of the prefixes count.
    private var prefixCount: UInt8 = 0
    /// Where the connections of a `tcp` listener go; no address otherwise.
    package private(set) var target = SocketAddress()
    private var prefixes = InlineArray<64, AddressPrefix>(
        repeating: AddressPrefix(address: .v4(0), lengthBits: 32))

    /// A TLS listener that believes nobody's header.
    package init() {}

    /// What a listener's line says.
    package init(_ listener: Listener) {
        let kind: Kind =
            switch listener.kind {
            case .tls: .tls
            case .http: .http
            case .tcp: .tcp
            }
        self.init(
            kind: kind, target: listener.forwardTo.map { SocketAddress($0) } ?? SocketAddress(),
            acceptProxyFrom: listener.acceptProxyFrom)
    }

    /// A plan from its parts; at most ``Listener/acceptProxyMax`` prefixes.
    package init(kind: Kind, target: SocketAddress, acceptProxyFrom: [AddressPrefix]) {
        precondition(acceptProxyFrom.count <= Self.prefixesMax, "a listener has no more prefixes")
        self.kind = kind
        self.target = target
        for (index, prefix) in acceptProxyFrom.enumerated() { prefixes[index] = prefix }
        prefixCount = UInt8(acceptProxyFrom.count)
    }

    /// Whose headers are believed.
    package var acceptProxyFrom: [AddressPrefix] { (0..<Int(prefixCount)).map { prefixes[$0] } }

    /// Whether connections from the address must begin with a PROXY protocol header, which is then believed.
    package func expectsHeader(from address: IPAddress) -> Bool {
        for index in 0..<Int(prefixCount) where prefixes[index].contains(address) { return true }
        return false
    }
}
