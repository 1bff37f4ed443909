import Migration

/// What the yardmaster of a destination does, and what any yardmaster does besides.
extension World {
    func isTakingReady(_ index: Int) -> Bool {
        guard let incoming = hosters[index].ledger.incoming else { return hosters[index].taking != nil }
        let next = incoming.next(atSeconds: now)
        if let job = hosters[index].taking {
            if job.event != nil || job.action != next { return true }
            if case .inquire = job.action, job.progress > 0 { return now >= job.untilSeconds }
            return true
        }
        if case .wait = next { return false }
        return true
    }

    func take(_ index: Int) {
        guard let incoming = hosters[index].ledger.incoming else {
            hosters[index].taking = nil
            return
        }
        let next = incoming.next(atSeconds: now)
        guard let job = hosters[index].taking else {
            if case .wait = next { return }
            hosters[index].taking = Hoster.Job(action: next)
            return
        }
        if let event = job.event {
            hosters[index].taking = nil
            if strikesBeforePersisting(index) { return }
            hosters[index].ledger.note(event, atSeconds: now)
            return observe(index)
        }
        guard job.action == next else {
            log("\(hosters[index].name) cancels \(job.action)")
            hosters[index].taking = nil
            return
        }
        log("\(hosters[index].name) performs \(job.action) \(job.progress)")
        if case .inquire(let inquiry) = job.action { return inquire(inquiry, incoming.peer, index) }
        if failsNow(index) {
            if dice.hits(oneIn: 2) { _ = perform(job.action, job.progress, incoming, index) }
            hosters[index].taking?.event = .performed(job.action, .failed(reason: "not now"))
            return
        }
        guard let result = perform(job.action, job.progress, incoming, index) else {
            hosters[index].taking?.progress += 1
            return
        }
        hosters[index].taking?.event = .performed(job.action, result)
    }

    private func inquire(_ inquiry: MigrationInquiry, _ peer: String, _ index: Int) {
        guard hosters[index].taking?.progress == 0 else {
            hosters[index].taking?.event = .performed(.inquire(inquiry), .failed(reason: "no answer"))
            return
        }
        hosters[index].taking?.progress = 1
        hosters[index].taking?.untilSeconds = now + 1
        let peerIndex = hosters.firstIndex { $0.name == peer } ?? 2
        post(.inquiry(inquiry), from: index, to: peerIndex)
    }

    /// One part of an action; nil: there are others.
    private func perform(
        _ action: DestinationMigration.Action, _ progress: Int, _ incoming: DestinationMigration,
        _ index: Int
    ) -> DestinationMigration.Result? {
        switch action {
        case .checkCertificate:
            if !hosters[index].hasCertificate { return .missing }
            guard scenario.certificateHasExpired else { return .done }
            happened(.expiredCertificate)
            return .refused(reason: "the certificate has expired")
        case .fetchImage:
            if hosters[index].hasImage { return .done }
            if scenario.imageMustBeCarried {
                happened(.imageMissing)
                return .missing
            }
            hosters[index].hasImage = true
        case .preparePass, .digest:
            return performOnStaging(action, progress, incoming, index)
        case .start: return start(progress, incoming, index)
        case .openRoute: hosters[index].route = .own
        case .close: break
        case .stop: hosters[index].stopSite()
        case .remove: remove(incoming, index)
        case .inquire, .wait: judge.fail("\(action) is not performed")
        }
        return .done
    }

    private func performOnStaging(
        _ action: DestinationMigration.Action, _ progress: Int, _ incoming: DestinationMigration,
        _ index: Int
    ) -> DestinationMigration.Result? {
        if progress == 0 {
            hosters[index].writers = []
            return nil
        }
        guard case .digest(let challenge) = action else {
            if scenario.diskIsFull {
                happened(.diskFull)
                return .refused(reason: "the disk has no space left")
            }
            hosters[index].staging = hosters[index].staging ?? 0
            hosters[index].stagingMigration = incoming.migration
            return .done
        }
        if scenario.fileIsTampered {
            happened(.tamperedFile)
            hosters[index].staging? ^= 1
        }
        let staging = hosters[index].staging ?? 0
        if scenario.liesAboutDigests {
            happened(.liedAboutDigest)
            return .digest(digest(0, challenge + "0"))
        }
        return .digest(digest(staging, challenge))
    }

    private func start(
        _ progress: Int, _ incoming: DestinationMigration, _ index: Int
    ) -> DestinationMigration.Result? {
        switch progress {
        case 0:
            if let staging = hosters[index].staging, hosters[index].stagingMigration == incoming.migration {
                if hosters[index].data != nil { judge.fail("a folder of the site is there already") }
                hosters[index].data = staging
                hosters[index].dataMigration = incoming.migration
                hosters[index].staging = nil
            }
            if hosters[index].dataMigration != incoming.migration {
                judge.fail("there is nothing to start")
            }
        case 1: hosters[index].isRunning = true
        default:
            guard scenario.startIsRefused else { return .done }
            happened(.startRefused)
            return .refused(reason: "the product's own check fails here")
        }
        return nil
    }

    private func remove(_ incoming: DestinationMigration, _ index: Int) {
        hosters[index].writers = []
        hosters[index].staging = nil
        hosters[index].stagingMigration = nil
        hosters[index].hasCertificate = false
        hosters[index].hasImage = false
        if hosters[index].dataMigration == incoming.migration {
            hosters[index].data = nil
            hosters[index].dataMigration = nil
        }
        hosters[index].route = hosters[index].ledger.edgeRoute
    }

    // MARK: What any yardmaster does

    func isKeeperReady(_ index: Int) -> Bool {
        let hoster = hosters[index]
        if hoster.ledger.expiredCopy(atSeconds: now) != nil { return true }
        return hoster.route != hoster.ledger.edgeRoute || mayKeeperStart(hoster)
    }

    /// It leaves what is being started for a migration to that.
    private func mayKeeperStart(_ hoster: Hoster) -> Bool {
        hoster.ledger.mayRun && !hoster.isRunning && hoster.data != nil
            && hoster.ledger.incoming?.state != .starting
    }

    /// Keeps route and site as the ledger says, and removes old copies.
    func keep(_ index: Int) {
        if let copy = hosters[index].ledger.expiredCopy(atSeconds: now) {
            hosters[index].kept[copy.migration] = nil
            if strikesBeforePersisting(index) { return }
            hosters[index].ledger.noteRemoved(copy)
            return mark(.keptCopyRemoved)
        }
        // Most of it is left to the migrations' own actions.
        if hosters[index].route != hosters[index].ledger.edgeRoute {
            hosters[index].route = hosters[index].ledger.edgeRoute
            log("\(hosters[index].name) publishes \(hosters[index].route)")
        } else {
            hosters[index].isRunning = true
            log("\(hosters[index].name) starts the site again")
        }
    }
}
