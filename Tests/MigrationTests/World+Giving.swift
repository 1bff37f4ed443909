import Migration

/// What the yardmaster of an origin does, as whoever carries a migration out must do it.
extension World {
    func isGivingReady(_ index: Int) -> Bool {
        guard let outgoing = hosters[index].ledger.outgoing else { return false }
        let next = outgoing.next(atSeconds: now)
        if let job = hosters[index].giving {
            if job.event != nil || job.action != next { return true }
            if case .ask = job.action, job.progress > 0 { return now >= job.untilSeconds }
            return true
        }
        if case .wait(let until) = next { return until.map { now >= $0 } ?? false }
        return true
    }

    func give(_ index: Int) {
        guard let job = hosters[index].giving else {
            tell(index, .timePassed)
            let next = hosters[index].ledger.outgoing?.next(atSeconds: now) ?? .wait(untilSeconds: nil)
            if case .wait = next { return }
            hosters[index].giving = Hoster.Job(action: next)
            return
        }
        if let event = job.event {
            hosters[index].giving = nil
            if strikesBeforePersisting(index) { return }
            return tell(index, event)
        }
        guard job.action == hosters[index].ledger.outgoing?.next(atSeconds: now) else {
            log("\(hosters[index].name) cancels \(job.action)")
            if case .transfer = job.action { breakTransfer(from: index) }
            hosters[index].giving = nil
            return
        }
        log("\(hosters[index].name) performs \(job.action) \(job.progress)")
        if case .transfer(let transfer) = job.action { return send(transfer, from: index) }
        if case .ask(let request) = job.action { return ask(request, index) }
        if failsNow(index) {
            if dice.hits(oneIn: 2) { _ = perform(job.action, job.progress, index) }
            hosters[index].giving?.event = .performed(job.action, .failed(reason: "not now"))
            return
        }
        guard let result = perform(job.action, job.progress, index) else {
            hosters[index].giving?.progress += 1
            return
        }
        hosters[index].giving?.event = .performed(job.action, result)
    }

    private func ask(_ request: MigrationRequest, _ index: Int) {
        guard hosters[index].giving?.progress == 0 else {
            hosters[index].giving?.event = .performed(.ask(request), .failed(reason: "there was no answer"))
            return
        }
        hosters[index].giving?.progress = 1
        hosters[index].giving?.untilSeconds = now + 1
        post(.request(request), from: index, to: 1 - index)
    }

    /// One part of an action; nil: there are others.
    private func perform(
        _ action: OriginMigration.Action, _ progress: Int, _ index: Int
    ) -> OriginMigration.Result? {
        switch action {
        case .fence:
            switch progress {
            case 0: hosters[index].route = .held
            case 1: hosters[index].sessions = 0
            default:
                hosters[index].stopSite()
                return .done
            }
            return nil
        case .digest(let challenge): return .digest(digest(hosters[index].data ?? 0, challenge))
        case .switchOver: hosters[index].route = .elsewhere
        case .setAside: setAside(index)
        case .announce:
            if scenario.failures > 0, dice.hits(oneIn: 4) {
                happened(.announceRefused)
                return .refused(reason: "DNS is not ours")
            }
            address = 1 - index
        case .endForwarding: hosters[index].route = hosters[index].ledger.edgeRoute
        case .restore:
            if progress == 0 {
                hosters[index].isRunning = true
                return nil
            }
            hosters[index].route = .own
        case .clear: hosters[index].hasCarried = false
        case .ask, .transfer, .wait: judge.fail("\(action) is not performed")
        }
        return .done
    }

    private func setAside(_ index: Int) {
        hosters[index].hasCarried = false
        hosters[index].hasCertificate = false
        hosters[index].hasImage = false
        guard let data = hosters[index].data,
            let migration = hosters[index].ledger.outgoing?.plan.migration
        else { return }
        hosters[index].kept[migration] = data
        hosters[index].data = nil
        hosters[index].dataMigration = nil
    }

    func digest(_ data: Writes, _ challenge: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in challenge.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let (high, low) = (UInt64(truncatingIfNeeded: data >> 64), UInt64(truncatingIfNeeded: data))
        return hexadecimal(hash ^ high) + hexadecimal(low)
    }

