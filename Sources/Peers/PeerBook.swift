import Foundation

/// Which peers and invitations there are. Each call is one step: it is done wholly or not at all, and what it
/// has done survives a crash once it returns.
package protocol PeerBook: Sendable {
    /// The peer that has this key, if there is one.
    func peer(with fingerprint: Fingerprint) async throws(PeerError) -> Peer?

    /// All, by name.
    func peers() async throws(PeerError) -> [Peer]

    /// Keeps a new one. `conflict`: another has its name or its key.
    func add(_ peer: Peer) async throws(PeerError)

    /// Forgets the peer that is called so, and every invitation under that name: whoever is removed does not
    /// come in again by one of them.
    @discardableResult
    func remove(_ name: PeerName) async throws(PeerError) -> RemovedPeer

    /// Keeps a new invitation. `conflict`: a peer is called so already, or somebody else is invited under
    /// that name.
    func add(_ invitation: Invitation) async throws(PeerError)

    /// All that were not withdrawn.
    func invitations() async throws(PeerError) -> [Invitation]

    /// Somebody came with an invitation in vain, once more.
    func countFailure(of key: InvitationKey) async throws(PeerError)

    /// Marks an invitation as used by this peer and keeps the peer, both in one step, so that of two who use
    /// it at once exactly one wins. Once more by the same changes nothing: its answer may have been lost.
    /// `invitation`: it is missing, or somebody else has used it. `conflict`: see ``add(_:)-(Peer)``.
    func redeem(_ key: InvitationKey, by peer: Peer) async throws(PeerError)
}

/// What a name stood for before it was removed from a book.
package struct RemovedPeer: Equatable, Sendable {
    /// Who was called so; nil: nobody.
    package let peer: Peer?
    /// Whether somebody might have joined under that name.
    package let wasInvited: Bool

    package init(peer: Peer?, wasInvited: Bool) {
        self.peer = peer
        self.wasInvited = wasInvited
    }
}

/// A book that is forgotten with the process: for tests.
package actor PeerBookInMemory: PeerBook {
    private var peersByName: [PeerName: Peer] = [:]
    private var invitationsByKey: [InvitationKey: Invitation] = [:]

    package init() {}

    package func peer(with fingerprint: Fingerprint) -> Peer? {
        peersByName.values.first { $0.fingerprint == fingerprint }
    }

    package func peers() -> [Peer] { peersByName.values.sorted { $0.name.text < $1.name.text } }

    package func add(_ peer: Peer) throws(PeerError) {
        if peersByName[peer.name] != nil { throw .nameTaken(peer.name) }
        if let other = self.peer(with: peer.fingerprint) { throw .isKnown(as: other.name) }
        peersByName[peer.name] = peer
    }

    @discardableResult
    package func remove(_ name: PeerName) -> RemovedPeer {
        let wasInvited = isInvited(name)
        forgetInvitations(to: name)
        return RemovedPeer(peer: peersByName.removeValue(forKey: name), wasInvited: wasInvited)
    }

    private func isInvited(_ name: PeerName) -> Bool {
        invitationsByKey.values.contains { $0.peerName == name && $0.isOpen(at: Date()) }
    }

    private func forgetInvitations(to name: PeerName) {
        invitationsByKey = invitationsByKey.filter { $0.value.peerName != name }
    }

    package func add(_ invitation: Invitation) throws(PeerError) {
        if peersByName[invitation.peerName] != nil { throw .nameTaken(invitation.peerName) }
        if isInvited(invitation.peerName) { throw .isInvited(invitation.peerName) }
        forgetInvitations(to: invitation.peerName)
        invitationsByKey[invitation.key] = invitation
    }

    package func invitations() -> [Invitation] { Array(invitationsByKey.values) }

    package func countFailure(of key: InvitationKey) { invitationsByKey[key]?.failures += 1 }

    package func redeem(_ key: InvitationKey, by peer: Peer) throws(PeerError) {
        guard var invitation = invitationsByKey[key] else { throw .noSuchInvitation }
        if let user = invitation.usedBy {
            guard user == peer.fingerprint else { throw .invitationIsUsed }
            return
        }
        try add(peer)
        invitation.usedBy = peer.fingerprint
        invitationsByKey[key] = invitation
    }
}

/// What a book says, in the same words whoever keeps it.
extension PeerError {
    /// A peer is called so.
    package static func nameTaken(_ name: PeerName) -> PeerError {
        PeerError(.conflict, "there is a peer called \(name) already")
    }

    /// Somebody else was invited under that name.
    package static func isInvited(_ name: PeerName) -> PeerError {
        PeerError(
            .conflict, "somebody is invited as \(name) already; yard peer remove \(name) withdraws that")
    }

    /// The key is that of a peer under another name.
    package static func isKnown(as name: PeerName) -> PeerError {
        PeerError(.conflict, "that hoster is a peer already, called \(name)")
    }

    /// No such invitation was made, or it was forgotten.
    package static let noSuchInvitation = PeerError(
        .invitation, "there is no such invitation: it was withdrawn, or it comes from somebody else")

    /// Somebody else was quicker.
    package static let invitationIsUsed = PeerError(
        .invitation, "the invitation was used already, by somebody else: ask for a new one")
}
