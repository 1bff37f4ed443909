import DataPlane
import Routes

/// The access log's claims: does each ending fit what the client, its origin, the operator and the clock did?
extension Judge {
    private func require(
        _ isTrue: Bool, _ client: Client, _ line: AccessLine, _ sentence: @autoclosure () -> String
    ) {
        if !isTrue {
            fail("client \(client.number) with \(client.hello) ended as \(line.end): \(sentence())")
        }
    }

    func judgeLine(_ line: AccessLine) {
        countLine()
        guard let client = world.scenario.clients.first(where: { $0.endpoint.description == line.client }),
            let peer = client.peer
        else {
            fail("a line for \(line.client), which is no client")
            return
        }
        require(client.line == nil, client, line, "a second line")
        client.line = line
        if client.adoptedNanoseconds == nil { client.adoptedNanoseconds = world.nowNanoseconds }
        judgeReason(client, peer, line)
        judgeBytes(client, peer, line)
    }

    // MARK: Reasons

    private func judgeReason(_ client: Client, _ peer: Peer, _ line: AccessLine) {
        let actions = actions(for: client)
        let isParkable = actions.contains { $0 == .held || $0 == .asleep }
        let isRoutable = actions.contains { if case .targets = $0 { true } else { false } }
        let hasHello = client.name != nil && peer.hasSentPrefix
        func elapsed(_ setting: (WorkerSettings) -> UInt64, since nanoseconds: UInt64?) -> Bool {
            let shortest = world.settings.map(setting).min() ?? 0
            return world.nowNanoseconds - (nanoseconds ?? world.nowNanoseconds) >= shortest
        }
        let isTrue: Bool
        switch line.end {
        case "completed": isTrue = hasHello && isRoutable
        case "client-gone": isTrue = peer.hasFinished || peer.hasReset
        case "hello-timeout": isTrue = elapsed(\.helloNanoseconds, since: client.adoptedNanoseconds)
        case "plain-http": isTrue = client.hello == .plainHTTP
        case "sslv2": isTrue = client.hello == .sslv2
        case "not-tls": isTrue = client.hello == .garbage
        case "malformed-hello": isTrue = client.hello == .malformed
        case "hello-too-large":
            // Half a hello tells its whole length, too.
            let count = client.hello == .partial ? 1000 : peer.script.stream.prefix.count
            isTrue =
                client.hello != .plainHTTP && client.hello != .garbage
                && world.settings.contains { $0.helloBytesMax < count }
        case "no-name": isTrue = hasHello && client.name == .some(.none) && actions.contains(nil)
        case "unknown-name": isTrue = hasHello && client.name != .some(.none) && actions.contains(nil)
        case "rejected": isTrue = hasHello && actions.contains { $0 == .reject || $0 == .reset }
        case "park-timeout":
            isTrue =
                hasHello && isParkable
                && (world.isEnding
                    || elapsed(
                        { min($0.heldNanoseconds, $0.wakeNanoseconds) }, since: client.adoptedNanoseconds))
        case "park-limit":
            let limit = world.settings.map { min($0.parkedMax, $0.parkedPerSourceMax) }.min() ?? 0
            isTrue = hasHello && isParkable && limit < world.scenario.clients.count
        case "unreachable": isTrue = hasHello && isRoutable && isUnreachable(client, actions)
        case "route-limit":
            isTrue = hasHello && terms(for: client).contains { $0.sessionsMax != nil }
        case "client-reset": isTrue = hasHello && peer.hasBroken
        case "origin-reset": isTrue = hasHello && isRoutable && origin(of: peer)?.hasBroken ?? false
        // The kernel's word for an error of either side.
        case "timed-out":
            isTrue = hasHello && isRoutable && (peer.hasBroken || origin(of: peer)?.hasBroken ?? false)
        case "idle-timeout", "half-close-timeout":
            isTrue = hasHello && isRoutable && wasQuiet(client, peer)
        case "drained":
            isTrue =
                world.drainNanoseconds.map { $0 <= world.nowNanoseconds } ?? false
                || isRouteDrained(client)
        case "stopped": isTrue = world.isEnding
        default: isTrue = false
        }
        require(isTrue, client, line, "for no reason")
        markReason(line, peer)
    }

