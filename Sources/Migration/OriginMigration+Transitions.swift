/// Every change of an ``OriginMigration``; the site's token changes with it.
extension OriginMigration {
    /// What has become of the action of now, from whomever it was heard.
    private enum Input {
        case done, working, missing
        case manifest(String)
        case outdated(UInt64)
        case copied(CopyRound)
        case digest(String)
        case refused(String)
        case failed(String)
    }

    /// Takes what happened. What belongs to another action than that of now is of no effect.
    mutating func note(_ event: Event, _ token: inout WriterToken, atSeconds now: Double) {
        if isOverdue(atSeconds: now) {
            return turnBack("the pause would have been longer than promised", &token)
        }
        switch event {
        case .timePassed: break
        case .residual(let traffic): residual = traffic
        case .answered(let answer):
            guard action == .ask(answer.request) else { return }
            take(Self.input(answer.outcome), &token, atSeconds: now)
        case .performed(let performed, let result):
            guard action == performed else { return }
            take(Self.input(result), &token, atSeconds: now)
        }
    }

    private static func input(_ outcome: MigrationAnswer.Outcome) -> Input {
        switch outcome {
        case .done: .done
        case .working: .working
        case .missing: .missing
        case .manifest(let digest): .manifest(digest)
        case .outdated(let epoch): .outdated(epoch)
        case .refused(let reason): .refused(reason.asReason)
        }
    }

    private static func input(_ result: Result) -> Input {
        switch result {
        case .done: .done
        case .copied(let round): .copied(round)
        case .digest(let digest): .digest(digest)
        case .refused(let reason): .refused(reason.asReason)
        case .failed(let reason): .failed(reason.asReason)
        }
    }

    private mutating func take(_ input: Input, _ token: inout WriterToken, atSeconds now: Double) {
        switch input {
        case .failed(let reason): fail(reason, atSeconds: now)
        case .refused(let reason): refuse(reason, &token, atSeconds: now)
        case .working: work(atSeconds: now)
        case .done, .missing, .manifest, .outdated, .copied, .digest:
            advance(input, &token, atSeconds: now)
        }
    }

    // MARK: Forward

    private mutating func advance(_ input: Input, _ token: inout WriterToken, atSeconds now: Double) {
        switch (state, input) {
        case (.agreeing, .outdated(let known)): turnBack(outdatedBy: known, &token)
        case (.certifying, .missing): start(.sendingCertificate)
        case (.imaging, .missing): start(.sendingImage)
        case (.copying, .copied(let round)): chooseAfter(round, &token, atSeconds: now)
        case (.copyingLast, .copied(let round)):
            rounds.append(round)
            enter(.askingManifest)
        case (.askingManifest, .manifest(let theirs)): enter(.digesting(theirs: theirs))
        case (.digesting(nil), .digest(let own)): enter(.comparing(own: own))
        case (.digesting(let theirs?), .digest(let own)): compare(own, theirs, &token, atSeconds: now)
        case (.comparing(let own), .manifest(let theirs)): compare(own, theirs, &token, atSeconds: now)
        case (_, .done): advance(&token, atSeconds: now)
        case (_, .working), (_, .missing), (_, .manifest), (_, .outdated), (_, .copied), (_, .digest),
            (_, .refused), (_, .failed):
            mistrust(atSeconds: now)
        }
    }

    /// The action of now is done, and there is nothing else to say about it.
    private mutating func advance(_ token: inout WriterToken, atSeconds now: Double) {
        switch state {
        case .agreeing: enter(.certifying)
        case .certifying: enter(.imaging)
        case .sendingCertificate: enter(.certifying)
        case .imaging: openPass(.openingPass)
        case .sendingImage: enter(.imaging)
        case .openingPass: start(.copying)
        case .fencing: openPass(.openingLastPass)
        case .openingLastPass: start(.copyingLast)
        case .granted: enter(.opening)
        case .releasing(let reason):
            // The destination has stopped, and refuses the grant for ever: now, and only now, this hoster is
            // the writer again.
            token.goOn(after: epoch)
            enter(.restoring(reason: reason))
        case .opening: enter(.switching)
        case .switching:
            pauseSeconds = pauseBeganSeconds.map { now - $0 }
            enter(.settingAside)
        case .settingAside: enter(.announcing)
        case .announcing: enter(.forwarding)
        case .ending: enter(.closing)
        case .closing: end(.done, atSeconds: now)
        case .restoring(let reason):
            pauseSeconds = pauseBeganSeconds.map { now - $0 }
            enter(.recalling(reason: reason))
        case .recalling(let reason): enter(.clearing(reason: reason))
        case .clearing(let reason): end(.reverted(reason: reason), atSeconds: now)
        case .copying, .copyingLast, .askingManifest, .digesting, .comparing, .forwarding, .done, .reverted:
            mistrust(atSeconds: now)
        }
    }

    /// A destination may say anything.
    private mutating func mistrust(atSeconds now: Double) {
        fail("the answer does not belong to the question", atSeconds: now)
    }

    private mutating func enter(_ next: State) {
        state = next
        retry.reset()
    }

    private mutating func end(_ final: State, atSeconds now: Double) {
        endedSeconds = now
        enter(final)
    }

    /// A pass has a number of its own, by which the destination ends what still runs of an earlier one.
    private mutating func openPass(_ next: State) {
        pass += 1
        enter(next)
    }

    /// Something is sent now; what has failed is not forgotten before that is through.
    private mutating func start(_ next: State) {
        state = next
        retry.hurry()
    }

    private mutating func chooseAfter(_ round: CopyRound, _ token: inout WriterToken, atSeconds now: Double) {
        rounds.append(round)
        switch forecast.verdict {
        case .another: openPass(.openingPass)
        case .refuse(let reason): turnBack(reason, &token)
        case .fence:
            pauseBeganSeconds = now
            enter(.fencing)
        }
    }

