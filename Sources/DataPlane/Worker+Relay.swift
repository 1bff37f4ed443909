import CLinux
import Linux
import Wire

extension Worker where Backend: ~Copyable {
    /// One completion of a session: finds the session it belongs to, and does what its phase makes of it.
    @inline(always)
    mutating func step(_ completion: Completion) {
        let slot = Int(completion.token.slot)
        guard sessions[slot].generation == completion.token.generation, sessions[slot].phase != .free else {
            count.add(.staleCompletion)
            if completion.buffer != .none { backend.release(completion.buffer) }
            return
        }
        guard completion.token.kind != .fault else {
            faulted(slot, completion.token.side, completion.result)
            return
        }
        sessions[slot].inFlight -= 1
        switch sessions[slot].phase {
        case .relaying: stepRelay(slot, completion)
        case .hello: receivedHello(slot, completion)
        case .proxyHeader: receivedProxyHeader(slot, completion)
        case .connecting: connected(slot, completion)
        case .refusing: steppedRefusal(slot, completion)
        case .head: receivedHead(slot, completion)
        case .requesting: requested(slot, completion)
        case .forwarding: stepForwarding(slot, completion)
        case .closing: joinClosing(slot, completion)
        case .handingOver: joinHandOver(slot, completion)
        case .free, .parked: broken("nothing is in flight in this phase")
        }
    }

    @inline(always)
    mutating func stepRelay(_ slot: Int, _ completion: Completion) {
        let side = completion.token.side
        switch completion.token.kind {
        case .receive: received(slot, side, completion)
        case .send: sent(slot, side.other, completion.result)
        case .readable: ready(slot, side)
        case .writable: ready(slot, side.other)
        case .connect, .accept, .wake, .fault, .none: broken("not an operation of a relay")
        }
    }

    /// Bytes came from a side, or its end.
    @inline(always)
    private mutating func received(_ slot: Int, _ source: Side, _ completion: Completion) {
        let index = Int(source.rawValue)
        sessions[slot].directions[index].isBusy = false
        if completion.result > 0 {
            let mayHaveMore = backend.mayReceive(sessions[slot].descriptor(source))
            sessions[slot].directions[index].noteReceived(
                UInt32(bitPattern: completion.result), in: completion.buffer, mayHaveMore: mayHaveMore)
            noteProgress(slot)
        } else {
            sourceEnded(slot, source, completion.result)
        }
        pump(slot, source)
    }

    /// The socket that a direction leads to has taken bytes, or failed.
    @inline(always)
    private mutating func sent(_ slot: Int, _ source: Side, _ result: Int32) {
        let index = Int(source.rawValue)
        sessions[slot].directions[index].isBusy = false
        guard result >= 0 else {
            sinkFailed(slot, source, result)
            return
        }
        countBytes(slot, index, UInt64(UInt32(bitPattern: result)))
        let spent = sessions[slot].directions[index].noteSent(UInt32(bitPattern: result))
        if spent != .none { backend.release(spent) }
        noteProgress(slot)
        pump(slot, source)
    }

    /// A socket is ready for the splice that waits for it.
    @inline(always)
    private mutating func ready(_ slot: Int, _ source: Side) {
        sessions[slot].directions[Int(source.rawValue)].isBusy = false
        pump(slot, source)
    }

