import Crypto
package import YardKit

/// What somebody says who comes with an invitation: who it is, where it listens, and a signature with the
/// secret of the invitation over that and both certificates. Nobody who overhears it can use it: it is good
/// for this joiner's key alone, and the secret itself is never sent.
package struct JoinRequest: Sendable {
    let invitation: InvitationKey
    let joiner: Fingerprint
    let inviter: Fingerprint
    /// What the joiner calls itself.
    let name: PeerName
    let address: PeerAddress
    let proof: [UInt8]

    package init(
        with token: InvitationToken, joiner: Fingerprint, name: PeerName, address: PeerAddress
    ) throws(PeerError) {
        guard let key = InvitationKey(bytes: Array(token.secret.publicKey.rawRepresentation)) else {
            preconditionFailure("an Ed25519 key has 32 bytes")
        }
        invitation = key
        self.joiner = joiner
        inviter = token.fingerprint
        self.name = name
        self.address = address
        let message = Self.message(inviter: inviter, joiner: joiner, name: name, address: address)
        guard let signature = try? token.secret.signature(for: message) else {
            throw PeerError(.invitation, "the secret of the invitation cannot sign")
        }
        proof = Array(signature)
    }

    /// From the line of a joiner. The certificates are those of the connection, not what the line may say.
    init(_ line: [UInt8], joiner: Fingerprint, inviter: Fingerprint) throws(PeerError) {
        guard let value = try? JSONReader.read(line), let keyText = value["invitation"].text,
            let key = InvitationKey(keyText), let nameText = value["name"].text,
            let addressText = value["address"].text, let proofText = value["proof"].text,
            let proof = Base64URL.bytes(of: proofText)
        else { throw PeerError(.unclear, "this is no request to join") }
        invitation = key
        self.joiner = joiner
        self.inviter = inviter
        name = try PeerName(nameText)
        address = try PeerAddress(addressText)
        self.proof = proof
    }

    /// What is sent.
    package var line: JSONValue {
        .object([
            "invitation": .string(invitation.text), "name": .string(name.text),
            "address": .string(address.description), "proof": .string(Base64URL.text(of: proof)),
        ])
    }

    /// What is signed.
    var message: [UInt8] {
        Self.message(inviter: inviter, joiner: joiner, name: name, address: address)
    }

    /// Neither names nor addresses have a line feed, so that no two requests have the same message.
    private static func message(
        inviter: Fingerprint, joiner: Fingerprint, name: PeerName, address: PeerAddress
    ) -> [UInt8] {
        Array(
            [PeerProtocol.join, inviter.text, joiner.text, name.text, address.description]
                .joined(separator: "\n").utf8)
    }
}
