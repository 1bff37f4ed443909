import Foundation
import Linux
package import Logging
import Migration
import Peers
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
    /// Tells other processes that there is one already.
    private nonisolated let lock: FileLock
    nonisolated let guidances = GuidanceBoard()
    /// Carries sites to other hosters and takes theirs; nil: there are no peers.
    private(set) var migrator: Migrator?
    private var peerServer: PeerServer?
    /// Makes runmes of images.
    nonisolated var blueprints: BlueprintMaker {
        BlueprintMaker(engine, scratchFolder: configuration.scratchPath)
    }

    private(set) var keepers: [String: SiteKeeper] = [:]
    /// Whose a name is.
    private(set) var domains: [String: String] = [:]
    /// Sites that a visitor is about to wake.
    var visited: Set<String> = []
    private var manifests: [String: Runme] = [:]
    private var tasks: [String: Task<Void, Never>] = [:]
    /// How long the last comparison of all sites took, and when it was.
    var comparison: (seconds: Double, atSeconds: Double)?
    /// What is known of the names of containers that others have labelled.
    var labelled = LabelledNames()
    private var wakeListener: WakeListener?
    /// What audits of an earlier process may have left.
    private var remains = Audit.Remains()

    /// Opens what is kept of earlier times. Nothing is done yet.
    package init(_ configuration: YardmasterConfiguration, log: Logger) throws(Refusal) {
        self.configuration = configuration
        self.log = log
        // Two would take each other's sockets, and undo what the other one does.
        lock = try Self.lock(configuration.statePath)
        engine = EngineLink(socket: configuration.enginePath)
        edge = EdgeProcess(pidPath: configuration.edgePidPath, controlPath: configuration.edgeControlPath)
        store = try SiteStore(path: configuration.statePath)
        publisher = RoutesPublisher(path: configuration.routesPath, edge: edge, log: log)
        capacity = Capacity(configuration.limits)
    }

    private static func lock(_ statePath: String) throws(Refusal) -> FileLock {
        let path = statePath + ".lock"
        do throws(Errno) {
            return try FileLock(path: path)
        } catch .wouldBlock {
            throw Refusal(.conflict, "another yardmaster runs with \(statePath)")
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be locked: \(error)")
        }
    }

    // MARK: Life

    /// Takes up all sites where an earlier process has left them, and begins to listen to visitors.
    package func begin() async throws(Refusal) {
        remains = Audit.remains(scratchFolder: configuration.scratchPath)
        try await beginWithPeers()
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
        do throws(Refusal) {
            try await publisher.publish(Dictionary(uniqueKeysWithValues: leftOver.map { ($0, nil) }))
        } catch {
            guard error.kind == .conflict else { throw error }
            log.warning("lines of sites that are gone stay: \(error.text)")
        }
        wakeListener = try await WakeListener(path: configuration.wakePath) { name in
            Task { await self.visit(name) }
        }
        await migrator?.begin()
    }

    /// What migrations have to say is known before the first site is looked at.
    private func beginWithPeers() async throws(Refusal) {
        guard let settings = configuration.peers else {
            // What was given away stays so, even if there are no peers any more.
            for (site, kept) in try await store.ledgers()
            where !kept.ledger.mayRun || kept.ledger.edgeRoute != .own {
                guidances[site] = SiteGuidance(mayRun: false, route: SiteGuidance.Route.none)
            }
            return
        }
        do throws(PeerError) {
            let identity = try Identity.loadOrMake(
                path: configuration.identityPath, name: try PeerName(settings.name))
            let visitors = settings.addresses.isEmpty ? nil : settings.addresses.map(\.description)
            let edgeAddress = settings.forwardTLS.map {
                EdgeAddress(tls: $0, http: settings.forwardHTTP, visitors: visitors)
            }
            let link = PeerLink(
                client: try PeerClient(identity), identity: identity, book: PeerStore(store: store),
                address: try PeerAddress(settings.address), edge: edgeAddress)
            let migrator = Migrator(configuration, store, guidances, link, self, engine, edge, log: log)
            self.migrator = migrator
            peerServer = try await PeerServer(
                identity, book: link.book,
                listeningOn: settings.listen.map { ($0.host, Int($0.port)) }, methods: migrator.methods
            ) { [log] event in log.info("\(event.text)") }
        } catch {
            throw Refusal(error)
        }
        try await migrator?.read()
    }

    /// Watches the engine, the edge and the clock, until the task is cancelled. Sites go on.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [remains] in await Audit.clear(remains, self.engine) }
            // An earlier process may have written routes and told nobody.
            group.addTask { await self.edge.waitForReload() }
            group.addTask { await self.watchEngine() }
            group.addTask { await self.watchVisitors() }
            group.addTask { await self.compareNowAndThen() }
            if let peerServer { group.addTask { await peerServer.run() } }
        }
        await migrator?.end()
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
            wakeSocket: configuration.wakePath, guidances: guidances,
            makeRunner: { [configuration, engine, store] record, runme in
                makeRunner(record, runme, configuration, engine, store.identity, ended: nudge)
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
        if let objection = await migrator?.objectionToAdding(runme.domain) {
            throw Refusal(.conflict, objection)
        }
        let (record, operation) = try await store.add(
            domain: runme.domain, names: names, folder: folder.path, runme: text, wish: wish,
            networkCount: configuration.pool.networkCount, obstacle: try await obstacle(to: runme))
        do throws(Refusal) {
            try await migrator?.claim(record.domain)
            install(record, runme, [operation])
            try await waitForEnd(of: operation)
        } catch {
            tasks[record.domain]?.cancel()
            uninstall(record.domain)
            try await store.forget(record.domain)
            throw error
        }
        return Outcome(domain: runme.domain, warnings: warnings + (await edgeWarnings))
    }

    /// Which network of the engine has addresses of the one with a number.
    private func obstacle(to runme: Runme) async throws(Refusal) -> @Sendable (Int) -> String? {
        guard case .docker = runme.start else { return { _ in nil } }
        let (pool, own) = (configuration.pool, "switchyard-\(runme.domain)")
        let networks = try await engine.use { (engine) throws(EngineError) in try await engine.networks() }
            .filter { $0.name != own }
        return { index in networks.first { $0.overlaps(pool[index]) }?.name }
    }

    /// What an operator may want of a site that is there.
    package enum Verb: String, CaseIterable, Sendable { case start, stop, restart, sleep, wake, remove }

    /// Does it, and returns when it is done.
    package func perform(
        _ verb: Verb, _ domain: String, _ progress: Progress
    ) async throws(Refusal) -> Outcome {
        let keeper = try keeper(domain)
        if let objection = await migrator?.objection(to: verb, keeper.domain) {
            throw Refusal(.conflict, objection)
        }
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
            try await makeRunner(record, runme, configuration, engine, store.identity) {}.check(progress)
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
        outcome.warnings += await edgeWarnings
        return outcome
    }

    private func waitForEnd(of operation: Operation) async throws(Refusal) {
        if let refusal = await keepers[operation.domain]?.end(of: operation) { throw refusal }
    }

    private func absolute(_ path: String) throws(Refusal) -> String {
        let whole = path.hasPrefix("/") ? path : "\(configuration.sitesPath)/\(path)"
        // A link is resolved once and for all: whoever can change it must not choose another folder later.
        let standard = (try? realPath(whole)) ?? URL(fileURLWithPath: whole).standardizedFileURL.path
        // Routes and the engine's mounts have these as separators.
        guard !standard.contains(where: { $0.isWhitespace || $0 == ":" || $0 == "," }) else {
            throw Refusal(.invalid, "the path \(standard) has a blank, a colon or a comma")
        }
        return standard
    }

    /// What is published and the edge does not know.
    private var edgeWarnings: [String] {
        get async {
            // One that was started since has read it.
            guard let reason = await publisher.untold, (try? await edge.reloads()) == nil else { return [] }
            return ["the edge was not told: \(reason)"]
        }
    }

    /// The edge refuses a name that stands in two files, and all changes with it.
    private func checkNames(
        _ names: [String], _ matches: Set<String> = ["exact"]
    ) async throws(Refusal) {
        do throws(Refusal) {
            for name in names {
                let other = try await edge.otherRoute(
                    for: name, than: configuration.routesPath, matches: matches)
                if let other { throw Refusal(.conflict, "\(name) has a route already: \(other)") }
            }
        } catch {
            if error.kind == .conflict { throw error }
            // It could not start with such a name.
            let places = await publisher.otherPlaces(of: Set(names))
            guard let (name, place) = places.min(by: { $0.key < $1.key }) else { return }
            throw Refusal(
                .conflict,
                "\(name) has a route already: \(place) (the edge does not answer, so all files beside "
                    + "\(configuration.routesPath) count)")
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
}

extension Yardmaster {
    /// Somebody who is no peer any more.
    func disconnect(_ peer: Peer) { peerServer?.disconnect(peer.fingerprint) }
}

// MARK: - What migrations need

extension Yardmaster: MigratedSites {
    func isKnown(_ domain: String) -> Bool { keepers[domain] != nil }
    func names() -> [String: String] { domains }
    func keeper(of domain: String) -> SiteKeeper? { keepers[domain] }

    func take(_ domain: String, folder: String) async throws(Refusal) {
        let (runme, text, _) = try SiteFolder(path: folder).manifest()
        let names = [runme.domain] + runme.aliases
        if let keeper = keepers[domain] {
            let record = await keeper.record
            // It has been given away and comes back, or an earlier attempt has come so far.
            if record.wish == .awake, record.runme == text, record.folder == folder, guidances[domain].mayRun,
                await keeper.isFresh
            {
                return
            }
            let (next, operation) = try await store.change(
                domain, to: .awake, verb: Operation.arrivalVerb, runme: (text, names), isRenewed: true,
                folder: folder)
            name(domain, runme)
            await keeper.take(next, runme, operation, .none)
            return
        }
        try checkPorts(of: runme)
        let (record, operation) = try await store.add(
            domain: domain, names: names, folder: folder, runme: text, wish: .awake,
            verb: Operation.arrivalVerb, networkCount: configuration.pool.networkCount,
            obstacle: try await obstacle(to: runme))
        install(record, runme, [operation])
    }

    /// Peers have no say in names that lead elsewhere already: a container's, or one that the operator has
    /// routed, even by a wildcard.
    func objection(toNames names: [String]) async -> String? {
        let labelled = await publisher.containerNames
        if let name = names.first(where: labelled.contains) {
            return "the name \(name) is one of a container's labels here"
        }
        do throws(Refusal) {
            try await checkNames(names, ["exact", "wildcard"])
            return nil
        } catch {
            return error.text
        }
    }

    func drop(_ domain: String) async throws(Refusal) {
        guard let keeper = keepers[domain] else { return }
        try await publisher.publish(domain, nil)
        let task = tasks[domain]
        task?.cancel()
        // A step that is under way might start something behind what follows.
        await task?.value
        await keeper.abandon()
        try await keeper.runner.clear()
        await capacity.release(domain)
        try await store.forget(domain)
        uninstall(domain)
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
    _ identity: String, ended: @escaping @Sendable () -> Void
) -> any SiteRunner {
    switch runme.start {
    case .docker(let docker):
        DockerSite(record, runme, docker, configuration.pool[record.network], engine, identity)
    case .vagrant(let vagrant): VagrantSite(record, runme, vagrant)
    case .command(let command):
        CommandSite(record, runme, command, logFolder: configuration.logPath, ended: ended)
    }
}