    /// What the tables since the client's hello have to say about it.
    private func actions(for client: Client) -> [TableModel.Action?] {
        guard let name = client.name else { return [] }
        return world.tables[client.firstTable...].map { $0.find(name) }
    }

    private func terms(for client: Client) -> [TableModel.Terms] {
        guard let name = client.name else { return [] }
        return world.tables[client.firstTable...].map { $0.findTerms(name) }
    }

    /// Whether a route of the client's asks for that, and was changed since.
    private func isRouteDrained(_ client: Client) -> Bool {
        guard let name = client.name, terms(for: client).contains(where: { $0.drainMilliseconds != nil })
        else { return false }
        let tables = world.tables[client.firstTable...]
        return zip(tables, tables.dropFirst()).contains { before, after in
            before.find(name) != after.find(name) || before.findTerms(name) != after.findTerms(name)
                || before.balance != after.balance
        }
    }

    /// Every origin of the one table in question was tried, or there were no descriptors to try with.
    private func isUnreachable(_ client: Client, _ actions: [TableModel.Action?]) -> Bool {
        guard !world.hasMarked else { return true }
        guard world.worker.backend.trace.hits[SimulatedFault.connectWithoutDescriptor.rawValue] == 0 else {
            return true
        }
        return actions.contains { action in
            guard case .targets(let targets) = action else { return false }
            let usable = targets.count { $0.weight > 0 }
            // An attempt that is given up for an upgrade is made again.
            let isExact = actions.count == 1 && world.handOverCount == 0
            return isExact ? client.connectCount == usable : client.connectCount >= usable
        }
    }

    private func origin(of peer: Peer) -> Peer? {
        world.worker.backend.peerView(peer.connection).partner.flatMap { world.peers[$0] }
    }

    /// Whether no byte had moved for as long as the shortest of the timeouts, when the session began to end.
    /// A byte that moved when it was ending already, or of which the worker was not told yet, does not count.
    private func wasQuiet(_ client: Client, _ peer: Peer) -> Bool {
        let view = world.worker.backend.peerView(peer.connection)
        let other = view.partner.map { world.worker.backend.peerView($0).movedNanoseconds } ?? 0
        let moved = max(view.movedNanoseconds, other)
        let idle = terms(for: client).compactMap(\.idleMilliseconds).map { UInt64($0) * 1_000_000 }
        let shortest =
            (idle + world.settings.map { min($0.idleNanoseconds, $0.halfCloseNanoseconds) }).min() ?? 0
        let closing = client.closingNanoseconds ?? world.nowNanoseconds
        return moved > closing || closing - moved + 2 * UInt64(Scenario.delayNanosecondsMax) >= shortest
    }

    private func markReason(_ line: AccessLine, _ peer: Peer) {
        switch line.end {
        case "hello-timeout": world.mark(.helloTimedOut)
        case "idle-timeout": world.mark(.idleTimedOut)
        case "half-close-timeout": world.mark(.halfCloseTimedOut)
        case "client-gone" where peer.hasSentPrefix: world.mark(.leftWhileParked)
        case "park-timeout": world.mark(.parkTimedOut)
        case "park-limit": world.mark(.parkLimited)
        case "route-limit": world.mark(.routeLimited)
        case "drained" where world.drainNanoseconds == nil: world.mark(.routeDrained)
        case "unreachable" where !world.markedOrigins.isEmpty: world.mark(.allMarked)
        case "completed":
            world.mark(.completed)
            if line.up > 100_000 || line.down > 100_000 { world.mark(.completedWithBulk) }
        default: break
        }
        guard line.end == "idle-timeout" || line.end == "half-close-timeout", let origin = origin(of: peer)
        else { return }
        let (client, other) = (
            world.worker.backend.peerView(peer.connection), world.worker.backend.peerView(origin.connection)
        )
        if client.unreadCount > 0 || other.unreadCount > 0 { world.mark(.stalledReader) }
    }

