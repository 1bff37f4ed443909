/// All that a hoster must not forget of the migrations of one site: one value, written to disk as a whole,
/// before anything that follows from it is done. A site that never moved has one, too.
package struct SiteLedger: Codable, Equatable, Sendable {
    /// An old copy, in the folder that has the migration's name.
    package struct KeptCopy: Codable, Equatable, Sendable {
        package let migration: MigrationIdentifier
        package let untilSeconds: Double
    }

    /// Where the edge is to lead the site's names.
    package enum EdgeRoute: String, CaseIterable, Codable, Sendable {
        /// To the site here, as it is wanted by its operator.
        case own
        /// Nowhere yet: visitors wait.
        case held
        /// To the edge of the hoster who took the site.
        case elsewhere
        /// There is no route.
        case none
    }

    /// Its domain.
    package let site: String
    /// Who may write it, as far as is known here.
    package private(set) var token: WriterToken
    /// The migration by which it leaves or has left; the last one stays to be looked at.
    package private(set) var outgoing: OriginMigration?
    /// The migration by which it comes, or has come, until it is over.
    package private(set) var incoming: DestinationMigration?
    /// Copies that are kept for a while after the site has left.
    package private(set) var kept: [KeptCopy] = []

    /// `isHere`: the site is one of this hoster's; otherwise somebody offers it.
    package init(site: String, isHere: Bool) {
        self.site = site
        token = WriterToken(isHeld: isHere)
    }

    // MARK: What follows from it

    /// Whether the site may be started here, by anybody. While it is false it is not started, though it may
    /// run until it is stopped.
    package var mayRun: Bool {
        guard token.isHeld, outgoing?.stage != .fenced else { return false }
        return incoming?.letsRun ?? true
    }

    /// Where the edge is to lead the names now.
    package var edgeRoute: EdgeRoute {
        switch outgoing?.stage {
        case .fenced, .committed: return .held
        case .switched: return .elsewhere
        case .preparing, .ended, .turnedBack, nil: break
        }
        return token.isHeld && incoming?.isOpen ?? true ? .own : .none
    }

    /// Whether nothing of the site is here, nor known of it that matters.
    package var isEmpty: Bool {
        !token.isHeld && token.epoch == 0 && outgoing == nil && incoming == nil && kept.isEmpty
    }

    /// Somebody adds the site here by hand. Nobody else has it as far as is known: no migration of it is left
    /// to look at, only the epoch of one that was turned back.
    package mutating func claim() {
        guard !token.isHeld, outgoing == nil, incoming == nil else { return }
        token.goOn(after: token.epoch)
    }

    // MARK: Giving

    /// Begins to give the site away; or the reason why not, in one sentence.
    package mutating func begin(_ plan: MigrationPlan, atSeconds now: Double) -> String? {
        if let flaw = plan.flaw { return flaw }
        guard plan.site == site else { return "the plan is for \(plan.site)" }
        guard token.isHeld else { return "this hoster does not serve \(site)" }
        if let outgoing, !outgoing.isOver { return "\(site) is being migrated to \(outgoing.plan.peer)" }
        if let incoming, incoming.state != .serving, incoming.state != .closing {
            return "\(site) is being migrated here from \(incoming.peer)"
        }
        guard token.following < WriterToken.epochMax else { return "the epochs of \(site) are used up" }
        outgoing = OriginMigration(plan, epoch: token.following, atSeconds: now)
        return nil
    }

    /// Takes what happened to the migration by which the site leaves. It is to be told `timePassed` whenever
    /// a time has come for which it waited, and after a restart.
    package mutating func note(_ event: OriginMigration.Event, atSeconds now: Double) {
        guard var migration = outgoing else { return }
        migration.note(event, &token, atSeconds: now)
        keep(migration, atSeconds: now)
    }

    /// Does what the operator wishes of the migration by which the site leaves; or the reason why not.
    package mutating func hearOutgoing(_ wish: OperatorWish, atSeconds now: Double) -> String? {
        guard var migration = outgoing else { return "\(site) is not being migrated" }
        let reason = migration.hear(wish, &token, atSeconds: now)
        keep(migration, atSeconds: now)
        return reason
    }

    private mutating func keep(_ migration: OriginMigration, atSeconds now: Double) {
        if migration.state == .done, outgoing?.state != .done {
            kept.append(
                KeptCopy(
                    migration: migration.plan.migration, untilSeconds: now + migration.plan.keepSeconds))
        }
        outgoing = migration
        // The hoster from whom it came once has nothing to forward any more.
        if migration.stage == .switched, migration.state != .switching { incoming?.close() }
    }

    /// The old copy that may be removed now.
    package func expiredCopy(atSeconds now: Double) -> KeptCopy? { kept.first { now >= $0.untilSeconds } }

    /// An old copy is not there any more.
    package mutating func noteRemoved(_ copy: KeptCopy) { kept.removeAll { $0 == copy } }

    /// Answers a hoster who takes, or has taken, the site.
    package func standing(of inquiry: MigrationInquiry, from peer: String) -> MigrationStanding {
        guard let outgoing, outgoing.plan.migration == inquiry.migration, outgoing.plan.peer == peer,
            outgoing.epoch == inquiry.epoch
        else { return .over }
        return outgoing.isOver || outgoing.stage == .turnedBack ? .over : .underWay
    }

    // MARK: Taking

    /// Answers a hoster who gives the site. The ledger is to be on disk before the answer is sent. An answer
    /// of `working` may be held back for a while, and the request answered again when the work is done.
    package mutating func answer(
        _ request: MigrationRequest, from peer: String, terms: HosterTerms, atSeconds now: Double
    ) -> MigrationAnswer {
        let outcome: MigrationAnswer.Outcome
        if request.site != site {
            outcome = .refused(reason: "the request is for another site")
        } else if var migration = incoming, migration.migration == request.migration {
            if migration.peer == peer, migration.epoch == request.epoch {
                outcome = migration.answer(request.demand, &token, atSeconds: now)
                incoming = migration
                if migration.isOpen { outgoing?.supersede() }
            } else {
                outcome = .refused(reason: "the request does not belong to the migration that it names")
            }
        } else {
            outcome = answerUnknown(request, from: peer, terms: terms, atSeconds: now)
        }
        return MigrationAnswer(request: request, outcome: outcome)
    }

    private mutating func answerUnknown(
        _ request: MigrationRequest, from peer: String, terms: HosterTerms, atSeconds now: Double
    ) -> MigrationAnswer.Outcome {
        switch request.demand {
        case .offer(let offer):
            return consider(offer, request, from: peer, terms: terms, atSeconds: now)
        case .release:
            // Whatever there was of it has been given up, with its epoch; or there never was anything, and so
            // nothing that a grant could fit.
            return token.isHeld ? .refused(reason: "this hoster serves the site itself") : .done
        case .finish: return .done
        case .certificate, .image, .copy, .compare, .grant, .open:
            return .refused(reason: "there is no such migration here")
        }
    }

    private mutating func consider(
        _ offer: MigrationOffer, _ request: MigrationRequest, from peer: String, terms: HosterTerms,
        atSeconds now: Double
    ) -> MigrationAnswer.Outcome {
        if let flaw = offer.flaw(site: site) { return .refused(reason: flaw) }
        if token.isHeld { return .refused(reason: "this hoster serves the site itself") }
        if let outcome = obstacle(request, from: peer) { return outcome }
        guard request.epoch > token.epoch else { return .outdated(epoch: token.epoch) }
        guard token.isWithinReach(request.epoch) else { return .refused(reason: "the epoch cannot be") }
        if let reason = terms.refusal(of: offer, atSeconds: now) { return .refused(reason: reason) }
        incoming = DestinationMigration(request, offer, peer: peer, atSeconds: now)
        return .done
    }

    /// What another migration of the site has against an offer; nil: nothing.
    private mutating func obstacle(
        _ request: MigrationRequest, from peer: String
    ) -> MigrationAnswer.Outcome? {
        switch outgoing?.state {
        case .opening, .switching, .settingAside, .ending:
            // It has come to whom it was given, who is faster than the answers on their way.
            if outgoing?.plan.peer == peer { return .working }
            return .refused(reason: "the site is being migrated from here")
        case .announcing, .forwarding, .closing:
            // Who has it now may give it back; of anybody else it is not known whether it has the site.
            if outgoing?.plan.peer != peer {
                return .refused(reason: "the site was migrated from here to another hoster")
            }
        case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass, .copying,
            .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting, .comparing, .granted,
            .releasing, .restoring, .recalling, .clearing:
            return .refused(reason: "the site is being migrated from here")
        case .done, .reverted, nil: break
        }
        guard let earlier = incoming else { return nil }
        if earlier.state == .serving || earlier.state == .closing || earlier.state == .removing {
            // What is left of a migration that has ended goes first.
            incoming?.close()
            return .working
        }
        // An origin begins another migration only when the one before is over.
        let isSuperseded = !token.isHeld && earlier.peer == peer && earlier.epoch < request.epoch
        guard isSuperseded, WriterToken(epoch: token.epoch, isHeld: false).isWithinReach(request.epoch) else {
            return .refused(reason: "another migration of the site to here is under way")
        }
        incoming?.giveUp(&token)
        return .working
    }

    /// Takes what happened to the migration by which the site comes.
    package mutating func note(_ event: DestinationMigration.Event, atSeconds now: Double) {
        guard var migration = incoming else { return }
        let isOver = migration.note(event, &token, atSeconds: now)
        incoming = isOver ? nil : migration
    }

    /// Does what the operator wishes of the migration by which the site comes; or the reason why not.
    package mutating func hearIncoming(_ wish: OperatorWish, atSeconds now: Double) -> String? {
        guard var migration = incoming else { return "\(site) is not being migrated here" }
        let reason = migration.hear(wish, &token, atSeconds: now)
        incoming = migration
        return reason
    }
}
