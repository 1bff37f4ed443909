/// A migration as the hoster sees it who takes the site: it answers, and works at what it has accepted.
/// Whoever carries it out asks for ``next(atSeconds:)``, does that, and tells ``SiteLedger`` what became of
/// it; the ledger is on disk before anything else is done and before an answer is sent.
package struct DestinationMigration: Codable, Equatable, Sendable {
    /// Where it stands. When it is over, in either way, there is none any more.
    package enum State: Codable, Equatable, Sendable {
        /// The offer is accepted; nothing is there yet. → checkingCertificate, removing
        case accepted
        /// Certificate and key are looked for in the staging, and checked against the offer.
        /// → certified, lackingCertificate, declined, removing
        case checkingCertificate
        /// They are to be sent. → accepted, removing
        case lackingCertificate
        /// They are right. → checkingImage, removing
        case certified
        /// The image is looked for, and fetched. → copying, lackingImage, declined, removing
        case checkingImage
        /// It is to be carried here. → certified, declined, removing
        case lackingImage
        /// Earlier passes of rsync are ended, and the staging is made ready for this one.
        /// → copying, preparingPass (a later one), declined, removing
        case preparingPass(Int)
        /// The staging is open for this pass; 0: for none yet.
        /// → preparingPass, digesting, declined, removing
        case copying(pass: Int)
        /// The staging is closed for good, and its digest is made. → compared, declined, removing
        case digesting(challenge: String)
        /// The digest is known. → starting, removing
        case compared(challenge: String, digest: String)
        /// This hoster is the writer: the staging becomes the site's folder, which is started and probed.
        /// → ready, declined, stopping
        case starting
        /// It answers, and nobody is led to it. → opening, declined, stopping
        case ready
        /// The edge is to lead everybody to it; there is no way back. → serving
        case opening
        /// It is served here, and the other edge forwards to this one. → closing
        case serving
        /// Nothing is forwarded any more, so the other edge is not trusted any more. Then it is over.
        case closing
        /// It cannot go on; the origin is told when it asks. → removing, stopping
        case declined(reason: String)
        /// The site is being stopped, and the grant will be refused for ever. → removing
        case stopping
        /// All that was staged is being removed. Then it is over.
        case removing
    }

    /// What is to be done. Each may be done again, wherever an earlier attempt of it has ended.
    package enum Action: Equatable, Sendable {
        /// The certificate in the staging is checked: whether it is the one of the offer, of the names,
        /// valid, and of the key.
        case checkCertificate
        /// The image is there, or is fetched by name and digest.
        case fetchImage
        /// What still writes to the staging is ended and waited for; then it is there, with room enough.
        case preparePass(Int)
        /// What still writes to the staging is ended and waited for; then the digest of it is made, from what
        /// is on disk.
        case digest(challenge: String)
        /// The staging becomes the site's folder; it is started and probed. The undo of it is `stop`.
        case start
        /// The edge's route leads to the site, and the origin's edge is trusted with clients' addresses.
        case openRoute
        /// The origin's edge is not trusted any more.
        case close
        /// The site is stopped, so that nothing of it runs.
        case stop
        /// All that was staged or installed for this migration is removed, and what writes to it is ended.
        case remove
        /// The origin is asked how it stands: nothing was heard for long.
        case inquire(MigrationInquiry)
        /// Nothing before this time.
        case wait(untilSeconds: Double)
    }

    /// What happens.
    package enum Event: Equatable, Sendable {
        /// An action has ended.
        case performed(Action, Result)
        /// Something has come whole to the staging.
        case received(MigrationTransfer)
        /// What came is not taken, and would not be if it came again: there is no room for it, or it is
        /// nothing that is taken.
        case refused(MigrationTransfer, reason: String)
        /// What the origin said to an inquiry. Anything may come here, at any time.
        case told(MigrationInquiry, MigrationStanding)
    }

    /// How an action ended.
    package enum Result: Equatable, Sendable {
        case done
        /// It must be sent: the certificate, or the image.
        case missing
        /// The digest that was made.
        case digest(String)
        /// It cannot be done, for a reason that does not go away.
        case refused(reason: String)
        /// It cannot be done now; for `inquire`: there was no answer.
        case failed(reason: String)
    }

    /// So many sites of one peer may be on their way at once.
    package static let incomingMax = 8
    /// To hear from the origin again within so long is no news.
    static let hearingSeconds = 5.0
    /// After so many failures in a row the migration is declined, where it may be.
    static let failuresMax = 10
    /// After so long without a word the origin is asked: while it prepares, and once all is done but its end.
    static let quietSecondsMax = 60.0
    static let servingQuietSecondsMax = 3600.0

    /// Which one it is.
    package let migration: MigrationIdentifier
    package let site: String
    /// The hoster who gives the site, by the name it has here.
    package let peer: String
    /// The epoch that it will grant.
    package let epoch: UInt64
    package let offer: MigrationOffer

    /// Where it stands.
    package internal(set) var state = State.accepted
    /// What failed for now, and when it is tried again.
    package internal(set) var retry = Retry()
    /// When there was the last word from the origin.
    package internal(set) var heardSeconds: Double

    init(_ request: MigrationRequest, _ offer: MigrationOffer, peer: String, atSeconds now: Double) {
        migration = request.migration
        site = request.site
        self.peer = peer
        epoch = request.epoch
        self.offer = offer
        heardSeconds = now
    }

    // MARK: What is to be done

    /// What is to be done now; asked again after a crash, it is the same. If it is not what was begun, that
    /// is to be cancelled first.
    package func next(atSeconds now: Double) -> Action {
        guard let action else {
            // A clock that was set back does not keep it from asking.
            let quiet = quietSeconds
            let isQuiet = now >= heardSeconds + quiet || now < heardSeconds
            return isQuiet ? .inquire(inquiry) : .wait(untilSeconds: heardSeconds + quiet)
        }
        return retry.waitSeconds(atSeconds: now).map { .wait(untilSeconds: $0) } ?? action
    }

    /// What is to be done, however often it has failed; nil: it is waited for the origin.
    var action: Action? {
        switch state {
        case .checkingCertificate: .checkCertificate
        case .checkingImage: .fetchImage
        case .preparingPass(let pass): .preparePass(pass)
        case .digesting(let challenge): .digest(challenge: challenge)
        case .starting: .start
        case .opening: .openRoute
        case .closing: .close
        case .stopping: .stop
        case .removing: .remove
        case .accepted, .lackingCertificate, .certified, .lackingImage, .copying, .compared, .ready,
            .serving, .declined:
            nil
        }
    }

    var inquiry: MigrationInquiry { MigrationInquiry(migration: migration, site: site, epoch: epoch) }

    private var quietSeconds: Double {
        state == .serving ? Self.servingQuietSecondsMax : Self.quietSecondsMax
    }

    /// Whether something may be written to the staging now. When something begins to be, whatever of this
    /// migration was written before is to be ended.
    package func permits(_ transfer: MigrationTransfer) -> Bool {
        switch state {
        case .lackingCertificate: transfer == .certificate
        case .lackingImage: transfer == .image
        case .copying(let pass): pass > 0 && transfer == .copy(pass: pass)
        case .accepted, .checkingCertificate, .certified, .checkingImage, .preparingPass, .digesting,
            .compared, .starting, .ready, .opening, .serving, .closing, .declined, .stopping, .removing:
            false
        }
    }

    // MARK: What can be seen

    /// Whether the site may be started for it, as far as it goes; it needs the token, too.
    var letsRun: Bool {
        switch state {
        case .starting, .ready, .opening, .serving, .closing: true
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared, .declined, .stopping, .removing:
            false
        }
    }

    /// Whether everybody is, or soon will be, led to the site here.
    var isOpen: Bool {
        switch state {
        case .opening, .serving, .closing: true
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared, .starting, .ready, .declined, .stopping,
            .removing:
            false
        }
    }

    /// Whether nothing was granted and its end is not begun.
    var isStaging: Bool {
        switch state {
        case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage, .lackingImage,
            .preparingPass, .copying, .digesting, .compared:
            true
        case .starting, .ready, .opening, .serving, .closing, .declined, .stopping, .removing: false
        }
    }
}
