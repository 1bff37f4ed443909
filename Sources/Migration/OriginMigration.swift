/// A migration as the hoster sees it who gives the site away: it drives. Whoever carries it out
/// asks for ``next(atSeconds:)``, does that, and tells ``SiteLedger`` what became of it; the ledger is on
/// disk before anything else is done.
package struct OriginMigration: Codable, Equatable, Sendable {
    /// Where it stands. Until `granted` this hoster is the writer, and can turn back on its own.
    package enum State: Codable, Equatable, Sendable {
        /// The destination considers the offer. → certifying, restoring
        case agreeing
        /// It looks for the certificate and checks it. → imaging, sendingCertificate, restoring
        case certifying
        /// Certificate and key are on their way. → certifying, restoring
        case sendingCertificate
        /// It fetches the image, or has it. → openingPass, sendingImage, restoring
        case imaging
        /// The image is carried there. → imaging, restoring
        case sendingImage
        /// It opens its staging for the next pass. → copying, restoring
        case openingPass
        /// A pass of rsync runs beside the site. → openingPass, fencing, restoring
        case copying
        /// Visitors are parked, and the site is made consistent and stopped. → openingLastPass, restoring
        case fencing
        /// It opens its staging for the last pass. → copyingLast, restoring
        case openingLastPass
        /// What has changed since is copied; nothing writes. → askingManifest, openingLastPass, restoring
        case copyingLast
        /// It is asked for the digest of its staging, and begins with it. → digesting, restoring
        case askingManifest
        /// The digest is made here, too; its own is there or not. → comparing, granted, restoring
        case digesting(theirs: String?)
        /// Its digest is waited for. → granted, restoring
        case comparing(own: String)
        /// The commit point: the destination is the writer, or will be; it starts the site. This hoster must
        /// not start it. → opening, releasing
        case granted(digest: String)
        /// It is to stop and to refuse the grant for ever; nobody was served there. → restoring
        case releasing(reason: String)
        /// The site answers there; it is opened to everybody. From here no way leads back, unless the
        /// destination refuses. → switching, releasing
        case opening
        /// The edge here leads to the edge there; parked visitors go on. → settingAside
        case switching
        /// The old copy is put where it is in nobody's way. → announcing
        case settingAside
        /// DNS is told. → forwarding, ending
        case announcing
        /// It is forwarded until the operator ends it, or the site comes back. → ending
        case forwarding
        /// Nothing is forwarded any more. → closing
        case ending
        /// The destination is told. → done
        case closing
        /// Final: the site is there.
        case done
        /// The site is started here, visitors are led to it. → recalling
        case restoring(reason: String)
        /// The destination is told to leave nothing behind; the site serves here. → clearing
        case recalling(reason: String)
        /// Nothing is left behind here. → reverted
        case clearing(reason: String)
        /// Final: the site is here, as it was.
        case reverted(reason: String)
    }

    /// What is to be done. Each may be done again, wherever an earlier attempt of it has ended.
    package enum Action: Equatable, Sendable {
        /// The destination is asked.
        case ask(MigrationRequest)
        /// Something is sent to its staging.
        case transfer(MigrationTransfer)
        /// New hellos are parked, sessions are drained within a bound, then snapshot and stop.
        case fence
        /// The digest of the data here, with this challenge.
        case digest(challenge: String)
        /// The edge's route leads to the destination's edge.
        case switchOver
        /// The folder of the site is moved to where old copies are kept, by the migration's name; files that
        /// were made to be carried are removed.
        case setAside
        /// The names are led to the destination in DNS. Refused: it must be done by hand.
        case announce
        /// The edge's route is as ``SiteLedger/edgeRoute`` says; challenges of ACME do not follow any more.
        case endForwarding
        /// The undo of `fence`: the site runs as its operator wishes, and the edge leads to it.
        case restore
        /// The undo of all that was made here: files that were to be carried, snapshots.
        case clear
        /// Nothing before this time, or, without one, before something happens.
        case wait(untilSeconds: Double?)
    }

    /// What happens.
    package enum Event: Equatable, Sendable {
        /// The destination has answered. Anything may come here, at any time.
        case answered(MigrationAnswer)
        /// An action has ended.
        case performed(Action, Result)
        /// It was measured what still comes by the old address.
        case residual(ResidualTraffic)
        /// Time has passed.
        case timePassed
    }

    /// How an action ended.
    package enum Result: Equatable, Sendable {
        case done
        /// A pass of rsync is through.
        case copied(CopyRound)
        /// The digest that was made.
        case digest(String)
        /// It cannot be done, for a reason that does not go away.
        case refused(reason: String)
        /// It cannot be done now; for `ask`: there was no answer.
        case failed(reason: String)
    }

    /// After so many failures in a row nothing is tried any more until the operator says so, as long as the
    /// site runs here.
    static let failuresMax = 10

    /// What was asked for.
    package let plan: MigrationPlan
    /// The epoch that it grants.
    package let epoch: UInt64
    package let beganSeconds: Double

    /// Where it stands.
    package internal(set) var state = State.agreeing
    /// What failed for now, and when it is tried again.
    package internal(set) var retry = Retry()
    /// The pass that runs, or ran last; copies that went through.
    package internal(set) var pass = 0
    package internal(set) var rounds: [CopyRound] = []
    /// When visitors were parked, and for how long.
    package internal(set) var pauseBeganSeconds: Double?
    package internal(set) var pauseSeconds: Double?
    package internal(set) var endedSeconds: Double?
    /// Why DNS was not told, and what is to be done by hand; nil: it was, or will be.
    package internal(set) var handwork: String?
    /// What came by the old address when it was last measured.
    package internal(set) var residual: ResidualTraffic?

    init(_ plan: MigrationPlan, epoch: UInt64, atSeconds now: Double) {
        self.plan = plan
        self.epoch = epoch
        beganSeconds = now
    }

    // MARK: What is to be done

    /// What is to be done now; asked again after a crash, it is the same. If it is not what was begun, that
    /// is to be cancelled first.
    package func next(atSeconds now: Double) -> Action {
        // The pause is too long already: `timePassed` will say what follows.
        if isOverdue(atSeconds: now) { return .wait(untilSeconds: now) }
        if isStalled { return .wait(untilSeconds: nil) }
        guard let action else { return .wait(untilSeconds: nil) }
        guard let wait = retry.waitSeconds(atSeconds: now) else { return action }
        return .wait(untilSeconds: min(wait, deadlineSeconds ?? wait))
    }

    /// What is to be done, however often it has failed; nil: it is waited for somebody.
    var action: Action? {
        switch state {
        case .agreeing: .ask(request(.offer(plan.offer)))
        case .certifying: .ask(request(.certificate))
        case .sendingCertificate: .transfer(.certificate)
        case .imaging: .ask(request(.image))
        case .sendingImage: .transfer(.image)
        case .openingPass, .openingLastPass: .ask(request(.copy(pass: pass)))
        case .copying, .copyingLast: .transfer(.copy(pass: pass))
        case .fencing: .fence
        case .askingManifest, .comparing: .ask(request(.compare(challenge: plan.challenge)))
        case .digesting: .digest(challenge: plan.challenge)
        case .granted(let digest): .ask(request(.grant(digest: digest)))
        case .releasing, .recalling: .ask(request(.release))
        case .opening: .ask(request(.open))
        case .switching: .switchOver
        case .settingAside: .setAside
        case .announcing: .announce
        case .ending: .endForwarding
        case .closing: .ask(request(.finish))
        case .restoring: .restore
        case .clearing: .clear
        case .forwarding, .done, .reverted: nil
        }
    }

    private func request(_ demand: MigrationRequest.Demand) -> MigrationRequest {
        MigrationRequest(migration: plan.migration, site: plan.site, epoch: epoch, demand: demand)
    }

    // MARK: What can be seen

    /// How far the migration is.
    enum Stage: Sendable {
        /// The site runs here beside it.
        case preparing
        /// Visitors are parked, and this hoster can turn back.
        case fenced
        /// Visitors are parked, and the destination is the writer.
        case committed
        /// The edge leads there.
        case switched
        /// Nothing leads there any more.
        case ended
        /// The site serves here, or will at once.
        case turnedBack
    }

    var stage: Stage {
        switch state {
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying:
            .preparing
        case .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing: .fenced
        case .granted, .releasing, .opening: .committed
        case .switching, .settingAside, .announcing, .forwarding: .switched
        case .ending, .closing, .done: .ended
        case .restoring, .recalling, .clearing, .reverted: .turnedBack
        }
    }

    /// What a person is told that it is at; nil: it is over, or on its way back.
    package var step: MigrationStep? {
        switch state {
        case .agreeing: .agree
        case .certifying, .sendingCertificate: .certificate
        case .imaging, .sendingImage: .image
        case .openingPass, .copying: .copy
        case .fencing: .fence
        case .openingLastPass, .copyingLast: .lastCopy
        case .askingManifest, .digesting, .comparing: .compare
        case .granted: .grant
        case .opening, .switching: .switchOver
        case .settingAside, .announcing, .forwarding: .forward
        case .ending, .closing: .end
        case .done, .releasing, .restoring, .recalling, .clearing, .reverted: nil
        }
    }

    /// Whether it has come to one of its ends.
    package var isOver: Bool {
        switch state {
        case .done, .reverted: true
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing, .granted,
            .releasing, .opening, .switching, .settingAside, .announcing, .forwarding, .ending, .closing,
            .restoring, .recalling, .clearing:
            false
        }
    }

    /// Whether it has failed too often and waits for `resume` or `revert`; the site runs.
    package var isStalled: Bool { stage == .preparing && retry.failures >= Self.failuresMax }

    /// While visitors are parked and this hoster can turn back: until when. Behind it there must be time left
    /// to start the site, there or here. An action that runs longer is to be cancelled then.
    package var deadlineSeconds: Double? {
        guard stage == .fenced, let pauseBeganSeconds else { return nil }
        return pauseBeganSeconds + plan.pauseSecondsMax - plan.startSeconds
    }

    func isOverdue(atSeconds now: Double) -> Bool { deadlineSeconds.map { now >= $0 } ?? false }

    /// How long the pause would be.
    package var forecast: PauseForecast {
        PauseForecast(
            rounds: rounds, roundsMax: plan.roundsMax, overheadSeconds: plan.overheadSeconds,
            pauseSecondsMax: plan.pauseSecondsMax)
    }

    /// Whether so few come by the old address that the operator should be told to end it.
    package var isEndProposed: Bool {
        guard state == .forwarding, let residual, residual.seconds >= 3600 else { return false }
        return Double(residual.sessions) / residual.seconds * 86400 <= plan.residualSessionsPerDayMax
    }

    /// Promise and measurement.
    package var report: MigrationReport {
        MigrationReport(
            promisedPauseSeconds: plan.pauseSecondsMax, pauseSeconds: pauseSeconds, rounds: rounds.count,
            bytes: rounds.reduce(0) { $0 &+ $1.bytes },
            lastCopyBytes: pauseBeganSeconds == nil ? nil : rounds.last?.bytes,
            seconds: endedSeconds.map { $0 - beganSeconds }, failure: failure)
    }

    private var failure: String? {
        switch state {
        case .releasing(let reason), .restoring(let reason), .recalling(let reason), .clearing(let reason),
            .reverted(let reason):
            reason
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing, .granted,
            .opening, .switching, .settingAside, .announcing, .forwarding, .ending, .closing, .done:
            nil
        }
    }
}
