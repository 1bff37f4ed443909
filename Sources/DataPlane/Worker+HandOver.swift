import CLinux
import Linux
import Routes
import Wire

/// The giving side of an upgrade, and what both sides have in common: sessions that stand still.
///
/// Nothing is given away before the other process has everything: until ``giveUpSessions()`` this worker has
/// every descriptor and every byte, and can go on.
extension Worker where Backend: ~Copyable {
    var isHandingOver: Bool {
        if case .handingOver = state { true } else { false }
    }

    /// Accepts no more and stops all sessions; what is in flight is waited for in the turns that follow.
    mutating func handOver(to channel: HandOverChannel) {
        guard state == .running else {
            channel.finish(.failed("a worker does not serve any more"))
            return
        }
        handOverChannel = channel
        state = .handingOver(isSent: false)
        stepHandOver(backend.nowNanoseconds)
    }

    /// Goes on to wait, and sends the sessions once they all stand still.
    @inline(never)
    mutating func stepHandOver(_ nowNanoseconds: UInt64) {
        let isQuiet = backend.pauseListeners()
        let waitingCount = stopSessions()
        guard isQuiet, waitingCount == 0, let channel = handOverChannel else { return }
        state = .handingOver(isSent: true)
        channel.finish(sendSessions(to: channel))
    }

    /// Stops those that move, also new ones; how many have something in flight still.
    private mutating func stopSessions() -> Int {
        var waitingCount = 0
        for slot in 0..<sessions.touchedCount {
            switch sessions[slot].phase {
            case .head where sessions[slot].ending != .none,
                .forwarding where sessions[slot].directions[1].isFinal:
                // Its last operation was cancelled already, and its answer is all that is left.
                waitingCount += 1
            case .proxyHeader, .hello, .head, .connecting, .requesting, .relaying, .forwarding: stop(slot)
            case .free, .parked, .refusing, .closing, .handingOver: break
            }
            if sessions[slot].phase == .handingOver, sessions[slot].inFlight > 0 { waitingCount += 1 }
        }
        return waitingCount
    }

    private mutating func stop(_ slot: Int) {
        sessions[slot].resumes = sessions[slot].phase
        sessions[slot].enter(.handingOver)
        guard sessions[slot].inFlight > 0 else { return }
        backend.cancel(sessions[slot].client)
        if sessions[slot].origin >= 0 { backend.cancel(sessions[slot].origin) }
    }

    // MARK: Standing still

    /// An operation came back to a session that is to stand still: cancelled, or with something that is kept.
    @inline(never)
    mutating func joinHandOver(_ slot: Int, _ completion: Completion) {
        switch sessions[slot].resumes {
        case .proxyHeader, .hello, .head: joinFirstBytes(slot, completion)
        case .connecting, .requesting: joinConnect(slot, completion)
        default:
            joinRelay(slot, completion)
            // Of a request: its client has ended, and takes no more of the answer.
            if sessions[slot].phase == .handingOver, sessions[slot].isDone { end(slot, .clientReset) }
        }
    }

    private mutating func joinFirstBytes(_ slot: Int, _ completion: Completion) {
        if completion.buffer != .none { sessions[slot].directions[0].buffer = completion.buffer }
        if completion.result > 0 {
            sessions[slot].directions[0].pending += UInt32(bitPattern: completion.result)
        } else if completion.result != -ECANCELED {
            end(slot, .clientGone)
        }
    }

    /// A connection that was made is kept, an attempt is not: the session is routed anew, unless there is one
    /// target only.
    private mutating func joinConnect(_ slot: Int, _ completion: Completion) {
        guard completion.result >= 0 else {
            dropOrigin(slot, isFailure: completion.result != -ECANCELED)
            if !hasOneTarget(slot) { leaveTarget(slot) }
            // The header of a route, which may be another one by then.
            sessions[slot].directions[0].putHeader(0)
            return
        }
        let isRequest = sessions[slot].resumes == .requesting
        noteConnected(slot, sentCount: UInt32(bitPattern: completion.result))
        sessions[slot].resumes = isRequest ? .forwarding : .relaying
    }

    /// Whether a session that is not connected knows its target by itself, and not by a route: that of an
    /// HTTP request, and that of a `listen tcp`.
    private func hasOneTarget(_ slot: Int) -> Bool {
        let session = sessions[slot]
        return session.resumes == .requesting || (session.resumes == .connecting && session.match == .none)
    }

    private mutating func joinRelay(_ slot: Int, _ completion: Completion) {
        let side = completion.token.side
        switch completion.token.kind {
        case .receive: joinReceive(slot, side, completion)
        case .send:
            let index = Int(side.other.rawValue)
            sessions[slot].directions[index].isBusy = false
            guard completion.result >= 0 else {
                if completion.result != -ECANCELED { sinkFailed(slot, side.other, completion.result) }
                return
            }
            countBytes(slot, index, UInt64(UInt32(bitPattern: completion.result)))
            let spent = sessions[slot].directions[index].noteSent(UInt32(bitPattern: completion.result))
            if spent != .none { backend.release(spent) }
        case .readable: sessions[slot].directions[Int(side.rawValue)].isBusy = false
        case .writable: sessions[slot].directions[Int(side.other.rawValue)].isBusy = false
        case .connect, .accept, .wake, .fault, .none: break
        }
    }

