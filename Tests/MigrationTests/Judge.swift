import Migration

/// Looks at a world after each step, and says what is wrong with it. It knows the rules, not the machines.
struct Judge {
    /// The first thing that was wrong.
    private(set) var failure: String?
    private var epochs: [UInt64] = [0, 0]

    mutating func fail(_ sentence: String) { if failure == nil { failure = sentence } }

    private mutating func require(_ isTrue: Bool, _ sentence: @autoclosure () -> String) {
        if !isTrue { fail(sentence()) }
    }

    /// What holds always.
    mutating func sweep(_ world: World) {
        let hosters = world.hosters
        let running = hosters.count { $0.isRunning }
        let holders = hosters.count { $0.ledger.token.isHeld }
        require(running <= 1, "\(running) writers run")
        require(holders <= 1, "\(holders) hosters hold the site")
        for index in hosters.indices {
            let (hoster, name) = (hosters[index], hosters[index].name)
            let token = hoster.ledger.token
            require(token.epoch >= epochs[index], "the epoch of \(name) has shrunk")
            epochs[index] = token.epoch
            if hoster.isRunning {
                require(token.isHeld, "the site runs at \(name) without a grant")
                require(hoster.data != nil, "the site runs at \(name) without data")
                requireAll(world, hoster.data, "the running writer \(name)")
            } else if token.isHeld {
                requireAll(world, hoster.data ?? hoster.staging, "\(name), who holds the site,")
            }
            // A little time to come up, and to find it.
            if hoster.isUp, let deadline = hoster.ledger.outgoing?.deadlineSeconds {
                let isInTime = world.now < max(deadline, hoster.upAgainSeconds) + 3
                require(isInTime, "\(name) does not turn back though the pause is over")
            }
        }
        if holders == 0 { sweepLimbo(world) }
    }

    /// It is granted and not taken, or given back and not taken up: both may be next.
    private mutating func sweepLimbo(_ world: World) {
        guard let origin = world.hosters.first(where: { isGranting($0.ledger.outgoing) }) else {
            return fail("nobody holds the site, and nobody has granted it")
        }
        requireAll(world, origin.data, "\(origin.name), who has granted,")
        guard let other = world.hosters.first(where: { $0.name != origin.name }),
            let incoming = other.ledger.incoming,
            incoming.migration == origin.ledger.outgoing?.plan.migration,
            case .compared = incoming.state
        else { return }
        requireAll(world, other.staging, "\(other.name), who may take the grant,")
    }

    private func isGranting(_ migration: OriginMigration?) -> Bool {
        switch migration?.state {
        case .granted, .releasing, .opening: true
        default: false
        }
    }

    private mutating func requireAll(_ world: World, _ data: Writes?, _ who: String) {
        let missing = world.acknowledged & ~(data ?? 0)
        require(missing == 0, "\(missing.nonzeroBitCount) acknowledged writes are missing at \(who)")
    }

    /// What holds when nothing goes wrong any more and everything has come to an end.
    mutating func sweepAtTheEnd(_ world: World) {
        let holders = world.hosters.filter { $0.ledger.token.isHeld }
        guard holders.count == 1, let holder = holders.first else { return fail("nobody has the site") }
        require(holder.isRunning && holder.route == .own, "the site is not served: \(world.summary)")
        require(holder.staging == nil && holder.writers.isEmpty && !holder.hasCarried, "something is left")
        for hoster in world.hosters {
            require(hoster.parked.isEmpty, "visitors wait still")
            let keptNames = Set(hoster.ledger.kept.map(\.migration))
            require(keptNames == Set(hoster.kept.keys), "copies are kept of which the ledger does not know")
            guard hoster.name != holder.name else { continue }
            require(hoster.isClean, "something is left at \(hoster.name)")
            require(hoster.route == .none, "a route is left at \(hoster.name)")
            require(!hoster.ledger.mayRun, "\(hoster.name) might start the site")
        }
    }

    /// What holds besides in a world in which nothing has gone wrong.
    mutating func sweepCalm(_ world: World) {
        require(world.done == world.scenario.migrations, "a migration has not come to its end")
        require(world.refusedVisitors == 0, "\(world.refusedVisitors) visitors were refused")
        for hoster in world.hosters {
            guard let report = hoster.ledger.outgoing?.report, let pause = report.pauseSeconds else {
                continue
            }
            require(pause <= report.promisedPauseSeconds, "the pause was longer than promised")
            require(report.failure == nil && report.seconds != nil && report.lostWrites == 0, "\(report)")
        }
    }
}
