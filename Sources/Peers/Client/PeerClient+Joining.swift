import Foundation
import NIOCore
import YardKit

extension PeerClient {
    /// Accepts an invitation: shows the inviter that we have it, and keeps the inviter as a peer once it has
    /// kept us. If it is cut off in the middle, the same once more completes it.
    /// - Parameters:
    ///   - ownAddress: where the inviter will find us.
    ///   - name: what we call the inviter, if not what it calls itself.
    package func accept(
        _ token: InvitationToken, ownAddress: PeerAddress, keepingIn book: any PeerBook,
        as name: PeerName? = nil,
        permissions: PeerPermissions = .standard
    ) async throws(PeerError) -> Peer {
        let name = name ?? token.name
        guard token.fingerprint != identity.fingerprint else {
            throw PeerError(.invitation, "this is our own invitation: the other hoster has to accept it")
        }
        let known = try await book.peer(with: token.fingerprint)
        if let known, known.name != name { throw .isKnown(as: known.name) }
        if known == nil, try await book.peers().contains(where: { $0.name == name }) {
            throw .nameTaken(name)
        }

        let request = try JoinRequest(
            with: token, joiner: identity.fingerprint, name: identity.name, address: ownAddress)
        let address = try await join(request, token)
        let peer = Peer(
            name: name, address: address, fingerprint: token.fingerprint, since: Date(),
            permissions: permissions)
        if let known { return known }
        try await book.add(peer)
        return peer
    }

    /// Joins at the first address that answers; which one that is.
    private func join(_ request: JoinRequest, _ token: InvitationToken) async throws(PeerError) -> PeerAddress
    {
        var failure = PeerError(.invitation, "the invitation has no address")
        for address in token.addresses {
            let destination = Destination(name: token.name, address: address, fingerprint: token.fingerprint)
            do throws(PeerError) {
                try await join(request, at: destination)
                return address
            } catch {
                failure = explained(error, token, at: Date())
                // Somebody else may have got one of several addresses.
                guard error.kind == .unreachable || error.kind == .theirCertificate else { break }
            }
        }
        throw failure
    }

    private func join(_ request: JoinRequest, at destination: Destination) async throws(PeerError) {
        try await converse(with: destination, joining: true) { (connection, greeting) throws(PeerError) in
            do throws(PeerError) {
                _ = try await self.request(request.line, on: connection, within: .seconds(20))
            } catch {
                guard let warning = greeting.clockWarning else { throw error }
                throw PeerError(error.kind, "\(error.text) (\(warning))")
            }
        }
    }

    /// A hoster that has no invitation open refuses our certificate, as it would any: the likely reasons are
    /// those of an invitation.
    private func explained(_ error: PeerError, _ token: InvitationToken, at now: Date) -> PeerError {
        guard error.kind == .ourCertificate else { return error }
        return now > token.expires
            ? PeerError(
                .invitation,
                "\(token.name) does not let us in: the invitation has expired on "
                    + "\(token.expires.ISO8601Format()); "
                    + "ask for a new one")
            : PeerError(
                .invitation,
                "\(token.name) does not let us in: the invitation was used, was tried in vain too "
                    + "often or was "
                    + "withdrawn, or our clocks differ; ask for a new one")
    }
}