    /// The time without a byte starts anew.
    @inline(always)
    mutating func noteProgress(_ slot: Int) {
        guard sessions[slot].terms.isEmpty else { return noteProgressUnderTerms(slot) }
        let limit = sessions[slot].isHalfClosed ? settings.halfCloseNanoseconds : settings.idleNanoseconds
        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + limit)
    }

    /// Does what a direction wants, until it must wait.
    @inline(always)
    mutating func pump(_ slot: Int, _ source: Side) {
        let index = Int(source.rawValue)
        switch sessions[slot].directions[index].interest {
        case .nothing:
            return
        case .receive:
            sessions[slot].directions[index].isBusy = true
            sessions[slot].inFlight += 1
            backend.receive(sessions[slot].descriptor(source), appendingTo: BufferSlice())
        case .receiveMore:
            sessions[slot].directions[index].isBusy = true
            sessions[slot].inFlight += 1
            backend.receive(
                sessions[slot].descriptor(source), appendingTo: sessions[slot].directions[index].slice)
        case .send:
            sessions[slot].directions[index].isBusy = true
            sessions[slot].inFlight += 1
            backend.send(
                sessions[slot].descriptor(source.other), sessions[slot].directions[index].slice,
                endFollows: sessions[slot].directions[index].end == .ended)
        case .fill, .drain:
            pumpBulk(slot, source)
        case .finish, .abort:
            pumpEnd(slot, source)
        }
    }

    /// Moves bytes through a pipe until a socket has no more, or takes no more, or others should have their
    /// turn.
    @inline(never)
    private mutating func pumpBulk(_ slot: Int, _ source: Side) {
        let index = Int(source.rawValue)
        var moves = 0
        let movesPerTurnMax = 16
        while moves < movesPerTurnMax {
            moves += 1
            switch sessions[slot].directions[index].interest {
            case .fill:
                guard fill(slot, source) else { return }
            case .drain:
                guard drain(slot, source) else { return }
            case .receive, .receiveMore, .send, .finish, .abort, .nothing:
                pump(slot, source)
                return
            }
        }
        // There is more to do: the backend answers at once, behind the others that wait.
        if sessions[slot].directions[index].pending > 0 {
            wait(slot, source, for: .writable)
        } else {
            releasePipe(slot, source)
            wait(slot, source, for: .readable)
        }
    }

    /// Splices from the source into a pipe; false when the direction now waits.
    private mutating func fill(_ slot: Int, _ source: Side) -> Bool {
        let index = Int(source.rawValue)
        if sessions[slot].directions[index].pipe == .none {
            guard let pipe = backend.acquirePipe() else {
                sessions[slot].directions[index].notePipesExhausted()
                return true
            }
            sessions[slot].directions[index].pipe = pipe
        }
        let result = backend.fill(
            sessions[slot].directions[index].pipe, from: sessions[slot].descriptor(source))
        if result > 0 {
            sessions[slot].directions[index].noteFilled(UInt32(truncatingIfNeeded: result))
            noteProgress(slot)
            return true
        }
        guard result == Int(-EAGAIN) else {
            releasePipe(slot, source)
            if result == 0 {
                sessions[slot].directions[index].noteEndInDoubt()
            } else {
                sourceEnded(slot, source, Int32(truncatingIfNeeded: result))
            }
            return true
        }
        releasePipe(slot, source)
        if sessions[slot].directions[index].isBulk {
            wait(slot, source, for: .readable)
        } else {
            pump(slot, source)
        }
        return false
    }

    /// Splices from the pipe to the other side; false when the direction now waits or is over.
    private mutating func drain(_ slot: Int, _ source: Side) -> Bool {
        let index = Int(source.rawValue)
        let direction = sessions[slot].directions[index]
        let result = backend.drain(
            direction.pipe, to: sessions[slot].descriptor(source.other), count: Int(direction.pending))
        if result > 0 {
            sessions[slot].directions[index].noteDrained(UInt32(truncatingIfNeeded: result))
            countBytes(slot, index, UInt64(result))
            noteProgress(slot)
            return true
        }
        guard result == Int(-EAGAIN) else {
            sinkFailed(slot, source, Int32(truncatingIfNeeded: result))
            return false
        }
        wait(slot, source, for: .writable)
        return false
    }

    /// An empty pipe goes back to the pool while the direction waits for bytes.
    private mutating func releasePipe(_ slot: Int, _ source: Side) {
        let pipe = sessions[slot].directions[Int(source.rawValue)].noteSourceDry()
        if pipe != .none { backend.releasePipe(pipe, isEmpty: true) }
    }

    private mutating func wait(_ slot: Int, _ source: Side, for kind: OperationKind) {
        sessions[slot].directions[Int(source.rawValue)].isBusy = true
        sessions[slot].inFlight += 1
        if kind == .readable {
            backend.awaitReadable(sessions[slot].descriptor(source))
        } else {
            backend.awaitWritable(sessions[slot].descriptor(source.other))
        }
    }

    // MARK: Ends

    /// A side has ended in order (0), or failed. An end that follows a reset is a reset.
    @inline(never)
    mutating func sourceEnded(_ slot: Int, _ source: Side, _ result: Int32) {
        if result < 0 {
            sessions[slot].broken.insert(Sides(source))
            noteTimeOut(slot, result)
        }
        let isReset = sessions[slot].broken.contains(Sides(source))
        sessions[slot].directions[Int(source.rawValue)].noteEnd(isReset: isReset)
        noteProgress(slot)
    }

    /// The side that a direction leads to takes no more. What it still has to say is read; then its end is
    /// passed on, as a reset.
    @inline(never)
    mutating func sinkFailed(_ slot: Int, _ source: Side, _ result: Int32) {
        let index = Int(source.rawValue)
        noteTimeOut(slot, result)
        releaseBytes(slot, source)
        sessions[slot].directions[index].end = .dropped
        sessions[slot].broken.insert(Sides(source.other))
        if sessions[slot].directions[1 - index].isFinal {
            sessions[slot].resets = Sides(source)
            end(slot, source.other == .client ? .clientReset : .originReset)
            return
        }
        noteProgress(slot)
        if sessions[slot].directions[1 - index].end == .ended {
            sessions[slot].directions[1 - index].end = .broken
        }
        if sessions[slot].phase != .handingOver { pump(slot, source.other) }
    }

    /// A peer that has gone without a word is not one that has reset: TCP_USER_TIMEOUT and keep-alive say so
    /// with ETIMEDOUT, or with what the network last said of its host (tcp(7)).
    private mutating func noteTimeOut(_ slot: Int, _ result: Int32) {
        if result == -ETIMEDOUT || result == -EHOSTUNREACH || result == -ENETUNREACH {
            sessions[slot].ending = .timedOut
        }
    }

    /// Passes an end on: the last byte was sent.
    @inline(never)
    private mutating func pumpEnd(_ slot: Int, _ source: Side) {
        let index = Int(source.rawValue)
        guard sessions[slot].directions[index].end != .broken else {
            sessions[slot].resets = Sides(source.other)
            end(slot, source == .client ? .clientReset : .originReset)
            return
        }
        sessions[slot].directions[index].end = .passedOn
        guard !sessions[slot].isDone else {
            // Both have ended: the close says it to the other side, too.
            end(slot, .completed)
            return
        }
        backend.shutdownWrite(sessions[slot].descriptor(source.other))
        noteProgress(slot)
    }

    /// A socket failed while nothing was in flight on it: its direction is blocked by the other side. The
    /// session gets the time of a half-closed one to deliver what it has, or less if its deadline is closer.
    @inline(never)
    private mutating func faulted(_ slot: Int, _ side: Side, _ result: Int32) {
        guard sessions[slot].phase != .handingOver, !isHandingOver else {
            faultedStandingStill(slot, side)
            return
        }
        guard sessions[slot].phase == .relaying || sessions[slot].phase == .forwarding else {
            // The client has gone, and nobody waits for the answer. That it has only ended its side counts as
            // gone, too: no TLS client does so between its hello and the server's.
            if sessions[slot].phase == .parked, side == .client {
                end(slot, result == 0 ? .clientGone : .clientReset)
            }
            return
        }
        // An end that was watched while the session was parked, and is told late: reading tells it again.
        guard result != 0 else { return }
        sessions[slot].broken.insert(Sides(side))
        timers.hasten(slot, dueNanoseconds: backend.nowNanoseconds + settings.halfCloseNanoseconds)
    }
}

/// Ends the process: an invariant of ours is broken. Not `Never`, so that callers do not carry the code that
/// would take the worker apart first.
@inline(never)
private func broken(_ invariant: StaticString) {
    precondition(invariant.utf8CodeUnitCount == 0, "an invariant is broken")
}
