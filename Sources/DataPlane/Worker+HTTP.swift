import Linux
import Routes
import Wire

/// A port for plain HTTP: one request head is read, and the request is redirected to https, passed on to the
/// address that `http=` of its route gives, or refused. A connection carries one request; whatever a client
/// sends behind it reaches nobody. Not a hot path: everything here is kept out of line.
extension Worker where Backend: ~Copyable {
    // MARK: The head

    /// More bytes of a request's head, its end, or a failure.
    @inline(never)
    mutating func receivedHead(_ slot: Int, _ completion: Completion) {
        guard sessions[slot].ending == .none else {
            // Its time was over, and this receive was cancelled for the answer.
            if completion.buffer != .none { sessions[slot].directions[0].buffer = completion.buffer }
            answer(slot, .requestTimeout, .requestTimeout, .requestTimeout)
            return
        }
        guard noteFirstBytes(slot, completion) else { return }
        readHead(slot)
    }

    /// Looks at what was received of a head so far.
    mutating func readHead(_ slot: Int) {
        let outcome = sessions[slot].headParser.advance(
            backend.bytes(sessions[slot].directions[0].slice), limits: HTTPHeadLimits(), into: &request)
        switch outcome {
        case .needMore: receiveMore(slot)
        case .head: headIsWhole(slot)
        case .refused(let fault):
            switch fault.answer {
            case .targetTooLong, .headTooLarge, .contentTooLarge:
                answer(slot, fault.answer, .requestTooLarge, .requestTooLarge)
            case .badRequest, .notFound, .methodNotAllowed, .requestTimeout, .lengthRequired,
                .notImplemented, .badGateway, .serviceUnavailable, .versionNotSupported:
                answer(slot, fault.answer, .badRequest, .requestRefused)
            }
        }
    }

    /// The deadline of a head has passed. A client that has sent nothing is not told: it may be a browser
    /// that has connected in advance, and would take the answer for one to its next request.
    @inline(never)
    mutating func expireHead(_ slot: Int) {
        guard sessions[slot].directions[0].pending > 0 else {
            count.add(.requestTimeout)
            end(slot, .requestTimeout)
            return
        }
        sessions[slot].ending = .requestTimeout
        backend.cancel(sessions[slot].client)
    }

    /// Answers with one of the fixed answers.
    private mutating func answer(_ slot: Int, _ answer: HTTPAnswer, _ ending: Ending, _ counter: Counter) {
        refuse(slot, ending, answers.answer(answer, headOnly: sessions[slot].wantsHeadOnly), counter)
    }

    /// Looks the host up, and goes where its route says.
    private mutating func headIsWhole(_ slot: Int) {
        sessions[slot].helloMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
        sessions[slot].wantsHeadOnly = request.isHead
        guard !request.host.isEmpty else {
            answer(slot, .notFound, .notFound, .requestNotFound)
            return
        }
        sessions[slot].label = labels.store(request.host.bytes)
        let match = RouteImage.find(request.host.bytes, in: table.image)
        sessions[slot].match = match.kind
        guard match.kind != .none else {
            answer(slot, .notFound, .notFound, .requestNotFound)
            return
        }
        let route = RouteImage.route(match.routeIndex, in: table.image)
        sessions[slot].routedMicroseconds = sessions[slot].helloMicroseconds
        switch route.action {
        case .reject: answer(slot, .notFound, .rejected, .rejected)
        case .reset:
            count.add(.rejected)
            sessions[slot].resets = .client
            end(slot, .rejected)
        case .targets, .held, .asleep:
            // Neither the redirection nor the target of `http=` waits for the site to wake up.
            forward(slot, match, route)
        }
    }