    private mutating func joinReceive(_ slot: Int, _ source: Side, _ completion: Completion) {
        let index = Int(source.rawValue)
        sessions[slot].directions[index].isBusy = false
        switch completion.result {
        case -ECANCELED: break
        case _ where source == .client && sessions[slot].resumes == .forwarding:
            takeRequestBytes(slot, completion)
        case 1...:
            sessions[slot].directions[index].noteReceived(
                UInt32(bitPattern: completion.result), in: completion.buffer)
        default: sourceEnded(slot, source, completion.result)
        }
        // What is there goes first: the end may be long in coming to a socket that was read to its end here.
        sessions[slot].directions[index].expectsEnd = false
    }

    /// A socket failed meanwhile. Remembered: it is told once.
    mutating func faultedStandingStill(_ slot: Int, _ side: Side) {
        let hasOrigin = sessions[slot].resumes == .relaying || sessions[slot].resumes == .forwarding
        if side == .client || hasOrigin { sessions[slot].broken.insert(Sides(side)) }
    }

    // MARK: Sending

    private mutating func sendSessions(to channel: HandOverChannel) -> HandOverChannel.Outcome {
        var sentCount = 0
        do throws(Errno) {
            for slot in 0..<sessions.touchedCount {
                guard let record = record(of: slot) else { continue }
                try channel.send(record.encoded, descriptors(of: slot))
                sentCount += 1
            }
            sentCount += try sendSurplus(to: channel)
            try channel.send(HandOverRecord.end(afterSessions: sentCount), [])
        } catch {
            return .failed("sessions cannot be sent: \(error)")
        }
        return .done(sessions: sentCount)
    }

    /// Connections that were accepted and found no slot.
    private func sendSurplus(to channel: HandOverChannel) throws(Errno) -> Int {
        var sentCount = 0
        while let surplus = backend.surplus(sentCount) {
            var record = HandOverRecord(.accepted)
            record.listener = UInt16(truncatingIfNeeded: surplus.index)
            record.source =
                backend.peerAddress(surplus.descriptor)?.endpoint ?? IPEndpoint(address: .v4(0), port: 0)
            record.acceptedNanoseconds = backend.nowNanoseconds
            record.dueNanoseconds = backend.nowNanoseconds + settings.helloNanoseconds
            try channel.send(record.encoded, [surplus.descriptor])
            sentCount += 1
        }
        return sentCount
    }

    /// What is handed over of a slot; nil: nothing.
    private func record(of slot: Int) -> HandOverRecord? {
        let session = sessions[slot]
        let resumes = session.phase == .parked ? .parked : session.resumes
        guard session.phase == .parked || session.phase == .handingOver,
            let stage = HandOverRecord.Stage(resumes)
        else { return nil }
        var record = HandOverRecord(stage)
        record.listener = session.listener
        record.source = session.source
        record.acceptedNanoseconds = session.acceptedNanoseconds
        record.dueNanoseconds = timers.dueNanoseconds(slot)
        record.helloMicroseconds = session.helloMicroseconds
        record.routedMicroseconds = session.routedMicroseconds
        record.connectedMicroseconds = session.connectedMicroseconds
        record.match = session.match
        record.applicationProtocols = session.applicationProtocols.rawValue
        record.broken = session.broken
        record.name = Self.array(labels.bytes(session.label))
        record.destination = Self.array(labels.bytes(session.destination))
        if session.target >= 0 { record.target = targets[Int(session.target)].address }
        if stage.isRequest {
            record.wantsHeadOnly = session.wantsHeadOnly
            record.contentBytesLeft = session.contentBytesLeft
        }
        if stage.hasOrigin || stage.isRequest, !session.terms.isEmpty {
            record.termKinds = session.terms
            record.terms = terms[slot]
        }
        record.up = way(session.directions[0])
        record.down = way(session.directions[1])
        return record
    }

    private func way(_ direction: Direction) -> HandOverRecord.Way {
        var way = HandOverRecord.Way()
        way.takenCount = direction.takenCount
        way.end = direction.end
        way.isBulk = direction.isBulk
        way.streak = direction.streak
        way.burstBytes = direction.burstBytes
        guard direction.pending > 0 else { return way }
        if direction.pipe != .none {
            way.pipedCount = direction.pending
        } else {
            way.bytes = Self.array(backend.bytes(direction.slice))
        }
        return way
    }

    private static func array(_ span: RawSpan) -> [UInt8] {
        (0..<span.byteCount).map { span.byte(at: $0) }
    }

    private func descriptors(of slot: Int) -> [Int32] {
        let session = sessions[slot]
        var descriptors = [session.client]
        if session.origin >= 0 { descriptors.append(session.origin) }
        for index in 0..<2 where session.directions[index].pipe != .none {
            let ends = backend.ends(of: session.directions[index].pipe)
            descriptors += [ends.readEnd, ends.writeEnd]
        }
        return descriptors
    }

