import Foundation
import Linux
package import Logging
import Runme

/// The orchestrator: knows all sites, takes what operators and visitors want, and has a ``SiteKeeper`` for
/// each site that does it.
package actor Yardmaster {
    package nonisolated let configuration: YardmasterConfiguration
    nonisolated let engine: EngineLink
    nonisolated let edge: EdgeProcess
    nonisolated let store: SiteStore
    nonisolated let publisher: RoutesPublisher
    nonisolated let capacity: Capacity
    nonisolated let log: Logger
    /// Makes runmes of images.
    nonisolated var blueprints: BlueprintMaker {
        BlueprintMaker(engine, scratchFolder: configuration.scratchPath)
    }

    private(set) var keepers: [String: SiteKeeper] = [:]
    /// Whose a name is.
    private var domains: [String: String] = [:]
    private var manifests: [String: Runme] = [:]
    private var tasks: [String: Task<Void, Never>] = [:]
    /// How long the last comparison of all sites took, and when it was.
    private(set) var comparison: (seconds: Double, atSeconds: Double)?
    private var wakeListener: WakeListener?

    /// Opens what is kept of earlier times. Nothing is done yet.
    package init(_ configuration: YardmasterConfiguration, log: Logger) throws(Refusal) {
        self.configuration = configuration
        self.log = log
        engine = EngineLink(socket: configuration.enginePath)
        edge = EdgeProcess(pidPath: configuration.edgePidPath, controlPath: configuration.edgeControlPath)
        store = try SiteStore(path: configuration.statePath)
        publisher = RoutesPublisher(path: configuration.routesPath, edge: edge, log: log)
        capacity = Capacity(configuration.limits)
    }

    // MARK: Life

    /// Takes up all sites where an earlier process has left them, and begins to listen to visitors.
    package func begin() async throws(Refusal) {
        await capacity.connect(
            makeRoom: { sites, bytes in await self.putIdleToSleep(sites: sites, bytes: bytes) },
            tell: { domain in await self.keepers[domain]?.nudge() })
        let operations = Dictionary(grouping: try await store.operationsUnderWay()) { $0.domain }
        for record in try await store.sites() {
            let (runme, _, _) = try SiteFolder.parse(
                Array(record.runme.utf8), named: SiteFolder(path: record.folder).manifestPath)
            install(record, runme, operations[record.domain] ?? [])
        }
        // What the journal tells of sites that are gone was done.
        for (domain, operations) in operations where keepers[domain] == nil {
            try await store.end(operations, failure: nil)
        }
        // A line of a site that is gone was left by a process that ended in between.
        let leftOver = await publisher.keys.filter {
            !$0.hasPrefix(LabelledContainers.keyPrefix) && keepers[$0] == nil
        }
        try await publisher.publish(Dictionary(uniqueKeysWithValues: leftOver.map { ($0, nil) }))
        await Audit.clear(engine, scratchFolder: configuration.scratchPath)
        wakeListener = try await WakeListener(path: configuration.wakePath) { name in
            Task { await self.visit(name) }
        }
    }

    /// Watches the engine, the edge and the clock, until the task is cancelled. Sites go on.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watchEngine() }
            group.addTask { await self.watchVisitors() }
            group.addTask { await self.compareNowAndThen() }
        }
        for task in tasks.values { task.cancel() }
        await wakeListener?.close()
        await engine.shutDown()
    }

    private func install(_ record: SiteRecord, _ runme: Runme, _ operations: [Operation]) {
        let nudge: @Sendable () -> Void = { [weak self] in
            Task { await self?.keepers[record.domain]?.nudge() }
        }
        let surroundings = SiteSurroundings(
            store: store, publisher: publisher, edge: edge, capacity: capacity,
            wakeSocket: configuration.wakePath,
            makeRunner: { [configuration, engine] record, runme in
                makeRunner(record, runme, configuration, engine, ended: nudge)
            }, log: log)
        let keeper = SiteKeeper(record, runme, operations, surroundings)
        keepers[record.domain] = keeper
        name(record.domain, runme)
        tasks[record.domain] = Task {
            await keeper.run()
            if !Task.isCancelled { uninstall(record.domain) }
        }
    }

    private func uninstall(_ domain: String) {
        keepers[domain] = nil
        tasks[domain] = nil
        domains = domains.filter { $0.value != domain }
        manifests[domain] = nil
    }

    private func name(_ domain: String, _ runme: Runme) {
        domains = domains.filter { $0.value != domain }
        for name in [runme.domain] + runme.aliases { domains[name] = domain }
        manifests[domain] = runme
    }

    // MARK: What operators want

    /// What became of a wish.
    package struct Outcome: Sendable {
        package var domain: String
        /// Things that an author of a runme should know.
        package var warnings: [String] = []
    }

    /// Keeps a new site, which does not run yet.
    package func add(folder path: String, wish: Wish, _ progress: Progress) async throws(Refusal) -> Outcome {
        let folder = SiteFolder(path: try absolute(path))
        let (runme, text, warnings) = try folder.manifest()
        let names = [runme.domain] + runme.aliases
        try await checkNames(names)
        try checkPorts(of: runme)
        let (record, operation) = try await store.add(
            domain: runme.domain, names: names, folder: folder.path, runme: text, wish: wish,
            networkCount: configuration.pool.networkCount)
        install(record, runme, [operation])
        do throws(Refusal) {
            try await waitForEnd(of: operation)
        } catch {
            tasks[record.domain]?.cancel()
            uninstall(record.domain)
            try await store.forget(record.domain)
            throw error
        }
        return Outcome(domain: runme.domain, warnings: warnings)
    }

    /// What an operator may want of a site that is there.
    package enum Verb: String, CaseIterable, Sendable { case start, stop, restart, sleep, wake, remove }

    /// Does it, and returns when it is done.
    package func perform(
        _ verb: Verb, _ domain: String, _ progress: Progress
    ) async throws(Refusal) -> Outcome {
        let keeper = try keeper(domain)
        let record = await keeper.record
        var runme = await keeper.runme
        var outcome = Outcome(domain: domain)
        var changed: (text: String, names: [String])?
        if verb == .start || verb == .restart || verb == .wake {
            let (new, text, warnings) = try SiteFolder(path: record.folder).manifest()
            guard new.domain == domain else {
                throw Refusal(.conflict, "the runme in \(record.folder) is that of \(new.domain) now")
            }
            if text != record.runme {
                changed = (text, [new.domain] + new.aliases)
                try await checkNames(changed?.names ?? [])
                try checkPorts(of: new)
                runme = new
                outcome.warnings = warnings
            }
            try await makeRunner(record, runme, configuration, engine) {}.check(progress)
        }
        if verb == .remove, case .docker = runme.start {
            // Without the engine what it holds would be left.
            _ = try await engine.use { (engine) throws(EngineError) in engine.version }
        }
        let (next, operation) = try await store.change(
            domain, to: verb.wish, verb: verb.rawValue, runme: changed, isRenewed: verb == .restart)
        name(domain, runme)
        await keeper.take(next, runme, operation, progress)
        try await waitForEnd(of: operation)
        return outcome
    }

    private func waitForEnd(of operation: Operation) async throws(Refusal) {
        if let refusal = await keepers[operation.domain]?.end(of: operation) { throw refusal }
    }

    private func absolute(_ path: String) throws(Refusal) -> String {
        let whole = path.hasPrefix("/") ? path : "\(configuration.sitesPath)/\(path)"
        let standard = URL(fileURLWithPath: whole).standardizedFileURL.path
        // Routes and the engine's mounts have these as separators.
        guard !standard.contains(where: { $0.isWhitespace || $0 == ":" || $0 == "," }) else {
            throw Refusal(.invalid, "the path \(standard) has a blank, a colon or a comma")
        }
        return standard
    }

    /// The edge refuses a name that stands in two files, and all changes with it.
    private func checkNames(_ names: [String]) async throws(Refusal) {
        for name in names {
            // An edge that does not run cannot be asked; what it finds is in its log then.
            let other = try? await edge.otherRoute(for: name, than: configuration.routesPath)
            if let place = other ?? nil { throw Refusal(.conflict, "\(name) has a route already: \(place)") }
        }
    }

    private func checkPorts(of runme: Runme) throws(Refusal) {
        guard case .command(let command) = runme.start else { return }
        for (domain, manifest) in manifests.sorted(by: { $0.key < $1.key }) where domain != runme.domain {
            guard case .command(let other) = manifest.start else { continue }
            let common = Set([other.ports.tls, other.ports.http].compactMap(\.self))
                .intersection([command.ports.tls, command.ports.http].compactMap(\.self))
            if let port = common.min() {
                throw Refusal(.conflict, "the port \(port) is one of the site \(domain)")
            }
        }
    }

    func keeper(_ domain: String) throws(Refusal) -> SiteKeeper {
        guard let owner = domains[domain.lowercased()], let keeper = keepers[owner] else {
            throw Refusal(.missing, "there is no site \(domain)")
        }
        return keeper
    }

    // MARK: What visitors want

    /// Somebody waits for a name. Unknown ones and sites that run are none of our business.
    func visit(_ name: String) async {
        guard let domain = domains[name], let keeper = keepers[domain], await keeper.mayBeWoken else {
            return
        }
        let runme = await keeper.runme
        do throws(Refusal) {
            let (record, operation) = try await store.change(domain, to: .awake, verb: Operation.visitorVerb)
            await keeper.take(record, runme, operation, .none)
        } catch {
            log.warning("\(domain): a visitor cannot be let in: \(error.text)")
        }
    }

    /// Asks the edge each second who is there, and puts to sleep whose time is over.
    private func watchVisitors() async {
        var wasAway = false
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            var awake: [SiteKeeper] = []
            for keeper in keepers.values where await keeper.state == .awake { awake.append(keeper) }
            guard !awake.isEmpty else { continue }
            do throws(Refusal) {
                let traffic = try await edge.traffic()
                wasAway = false
                for keeper in awake {
                    await keeper.note(traffic[keeper.runner.tlsAddress.description])
                    await putToSleepIfIdle(keeper)
                }
            } catch {
                if !wasAway { log.warning("nobody is put to sleep: \(error.text)") }
                wasAway = true
            }
        }
    }

    private func putToSleepIfIdle(_ keeper: SiteKeeper) async {
        guard let limit = await keeper.runme.sleepAfterMilliseconds, let idle = await keeper.idleSeconds,
            idle * 1000 >= Double(limit)
        else { return }
        await putToSleep(keeper)
    }

    private func putToSleep(_ keeper: SiteKeeper) async {
        let runme = await keeper.runme
        do throws(Refusal) {
            let (record, operation) = try await store.change(
                keeper.domain, to: .asleep, verb: Operation.idleVerb)
            await keeper.take(record, runme, operation, .none)
        } catch {
            log.warning("\(keeper.domain): it cannot be put to sleep: \(error.text)")
        }
    }

    /// Puts the longest idle to sleep until so much is free; whether any is on its way.
    private func putIdleToSleep(sites: Int, bytes: UInt64) async -> Bool {
        var idle: [(keeper: SiteKeeper, seconds: Double, bytes: UInt64)] = []
        var leaving = 0
        for keeper in keepers.values {
            if await keeper.record.wish == .asleep, await keeper.state != .asleep { leaving += 1 }
            guard await keeper.runme.sleepAfterMilliseconds != nil, let seconds = await keeper.idleSeconds
            else { continue }
            idle.append((keeper, seconds, await keeper.runner.memoryBytes))
        }
        // Those that are leaving already will make room.
        if leaving > 0 { return true }
        var (sites, bytes) = (sites, bytes)
        var chosen = 0
        for (keeper, _, memory) in idle.sorted(by: { $0.seconds > $1.seconds }) where sites > 0 || bytes > 0 {
            await putToSleep(keeper)
            chosen += 1
            sites -= 1
            bytes = bytes > memory ? bytes - memory : 0
        }
        return chosen > 0
    }

    // MARK: Comparing

    /// Hears from the engine what happens to containers. Whenever the stream begins anew, things may have
    /// happened that nobody told.
    private func watchEngine() async {
        var wasAway = false
        while !Task.isCancelled {
            do {
                let events = try await engine.use { (engine) throws(EngineError) in try engine.events() }
                await compare()
                if wasAway { log.info("the container engine answers again") }
                wasAway = false
                for try await event in events { await note(event) }
            } catch {
                let text = (error as? Refusal)?.text ?? (error as? EngineError)?.text ?? "\(error)"
                if !wasAway { log.warning("\(text)") }
                wasAway = true
            }
            for keeper in keepers.values { await keeper.noteEngineGone() }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func note(_ event: EngineEvent) async {
        if let domain = event.attributes[DockerSite.Label.site] {
            // What we have ended ourselves is seen by the step that did it.
            if event.action == "die" || event.action == "destroy" || event.action == "start" {
                keepers[domain]?.nudge()
            }
        } else if event.attributes[LabelledContainers.namesLabel] != nil {
            await publishLabelled()
        }
    }

    private func compareNowAndThen() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(Int64(configuration.compareMilliseconds)))
            await compare()
        }
    }

    /// Looks at all containers with one question, and wakes the keepers of those that are not as they were.
    package func compare() async {
        let begin = monotonicSeconds()
        do throws(Refusal) {
            let all = try await engine.use { (engine) throws(EngineError) in
                try await engine.containers(labelled: DockerSite.Label.site)
            }
            let bySite = Dictionary(grouping: all) { $0.labels[DockerSite.Label.site] ?? "" }
            for (domain, keeper) in keepers { await keeper.compare(bySite[domain] ?? []) }
            await publishLabelled()
        } catch {
            log.debug("no comparison: \(error.text)")
            // Programs and machines need no engine.
            for keeper in keepers.values { await keeper.compare(nil) }
        }
        let now = monotonicSeconds()
        comparison = (now - begin, now)
    }

    /// Routes for containers that others have started and labelled.
    private func publishLabelled() async {
        do throws(Refusal) {
            let containers = try await engine.use { (engine) throws(EngineError) in
                try await engine.containers(labelled: LabelledContainers.namesLabel)
            }
            let found = LabelledContainers(containers, taken: Set(domains.keys))
            for warning in found.warnings { log.warning("\(warning)") }
            let before = await publisher.keys.filter { $0.hasPrefix(LabelledContainers.keyPrefix) }
            var changes: [String: String?] = found.lines.mapValues { $0 }
            for key in before where found.lines[key] == nil { changes.updateValue(nil, forKey: key) }
            try await publisher.publish(changes)
        } catch {
            log.warning("routes of labelled containers: \(error.text)")
        }
    }
}

extension Yardmaster.Verb {
    /// What it leads to.
    var wish: Wish {
        switch self {
        case .start, .restart, .wake: .awake
        case .stop: .stopped
        case .sleep: .asleep
        case .remove: .removed
        }
    }
}

/// The way in which a runme wants its site to run.
func makeRunner(
    _ record: SiteRecord, _ runme: Runme, _ configuration: YardmasterConfiguration, _ engine: EngineLink,
    ended: @escaping @Sendable () -> Void
) -> any SiteRunner {
    switch runme.start {
    case .docker(let docker):
        DockerSite(record, runme, docker, configuration.pool[record.network], engine)
    case .vagrant(let vagrant): VagrantSite(record, runme, vagrant)
    case .command(let command):
        CommandSite(record, runme, command, logFolder: configuration.logPath, ended: ended)
    }
}
