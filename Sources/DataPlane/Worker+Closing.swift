import CLinux
import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// A session's deadline has passed.
    @inline(never)
    mutating func expire(_ slot: Int) {
        guard !isHandingOver || sessions[slot].phase == .refusing, sessions[slot].phase != .handingOver else {
            // Nothing begins now that the other process would not know of.
            timers.set(slot, dueNanoseconds: backend.nowNanoseconds + 20_000_000)
            return
        }
        switch sessions[slot].phase {
        case .proxyHeader:
            count.add(.proxyTimeout)
            end(slot, .proxyTimeout)
        case .hello:
            count.add(.helloTimeout)
            end(slot, .helloTimeout)
        case .parked: refuseParking(slot)
        case .connecting:
            // The attempt completes as cancelled, which is a failure like any other: on to the next target.
            backend.cancel(sessions[slot].origin)
        case .head: expireHead(slot)
        case .requesting:
            // As above; there is no other target.
            backend.cancel(sessions[slot].origin)
        case .relaying where isOverdue(slot), .forwarding where isOverdue(slot):
            end(slot, .drained)
        case .relaying, .forwarding:
            end(slot, sessions[slot].isHalfClosed ? .halfClosed : .idle)
        case .refusing:
            end(slot, sessions[slot].ending)
        case .free, .closing, .handingOver:
            break
        }
    }

    /// Ends a session: cancels what is in flight, and closes when that has come back. Does nothing to a
    /// session that is ending already, or to a free slot.
    mutating func end(_ slot: Int, _ ending: Ending) {
        guard sessions[slot].phase != .free, sessions[slot].phase != .closing else { return }
        leaveParked(slot)
        sessions[slot].enter(.closing)
        // Both are ends by an error of a socket, and the socket's own word says more.
        let isReset = ending == .clientReset || ending == .originReset
        if !(isReset && sessions[slot].ending == .timedOut) { sessions[slot].ending = ending }
        timers.clear(slot)
        guard sessions[slot].inFlight > 0 else {
            close(slot)
            return
        }
        backend.cancel(sessions[slot].client)
        if sessions[slot].origin >= 0 { backend.cancel(sessions[slot].origin) }
    }

    /// An operation came back to a session that is ending.
    @inline(never)
    mutating func joinClosing(_ slot: Int, _ completion: Completion) {
        noteLast(slot, completion)
        // A buffer that was being appended to is still the direction's; a new one is nobody's.
        let source = Int(completion.token.side.rawValue)
        if completion.buffer != .none, completion.buffer != sessions[slot].directions[source].buffer {
            backend.release(completion.buffer)
        }
        if sessions[slot].inFlight == 0 { close(slot) }
    }

    /// What an operation moved although its session was ending already: bytes that were sent count, bytes
    /// that were received are lost, and the side that misses them must not take it for the whole.
    private mutating func noteLast(_ slot: Int, _ completion: Completion) {
        guard completion.result > 0 else { return }
        let other = completion.token.side.other
        switch completion.token.kind {
        case .receive:
            sessions[slot].resets.insert(Sides(other))
        case .send, .connect:
            let index = Int(other.rawValue)
            // The answer of a refusal is in nobody's buffer, and counts for nothing.
            guard sessions[slot].directions[index].buffer != .none else { return }
            countBytes(slot, index, UInt64(UInt32(bitPattern: completion.result)))
            let spent = sessions[slot].directions[index].noteSent(UInt32(bitPattern: completion.result))
            if spent != .none { backend.release(spent) }
        case .accept, .wake, .readable, .writable, .fault, .none: break
        }
    }

    /// Closes both ends together, gives everything back, and frees the slot.
    private mutating func close(_ slot: Int) {
        precondition(sessions[slot].inFlight == 0, "nothing is in flight on a closed session")
        // A deadline or a drain cuts a stream: whoever misses bytes sees a reset and not an orderly end.
        if sessions[slot].directions[0].pending > 0 { sessions[slot].resets.insert(.origin) }
        if sessions[slot].directions[1].pending > 0 { sessions[slot].resets.insert(.client) }
        releaseBytes(slot, .client)
        releaseBytes(slot, .origin)
        let session = sessions[slot]
        if session.origin >= 0 { backend.close(session.origin, reset: session.resets.contains(.origin)) }
        backend.close(session.client, reset: session.resets.contains(.client))

        count.add(.ended)
        count.add(session.ending)
        countEnd(session)
        if settings.logsAccess { logAccess(slot) }
        forget(slot)
    }

    /// Gives everything but the sockets and the bytes back, and frees the slot.
    mutating func forget(_ slot: Int) {
        let session = sessions[slot]
        if session.target >= 0 { targets.end(Int(session.target)) }
        dropTerms(slot)
        sources.release(session.source.address)
        labels.free(session.label)
        labels.free(session.destination)
        sessions[slot].enter(.free)
        sessions[slot].generation = (session.generation &+ 1) & Token.generationMax
        sessions.free(slot)
        count.subtract(.sessions)
    }

    /// Gives back what a direction holds, and forgets the bytes in it.
    mutating func releaseBytes(_ slot: Int, _ source: Side) {
        let index = Int(source.rawValue)
        let direction = sessions[slot].directions[index]
        if direction.buffer != .none { backend.release(direction.buffer) }
        if direction.pipe != .none { backend.releasePipe(direction.pipe, isEmpty: direction.pending == 0) }
        sessions[slot].directions[index].buffer = .none
        sessions[slot].directions[index].pipe = .none
        sessions[slot].directions[index].pending = 0
        sessions[slot].directions[index].offset = 0
        sessions[slot].directions[index].burstBytes = 0
        sessions[slot].directions[index].expectsEnd = false
    }
}
