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
        for (endpoint, index) in listenerIndexes {
            for worker in workers {
                worker.links.mailbox.send(.nameListener(index: index, label: SocketAddress(endpoint)))
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
        // From here on they are ours, also if that process has ended meanwhile.
        try? predecessor.send(.committed)
        predecessor.isDone = true
        for worker in workers { worker.links.mailbox.send(.resumeSessions) }
    }

    /// Tells whom it concerns that this process serves now.
    func noteTakenOver(_ predecessor: Predecessor, _ pidfile: String?) {
        if let pidfile {
            do throws(InvalidConfiguration) {
                try writePidfile(pidfile)
            } catch {
                log.write(.error, "\(error.text)\nit names the process before this one")
            }
        }
        if case .exactly(let count) = current.configuration.workers, count != limits.workers {
            log.write(
                .warning,
                "workers: there are \(limits.workers), as before the upgrade; "
                    + "\(count) are in force from the next start on")
        }
        ServiceManager().tell(.ready)
    }

    /// Lets the workers accept what still waits at listeners that are in the configuration no more, and
    /// closes them.
    mutating func closeLeftListeners(_ predecessor: Predecessor) {
        let configured = Set(current.configuration.listeners.map(\.endpoint))
        for (endpoint, descriptors) in predecessor.listeners where !configured.contains(endpoint) {
            guard let index = listenerIndexes[endpoint] else { continue }
            for (worker, descriptor) in zip(workers, descriptors) {
                worker.links.mailbox.send(
                    .addListener(descriptor: descriptor, index: index, label: SocketAddress(endpoint)))
                worker.links.mailbox.send(.removeListener(index: index))
            }
        }
    }
}
