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
        // Those of the route of an earlier table.
        dropTerms(slot)
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
        // A certificate authority's question is answered while the site itself sleeps or moves, too.
        switch acmeTarget(slot, route) == nil ? route.action : .targets {
        case .targets:
            sessions[slot].routedMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
            guard takeTerms(slot, match, route) else {
                refuse(slot, .routeLimit, answers[.internalError], .routeLimited)
                return
            }
            count.observe(.routeMicroseconds, UInt64(sessions[slot].routedMicroseconds))
            connect(slot, route)
        case .held: _ = park(slot, nanoseconds: settings.heldNanoseconds)
        case .asleep: if park(slot, nanoseconds: settings.wakeNanoseconds) { askToWake(slot, route) }
        case .reject: refuse(slot, .rejected, answers[.unrecognizedName], .rejected)
        case .reset:
            count.add(.rejected)
            sessions[slot].resets = .client
            end(slot, .rejected)
        }
    }

    /// The route of a session's name, or the default one of a session without a name.
    func findRoute(_ slot: Int) -> RouteMatch {
        let label = sessions[slot].label
        guard label != .none else { return RouteImage.defaultMatch(in: table.image) }
        return RouteImage.find(labels.bytes(label), in: table.image)
    }

    // MARK: Targets

    /// Connects to a target of the route that was not tried yet; refuses the session when there is none.
    private mutating func connect(_ slot: Int, _ route: Route) {
        guard acmeTarget(slot, route) == nil else {
            connectACME(slot, route)
            return
        }
        putProxyHeader(slot, route)
        while let place = chooseTarget(slot, route) {
            sessions[slot].tried.insert(place)
            let target = RouteImage.target(route.targetStart + UInt32(place), in: table.image)
            if attempt(slot, SocketAddress(target.address, in: table.image)) { return }
            // Another one would fare no better.
            break
        }
        refuse(slot, .unreachable, answers[.internalError], .unreachable)
    }

    /// Connects to an address, with the bytes that there are. False: there is no descriptor, or no memory,
    /// which is not the target's fault.
    mutating func attempt(_ slot: Int, _ address: SocketAddress) -> Bool {
        leaveParked(slot)
        sessions[slot].enter(.connecting)
        sessions[slot].target = Int32(truncatingIfNeeded: targets.begin(address) ?? -1)

        let owner = Token(
            slot: UInt32(truncatingIfNeeded: slot), generation: sessions[slot].generation, side: .origin)
        let descriptor = backend.connect(owner, to: address, sending: sessions[slot].directions[0].slice)
        guard descriptor >= 0 else {
            count.add(.descriptorsExhausted)
            leaveTarget(slot)
            return false
        }
        sessions[slot].origin = descriptor
        sessions[slot].inFlight += 1
        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.connectNanoseconds)
        return true
    }

    /// The PROXY protocol header of the route, if it wants one or a table before did.
    private mutating func putProxyHeader(_ slot: Int, _ route: Route) {
        let version = RouteImage.proxyHeader(route.optionsIndex, in: table.image)
        guard version != .none || sessions[slot].directions[0].hasUnsentHeader else { return }
        putProxyHeader(slot, version)
    }

    // MARK: ACME

    /// Where a hello goes that a certificate authority sends to see who controls the name (RFC 8737).
    private func acmeTarget(_ slot: Int, _ route: Route) -> SocketAddress? {
        guard sessions[slot].applicationProtocols.contains(.acmeTLS1) else { return nil }
        guard let address = RouteImage.options(route.optionsIndex, in: table.image).acme else { return nil }
        return SocketAddress(address, in: table.image)
    }

    /// Connects to the route's responder, which gets no PROXY protocol header: hardly one could read it.
    @inline(never)
    private mutating func connectACME(_ slot: Int, _ route: Route) {
        putProxyHeader(slot, .none)
        if sessions[slot].tried.isEmpty, let address = acmeTarget(slot, route) {
            // There is one only.
            sessions[slot].tried.insert(0)
            if attempt(slot, address) { return }
        }
        refuse(slot, .unreachable, answers[.internalError], .unreachable)
    }

    /// A target by the route's policy: none that was tried or is marked, and none that rests as long as there
    /// are others.
    private mutating func chooseTarget(_ slot: Int, _ route: Route) -> Int? {
        var passed = sessions[slot].tried
        if table.marks.hasAny { passed = passed.union(table.marks.marked(route)) }
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
        if let place = chooseTarget(slot, route, skipping: passed.union(resting)) { return place }
        return resting.isEmpty ? nil : chooseTarget(slot, route, skipping: passed)
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

    /// There is a connection, over which the first bytes were sent: from now on the session is one of its
    /// name's.
    mutating func noteConnected(_ slot: Int, sentCount: UInt32) {
        labels.free(sessions[slot].destination)
        sessions[slot].destination = .none
        if sessions[slot].target >= 0 {
            targets.noteSuccess(Int(sessions[slot].target))
            countAttempt(at: Int(sessions[slot].target), succeeded: true)
        }
        noteFailingTargets()
        sessions[slot].connectedMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
        let connecting = sessions[slot].connectedMicroseconds &- sessions[slot].routedMicroseconds
        count.observe(.connectMicroseconds, UInt64(connecting))
        noteProgress(slot)
        countRelay(slot)
        countBytes(slot, 0, UInt64(sentCount))
        let spent = sessions[slot].directions[0].noteSent(sentCount)
        if spent != .none { backend.release(spent) }
    }

    /// The target refused, or did not answer in time: the hello goes to the next one, unseen by the client.
    @inline(never)
    private mutating func connectFailed(_ slot: Int) {
        dropOrigin(slot, isFailure: true)
        leaveTarget(slot)
        guard sessions[slot].match != .none else {
            cannotForward(slot)
            return
        }
        guard sessions[slot].tableEpoch == tableEpoch else {
            // There is a new table since: the places that were tried mean nothing in it.
            route(slot)
            return
        }
        connect(slot, RouteImage.route(findRoute(slot).routeIndex, in: table.image))
    }

    /// Closes the socket of an attempt that came to nothing; by the target's fault, or not.
    mutating func dropOrigin(_ slot: Int, isFailure: Bool) {
        backend.close(sessions[slot].origin, reset: false)
        sessions[slot].origin = -1
        guard isFailure else { return }
        count.add(.connectFailed)
        guard sessions[slot].target >= 0 else { return }
        let target = Int(sessions[slot].target)
        targets.noteFailure(target, nowNanoseconds: backend.nowNanoseconds)
        countAttempt(at: target, succeeded: false)
        noteFailingTargets()
    }

    /// The session is none of its target's any more.
    mutating func leaveTarget(_ slot: Int) {
        guard sessions[slot].target >= 0 else { return }
        targets.end(Int(sessions[slot].target))
        sessions[slot].target = -1
    }

    /// Tells whoever checks targets whether a success would be of use here.
    @inline(always)
    func noteFailingTargets() { count.set(.targetsFailing, UInt64(targets.failingCount)) }

    /// xorshift64*: cheap, and good enough to spread sessions over targets.
    private mutating func nextRandom() -> UInt64 {
        random ^= random >> 12
        random ^= random << 25
        random ^= random >> 27
        return random &* 0x2545_f491_4f6c_dd1d
    }
}
