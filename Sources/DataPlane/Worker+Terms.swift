import Linux
import Routes

extension Worker where Backend: ~Copyable {
    /// Puts a session under its route's `max=`, `idle=` and `drain=`; false when the route has as many
    /// sessions as it may.
    mutating func takeTerms(_ slot: Int, _ match: RouteMatch, _ route: Route) -> Bool {
        guard table.hasTerms else { return true }
        let options = RouteImage.options(route.optionsIndex, in: table.image)
        var taken = RouteTerms()
        var kinds = SessionTerms()
        if let sessionsMax = options.sessionsMax {
            taken.identity = table.identity(match.routeIndex)
            guard limitedRoutes.acquire(identity: taken.identity, limit: Int(sessionsMax)) else {
                return false
            }
            kinds.insert(.counted)
        }
        if let milliseconds = options.idleMilliseconds {
            taken.idleNanoseconds = UInt64(milliseconds) * 1_000_000
            kinds.insert(.idle)
        }
        if let milliseconds = options.drainMilliseconds {
            taken.drainNanoseconds = UInt64(milliseconds) * 1_000_000
            taken.fingerprint = route.fingerprint
            kinds.insert(.drains)
            drainableCount += 1
        }
        guard !kinds.isEmpty else { return true }
        terms[slot] = taken
        sessions[slot].terms = kinds
        return true
    }

    /// Puts a session that another process had under these terms under them here.
    mutating func adoptTerms(_ slot: Int, _ kinds: SessionTerms, _ taken: RouteTerms) {
        guard !kinds.isEmpty else { return }
        sessions[slot].terms = kinds
        terms[slot] = taken
        if kinds.contains(.drains), !kinds.contains(.ending) { drainableCount += 1 }
        guard kinds.contains(.counted) else { return }
        let match = findRoute(slot)
        guard match.kind != .none, sessionsMax(of: match) != nil else {
            sessions[slot].terms.remove(.counted)
            return
        }
        // An identity means a route within one process.
        terms[slot].identity = table.identity(match.routeIndex)
        _ = limitedRoutes.acquire(identity: terms[slot].identity, limit: .max)
    }

    private func sessionsMax(of match: RouteMatch) -> UInt32? {
        let route = RouteImage.route(match.routeIndex, in: table.image)
        return RouteImage.options(route.optionsIndex, in: table.image).sessionsMax
    }

    /// Gives back what ``takeTerms(_:_:_:)`` took; does nothing to a session without terms.
    @inline(always)
    mutating func dropTerms(_ slot: Int) {
        if !sessions[slot].terms.isEmpty { giveTermsBack(slot) }
    }

    @inline(never)
    private mutating func giveTermsBack(_ slot: Int) {
        let kinds = sessions[slot].terms
        if kinds.contains(.counted) { limitedRoutes.release(identity: terms[slot].identity) }
        if kinds.contains(.drains), !kinds.contains(.ending) { drainableCount -= 1 }
        sessions[slot].terms = []
    }

    /// ``noteProgress(_:)`` of a session with terms.
    @inline(never)
    mutating func noteProgressUnderTerms(_ slot: Int) {
        let kinds = sessions[slot].terms
        let idle = kinds.contains(.idle) ? terms[slot].idleNanoseconds : settings.idleNanoseconds
        let limit = sessions[slot].isHalfClosed ? settings.halfCloseNanoseconds : idle
        let due = backend.nowNanoseconds + limit
        let end = kinds.contains(.ending) ? terms[slot].endNanoseconds : .max
        timers.set(slot, dueNanoseconds: min(due, end))
    }

    /// Whether a session's route has gone or changed, and its time is over.
    func isOverdue(_ slot: Int) -> Bool {
        sessions[slot].terms.contains(.ending) && backend.nowNanoseconds >= terms[slot].endNanoseconds
    }

    /// There is a new table: sessions whose route asks for that get an end when their name leads elsewhere,
    /// or to a route of other content. A later table that brings the old route back does not take the end
    /// away: its sessions are as old as before.
    ///
    /// Looks at every slot, but only when there is such a session.
    mutating func endChangedRoutes() {
        guard drainableCount > 0 else { return }
        for slot in 0..<sessions.touchedCount {
            let kinds = sessions[slot].terms
            guard kinds.contains(.drains), !kinds.contains(.ending) else { continue }
            let isConnecting = sessions[slot].phase == .connecting || sessions[slot].phase == .requesting
            let isRelaying = sessions[slot].phase == .relaying || sessions[slot].phase == .forwarding
            guard isConnecting || isRelaying else { continue }
            let match = findRoute(slot)
            guard
                match.kind == .none
                    || RouteImage.route(match.routeIndex, in: table.image).fingerprint
                        != terms[slot].fingerprint
            else { continue }
            terms[slot].endNanoseconds = backend.nowNanoseconds + terms[slot].drainNanoseconds
            sessions[slot].terms.insert(.ending)
            drainableCount -= 1
            // An attempt to connect has a deadline of its own; what comes of it starts with this one.
            guard isRelaying else { continue }
            timers.hasten(slot, dueNanoseconds: terms[slot].endNanoseconds)
        }
    }
}