    // MARK: rsync

    private func send(_ transfer: MigrationTransfer, from index: Int) {
        let (other, progress) = (1 - index, hosters[index].giving?.progress ?? 0)
        guard let migration = hosters[index].ledger.outgoing?.plan.migration else { return }
        if case .copy = transfer {} else { hosters[index].hasCarried = true }
        if progress == 0 {
            guard now >= cutUntilSeconds, hosters[other].isUp,
                let incoming = hosters[other].ledger.incoming, incoming.migration == migration,
                incoming.permits(transfer)
            else { return endSend(transfer, index, .failed(reason: "it cannot be sent")) }
            hosters[other].writers = [Hoster.Writer(migration: migration, transfer: transfer)]
            hosters[index].giving?.progress = 1
            return
        }
        let isThere = hosters[other].writers.contains {
            $0.migration == migration && $0.transfer == transfer && !$0.isGhost
        }
        if !isThere || strikesRsync() || now < cutUntilSeconds {
            breakTransfer(from: index)
            return endSend(transfer, index, .failed(reason: "rsync: connection unexpectedly closed"))
        }
        switch transfer {
        case .certificate: hosters[other].hasCertificate = true
        case .image: hosters[other].hasImage = true
        case .copy: return copy(transfer, progress, from: index, to: other)
        }
        hosters[other].stagingMigration = migration
        endSend(transfer, index, .done)
        hosters[other].writers.removeAll { !$0.isGhost }
        guard hosters[other].isUp, !strikesBeforePersisting(other) else { return }
        hosters[other].ledger.note(.received(transfer), atSeconds: now)
        observe(other)
    }

    private func endSend(
        _ transfer: MigrationTransfer, _ index: Int, _ result: OriginMigration.Result
    ) {
        hosters[index].giving?.event = .performed(.transfer(transfer), result)
    }

    /// It looks at the data first, and sends what it has seen; what is written meanwhile is not in it.
    private func copy(
        _ transfer: MigrationTransfer, _ progress: Int, from index: Int, to other: Int
    ) {
        let before = hosters[other].staging ?? 0
        guard let place = hosters[other].writers.lastIndex(where: { !$0.isGhost }) else { return }
        switch progress {
        case 1:
            hosters[index].giving?.progress = 2
            hosters[other].writers[place].seen = hosters[index].data ?? 0
        case 2:
            if scenario.diskFillsUp { return fillDisk(transfer, from: index, to: other) }
            hosters[index].giving?.progress = 3
            let mask = Writes(dice.next()) << 64 | Writes(dice.next())
            hosters[other].staging = before | (hosters[other].writers[place].seen & mask)
        default:
            let seen = hosters[other].writers[place].seen
            let bytes = UInt64((seen & ~before).nonzeroBitCount) * 100_000
            hosters[other].staging = seen
            hosters[other].writers.remove(at: place)
            let round =
                scenario.isTooBusy
                ? CopyRound(bytes: 100_000_000, files: 100, seconds: 10)
                : CopyRound(bytes: bytes, files: bytes / 100_000, seconds: 0.05 + Double(bytes) / 1e8)
            endSend(transfer, index, .copied(round))
        }
    }

    /// The destination stops it, and does not take it again.
    private func fillDisk(_ transfer: MigrationTransfer, from index: Int, to other: Int) {
        happened(.diskFilledUp)
        hosters[other].writers.removeAll { !$0.isGhost }
        endSend(transfer, index, .failed(reason: "the other end has stopped"))
        guard hosters[other].isUp, !strikesBeforePersisting(other) else { return }
        hosters[other].ledger.note(
            .refused(transfer, reason: "the disk there would be full"), atSeconds: now)
        observe(other)
    }

    /// The end at the destination may not have noticed.
    func breakTransfer(from index: Int) {
        let other = 1 - index
        guard dice.hits(oneIn: 2) || pending.remove(.leaveGhost) != nil else {
            hosters[other].writers.removeAll { !$0.isGhost }
            return
        }
        for place in hosters[other].writers.indices {
            hosters[other].writers[place].isGhost = true
            happened(.rsyncGhost)
        }
    }
}
