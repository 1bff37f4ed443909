package import Foundation

/// Another hoster with whom sites are exchanged.
package struct Peer: Equatable, Sendable {
    /// What we call it; no other peer is called so.
    package var name: PeerName
    /// Where it listens.
    package var address: PeerAddress
    /// Who it is; no other peer has the same.
    package var fingerprint: Fingerprint
    /// Since when it has been a peer.
    package var since: Date
    /// What it may ask of us.
    package var permissions: PeerPermissions

    package init(
        name: PeerName, address: PeerAddress, fingerprint: Fingerprint, since: Date,
        permissions: PeerPermissions = .standard
    ) {
        self.name = name
        self.address = address
        self.fingerprint = fingerprint
        self.since = since
        self.permissions = permissions
    }
}

/// What a peer may ask of us. There is nothing else that it can.
package struct PeerPermissions: OptionSet, Hashable, Sendable {
    /// A bit for each; they are kept on disk, so that a bit never changes its meaning.
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// To offer us sites, and to send those that we accept.
    package static let offer = PeerPermissions(rawValue: 1)
    /// To ask us for sites of ours, and to receive those that we let go.
    package static let fetch = PeerPermissions(rawValue: 2)
    /// To keep standby copies of its sites with us.
    package static let standby = PeerPermissions(rawValue: 4)

    /// What a new peer may.
    package static let standard: PeerPermissions = .offer

    private static let all: [(permission: PeerPermissions, word: String, meaning: String)] = [
        (.offer, "offer", "offer sites to us"),
        (.fetch, "fetch", "ask us for sites of ours"),
        (.standby, "standby", "keep standby copies of its sites with us"),
    ]

    /// One by its word on a command line.
    package init?(word: String) {
        guard let entry = Self.all.first(where: { $0.word == word }) else { return nil }
        self = entry.permission
    }

    /// Their words on a command line.
    package var words: [String] { Self.all.filter { contains($0.permission) }.map(\.word) }

    /// For a person: "offer sites to us, ask us for sites of ours"; "nothing".
    package var text: String {
        let meanings = Self.all.filter { contains($0.permission) }.map(\.meaning)
        return meanings.isEmpty ? "nothing" : meanings.joined(separator: ", ")
    }
}
