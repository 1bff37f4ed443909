import Foundation
import Peers

/// This hoster among others: who it is, whom it knows, and where its edge takes their connections.
struct PeerLink: Sendable {
    let client: PeerClient
    let identity: Identity
    let book: PeerStore
    /// Where peers find this yardmaster.
    let address: PeerAddress
    /// nil: nothing can be forwarded here, so no site can come.
    let edge: EdgeAddress?

    func peer(_ name: String) async throws(Refusal) -> Peer {
        do throws(PeerError) {
            guard let peer = try await book.peer(called: name) else {
                throw PeerError(.refused, "there is no peer \(name)")
            }
            return peer
        } catch {
            throw Refusal(.missing, error.text)
        }
    }
}

/// What `peers:` says in yardmaster.yaml.
package struct PeerSettings: Equatable, Sendable {
    /// What this hoster is called among peers.
    package var name: String
    /// IP addresses and ports.
    package var listen: [HostPort]
    /// Where peers find it.
    package var address: String
    /// Where its edge takes TLS connections from edges of peers, with a PROXY header; and plain HTTP.
    package var forwardTLS: String?
    package var forwardHTTP: String?
    /// Sites of these products are taken, and no others; nil: any.
    package var products: Set<String>?
    /// What one site that comes may have.
    package var siteBytesMax: UInt64 = 1 << 40
    package var siteMemoryBytesMax = UInt64.max
    /// By which visitors reach the edge here: what the sites' names lead to in DNS. None: it is not known,
    /// and DNS is a matter of the operator.
    package var addresses: [VisitorAddress] = []

    package init(name: String, listen: [HostPort], address: String) {
        self.name = name
        self.listen = listen
        self.address = address
    }
}

extension Refusal {
    /// What a peer, or the way to it, has to say.
    init(_ error: PeerError) {
        let kind: Kind =
            switch error.kind {
            case .unreachable, .cutOff, .timedOut, .busy, .unusable, .cancelled: .unavailable
            case .conflict: .conflict
            case .invitation, .unclear: .invalid
            case .theirCertificate, .ourCertificate, .expired, .tooLong, .refused, .stopped: .failed
            }
        self.init(kind, error.text)
    }
}
