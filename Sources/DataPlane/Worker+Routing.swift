import CLinux
import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// Looks a session's name up in the table of now, and goes where the route says. Called when the hello is
    /// whole, and again for parked sessions when there is a new table.
    mutating func route(_ slot: Int) {
        let match = findRoute(slot)
        sessions[slot].match = match.kind
        guard match.kind != .none else {
            let hasName = sessions[slot].label != .none
            refuse(
                slot, hasName ? .unknownName : .noName,
                answers[hasName ? .unrecognizedName : .missingExtension],
                .rejected)
            return
        }
        let route = RouteImage.route(match.routeIndex, in: table.image)
        sessions[slot].tried = TargetSet()
        sessions[slot].tableEpoch = tableEpoch
        switch route.action {
        case .targets:
            sessions[slot].routedMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
            connect(slot, route)
        case .held: park(slot, nanoseconds: settings.heldNanoseconds)
        case .asleep: park(slot, nanoseconds: settings.wakeNanoseconds)
        case .reject: refuse(slot, .rejected, answers[.unrecognizedName], .rejected)
        case .reset:
            count.add(.rejected)
            sessions[slot].resets = .client
            end(slot, .rejected)
        }
    }

    /// The route of a session's name, or the default one of a session without a name.
    private func findRoute(_ slot: Int) -> RouteMatch {
        let label = sessions[slot].label
        guard label != .none else { return RouteImage.defaultMatch(in: table.image) }
        return RouteImage.find(labels.bytes(label), in: table.image)
    }

    // MARK: Targets

    /// Connects to a target of the route that was not tried yet; refuses the session when there is none.
    private mutating func connect(_ slot: Int, _ route: Route) {
        while let place = chooseTarget(slot, route) {
            sessions[slot].tried.insert(place)
            let target = RouteImage.target(route.targetStart + UInt32(place), in: table.image)
            let address = SocketAddress(target.address, in: table.image)
            leaveParked(slot)
            sessions[slot].enter(.connecting)
            sessions[slot].target = Int32(truncatingIfNeeded: targets.begin(address) ?? -1)

            let owner = Token(
                slot: UInt32(truncatingIfNeeded: slot), generation: sessions[slot].generation, side: .origin)
            let descriptor = backend.connect(owner, to: address, sending: sessions[slot].directions[0].slice)
            if descriptor >= 0 {
                sessions[slot].origin = descriptor
                sessions[slot].inFlight += 1
                timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.connectNanoseconds)
                return
            }
            // No descriptor, or no memory: that is not the target's fault, and another one would fare no
            // better.
            count.add(.descriptorsExhausted)
            if sessions[slot].target >= 0 { targets.end(Int(sessions[slot].target)) }
            sessions[slot].target = -1
            break
        }
        refuse(slot, .unreachable, answers[.internalError], .unreachable)
    }

    /// A target by the route's policy, passing over those that rest as long as there are others.
    private mutating func chooseTarget(_ slot: Int, _ route: Route) -> Int? {
        let tried = sessions[slot].tried
        var resting = TargetSet()
        if targets.hasResting {
            for place in 0..<route.targetCount {
                let target = RouteImage.target(route.targetStart + UInt32(place), in: table.image)
                let address = SocketAddress(target.address, in: table.image)
                if targets.isResting(address, nowNanoseconds: backend.nowNanoseconds) {
                    resting.insert(place)
                }
            }
        }
        if let place = chooseTarget(slot, route, skipping: tried.union(resting)) { return place }
        return resting.isEmpty ? nil : chooseTarget(slot, route, skipping: tried)
    }

    private mutating func chooseTarget(_ slot: Int, _ route: Route, skipping: TargetSet) -> Int? {
        switch route.balance {
        case .weighted:
            return RouteImage.chooseWeighted(route, in: table.image, random: nextRandom(), skipping: skipping)
        case .least:
            let random = nextRandom()
            return RouteImage.chooseLeast(route, in: table.image, random: random, skipping: skipping) {
                place in
                let target = RouteImage.target(route.targetStart + UInt32(place), in: table.image)
                return targets.sessionCount(SocketAddress(target.address, in: table.image))
            }
        case .source:
            return RouteImage.chooseBySource(
                route, in: table.image, client: sessions[slot].source.address, skipping: skipping)
        }
    }

    /// A connection was made, and the first bytes were sent; or not.
    mutating func connected(_ slot: Int, _ completion: Completion) {
        guard completion.result >= 0 else {
            connectFailed(slot)
            return
        }
        noteConnected(slot, sentCount: UInt32(bitPattern: completion.result))
        sessions[slot].enter(.relaying)
        pump(slot, .client)
        pump(slot, .origin)
    }

    /// There is a connection, over which the first bytes were sent.
    @inline(always)
    mutating func noteConnected(_ slot: Int, sentCount: UInt32) {
        if sessions[slot].target >= 0 { targets.noteSuccess(Int(sessions[slot].target)) }
        sessions[slot].connectedMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
        noteProgress(slot)
        let spent = sessions[slot].directions[0].noteSent(sentCount)
        if spent != .none { backend.release(spent) }
    }

    /// The target refused, or did not answer in time: the hello goes to the next one, unseen by the client.
    @inline(never)
    private mutating func connectFailed(_ slot: Int) {
        dropOrigin(slot, isFailure: true)
        guard sessions[slot].tableEpoch == tableEpoch else {
            // There is a new table since: the places that were tried mean nothing in it.
            route(slot)
            return
        }
        connect(slot, RouteImage.route(findRoute(slot).routeIndex, in: table.image))
    }

    /// Closes the socket of an attempt that came to nothing; by the target's fault, or not.
    mutating func dropOrigin(_ slot: Int, isFailure: Bool) {
        if isFailure { count.add(.connectFailed) }
        backend.close(sessions[slot].origin, reset: false)
        sessions[slot].origin = -1
        guard sessions[slot].target >= 0 else { return }
        let target = Int(sessions[slot].target)
        if isFailure { targets.noteFailure(target, nowNanoseconds: backend.nowNanoseconds) }
        targets.end(target)
        sessions[slot].target = -1
    }

    /// xorshift64*: cheap, and good enough to spread sessions over targets.
    private mutating func nextRandom() -> UInt64 {
        random ^= random >> 12
        random ^= random << 25
        random ^= random >> 27
        return random &* 0x2545_f491_4f6c_dd1d
    }

    // MARK: Parking

    /// Keeps a session, with its hello, until there is a new table. Its deadline is that of its first wait.
    private mutating func park(_ slot: Int, nanoseconds: UInt64) {
        guard sessions[slot].phase != .parked else { return }
        let address = sessions[slot].source.address
        guard parkedCount < settings.parkedMax,
            parkedSources.acquire(address, limit: settings.parkedPerSourceMax)
        else {
            refuse(slot, .parkLimit, answers[.internalError], .rejected)
            return
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
    }

    /// Takes a session out of the list of those that wait, if it is there.
    mutating func leaveParked(_ slot: Int) {
        guard sessions[slot].phase == .parked else { return }
        let (next, previous) = (sessions[slot].parkedNext, sessions[slot].parkedPrevious)
        if previous >= 0 { sessions[Int(previous)].parkedNext = next } else { parkedHead = next }
        if next >= 0 { sessions[Int(next)].parkedPrevious = previous }
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
}
