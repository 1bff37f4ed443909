import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// More bytes of a client's hello, its end, or a failure.
    mutating func receivedHello(_ slot: Int, _ completion: Completion) {
        guard completion.result > 0 else {
            if completion.buffer != .none { sessions[slot].directions[0].buffer = completion.buffer }
            end(slot, .clientGone)
            return
        }
        sessions[slot].directions[0].buffer = completion.buffer
        sessions[slot].directions[0].pending += UInt32(bitPattern: completion.result)
        parseHello(slot)
    }

    /// Looks at what has come of a hello so far.
    mutating func parseHello(_ slot: Int) {
        let limits = HelloLimits(bytesMax: UInt32(truncatingIfNeeded: settings.helloBytesMax))
        let outcome = sessions[slot].parser.advance(
            backend.bytes(sessions[slot].directions[0].slice), limits: limits, into: &hello)
        switch outcome {
        case .needMore: receiveMore(slot)
        case .name: helloIsWhole(slot, .helloName)
        case .noName: helloIsWhole(slot, .helloNoName)
        case .plainHTTP: refuse(slot, .plainHTTP, answers.plainHTTP, .helloPlainHTTP)
        case .sslv2: refuse(slot, .sslv2, answers[.handshakeFailure], .helloSSLv2)
        case .malformed: refuse(slot, .malformed, answers[.decodeError], .helloMalformed)
        case .tooLarge, .tooManyRecords: refuse(slot, .helloTooLarge, answers[.decodeError], .helloTooLarge)
        case .notTLS:
            count.add(.helloNotTLS)
            end(slot, .notTLS)
        }
    }

    mutating func receiveMore(_ slot: Int) {
        sessions[slot].inFlight += 1
        backend.receive(sessions[slot].client, appendingTo: sessions[slot].directions[0].slice)
    }

    private mutating func helloIsWhole(_ slot: Int, _ counter: Counter) {
        count.add(counter)
        if hello.offersECH { count.add(.helloECH) }
        sessions[slot].helloMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
        sessions[slot].applicationProtocols = hello.applicationProtocols
        if !hello.name.isEmpty { sessions[slot].label = labels.store(hello.name.bytes) }
        route(slot)
    }

    /// Microseconds from an earlier time until this turn.
    func microseconds(since nanoseconds: UInt64) -> UInt32 {
        UInt32(clamping: (backend.nowNanoseconds &- nanoseconds) / 1000)
    }

    // MARK: Refusing

    /// Answers with a few fixed bytes and ends. What the client still sends is read first: a close with
    /// unread bytes would be a reset, and the client might never see the answer.
    @inline(never)
    mutating func refuse(_ slot: Int, _ ending: Ending, _ answer: BufferSlice, _ counter: Counter) {
        count.add(counter)
        releaseBytes(slot, .client)
        leaveParked(slot)
        sessions[slot].enter(.refusing)
        sessions[slot].ending = ending
        sessions[slot].inFlight += 1
        // What is not sent yet; the buffer is the worker's, so the direction does not hold it.
        sessions[slot].directions[1].offset = answer.offset
        sessions[slot].directions[1].pending = answer.count
        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.refusalNanoseconds)
        backend.send(sessions[slot].client, answer)
    }

    /// A step of a session that is being refused.
    @inline(never)
    mutating func steppedRefusal(_ slot: Int, _ completion: Completion) {
        if completion.buffer != .none { backend.release(completion.buffer) }
        guard completion.result > 0 else {
            end(slot, sessions[slot].ending)
            return
        }
        if completion.token.kind == .send {
            let sentCount = UInt32(bitPattern: completion.result)
            sessions[slot].directions[1].offset += sentCount
            sessions[slot].directions[1].pending -= sentCount
            guard sessions[slot].directions[1].pending == 0 else {
                sessions[slot].inFlight += 1
                let (offset, count) = (
                    sessions[slot].directions[1].offset, sessions[slot].directions[1].pending
                )
                backend.send(sessions[slot].client, answers.rest(offset: offset, count: count))
                return
            }
            backend.shutdownWrite(sessions[slot].client)
        } else {
            sessions[slot].directions[0].burstBytes += UInt32(bitPattern: completion.result)
        }
        let discardedBytesMax: UInt32 = 256 * 1024
        guard sessions[slot].directions[0].burstBytes <= discardedBytesMax else {
            end(slot, sessions[slot].ending)
            return
        }
        sessions[slot].inFlight += 1
        backend.receive(sessions[slot].client, appendingTo: BufferSlice())
    }
}
