import Migration

/// What goes wrong.
extension World {
    /// What can go wrong between two things.
    func strike() {
        if let misfortune, misfortune.step == steps { strike(misfortune.kind) }
        if dice.hits(oneIn: scenario.crashes) { crash(dice.number(in: 0...1)) }
        if dice.hits(oneIn: scenario.reboots) { reboot(dice.number(in: 0...1)) }
        if dice.hits(oneIn: scenario.cuts) { cut(dice.pick([0.05, 0.5, 3, 60])) }
        if dice.hits(oneIn: scenario.siteDeaths) { killSite() }
        if dice.hits(oneIn: scenario.wishes) { wish() }
        // The window in which a destination can refuse to open is short: somebody waits for it.
        for index in hosters.indices where scenario.wishes > 0 {
            if hosters[index].ledger.incoming?.state == .ready, dice.hits(oneIn: 10) {
                wish(.revert, at: index)
            }
        }
        if dice.hits(oneIn: scenario.forgeries) { forge() }
        if dice.hits(oneIn: scenario.repeats), var message = sent.randomElement(&dice) {
            happened(.messageRepeated)
            message.dueSeconds = now
            messages.append(message)
        }
        haunt()
    }

    private func strike(_ kind: Misfortune.Kind) {
        switch kind {
        case .crashFirst: crash(0)
        case .crashSecond: crash(1)
        case .crashBoth:
            crash(0)
            crash(1)
        case .rebootFirst: reboot(0)
        case .rebootSecond: reboot(1)
        case .cutShort: cut(0.3)
        case .cutLong: cut(30)
        case .revertFirst: wish(.revert, at: 0)
        case .revertSecond: wish(.revert, at: 1)
        case .siteDies: killSite()
        case .leaveGhost: pending.formUnion([.leaveGhost, .killRsync])
        case .crashFirstAnswering, .crashSecondAnswering, .loseMessage, .repeatMessage, .killRsync,
            .failEffect:
            pending.insert(kind)
        }
    }

    func crash(_ index: Int) {
        guard hosters[index].isUp else { return }
        let isBusy = hosters[index].giving != nil || hosters[index].taking != nil
        happened(isBusy ? .crashDuring : .crashBetween)
        if case .transfer = hosters[index].giving?.action { breakTransfer(from: index) }
        // Whoever sends to it loses the connection; what it wrote to may not have noticed.
        for place in hosters[index].writers.indices { hosters[index].writers[place].isGhost = true }
        hosters[index].endYardmaster()
        hosters[index].upAgainSeconds = now + dice.pick([0, 0.01, 0.2, 2, 100])
    }

    private func reboot(_ index: Int) {
        guard hosters[index].isUp else { return }
        happened(.reboot)
        if case .transfer = hosters[index].giving?.action { breakTransfer(from: index) }
        hosters[index].endYardmaster()
        hosters[index].upAgainSeconds = now + dice.pick([0.5, 3, 100])
        hosters[index].stopSite()
        hosters[index].writers = []
        refusedVisitors += hosters[index].parked.count
        hosters[index].parked = []
    }

    private func cut(_ seconds: Double) {
        happened(.linkCut)
        cutUntilSeconds = now + seconds
    }

    private func killSite() {
        for index in hosters.indices where hosters[index].isRunning {
            happened(.siteDied)
            hosters[index].stopSite()
        }
    }

    /// An rsync whose other end is gone writes what it still has: old data over new.
    private func haunt() {
        for index in hosters.indices where !hosters[index].writers.isEmpty && dice.hits(oneIn: 12) {
            guard let ghost = hosters[index].writers.first(where: \.isGhost) else { continue }
            let mask = Writes(dice.next()) << 64 | Writes(dice.next())
            log("a ghost writes at \(hosters[index].name)")
            // The folder is the same one after it was renamed.
            if hosters[index].stagingMigration == ghost.migration { hosters[index].staging? &= mask }
            if hosters[index].dataMigration == ghost.migration { hosters[index].data? &= mask }
            if dice.hits(oneIn: 12) { hosters[index].writers.removeAll(where: \.isGhost) }
        }
    }

    // MARK: Chances of the moment

    /// Whether the yardmaster ends after it has done something, before it has noted it.
    func strikesBeforePersisting(_ index: Int) -> Bool {
        guard scenario.crashes > 0, dice.hits(oneIn: scenario.crashes / 4) else { return false }
        happened(.crashBeforePersisting)
        crash(index)
        return true
    }

    func strikesRsync() -> Bool {
        guard pending.remove(.killRsync) != nil || dice.hits(oneIn: scenario.rsyncDeaths) else {
            return false
        }
        happened(.rsyncDied)
        return true
    }

    func failsNow(_ index: Int) -> Bool {
        guard pending.remove(.failEffect) != nil || dice.hits(oneIn: scenario.failures) else { return false }
        happened(.effectFailed)
        return true
    }

    // MARK: People

    private func wish() {
        wish(dice.pick(OperatorWish.allCases), at: dice.number(in: 0...1))
    }

    private func wish(_ wish: OperatorWish, at index: Int) {
        guard hosters[index].isUp else { return }
        if hosters[index].ledger.outgoing != nil {
            happened(
                wish == .revert ? .revertAtOrigin : wish == .finish ? .finishAtOrigin : .resumeAtOrigin)
            _ = hosters[index].ledger.hearOutgoing(wish, atSeconds: now)
        }
        if hosters[index].ledger.incoming != nil {
            happened(
                wish == .revert
                    ? .revertAtDestination
                    : wish == .finish ? .finishAtDestination : .resumeAtDestination)
            _ = hosters[index].ledger.hearIncoming(wish, atSeconds: now)
        }
        observe(index)
    }

    /// Somebody who is a peer, too, but not of this migration.
    private func forge() {
        let index = dice.number(in: 0...1)
        guard let incoming = hosters[index].ledger.incoming, !dice.hits(oneIn: 3) else {
            happened(.forgedOffer)
            return forgeOffer(to: index)
        }
        happened(.forgedRequest)
        let demands: [MigrationRequest.Demand] = [
            .certificate, .image, .copy(pass: .max), .compare(challenge: hexadecimal(0) + hexadecimal(0)),
            .grant(digest: ""), .open, .release, .finish, .offer(incoming.offer),
        ]
        let request = MigrationRequest(
            migration: incoming.migration, site: Self.site,
            epoch: dice.pick([incoming.epoch, 0, UInt64.max]), demand: dice.pick(demands))
        post(.request(request), from: 2, to: index)
    }

    private func forgeOffer(to index: Int) {
        let offer = MigrationOffer(
            names: dice.pick([[Self.site], ["../etc"], []]), product: "static", bytes: 1, files: 1,
            memoryBytes: 1, certificateFingerprint: hexadecimal(0) + hexadecimal(0),
            certificateEndsSeconds: now + 1e6, image: nil)
        guard let migration = MigrationIdentifier(hexadecimal(dice.next()) + hexadecimal(dice.next())) else {
            return
        }
        let known = hosters[index].ledger.token.epoch
        let epoch = dice.pick([0, known, known + 1, known + 1000, known + (1 << 33), UInt64.max])
        let request = MigrationRequest(
            migration: migration, site: Self.site, epoch: epoch, demand: .offer(offer))
        post(.request(request), from: 2, to: index)
    }
}
