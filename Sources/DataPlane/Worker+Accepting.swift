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
        guard sources.acquire(endpoint.address, limit: settings.sessionsPerSourceMax) else {
            count.add(.sourceLimited)
            backend.close(result, reset: true)
            return
        }
        guard let slot = sessions.allocate() else {
            sources.release(endpoint.address)
            backend.close(result, reset: true)
            return
        }
        begin(slot, descriptor: result, endpoint: endpoint, listener: listener)
        if sessions.freeCount == 0 { pauseAccepting(.acceptPaused) }
    }

    private mutating func begin(_ slot: Int, descriptor: Int32, endpoint: IPEndpoint, listener: Int) {
        let generation = sessions[slot].generation
        var session = Session()
        session.generation = generation
        session.enter(.hello)
        session.client = descriptor
        session.source = endpoint
        session.listener = UInt16(truncatingIfNeeded: listener)
        session.acceptedNanoseconds = backend.nowNanoseconds
        session.inFlight = 1
        sessions[slot] = session
        count.add(.sessions)

        timers.set(slot, dueNanoseconds: backend.nowNanoseconds + settings.helloNanoseconds)
        let owner = Token(slot: UInt32(truncatingIfNeeded: slot), generation: generation, side: .client)
        backend.adopt(descriptor, owner: owner, mayHaveBytes: true)
        backend.receive(descriptor, appendingTo: BufferSlice())
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
