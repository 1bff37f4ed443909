import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// Keeps a session, with its hello, until there is a new table. Its deadline is that of its first wait.
    /// False: there are too many, or the process ends and there will be no new table, and it was refused.
    mutating func park(_ slot: Int, nanoseconds: UInt64) -> Bool {
        guard sessions[slot].phase != .parked else { return true }
        if case .draining = state {
            refuseParking(slot)
            return false
        }
        let address = sessions[slot].source.address
        guard parkedCount < settings.parkedMax,
            parkedSources.acquire(address, limit: settings.parkedPerSourceMax)
        else {
            refuse(slot, .parkLimit, answers[.internalError], .rejected)
            return false
        }
        sessions[slot].enter(.parked)
        sessions[slot].parkedNext = parkedHead
        sessions[slot].parkedPrevious = -1
        if parkedHead >= 0 { sessions[Int(parkedHead)].parkedPrevious = Int32(truncatingIfNeeded: slot) }
        parkedHead = Int32(truncatingIfNeeded: slot)
        parkedCount += 1
        count.add(.parked)
        count.add(.parkedNow)
        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + nanoseconds)
        // Nothing is read meanwhile: what the client sends stays in the socket, whose room bounds it. That it
        // has gone is told nevertheless, and its place is free for another one.
        backend.watchEnd(sessions[slot].client)
        return true
    }

    /// What a session gets that has waited in vain.
    mutating func refuseParking(_ slot: Int) {
        refuse(slot, .parkTimeout, answers[.internalError], .rejected)
    }

    /// The process ends: nobody need wait for a table that will not come.
    mutating func refuseParked() {
        while parkedHead >= 0 { refuseParking(Int(parkedHead)) }
    }

    /// Takes a session out of the list of those that wait, if it is there.
    mutating func leaveParked(_ slot: Int) {
        guard sessions[slot].phase == .parked else { return }
        let (next, previous) = (sessions[slot].parkedNext, sessions[slot].parkedPrevious)
        if previous >= 0 { sessions[Int(previous)].parkedNext = next } else { parkedHead = next }
        if next >= 0 { sessions[Int(next)].parkedPrevious = previous }
        if wakeCursor == Int32(truncatingIfNeeded: slot) { wakeCursor = next }
        parkedCount -= 1
        parkedSources.release(sessions[slot].source.address)
        count.subtract(.parkedNow)
    }

    /// Looks all parked sessions up in the new table.
    mutating func routeParked() {
        var slot = parkedHead
        while slot >= 0 {
            let next = sessions[Int(slot)].parkedNext
            route(Int(slot))
            slot = next
        }
    }

    // MARK: Waking

    /// Sessions that one tick looks at: with more of them, a round takes several ticks.
    private static var sessionsPerTickMax: Int { 4096 }

    /// Asks for the routes of parked sessions again; called with each tick. A yardmaster that was not there
    /// when the first of them came, or lost the message, hears of it within about a second.
    @inline(never)
    mutating func askAgain() {
        guard parkedCount > 0 else { return }
        if wakeCursor < 0 { wakeCursor = parkedHead }
        var looked = 0
        while wakeCursor >= 0, looked < Self.sessionsPerTickMax {
            let slot = Int(wakeCursor)
            wakeCursor = sessions[slot].parkedNext
            looked += 1
            let match = findRoute(slot)
            guard match.kind != .none else { continue }
            let route = RouteImage.route(match.routeIndex, in: table.image)
            if route.action == .asleep { askToWake(slot, route) }
        }
    }

    /// Asks for the route's wake socket to be told, unless that was done a moment ago.
    @inline(never)
    mutating func askToWake(_ slot: Int, _ route: Route) {
        let identity = RouteImage.identity(of: route, in: table.image)
        let nowNanoseconds = backend.nowNanoseconds
        // An identity means a route within one table: in the next, another one may stand in its line.
        let remembered = identity ^ UInt64(tableEpoch) &* 0x9e37_79b9_7f4a_7c15
        guard !wakeMemory.isRecent(remembered, nowNanoseconds: nowNanoseconds) else { return }
        let options = RouteImage.options(route.optionsIndex, in: table.image)
        guard case .unix(let pathOffset, let pathLength) = options.wake else { return }
        line.clear()
        // The name goes behind the path, but its length in front of it: it is laid out twice.
        appendWakeName(slot)
        let nameByteCount = line.bytes.byteCount
        line.clear()
        line.append(wakeOf: identity, socketByteCount: Int(pathLength), nameByteCount: nameByteCount)
        line.append(table.image.extracting(Int(pathOffset)..<(Int(pathOffset) + Int(pathLength))))
        appendWakeName(slot)
        guard links.wakes.append(line.bytes) else { return }
        count.add(.wakesAsked)
        wakeMemory.note(remembered, nowNanoseconds: nowNanoseconds)
        hasAskedThisTurn = true
    }

    /// The pattern that the session's name was matched by, as the routes file has it.
    private mutating func appendWakeName(_ slot: Int) {
        let session = sessions[slot]
        switch session.match {
        case .exact: labels.append(session.label, to: &line)
        case .wildcard:
            line.append("*")
            labels.append(session.label, fromFirstDot: true, to: &line)
        case .defaultRoute, .none: line.append("*")
        }
    }
}
