/// What the origin asks of the destination. It is asked again until there is an answer that settles it, so
/// each is taken any number of times, in any order, at any time later: what does not fit is refused.
package struct MigrationRequest: Codable, Equatable, Sendable {
    /// What is asked for.
    package enum Demand: Codable, Equatable, Sendable {
        /// Whether it would take the site.
        case offer(MigrationOffer)
        /// Whether it has the certificate and the key that were offered, and they are right.
        case certificate
        /// Whether it has the image, or can fetch it.
        case image
        /// That the staging is open for this pass of rsync, and for no earlier one. Passes are counted from 1
        /// over the whole migration.
        case copy(pass: Int)
        /// That the staging is closed, and its digest with this challenge, which cannot be known before.
        case compare(challenge: String)
        /// That it becomes the writer of the data with this digest, and starts the site.
        case grant(digest: String)
        /// That it serves the site to everybody. There is no way back from here.
        case open
        /// That it stops, refuses this epoch for ever, and leaves nothing behind.
        case release
        /// That nothing is forwarded any more: the migration is over.
        case finish
    }

    /// Which attempt it belongs to.
    package var migration: MigrationIdentifier
    /// The domain of the site.
    package var site: String
    /// The epoch that this migration grants, once it does.
    package var epoch: UInt64
    /// What is asked for.
    package var demand: Demand

    package init(migration: MigrationIdentifier, site: String, epoch: UInt64, demand: Demand) {
        self.migration = migration
        self.site = site
        self.epoch = epoch
        self.demand = demand
    }
}

/// What the destination answers. It carries the whole request, so that an answer to anything else than what
/// is asked now is recognised, however late it comes.
package struct MigrationAnswer: Codable, Equatable, Sendable {
    /// What there is to say.
    package enum Outcome: Codable, Equatable, Sendable {
        /// It is so, durably.
        case done
        /// It is accepted and worked at: ask again.
        case working
        /// It must be sent: the certificate, or the image.
        case missing
        /// The digest of what is in the staging.
        case manifest(digest: String)
        /// The offer grants an epoch that is not later than this one, which is known here.
        case outdated(epoch: UInt64)
        /// It is not done, for a reason that does not go away.
        case refused(reason: String)
    }

    /// What was asked.
    package var request: MigrationRequest
    /// What there is to say to it.
    package var outcome: Outcome

    package init(request: MigrationRequest, outcome: Outcome) {
        self.request = request
        self.outcome = outcome
    }
}

/// What a destination asks that was away, or has heard nothing for long.
package struct MigrationInquiry: Codable, Equatable, Sendable {
    /// Which migration of which site it is about.
    package var migration: MigrationIdentifier
    package var site: String
    package var epoch: UInt64

    package init(migration: MigrationIdentifier, site: String, epoch: UInt64) {
        self.migration = migration
        self.site = site
        self.epoch = epoch
    }
}

/// What the origin answers to an inquiry.
package enum MigrationStanding: Codable, CaseIterable, Sendable {
    /// It goes on.
    case underWay
    /// It has ended, in either way, or is unknown: whatever the destination has staged for it may go. It
    /// stays true once it was said.
    case over
}

/// What goes from the origin to the destination's staging, outside of requests. The destination lets it in
/// while ``DestinationMigration/permits(_:)`` says so.
package enum MigrationTransfer: Equatable, Sendable {
    /// The certificate with its key.
    case certificate
    /// The image, carried as a file.
    case image
    /// The data, by one pass of rsync.
    case copy(pass: Int)
}
