/// One open port of the edge.
package struct Listener: Hashable, Sendable {
    /// What clients speak on a port.
    package enum Kind: String, CaseIterable, Sendable {
        /// TLS: sessions are routed by the name in the ClientHello.
        case tls
        /// HTTP: requests are redirected to https or forwarded, by the Host field.
        case http
        /// Anything: all connections go to one target.
        case tcp
    }

    /// What clients speak.
    package var kind: Kind
    /// Where it is bound; the unspecified address stands for all of its family.
    package var endpoint: IPEndpoint
    /// Peers that must send a PROXY protocol header (v1 or v2) and whose header is believed; from all others
    /// none is expected. Empty: from nobody.
    package var acceptProxyFrom: [AddressPrefix]
    /// Most prefixes of one listener: they are compared one by one at each accept.
    package static let acceptProxyMax = 64
    /// Where connections go; present exactly on `tcp` listeners.
    package var forwardTo: ConfiguredAddress?
    /// Where the listener stands in the file: its address.
    package var place: SourcePlace

    /// A listener from its parts.
    package init(
        kind: Kind, endpoint: IPEndpoint, acceptProxyFrom: [AddressPrefix], forwardTo: ConfiguredAddress?,
        place: SourcePlace
    ) {
        self.kind = kind
        self.endpoint = endpoint
        self.acceptProxyFrom = acceptProxyFrom
        self.forwardTo = forwardTo
        self.place = place
    }
}
