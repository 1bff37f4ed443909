package import Linux
import Routes

/// A whole worker on a simulated kernel, one turn at a time. Here, and not with the tests, so that the worker
/// under test is specialised for its backend within the module, as it is for the real ones.
package struct SimulatedWorker: ~Copyable {
    var worker: Worker<SimulatedBackend>

    /// A worker that has seen nothing yet.
    package init(
        backend: consuming SimulatedBackend, sessionsMax: Int, table: RouteTable, settings: WorkerSettings,
        links: WorkerLinks, shared: WorkerShared
    ) {
        worker = Worker(
            backend: backend, sessionsMax: sessionsMax, table: table, settings: settings, links: links,
            shared: shared)
    }

    /// The kernel, for what the other ends of the connections do.
    package var backend: SimulatedBackend {
        _read { yield worker.backend }
        _modify { yield &worker.backend }
    }

    /// One turn of the loop; false when the worker has stopped.
    package mutating func turn() -> Bool {
        worker.turn()
        return worker.state != .stopped
    }

    /// What a worker does after its last turn.
    package mutating func finish() {
        worker.backend.isFinishing = true
        worker.finish()
    }

    /// The sessions that are not over.
    package var sessions: [SimulatedSession] {
        (0..<worker.sessions.touchedCount).compactMap { slot in
            guard worker.sessions[slot].phase != .free else { return nil }
            return SimulatedSession(worker.sessions[slot], clientConnection: clientConnection(slot))
        }
    }

    private func clientConnection(_ slot: Int) -> Int {
        guard let id = worker.backend.connection(at: worker.sessions[slot].client) else { return -1 }
        return id
    }

    /// Whether no session of the address is counted any more, parked or not.
    package func isForgotten(_ address: SocketAddress) -> Bool {
        guard let endpoint = address.endpoint, worker.sources.acquire(endpoint.address, limit: 1) else {
            return false
        }
        worker.sources.release(endpoint.address)
        guard worker.parkedSources.acquire(endpoint.address, limit: 1) else { return false }
        worker.parkedSources.release(endpoint.address)
        return true
    }
}

/// A session, as a test that watches the worker sees it.
package struct SimulatedSession: Sendable {
    /// What the session is doing, by the deadline that it has.
    package enum Activity: UInt8, Sendable {
        case hello, parked, connecting, relaying, refusing, closing, handingOver
    }

    /// What it is doing.
    package let activity: Activity
    /// The connection of its client.
    package let clientConnection: Int
    /// Changes whenever the session comes forward: its activity, its origin, its bytes, its ends.
    package let progress: UInt64

    init(_ session: Session, clientConnection: Int) {
        activity =
            switch session.phase {
            case .free: preconditionFailure("a free slot is no session")
            // One deadline is for all three.
            case .proxyHeader, .hello, .head: .hello
            case .parked: .parked
            case .connecting, .requesting: .connecting
            case .relaying, .forwarding: .relaying
            case .refusing: .refusing
            case .closing: .closing
            case .handingOver: .handingOver
            }
        self.clientConnection = clientConnection
        var digest = SimulatedRandom.mix(UInt64(activity.rawValue) ^ UInt64(session.generation) << 8)
        switch session.phase {
        case .connecting:
            digest = SimulatedRandom.mix(digest ^ session.tried.bits)
            digest = SimulatedRandom.mix(digest ^ UInt64(session.tableEpoch))
        case .relaying, .forwarding:
            for index in 0..<2 {
                let direction = session.directions[index]
                digest = SimulatedRandom.mix(digest ^ direction.byteCount)
                digest = SimulatedRandom.mix(
                    digest ^ UInt64(direction.pending) << 8 ^ UInt64(direction.end.rawValue))
            }
        case .parked:
            // A session whose targets refused within one turn, and which a new table parks again, begins a
            // wait anew: nobody has seen it elsewhere in between, but its times say so.
            digest = SimulatedRandom.mix(digest ^ UInt64(session.routedMicroseconds))
        case .free, .proxyHeader, .hello, .head, .requesting, .refusing, .closing, .handingOver: break
        }
        progress = digest
    }
}
