import Crypto
package import Foundation

/// What can check the secret of an invitation, but not tell it: the public half of an Ed25519 key whose
/// private half is the secret. A copy of our book lets nobody in.
package struct InvitationKey: Hashable, Sendable {
    /// 64 hexadecimal digits.
    package let text: String

    /// From what ``text`` has given.
    package init?(_ text: String) {
        guard let print = Fingerprint(text), print.text == text else { return nil }
        self.text = text
    }

    init?(bytes: some Collection<UInt8>) {
        guard let print = Fingerprint(bytes: bytes) else { return nil }
        text = print.text
    }

    /// Whether somebody with the secret has signed this.
    func hasSigned(_ message: [UInt8], _ signature: [UInt8]) -> Bool {
        guard let bytes = Fingerprint(text)?.bytes,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else { return false }
        return key.isValidSignature(signature, for: message)
    }
}

/// What the hoster who invites keeps of an invitation.
package struct Invitation: Equatable, Sendable {
    /// How long it is good, if nothing else is said.
    package static let lifetime: TimeInterval = 86_400
    /// So many times somebody may come with it in vain; then it is void.
    package static let failuresMax = 10

    /// Which one it is.
    package var key: InvitationKey
    /// What we are going to call the peer.
    package var peerName: PeerName
    /// What the peer will be allowed.
    package var permissions: PeerPermissions
    /// Until when it is good.
    package var expires: Date
    /// How often somebody came with it in vain.
    package var failures = 0
    /// Who has used it.
    package var usedBy: Fingerprint?

    package init(
        key: InvitationKey, peerName: PeerName, permissions: PeerPermissions, expires: Date,
        failures: Int = 0,
        usedBy: Fingerprint? = nil
    ) {
        self.key = key
        self.peerName = peerName
        self.permissions = permissions
        self.expires = expires
        self.failures = failures
        self.usedBy = usedBy
    }

    /// A new one, and the token to give to the other hoster. The secret is in the token alone.
    package static func make(
        for peerName: PeerName, from identity: Identity, at addresses: [PeerAddress],
        permissions: PeerPermissions = .standard, lifetime: TimeInterval = Self.lifetime, now: Date = Date()
    ) throws(PeerError) -> (invitation: Invitation, token: InvitationToken) {
        let secret = Curve25519.Signing.PrivateKey()
        // Whole seconds: the token tells no others.
        let expires = Date(timeIntervalSince1970: (now.timeIntervalSince1970 + lifetime).rounded())
        guard let key = InvitationKey(bytes: Array(secret.publicKey.rawRepresentation)) else {
            preconditionFailure("an Ed25519 key has 32 bytes")
        }
        let token = try InvitationToken(
            secret: secret, fingerprint: identity.fingerprint, name: identity.name, addresses: addresses,
            expires: expires)
        let invitation = Invitation(
            key: key, peerName: peerName, permissions: permissions, expires: expires)
        return (invitation, token)
    }

    /// Whether somebody may still come with it.
    package func isOpen(at now: Date) -> Bool {
        usedBy == nil && failures < Self.failuresMax && now <= expires
    }

    /// Why this one may not join with it, by everything that is known without the book; nil: it may.
    func objection(to request: JoinRequest, at now: Date) -> PeerError? {
        if failures >= Self.failuresMax {
            return PeerError(
                .invitation,
                "the invitation is void: it was tried in vain \(failures) times; ask for a new one")
        }
        guard key.hasSigned(request.message, request.proof) else {
            return PeerError(.invitation, "the invitation was made for somebody else, or with another secret")
        }
        // Somebody who has joined and comes again has missed our answer.
        if let usedBy { return usedBy == request.joiner ? nil : .invitationIsUsed }
        guard now <= expires else {
            return PeerError(
                .invitation,
                "the invitation has expired on \(expires.ISO8601Format()) (our clock says "
                    + "\(now.ISO8601Format())); "
                    + "ask for a new one")
        }
        return nil
    }
}
