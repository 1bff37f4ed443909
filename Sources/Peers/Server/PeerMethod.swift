package import YardKit

/// What a peer asks.
package struct PeerRequest: Sendable {
    /// Who asks, as it stands in the book at this moment.
    package let peer: Peer
    /// What it adds.
    package let content: JSONValue
}

/// What it is told.
package enum PeerAnswer: Sendable {
    /// Done.
    case answer(JSONValue)
    /// No, and why; in one sentence that starts small.
    case refusal(String)
    /// Done so far; now bytes go both ways. When the work returns, the stream ends in order; when it throws,
    /// the peer learns why.
    case stream(JSONValue, @Sendable (PeerStream) async throws(PeerError) -> Void)
}

/// Something that peers can ask for. There is nothing else than what a server has been given of these.
package struct PeerMethod: Sendable {
    /// As it stands in requests.
    package let name: String
    /// What a peer must be allowed; all of it.
    package let permissions: PeerPermissions
    /// Does it. Cancelled when the server is.
    package let answer: @Sendable (PeerRequest) async -> PeerAnswer

    package init(
        _ name: String, for permissions: PeerPermissions,
        answer: @escaping @Sendable (PeerRequest) async -> PeerAnswer
    ) {
        self.name = name
        self.permissions = permissions
        self.answer = answer
    }
}

/// Something that somebody who runs a server wants to know.
package enum PeerEvent: Sendable {
    /// Somebody has used an invitation.
    case joined(Peer, callsItself: PeerName)
    /// Somebody came with an invitation in vain, or a peer was refused.
    case refused(from: String, PeerError)
    /// A request of a peer has failed.
    case failed(Peer, PeerError)

    /// One sentence for a log.
    package var text: String {
        switch self {
        case .joined(let peer, let name):
            "\(peer.name) at \(peer.address), which calls itself \(name), has accepted our invitation and is "
                + "a peer now; it may \(peer.permissions.text)"
        case .refused(let source, let error): "\(source) is refused: \(error.text)"
        case .failed(let peer, let error): "a request of \(peer.name) has failed: \(error.text)"
        }
    }
}