    // MARK: Bytes

    private func judgeBytes(_ client: Client, _ peer: Peer, _ line: AccessLine) {
        let view = world.worker.backend.peerView(peer.connection)
        guard let partner = view.partner else {
            require(line.up == 0 && line.down == 0, client, line, "bytes without an origin")
            return
        }
        let other = world.worker.backend.peerView(partner)
        require(
            line.up <= other.givenCount && line.down <= view.givenCount, client, line,
            "more bytes than there were")
        if line.end == "completed" { judgeCompleted(client, peer, line, view, other) }
        judgeReset(client, peer, line, view, other)
    }

    /// Both sides have ended in order: each has all that the other sent.
    private func judgeCompleted(
        _ client: Client, _ peer: Peer, _ line: AccessLine, _ view: SimulatedPeerView,
        _ other: SimulatedPeerView
    ) {
        guard let origin = origin(of: peer) else {
            require(false, client, line, "without an origin")
            return
        }
        require(peer.hasFinished && origin.hasFinished, client, line, "one side had not ended")
        require(
            view.takenCount == UInt64(peer.sentCount) && other.takenCount == UInt64(origin.sentCount), client,
            line,
            "not all bytes were taken")
        require(
            other.givenCount == view.takenCount && view.givenCount == other.takenCount, client, line,
            "not all bytes were passed on")
        require(
            line.up == other.givenCount && line.down == view.givenCount, client, line, "bytes are miscounted")
        require(!view.isMarkedReset && !other.isMarkedReset, client, line, "a side was reset")
    }

    /// A reset is passed on as a reset, unless that side is gone itself.
    private func judgeReset(
        _ client: Client, _ peer: Peer, _ line: AccessLine, _ view: SimulatedPeerView,
        _ other: SimulatedPeerView
    ) {
        let origin = origin(of: peer)
        if line.end == "client-reset", let origin, !origin.hasBroken, client.connectCount > 0 {
            require(other.isMarkedReset, client, line, "the origin was not reset")
            world.mark(.clientResetPassedOn)
        }
        if line.end == "origin-reset", !peer.hasBroken {
            require(view.isMarkedReset, client, line, "the client was not reset")
            world.mark(.originResetPassedOn)
        }
    }

    // MARK: The end

    /// Nothing is left, and everybody got what they should.
    func judgeTheEnd() {
        judgeAgreement()
        let backend = (
            descriptors: world.worker.backend.descriptorCount, pipes: world.worker.backend.pipeCount,
            buffers: world.worker.backend.bufferCount
        )
        if backend != (0, 0, 1) { fail("left over: \(backend)") }
        if !world.worker.sessions.isEmpty { fail("sessions are left") }
        if world.limitedRoutes.total != 0 { fail("sessions of limited routes are still counted") }
        let ended = world.links.counters[.ended]
        if ended != UInt64(lineCount) { fail("\(ended) sessions ended, \(lineCount) were logged") }
        for client in world.scenario.clients {
            let address = client.endpoint
            if !world.worker.isForgotten(.init(address)) { fail("sessions of \(address) are still counted") }
            judgeFate(client)
        }
    }

    private func judgeFate(_ client: Client) {
        guard let peer = client.peer, let line = client.line, client.adoptedNanoseconds != nil else { return }
        if world.scenario.isEasy {
            require(line.end == "completed", client, line, "in an easy world")
            require(peer.sawEnd && !peer.sawReset, client, line, "but did not see the end")
        }
        let script = peer.script
        let isPrompt =
            script.isGentle && script.reading == .eager && !script.isStubborn
            && script.stream.count < 200_000 && !world.scenario.isFrozen && !peer.hasBroken
        guard isPrompt, let answer = Self.answer(to: line.end) else { return }
        let isResetRoute = line.end == "rejected" && actions(for: client).contains(.reset)
        require(peer.refusal == answer || isResetRoute, client, line, "and was told \(peer.refusal)")
    }
}