    // MARK: The end of it

    /// Another process has all sessions: forgets them, without a word to anybody. Those that are being
    /// refused end here.
    mutating func giveUpSessions() {
        guard isHandingOver else { return }
        for slot in 0..<sessions.touchedCount
        where sessions[slot].phase == .handingOver || sessions[slot].phase == .parked {
            giveUp(slot)
        }
        for index in listeners.indices where listeners[index].isOpen {
            backend.abandonListener(listeners[index].descriptor)
            listeners[index].descriptor = -1
        }
        handOverChannel = nil
        state = .draining(
            untilNanoseconds: backend.nowNanoseconds + settings.refusalNanoseconds + 1_000_000_000)
    }

    private mutating func giveUp(_ slot: Int) {
        leaveParked(slot)
        timers.clear(slot)
        sessions[slot].enter(.closing)
        releaseBytes(slot, .client)
        releaseBytes(slot, .origin)
        if sessions[slot].origin >= 0 { backend.abandon(sessions[slot].origin) }
        backend.abandon(sessions[slot].client)
        count.add(.handedOver)
        forget(slot)
    }

    /// All that stand still go on, here: nobody else has them, or has them any more.
    mutating func resumeSessions() {
        handOverChannel = nil
        if isHandingOver { state = .running }
        for slot in 0..<sessions.touchedCount {
            if sessions[slot].phase == .handingOver {
                resume(slot)
            } else if sessions[slot].phase == .parked, sessions[slot].broken.contains(.client) {
                end(slot, .clientGone)
            }
        }
        // Those of the process before may have come under routes that are no more.
        endChangedRoutes()
        if isAccepting { backend.setAccepting(true) }
    }

    private mutating func resume(_ slot: Int) {
        let phase = sessions[slot].resumes
        let hasBytes = sessions[slot].directions[0].pending > 0
        switch phase {
        case .proxyHeader, .hello, .head:
            sessions[slot].enter(phase)
            if !hasBytes {
                receiveFirst(slot)
            } else if phase == .hello {
                readHello(slot)
            } else if phase == .head {
                readHead(slot)
            } else {
                readProxyHeader(slot)
            }
        case .connecting where sessions[slot].match == .none: resumeForwarding(slot)
        case .requesting: resumeRequest(slot)
        case .relaying, .forwarding: resumeRelay(slot, phase)
        case .free: resumeAccepted(slot)
        default: resumeRouting(slot)
        }
    }

    /// As when it was accepted.
    private mutating func resumeAccepted(_ slot: Int) {
        let source = sessions[slot].source
        guard listeners[Int(sessions[slot].listener)].plan.expectsHeader(from: source.address) else {
            // It was counted without being asked whether it may come.
            if speakFor(slot, source) { beginProtocol(slot) }
            return
        }
        sessions[slot].enter(.proxyHeader)
        receiveFirst(slot)
    }

    /// To the target of its `listen tcp`, whatever its listener is by now.
    private mutating func resumeForwarding(_ slot: Int) {
        guard let address = giveUpTarget(slot), attempt(slot, address) else {
            cannotForward(slot)
            return
        }
    }

    private mutating func resumeRequest(_ slot: Int) {
        let address = giveUpTarget(slot)
        sessions[slot].enter(.requesting)
        request(slot, at: address)
    }

    /// The address of the target that a session was to be connected to.
    private mutating func giveUpTarget(_ slot: Int) -> SocketAddress? {
        guard sessions[slot].target >= 0 else { return nil }
        defer { leaveTarget(slot) }
        return targets[Int(sessions[slot].target)].address
    }

    private mutating func resumeRouting(_ slot: Int) {
        let dueNanoseconds = timers.dueNanoseconds(slot)
        let wasParked = sessions[slot].resumes == .parked
        sessions[slot].enter(.connecting)
        guard !wasParked || !sessions[slot].broken.contains(.client) else {
            end(slot, .clientGone)
            return
        }
        route(slot)
        // A wait goes on until it would have ended.
        if wasParked, sessions[slot].phase == .parked { timers.set(slot, dueNanoseconds: dueNanoseconds) }
    }

    private mutating func resumeRelay(_ slot: Int, _ phase: Phase) {
        let generation = sessions[slot].generation
        sessions[slot].enter(phase)
        guard !isOverdue(slot) else {
            end(slot, .drained)
            return
        }
        if !sessions[slot].broken.isEmpty {
            timers.hasten(slot, dueNanoseconds: backend.nowNanoseconds + settings.halfCloseNanoseconds)
        }
        if phase == .forwarding { settle(slot) }
        for source in [Side.client, .origin]
        where sessions[slot].phase == phase && sessions[slot].generation == generation {
            pump(slot, source)
        }
        if sessions[slot].phase == .forwarding, sessions[slot].generation == generation { settle(slot) }
    }
}
