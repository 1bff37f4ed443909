/// What an operator has asked for, and what is known before it begins. It does not change.
package struct MigrationPlan: Codable, Equatable, Sendable {
    package var migration: MigrationIdentifier
    /// The domain of the site.
    package var site: String
    /// The hoster who takes it, by the name it has here.
    package var peer: String
    /// What the site needs there.
    package var offer: MigrationOffer
    /// Random, as hexadecimal digits: a digest that was made before cannot contain it.
    package var challenge: String
    /// The promise: no visitor waits longer.
    package var pauseSecondsMax: Double
    /// What is expected of the pause besides the last copy: to drain, stop, compare, start and probe.
    package var overheadSeconds: Double
    /// What is expected of it to start and probe alone.
    package var startSeconds: Double
    /// How many rounds are tried to make the last copy small.
    package var roundsMax: Int
    /// How long the old copy is kept after the end.
    package var keepSeconds: Double
    /// So few sessions by the old address a day are none.
    package var residualSessionsPerDayMax: Double

    package init(
        migration: MigrationIdentifier, site: String, peer: String, offer: MigrationOffer, challenge: String,
        pauseSecondsMax: Double, overheadSeconds: Double, startSeconds: Double, roundsMax: Int = 12,
        keepSeconds: Double = 7 * 86400, residualSessionsPerDayMax: Double = 10
    ) {
        self.migration = migration
        self.site = site
        self.peer = peer
        self.offer = offer
        self.challenge = challenge
        self.pauseSecondsMax = pauseSecondsMax
        self.overheadSeconds = overheadSeconds
        self.startSeconds = startSeconds
        self.roundsMax = roundsMax
        self.keepSeconds = keepSeconds
        self.residualSessionsPerDayMax = residualSessionsPerDayMax
    }

    /// Why this cannot be begun, in one sentence; nil: it can.
    package var flaw: String? {
        if let flaw = offer.flaw(site: site) { return flaw }
        guard challenge.isDigest else { return "the challenge is not made of 32 to 128 hexadecimal digits" }
        guard roundsMax >= 2 else { return "at least 2 rounds are needed to tell how long the pause will be" }
        guard overheadSeconds <= pauseSecondsMax else {
            return "to stop, compare and start takes about \(overheadSeconds.asSeconds), "
                + "so a pause of at most \(pauseSecondsMax.asSeconds) cannot be promised"
        }
        return nil
    }

    /// The promise and the steps with their undo, a line each: what `--dry-run` prints.
    package var lines: [String] {
        let promise =
            "\(site) goes to \(peer): a pause of at most \(pauseSecondsMax.asSeconds), no write lost"
        return [promise]
            + MigrationStep.allCases.enumerated().map { index, step in
                "\(index + 1). \(step.title)" + (step.undo.map { " (undo: \($0))" } ?? " (no way back)")
            }
    }
}

/// What was promised, and what was measured.
package struct MigrationReport: Codable, Equatable, Sendable {
    /// The longest that a visitor should wait, and did as far as the steps tell; nil: nobody had to.
    package var promisedPauseSeconds: Double
    package var pauseSeconds: Double?
    /// Copies that went through, all they have sent, and the last one, which visitors have waited for.
    package var rounds: Int
    package var bytes: UInt64
    package var lastCopyBytes: UInt64?
    /// From the beginning until it was over; nil: it is not.
    package var seconds: Double?
    /// Acknowledged writes that were lost: none, because the data was compared while nothing wrote.
    package var lostWrites = 0
    /// Why it did not come to its end; nil: it did, or is under way.
    package var failure: String?
}

/// What still comes by the old address.
package struct ResidualTraffic: Codable, Equatable, Sendable {
    /// How many sessions there were, in how long.
    package var sessions: Int
    package var seconds: Double

    package init(sessions: Int, seconds: Double) {
        self.sessions = sessions
        self.seconds = seconds
    }
}

/// What an operator may say to a migration, on either side.
package enum OperatorWish: String, CaseIterable, Codable, Sendable {
    /// Everything as it was.
    case revert
    /// What is waited for is not waited for any longer.
    case finish
    /// What failed is tried again now.
    case resume
}
