import Linux
import Routes
import Synchronization

/// The sessions of a simulated worker on their way to the next one: packets in the order in which they were
/// sent.
package final class SimulatedHandOver: Sendable {
    private let packets = Mutex<[Packet]>([])

    /// Nothing was sent yet.
    package init() {}

    /// The way there; each end has one of its own, because each says what became of it.
    package func makeChannel() -> HandOverChannel {
        HandOverChannel(
            send: { [self] (bytes: [UInt8], descriptors: [Int32]) throws(Errno) in
                var packet = Packet()
                packet.bytes = bytes
                packet.descriptors = descriptors
                packets.withLock { $0.append(packet) }
            },
            receive: { [self] () throws(Errno) in
                packets.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            })
    }
}

extension SimulatedWorker {
    /// Whether nothing is left here that the next worker would not have: also what is refused has ended, for
    /// both have one kernel.
    package var isReadyToGiveUp: Bool {
        guard worker.state == .handingOver(isSent: true) else { return false }
        return (0..<worker.sessions.touchedCount).allSatisfy { slot in
            switch worker.sessions[slot].phase {
            case .free, .handingOver, .parked: true
            case .proxyHeader, .hello, .head, .connecting, .requesting, .relaying, .forwarding, .refusing,
                .closing:
                false
            }
        }
    }

    /// The hand-over comes to nothing.
    package mutating func resume() { worker.resumeSessions() }

    /// Another worker takes the place of this one, with the sessions that were sent. Returns what is wrong.
    package mutating func replace(
        from handOver: SimulatedHandOver, sessionsMax: Int, table: RouteTable, settings: WorkerSettings,
        links: WorkerLinks, shared: WorkerShared
    ) -> String? {
        let sent = worker.sessions.count
        var kernel = SimulatedBackend(limits: worker.backend.limits, hardships: SimulatedHardships(), seed: 1)
        swap(&kernel, &worker.backend)
        var next = Worker(
            backend: kernel, sessionsMax: sessionsMax, table: table, settings: settings, links: links,
            shared: shared)
        next.listeners = worker.listeners
        let channel = handOver.makeChannel()
        next.adoptSessions(from: channel)
        // The one before gives up what the next has.
        swap(&next.backend, &worker.backend)
        worker.giveUpSessions()
        worker.backend.release(worker.answers.buffer)
        worker.backend.dropFaults()
        swap(&next.backend, &worker.backend)
        swap(&worker, &next)
        worker.resumeSessions()
        guard channel.outcome == .done(sessions: sent) else {
            return "\(sent) sessions were sent: \(String(describing: channel.outcome))"
        }
        return nil
    }
}