    private mutating func forward(_ slot: Int, _ match: RouteMatch, _ route: Route) {
        switch RouteImage.options(route.optionsIndex, in: table.image).http {
        case .challenges(let address) where request.isChallenge:
            guard request.isRead else {
                answer(slot, .methodNotAllowed, .badRequest, .requestRefused)
                return
            }
            // Many servers do not read the content of a GET, and might take it for the next request.
            guard request.contentBytes == 0, !request.isChunked else {
                answer(slot, .badRequest, .badRequest, .requestRefused)
                return
            }
            connect(slot, to: SocketAddress(address, in: table.image))
        case .redirect, .challenges: redirect(slot)
        case .everything(let address):
            guard !request.isChunked else {
                answer(slot, .lengthRequired, .badRequest, .requestRefused)
                return
            }
            // Sessions of the site as those over TLS. Challenges for a responder are not, and a certificate
            // can be renewed while the site is full.
            guard takeTerms(slot, match, route) else {
                answer(slot, .serviceUnavailable, .routeLimit, .routeLimited)
                return
            }
            connect(slot, to: SocketAddress(address, in: table.image))
        }
    }

    /// Sends the client to the same place over TLS, on the port that browsers expect.
    private mutating func redirect(_ slot: Int) {
        let head = sessions[slot].directions[0].slice
        let written = scratch.write { HTTPRedirect.append(request, backend.bytes(head), to: &$0) }
        guard let buffer = backend.makeBuffer(copying: written.span) else {
            answer(slot, .serviceUnavailable, .unreachable, .unreachable)
            return
        }
        let slice = BufferSlice(buffer: buffer, offset: 0, count: UInt32(truncatingIfNeeded: written.count))
        sessions[slot].directions[1].buffer = buffer
        refuse(slot, .redirected, slice, .requestRedirected)
    }

    // MARK: Passing on

    /// Connects to the target of a request, which gets the head as ``HTTPRequestHead`` passes it on, and of
    /// the bytes behind it those that are the request's.
    private mutating func connect(_ slot: Int, to address: SocketAddress) {
        rewriteHead(slot)
        sessions[slot].enter(.requesting)
        request(slot, at: address)
        if sessions[slot].phase == .requesting { count.add(.requestForwarded) }
    }

