/// What is not a matter of one site alone.
extension Sequence<SiteLedger> {
    /// What an offer meets with among the other sites of a hoster, in one sentence; nil: nothing. A migration
    /// belongs to one site, and a peer has only so many on their way.
    package func obstacle(to request: MigrationRequest, from peer: String) -> String? {
        var count = 0
        for ledger in self where ledger.site != request.site {
            guard let incoming = ledger.incoming else { continue }
            if incoming.migration == request.migration { return "that migration is one of another site" }
            if incoming.peer == peer, incoming.state != .serving { count += 1 }
        }
        guard count >= DestinationMigration.incomingMax else { return nil }
        return "\(count) sites of \(peer) are on their way here already"
    }

    /// Whether a migration that is not over needs a peer.
    package func need(_ peer: String) -> Bool {
        contains { ledger in
            let isLeaving = ledger.outgoing.map { $0.plan.peer == peer && !$0.isOver } ?? false
            return isLeaving || ledger.incoming?.peer == peer
        }
    }
}
