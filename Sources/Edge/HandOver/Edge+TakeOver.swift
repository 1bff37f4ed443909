import DataPlane
import Linux
import Routes

/// The new process's part of an upgrade.
extension Edge {
    /// The listeners of the configuration: those that were given, and others, which are bound.
    func inheritListeners(_ predecessor: Predecessor) throws(InvalidConfiguration) -> [OpenedListener] {
        var inherited: [OpenedListener] = []
        var missing: [Listener] = []
        for listener in current.configuration.listeners {
            if let descriptors = predecessor.listeners[listener.endpoint] {
                inherited.append(OpenedListener(listener: listener, descriptors: descriptors))
            } else {
                missing.append(listener)
            }
        }
        return inherited + (try openListeners(missing))
    }

    /// Takes the sessions, waits until the process before has let go of them, and lets them go on. On failure
    /// this process ends, and the other one goes on.
    mutating func takeOver(from predecessor: Predecessor) throws(InvalidConfiguration) {
        do throws(UpgradeFailure) {
            try takeSessions(from: predecessor)
        } catch {
            throw InvalidConfiguration(text: error.text)
        }
    }

    private mutating func takeSessions(from predecessor: Predecessor) throws(UpgradeFailure) {
        listenerIndexes = predecessor.indexes
        listenerPlans = predecessor.plans
        for target in predecessor.drainedTargets { _ = checks.setDrained(target, true) }
        for (endpoint, index) in listenerIndexes {
            let plan = listenerPlans[endpoint] ?? ListenerPlan()
            for worker in workers {
                worker.links.mailbox.send(
                    .nameListener(index: index, label: SocketAddress(endpoint), plan: plan))
            }
        }
        let deadline = monotonicNanoseconds() + 30_000_000_000
        let channels = predecessor.ways.map { HandOverChannel($0, deadlineNanoseconds: deadline) }
        for (worker, channel) in zip(workers, channels) { worker.links.mailbox.send(.adopt(channel)) }
        try predecessor.send(.prepared)
        var count = 0
        for (worker, channel) in zip(workers, channels) {
            while channel.outcome == nil {
                guard !worker.isFinished else { throw UpgradeFailure("a worker cannot start") }
                if predecessor.link.socket.hasPacket(waitingMilliseconds: 1) {
                    _ = try predecessor.receive()
                    throw UpgradeFailure("the process before does not wait")
                }
            }
            switch channel.outcome {
            case .done(let sessions): count += sessions
            case .failed(let text): throw UpgradeFailure(text)
            case nil: break
            }
        }
        try predecessor.send(.adopted(sessions: UInt64(count)))
        guard case .commit = try predecessor.receive().message else {
            throw UpgradeFailure("the process before does not commit")
        }
        // From here on they are ours, also if that process has ended meanwhile. Whoever hears of it from that
        // one finds us by the file.
        notePidfile()
        try? predecessor.send(.committed)
        predecessor.isDone = true
        // Their listeners may have other plans by now: what they go on with is to know them.
        for listener in current.configuration.listeners {
            guard let index = listenerIndexes[listener.endpoint] else { continue }
            let plan = ListenerPlan(listener)
            for worker in workers { worker.links.mailbox.send(.changeListener(index: index, plan: plan)) }
        }
        for worker in workers { worker.links.mailbox.send(.resumeSessions) }
    }

    private func notePidfile() {
        guard let pidfile = current.configuration.pidfilePath else { return }
        do throws(Errno) {
            try writePidfile(pidfile)
        } catch {
            log.write(.error, "pidfile \(pidfile): \(error); it names the process before this one")
        }
    }

    /// What did not become as the configuration has it.
    func noteTakenOver() {
        if case .exactly(let count) = current.configuration.workers, count != limits.workers {
            log.write(
                .warning,
                "workers: there are \(limits.workers), as before the upgrade; "
                    + "\(count) are in force from the next start on")
        }
    }

    /// Lets the workers accept what still waits at listeners that are in the configuration no more, and
    /// closes them.
    mutating func closeLeftListeners(_ predecessor: Predecessor) {
        let configured = Set(current.configuration.listeners.map(\.endpoint))
        for (endpoint, descriptors) in predecessor.listeners where !configured.contains(endpoint) {
            guard let index = listenerIndexes[endpoint] else { continue }
            for (worker, descriptor) in zip(workers, descriptors) {
                worker.links.mailbox.send(
                    .addListener(
                        descriptor: descriptor, index: index, label: SocketAddress(endpoint),
                        plan: listenerPlans[endpoint] ?? ListenerPlan()))
                worker.links.mailbox.send(.removeListener(index: index))
            }
        }
    }
}