    /// Connects to the target of a request, whose head was rewritten.
    mutating func request(_ slot: Int, at address: SocketAddress?) {
        guard let address else {
            answer(slot, .serviceUnavailable, .unreachable, .unreachable)
            return
        }
        sessions[slot].target = Int32(truncatingIfNeeded: targets.begin(address) ?? -1)
        let owner = Token(
            slot: UInt32(truncatingIfNeeded: slot), generation: sessions[slot].generation, side: .origin)
        let descriptor = backend.connect(owner, to: address, sending: sessions[slot].directions[0].slice)
        guard descriptor >= 0 else {
            count.add(.descriptorsExhausted)
            leaveTarget(slot)
            answer(slot, .serviceUnavailable, .unreachable, .unreachable)
            return
        }
        sessions[slot].origin = descriptor
        sessions[slot].inFlight += 1
        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.connectNanoseconds)
    }

    private mutating func rewriteHead(_ slot: Int) {
        line.clear()
        line.append(sessions[slot].source.address)
        let slice = sessions[slot].directions[0].slice
        let written = scratch.write {
            request.appendForwarded(backend.bytes(slice), client: line.bytes, to: &$0)
        }
        let contentBytes = min(UInt64(slice.count - request.byteCount), request.contentBytes)
        // Bytes behind the content are another request, or nonsense: they stay where they are.
        sessions[slot].directions[0].pending = request.byteCount + UInt32(truncatingIfNeeded: contentBytes)
        // What the new head is longer goes into the room in front of the buffer's data.
        sessions[slot].directions[0].replaceFront(Int(request.byteCount), by: written.count)
        var place = sessions[slot].directions[0].slice
        place.count = UInt32(truncatingIfNeeded: written.count)
        backend.overwrite(place, with: written.span.rawBytes)
        sessions[slot].contentBytesLeft = request.contentBytes - contentBytes
        if sessions[slot].contentBytesLeft == 0 { sessions[slot].directions[0].end = .enough }
    }

    /// The target of a request was connected to, and got the first bytes; or not.
    @inline(never)
    mutating func requested(_ slot: Int, _ completion: Completion) {
        guard completion.result >= 0 else {
            dropOrigin(slot, isFailure: true)
            leaveTarget(slot)
            answer(slot, .badGateway, .unreachable, .unreachable)
            return
        }
        noteConnected(slot, sentCount: UInt32(bitPattern: completion.result))
        sessions[slot].enter(.forwarding)
        pump(slot, .client)
        pump(slot, .origin)
        settle(slot)
    }

    /// A step of a request that is passed on: as in a relay, but that of the client's bytes no more are taken
    /// than the request has.
    @inline(never)
    mutating func stepForwarding(_ slot: Int, _ completion: Completion) {
        let token = completion.token
        if token.kind == .receive, token.side == .client {
            sessions[slot].directions[0].isBusy = false
            takeRequestBytes(slot, completion)
            pump(slot, .client)
        } else if token.kind == .send, token.side == .origin, sessions[slot].directions[1].isFinal {
            // The answer is over, and nobody wants the rest of the content.
            sessions[slot].directions[0].isBusy = false
        } else {
            stepRelay(slot, completion)
        }
        settle(slot)
    }

    /// Bytes came from the client of a request, or its end.
    mutating func takeRequestBytes(_ slot: Int, _ completion: Completion) {
        if sessions[slot].directions[0].end == .enough {
            receivedBehindRequest(slot, completion)
        } else {
            receivedContent(slot, completion)
        }
    }

    private mutating func receivedContent(_ slot: Int, _ completion: Completion) {
        guard completion.result > 0 else {
            sourceEnded(slot, .client, completion.result)
            return
        }
        let count = min(UInt64(UInt32(bitPattern: completion.result)), sessions[slot].contentBytesLeft)
        sessions[slot].contentBytesLeft -= count
        sessions[slot].directions[0].noteReceived(
            UInt32(truncatingIfNeeded: count), in: completion.buffer, mayHaveMore: false)
        // A splice would take what is not the request's.
        sessions[slot].directions[0].isBulk = false
        if sessions[slot].contentBytesLeft == 0 { sessions[slot].directions[0].end = .enough }
        noteProgress(slot)
    }

    /// Whatever a client sends behind its request is thrown away; what matters is its end.
    private mutating func receivedBehindRequest(_ slot: Int, _ completion: Completion) {
        if completion.buffer != .none { backend.release(completion.buffer) }
        if completion.result > 0 {
            sessions[slot].directions[0].burstBytes += UInt32(bitPattern: completion.result)
            guard sessions[slot].directions[0].burstBytes >= Self.discardedBytesMax else { return }
            // No more is read, and so its end will not be seen: it counts as ended, or it would keep its
            // place, and the target's, for as long as an idle session may last.
            sessions[slot].directions[0].end = .passedOn
            noteProgress(slot)
        } else if completion.result == 0 {
            // It may still wait for the answer, as any half-closed client. The target is not told: many
            // servers take that for a client that has gone.
            sessions[slot].directions[0].end = .passedOn
            noteProgress(slot)
        } else {
            sessions[slot].resets = .origin
            end(slot, .clientReset)
        }
    }

    /// Goes on when a step is done: to the client's end when the request is whole; and when the answer has
    /// been passed on, closes the target's side and lets the client read.
    mutating func settle(_ slot: Int) {
        guard sessions[slot].phase == .forwarding else { return }
        guard sessions[slot].directions[1].isFinal else {
            let direction = sessions[slot].directions[0]
            guard direction.end == .enough, !direction.isBusy, direction.pending == 0 else { return }
            sessions[slot].directions[0].isBusy = true
            sessions[slot].inFlight += 1
            backend.receive(sessions[slot].client, appendingTo: BufferSlice())
            return
        }
        guard sessions[slot].directions[1].end == .passedOn else {
            // The client takes no more of it.
            sessions[slot].resets = .origin
            end(slot, .clientReset)
            return
        }
        let isReceiving = sessions[slot].directions[0].isBusy && sessions[slot].directions[0].pending == 0
        guard isReceiving || !sessions[slot].directions[0].isBusy else {
            // Content is still on its way to a target that has ended.
            backend.cancel(sessions[slot].origin)
            return
        }
        releaseBytes(slot, .client)
        backend.close(sessions[slot].origin, reset: false)
        sessions[slot].origin = -1
        dropTerms(slot)
        sessions[slot].enter(.refusing)
        sessions[slot].ending = .completed
        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.refusalNanoseconds)
        guard !isReceiving else { return }
        sessions[slot].inFlight += 1
        backend.receive(sessions[slot].client, appendingTo: BufferSlice())
    }
}
