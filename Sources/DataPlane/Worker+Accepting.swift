import CLinux
import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// A listener gave a connection, or said why it could not.
    mutating func accepted(_ result: Int32, listener: Int) {
        guard result >= 0 else {
            pauseAccepting(.descriptorsExhausted)
            // The system has no descriptor or memory: look again when a session has ended, or in a while.
            acceptRetryNanoseconds = backend.nowNanoseconds + 100_000_000
            return
        }
        count.add(.accepted)
        guard let endpoint = backend.peerAddress(result)?.endpoint else {
            // Gone already.
            backend.close(result, reset: false)
            return
        }
        // Its header says whose connection it is; until then, and if it is its own, it is not limited.
        let isTrusted = listeners[listener].plan.expectsHeader(from: endpoint.address)
        if isTrusted {
            admitPeer(endpoint.address)
        } else if !admitSource(endpoint.address) {
            backend.close(result, reset: true)
            return
        }
        guard let slot = sessions.allocate() else {
            sources.release(endpoint.address)
            backend.close(result, reset: true)
            return
        }
        begin(slot, descriptor: result, endpoint: endpoint, listener: listener, isTrusted: isTrusted)
        if sessions.freeCount == 0 { pauseAccepting(.acceptPaused) }
    }

    /// Whether a client of this address may have one more session, which is then counted for it: `allow` and
    /// `deny` let it in, and it has not too many already. The one gate for whoever connects, and for whomever
    /// a PROXY protocol header names. Whoever is not let in is counted and has no line in the log, which a
    /// flood would fill. ``SourceCountersView/release(_:)`` takes it back.
    @inline(always)
    mutating func admitSource(_ address: IPAddress) -> Bool {
        guard gate.allows(address) else {
            count.add(.sourceDenied)
            return false
        }
        guard sources.acquire(address, limit: settings.sessionsPerSourceMax) else {
            count.add(.sourceLimited)
            return false
        }
        return true
    }

    private mutating func begin(
        _ slot: Int, descriptor: Int32, endpoint: IPEndpoint, listener: Int, isTrusted: Bool
    ) {
        let generation = sessions[slot].generation
        var session = Session()
        session.generation = generation
        session.client = descriptor
        session.source = endpoint
        session.listener = UInt16(truncatingIfNeeded: listener)
        session.acceptedNanoseconds = backend.nowNanoseconds
        sessions[slot] = session
        count.add(.sessions)

        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.helloNanoseconds)
        let owner = Token(slot: UInt32(truncatingIfNeeded: slot), generation: generation, side: .client)
        backend.adopt(descriptor, owner: owner, mayHaveBytes: true)
        guard isTrusted else {
            beginProtocol(slot)
            return
        }
        sessions[slot].enter(.proxyHeader)
        receiveFirst(slot)
    }

    /// Begins what is spoken on the session's listener, with the bytes that have come behind a header.
    mutating func beginProtocol(_ slot: Int) {
        switch listeners[Int(sessions[slot].listener)].plan.kind {
        case .tls:
            sessions[slot].enter(.hello)
            if sessions[slot].directions[0].pending > 0 { readHello(slot) } else { receiveFirst(slot) }
        case .tcp: forward(slot)
        case .http:
            sessions[slot].enter(.head)
            if sessions[slot].directions[0].pending > 0 { readHead(slot) } else { receiveFirst(slot) }
        }
    }

    /// Receives into a buffer that is taken when there are bytes.
    mutating func receiveFirst(_ slot: Int) {
        releaseBytes(slot, .client)
        sessions[slot].inFlight += 1
        backend.receive(sessions[slot].client, appendingTo: BufferSlice())
    }

    /// Stops accepting: connections wait in the kernel's queue.
    @inline(never)
    private mutating func pauseAccepting(_ reason: Counter) {
        guard isAccepting else { return }
        count.add(reason)
        isAccepting = false
        backend.setAccepting(false)
    }

    /// Accepts again once a tenth of the slots is free, so that it does not flap.
    @inline(never)
    mutating func resumeAccepting(_ nowNanoseconds: UInt64) {
        guard nowNanoseconds >= acceptRetryNanoseconds else { return }
        // Whether or not there are slots: a time that is over must not keep the loop awake.
        acceptRetryNanoseconds = 0
        guard !isHandingOver else { return }
        guard sessions.freeCount * 10 >= sessions.capacity else { return }
        isAccepting = true
        backend.setAccepting(true)
    }
}
