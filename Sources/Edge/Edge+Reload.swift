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
            try reloadOrThrow()
        } catch {
            log.write(.error, "reload failed, all stays as it was:\n\(error.text)")
        }
    }

    /// As ``reload()``; returns the summary and what there is to warn of, or throws the diagnostics.
    @discardableResult
    mutating func reloadOrThrow() throws(InvalidConfiguration) -> (summary: String, warnings: [String]) {
        serviceManager.tell(.reloading, .status("reloading"))
        let failuresBefore = failedReloads
        defer { tellReady(hasFailed: failedReloads > failuresBefore) }
        do throws(InvalidConfiguration) {
            let next = try LoadedConfiguration.load(path, seed: seed)
            let changes = ListenerChanges(from: current.configuration, to: next.configuration)
            let opened = try openListeners(changes.opened)
            do throws(InvalidConfiguration) {
                try openControl(next.configuration)
            } catch {
                for descriptor in opened.flatMap(\.descriptors) { closeDescriptor(descriptor) }
                throw error
            }
            let oldConfiguration = current.configuration
            var warnings = reopenLog(next.configuration).map { [$0] } ?? []
            if !next.warnings.isEmpty { warnings.append(next.warnings) }
            give(opened)
            let summary = replace(by: next, changes)
            if let fixed = fixedSettings(oldConfiguration, next.configuration) { warnings.append(fixed) }
            for warning in warnings { log.write(.warning, warning) }
            log.write(.info, "reloaded \(summary)")
            reloads += 1
            facts.update { [current, reloads] facts in
                facts.current = current
                facts.reloads = reloads
                facts.tableNanoseconds = monotonicNanoseconds()
                facts.lastReload = "succeeded"
                facts.lastError = ""
            }
            return (summary, warnings)
        } catch {
            failedReloads += 1
            facts.update { [failedReloads] facts in
                facts.failedReloads = failedReloads
                facts.lastReload = "failed"
                facts.lastError = error.text
            }
            throw error
        }
    }

    private mutating func replace(by next: LoadedConfiguration, _ listeners: ListenerChanges) -> String {
        let changes = RouteChanges(from: current.table.image, to: next.table.image)
        // The old table is held until no worker uses it, so that it is this thread that gives its memory
        // back.
        let previous = current
        current = next
        let settings = WorkerSettings(next.configuration, workers: limits.workers)
        var numbers: [Int] = []
        checks.adopt(next.table, connectMilliseconds: next.configuration.timeouts.connectMilliseconds)
        for worker in workers {
            worker.links.mailbox.send(.settings(settings))
            worker.links.mailbox.send(.gate(next.gate))
            for listener in listeners.changed {
                guard let index = listenerIndexes[listener.endpoint] else { continue }
                let plan = ListenerPlan(listener)
                listenerPlans[listener.endpoint] = plan
                worker.links.mailbox.send(.changeListener(index: index, plan: plan))
            }
            for listener in listeners.closed {
                guard let index = listenerIndexes[listener.endpoint] else { continue }
                worker.links.mailbox.send(.removeListener(index: index))
                listenerDescriptors[listener.endpoint] = nil
            }
            numbers.append(worker.links.mailbox.send(.table(next.table)))
        }
        waitForWorkers(numbers)
        return withExtendedLifetime(previous) { "\(summary(of: next)) \(text(of: changes))" }
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

    /// What has changed of the settings that are given to the system once, at start.
    private func fixedSettings(_ old: Configuration, _ new: Configuration) -> String? {
        var fixed: [String] = []
        if old.workers != new.workers { fixed.append("workers") }
        if old.inputOutput != new.inputOutput { fixed.append("io") }
        if old.user != new.user { fixed.append("user") }
        if old.hasSandbox != new.hasSandbox { fixed.append("sandbox") }
        if old.pidfilePath != new.pidfilePath { fixed.append("pidfile") }
        if old.limits.connections != new.limits.connections { fixed.append("limit connections") }
        if old.timeouts.userMilliseconds != new.timeouts.userMilliseconds { fixed.append("timeout user") }
        guard !fixed.isEmpty else { return nil }
        return "changed, and in force from the next start on: \(fixed.joined(separator: ", "))"
    }

    /// A log that cannot be opened is no reason to keep the old routes; the text says so.
    func reopenLog(_ configuration: Configuration) -> String? {
        do throws(Errno) {
            try log.apply(configuration.log)
            return nil
        } catch {
            return "\(configuration.location(of: .log, in: path)): warning: the log cannot be opened, "
                + "lines go where they went: \(error)"
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
                let address = SocketAddress(listener.endpoint)
                let shared = activationSocket(for: address)
                if shared == nil { try checkUnused(address) }
                for _ in 0..<limits.workers {
                    if let shared {
                        descriptors.append(try shared.share(userTimeoutMilliseconds: userMilliseconds))
                    } else {
                        descriptors.append(
                            try listen(on: address, userTimeoutMilliseconds: userMilliseconds))
                    }
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
            let plan = ListenerPlan(listener.listener)
            listenerPlans[endpoint] = plan
            for (worker, descriptor) in zip(workers, listener.descriptors) {
                worker.links.mailbox.send(
                    .addListener(
                        descriptor: descriptor, index: index,
                        label: localAddress(of: descriptor) ?? SocketAddress(listener.listener.endpoint),
                        plan: plan))
            }
        }
    }
}
