import Foundation
import GRDB
import Peers

/// Peers and invitations, beside the sites.
struct PeerStore: PeerBook {
    let store: SiteStore

    private func change<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(PeerError) -> Value {
        do {
            return try await store.database.write(body)
        } catch let error as PeerError {
            throw error
        } catch {
            throw PeerError(.unusable, "the book of peers cannot be written: \(SiteStore.words(error))")
        }
    }

    private func look<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(PeerError) -> Value {
        do {
            return try await store.database.read(body)
        } catch let error as PeerError {
            throw error
        } catch {
            throw PeerError(.unusable, "the book of peers cannot be read: \(SiteStore.words(error))")
        }
    }

    // MARK: Peers

    func peer(with fingerprint: Fingerprint) async throws(PeerError) -> Peer? {
        try await look { try Self.peer($0, "fingerprint", fingerprint.text) }
    }

    /// By the name that it has here.
    func peer(called name: String) async throws(PeerError) -> Peer? {
        try await look { try Self.peer($0, "name", name) }
    }

    func peers() async throws(PeerError) -> [Peer] {
        try await look { database in
            try Row.fetchAll(database, sql: "SELECT * FROM peer ORDER BY name").map(Self.peer)
        }
    }

    func add(_ peer: Peer) async throws(PeerError) { try await change { try Self.add($0, peer) } }

    @discardableResult
    func remove(_ name: PeerName) async throws(PeerError) -> RemovedPeer {
        try await change { database in
            let peer = try Self.peer(database, "name", name.text)
            let wasInvited = try Self.isInvited(database, name)
            try database.execute(sql: "DELETE FROM peer WHERE name = ?", arguments: [name.text])
            try Self.forgetInvitations(database, name)
            return RemovedPeer(peer: peer, wasInvited: wasInvited)
        }
    }

    private static func peer(_ database: Database, _ column: String, _ value: String) throws -> Peer? {
        try Row.fetchOne(database, sql: "SELECT * FROM peer WHERE \(column) = ?", arguments: [value])
            .map(Self.peer)
    }

    private static func peer(_ row: Row) throws -> Peer {
        let (name, address, print): (String, String, String) = (
            row["name"], row["address"], row["fingerprint"]
        )
        guard let fingerprint = Fingerprint(print) else {
            throw PeerError(.unusable, "the book of peers has a fingerprint that is none")
        }
        return Peer(
            name: try PeerName(name), address: try PeerAddress(address), fingerprint: fingerprint,
            since: Date(timeIntervalSince1970: row["since"]),
            permissions: PeerPermissions(rawValue: row["permissions"]))
    }

    private static func add(_ database: Database, _ peer: Peer) throws {
        if try Self.peer(database, "name", peer.name.text) != nil { throw PeerError.nameTaken(peer.name) }
        if let other = try Self.peer(database, "fingerprint", peer.fingerprint.text) {
            throw PeerError.isKnown(as: other.name)
        }
        try database.execute(
            sql: "INSERT INTO peer VALUES (?, ?, ?, ?, ?)",
            arguments: [
                peer.name.text, peer.address.description, peer.fingerprint.text,
                peer.since.timeIntervalSince1970, peer.permissions.rawValue,
            ])
    }

    // MARK: Invitations

    func add(_ invitation: Invitation) async throws(PeerError) {
        try await change { database in
            let name = invitation.peerName
            if try Self.peer(database, "name", name.text) != nil { throw PeerError.nameTaken(name) }
            if try Self.isInvited(database, name) { throw PeerError.isInvited(name) }
            // What has expired, or was used by a peer that has gone, is not needed any more.
            try Self.forgetInvitations(database, name)
            try database.execute(
                sql: "INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    invitation.key.text, name.text, invitation.permissions.rawValue,
                    invitation.expires.timeIntervalSince1970, invitation.failures, invitation.usedBy?.text,
                ])
        }
    }

    private static func isInvited(_ database: Database, _ name: PeerName) throws -> Bool {
        try invitations(database).contains { $0.peerName == name && $0.isOpen(at: Date()) }
    }

    private static func forgetInvitations(_ database: Database, _ name: PeerName) throws {
        try database.execute(sql: "DELETE FROM invitation WHERE peer = ?", arguments: [name.text])
    }

    func invitations() async throws(PeerError) -> [Invitation] { try await look(Self.invitations) }

    private static func invitations(_ database: Database) throws -> [Invitation] {
        try Row.fetchAll(database, sql: "SELECT * FROM invitation").map { row in
            let (text, name, user): (String, String, String?) = (row["key"], row["peer"], row["used_by"])
            guard let key = InvitationKey(text) else {
                throw PeerError(.unusable, "the book of peers has an invitation that is none")
            }
            return Invitation(
                key: key, peerName: try PeerName(name),
                permissions: PeerPermissions(rawValue: row["permissions"]),
                expires: Date(timeIntervalSince1970: row["expires"]), failures: row["failures"],
                usedBy: user.flatMap { Fingerprint($0) })
        }
    }

    func countFailure(of key: InvitationKey) async throws(PeerError) {
        try await change { database in
            try database.execute(
                sql: "UPDATE invitation SET failures = failures + 1 WHERE key = ?", arguments: [key.text])
        }
    }

    func redeem(_ key: InvitationKey, by peer: Peer) async throws(PeerError) {
        try await change { database in
            guard let invitation = try Self.invitations(database).first(where: { $0.key == key }) else {
                throw PeerError.noSuchInvitation
            }
            if let user = invitation.usedBy {
                guard user == peer.fingerprint else { throw PeerError.invitationIsUsed }
                return
            }
            try Self.add(database, peer)
            try database.execute(
                sql: "UPDATE invitation SET used_by = ? WHERE key = ?",
                arguments: [peer.fingerprint.text, key.text])
        }
    }
}
