import Foundation
import YardKit

extension PeerServer {
    /// Reads the one line of somebody who comes with an invitation, and makes it a peer if all is right.
    func join(_ arrival: Arrival, as joiner: Fingerprint) async throws(PeerError) {
        let connection = arrival.connection
        guard let line = try await greet(connection, bytesMax: limits.joinBytesMax) else { return }
        do throws(PeerError) {
            let request = try JoinRequest(line, joiner: joiner, inviter: identity.fingerprint)
            let peer = try await redeem(request, at: Date())
            report(.joined(peer, callsItself: request.name))
        } catch {
            report(.refused(from: arrival.source, error))
            try await connection.write(ProtocolRefusal(error).line)
            return
        }
        try await connection.write(ProtocolAnswer(content: .null, isStream: false).line)
    }

    private func redeem(_ request: JoinRequest, at now: Date) async throws(PeerError) -> Peer {
        guard let invitation = try await book.invitations().first(where: { $0.key == request.invitation })
        else {
            throw .noSuchInvitation
        }
        do throws(PeerError) {
            if let objection = invitation.objection(to: request, at: now) { throw objection }
            let peer = Peer(
                name: invitation.peerName, address: request.address, fingerprint: request.joiner, since: now,
                permissions: invitation.permissions)
            try await book.redeem(invitation.key, by: peer)
            return peer
        } catch {
            // One that is used counts no more; and an answer that is lost must not make it void.
            if error.kind != .unusable, error != .invitationIsUsed {
                try await book.countFailure(of: invitation.key)
            }
            throw error
        }
    }
}
