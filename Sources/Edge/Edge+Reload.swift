import DataPlane
import Linux
import Routes

/// A listener that was bound, once for each worker, and not yet given to them.
struct OpenedListener {
    var listener: Listener
    /// One for each worker.
    var descriptors: [Int32]
}

extension Edge {
    /// SIGHUP: reads everything anew. With any error nothing changes, and the log says why; else the workers
    /// get the new table and settings, new listeners are opened and those that are gone are closed. Sessions
    /// are not touched.
    mutating func reload() {
        do throws(InvalidConfiguration) {
            let next = try LoadedConfiguration.load(path, seed: seed)
            let changes = ListenerChanges(from: current.configuration, to: next.configuration)
            let opened = try openListeners(changes.opened)
            reopenLog(next.configuration)
            give(opened)
            replace(by: next, closing: changes.closed)
            reloads += 1
        } catch {
            failedReloads += 1
            log.write(.error, "reload failed, all stays as it was:\n\(error.text)")
        }
    }

    private mutating func replace(by next: LoadedConfiguration, closing closed: [Listener]) {
        let changes = RouteChanges(from: current.table.image, to: next.table.image)
        // The old table is held until no worker uses it, so that it is this thread that gives its memory
        // back.
        let previous = current
        current = next
        let settings = WorkerSettings(next.configuration, workers: limits.workers)
        var numbers: [Int] = []
        for worker in workers {
            worker.links.mailbox.send(.settings(settings))
            for listener in closed {
                guard let index = listenerIndexes[listener.endpoint] else { continue }
                worker.links.mailbox.send(.removeListener(index: index))
                listenerDescriptors[listener.endpoint] = nil
            }
            numbers.append(worker.links.mailbox.send(.table(next.table)))
        }
        waitForWorkers(numbers)
        if !next.warnings.isEmpty { log.write(.warning, next.warnings) }
        warnOfFixedSettings(previous.configuration, next.configuration)
        log.write(.info, "reloaded \(summary(of: next)) \(text(of: changes))")
    }

    /// Waits until every worker has acted on the message with its number, at most for some seconds; whether
    /// all have. A worker that does not answer keeps the old table alive by itself.
    @discardableResult
    func waitForWorkers(_ numbers: [Int]) -> Bool {
        let start = monotonicNanoseconds()
        for (worker, number) in zip(workers, numbers) {
            while !worker.links.mailbox.isAcknowledged(number) {
                guard monotonicNanoseconds() - start < 5_000_000_000, !worker.isFinished else {
                    log.write(.error, "a worker does not answer")
                    return false
                }
                sleepMicroseconds(100)
            }
        }
        return true
    }

    /// Settings that are given to the system once, at start.
    private func warnOfFixedSettings(_ old: Configuration, _ new: Configuration) {
        var fixed: [String] = []
        if old.workers != new.workers { fixed.append("workers") }
        if old.inputOutput != new.inputOutput { fixed.append("io") }
        if old.user != new.user { fixed.append("user") }
        if old.pidfilePath != new.pidfilePath { fixed.append("pidfile") }
        if old.limits.connections != new.limits.connections { fixed.append("limit connections") }
        if old.timeouts.userMilliseconds != new.timeouts.userMilliseconds { fixed.append("timeout user") }
        guard !fixed.isEmpty else { return }
        log.write(.warning, "changed, and in force from the next start on: \(fixed.joined(separator: ", "))")
    }

    func reopenLog(_ configuration: Configuration) {
        do throws(Errno) {
            try log.apply(configuration.log)
        } catch {
            log.write(.error, "the log cannot be opened, lines go where they went: \(error)")
        }
    }

    private func text(of changes: RouteChanges) -> String {
        func part(_ word: String, _ names: RouteChanges.Names) -> String {
            guard names.count > 0 else { return "\(word)=0" }
            let more = names.count > names.examples.count ? ",…" : ""
            return "\(word)=\(names.count)(\(names.examples.joined(separator: ","))\(more))"
        }
        return [
            part("added", changes.added), part("removed", changes.removed), part("changed", changes.changed),
        ]
        .joined(separator: " ")
    }

    // MARK: Listeners

    /// Binds each listener once for every worker. With any failure those bound so far are closed again.
    func openListeners(_ listeners: [Listener]) throws(InvalidConfiguration) -> [OpenedListener] {
        let userMilliseconds = Int32(clamping: current.configuration.timeouts.userMilliseconds)
        var opened: [OpenedListener] = []
        for listener in listeners {
            var descriptors: [Int32] = []
            do throws(Errno) {
                // Two processes of one user may share a port by SO_REUSEPORT: an edge started twice by
                // mistake would take half of the connections and nobody would know why.
                try checkUnused(SocketAddress(listener.endpoint))
                for _ in 0..<limits.workers {
                    descriptors.append(
                        try listen(
                            on: SocketAddress(listener.endpoint), userTimeoutMilliseconds: userMilliseconds))
                }
            } catch {
                for descriptor in descriptors + opened.flatMap(\.descriptors) { closeDescriptor(descriptor) }
                let column = listener.place.start - listener.place.lineStart + 1
                throw InvalidConfiguration(
                    text:
                        "\(path):\(listener.place.line):\(column): error: "
                        + "\(listener.endpoint) cannot be bound: \(error)"
                )
            }
            opened.append(OpenedListener(listener: listener, descriptors: descriptors))
        }
        return opened
    }

    /// Gives bound listeners to the workers, which own them from now on.
    mutating func give(_ opened: [OpenedListener]) {
        for listener in opened {
            let endpoint = listener.listener.endpoint
            let index = listenerIndexes[endpoint] ?? UInt32(listenerIndexes.count)
            listenerIndexes[endpoint] = index
            listenerDescriptors[endpoint] = listener.descriptors
            for (worker, descriptor) in zip(workers, listener.descriptors) {
                worker.links.mailbox.send(
                    .addListener(
                        descriptor: descriptor, index: index,
                        label: localAddress(of: descriptor) ?? SocketAddress(listener.listener.endpoint)))
            }
        }
    }
}