    private mutating func compare(
        _ own: String, _ theirs: String, _ token: inout WriterToken, atSeconds now: Double
    ) {
        guard own == theirs else {
            return turnBack("the data at \(plan.peer) is not equal to the data here", &token)
        }
        token.give(epoch)
        enter(.granted(digest: own))
    }

    /// The other side is at it.
    private mutating func work(atSeconds now: Double) {
        switch state {
        case .askingManifest: enter(.digesting(theirs: nil))
        case .granted:
            if let pauseBeganSeconds, now >= pauseBeganSeconds + plan.pauseSecondsMax {
                enter(.releasing(reason: "the site did not answer at \(plan.peer) in time"))
            } else {
                retry.poll(isParked: isParked, atSeconds: now)
            }
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .digesting, .comparing, .releasing, .opening,
            .switching, .settingAside, .announcing, .forwarding, .ending, .closing, .done, .restoring,
            .recalling, .clearing, .reverted:
            retry.poll(isParked: isParked, atSeconds: now)
        }
    }

    // MARK: What goes wrong

    private var isParked: Bool {
        switch stage {
        case .fenced, .committed: true
        case .switched: state == .switching
        case .turnedBack: if case .restoring = state { true } else { false }
        case .preparing, .ended: false
        }
    }

    private mutating func fail(_ reason: String, atSeconds now: Double) {
        retry.fail(reason, isParked: isParked, atSeconds: now)
        switch state {
        // Perhaps it is there, or not wanted: the destination is asked again.
        case .sendingCertificate: state = .certifying
        case .sendingImage: state = .imaging
        // What is left of the pass must not meet the next one.
        case .copying: reopenPass(.openingPass)
        case .copyingLast: reopenPass(.openingLastPass)
        case .agreeing, .certifying, .imaging, .openingPass, .fencing, .openingLastPass, .askingManifest,
            .digesting, .comparing, .granted, .releasing, .opening,
            .switching, .settingAside, .announcing, .forwarding, .ending, .closing, .done, .restoring,
            .recalling, .clearing, .reverted:
            break
        }
    }

    /// As opening one, but what has failed is not forgotten: not before a pass is through.
    private mutating func reopenPass(_ next: State) {
        pass += 1
        state = next
    }

    private mutating func refuse(_ reason: String, _ token: inout WriterToken, atSeconds now: Double) {
        switch state {
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing:
            turnBack(reason, &token)
        // Who refuses to open has not, and will not.
        case .granted, .opening: enter(.releasing(reason: reason))
        case .announcing:
            handwork = reason
            enter(.forwarding)
        case .releasing, .switching, .settingAside, .forwarding, .ending, .closing, .done, .restoring,
            .recalling, .clearing, .reverted:
            // There is no other way than this one.
            fail(reason, atSeconds: now)
        }
    }

    /// Back to where it was. Allowed while this hoster is the writer, at any time, without asking anybody.
    private mutating func turnBack(_ reason: String, _ token: inout WriterToken) {
        precondition(token.isHeld, "only the writer turns back")
        // Nothing that was sent for this migration can fit the next one.
        token.goOn(after: epoch)
        enter(.restoring(reason: reason))
    }

    private mutating func turnBack(outdatedBy known: UInt64, _ token: inout WriterToken) {
        guard token.isWithinReach(known) else {
            return turnBack("\(plan.peer) claims to know an epoch that cannot be", &token)
        }
        // It happens to a site whose state was lost: the next attempt is later than what is known there.
        token.goOn(after: known)
        turnBack("\(plan.peer) knows of a later writer; try again, in a later epoch", &token)
    }

    // MARK: The operator

    /// Does what the operator wishes; or the reason why not, in one sentence.
    mutating func hear(_ wish: OperatorWish, _ token: inout WriterToken, atSeconds now: Double) -> String? {
        switch wish {
        case .revert: hearRevert(&token)
        case .finish: hearFinish(atSeconds: now)
        case .resume: hearResume()
        }
    }

    private mutating func hearRevert(_ token: inout WriterToken) -> String? {
        let reason = "the operator wished it"
        switch stage {
        case .preparing, .fenced:
            turnBack(reason, &token)
            return nil
        case .committed:
            guard state != .opening else { return "the switch has begun; only a migration back leads back" }
            if case .granted = state { enter(.releasing(reason: reason)) }
            return nil
        case .switched, .ended:
            return "\(plan.peer) serves the site since the switch; only a migration back leads back"
        case .turnedBack: return nil
        }
    }

    private mutating func hearFinish(atSeconds now: Double) -> String? {
        switch state {
        case .announcing, .forwarding: enter(.ending)
        // Whom nobody reaches asks when it is back, and is told that it is over.
        case .closing: end(.done, atSeconds: now)
        case .recalling(let reason): enter(.clearing(reason: reason))
        case .ending, .done, .clearing, .reverted: break
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing, .granted,
            .opening, .switching, .settingAside:
            return "the site is not at \(plan.peer) yet; there is nothing to finish"
        case .releasing:
            return "\(plan.peer) has not released the site yet, and might write to it"
        case .restoring: return "the site is being started here"
        }
        return nil
    }

    private mutating func hearResume() -> String? {
        guard !isOver else { return "the migration is over" }
        retry.reset()
        return nil
    }

    /// The site comes back by a migration from there: nothing is to be forwarded any more.
    mutating func supersede() {
        switch state {
        case .announcing, .forwarding: enter(.ending)
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing, .granted,
            .releasing, .opening, .switching, .settingAside, .ending, .closing, .done, .restoring,
            .recalling, .clearing, .reverted:
            break
        }
    }
}
