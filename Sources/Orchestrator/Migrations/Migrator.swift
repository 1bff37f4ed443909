import Foundation
import Linux
import Logging
import Migration
import Peers
import YardKit

/// Carries migrations out, in both roles: asks the ledger of a site what is next, does it, and tells the
/// ledger what became of it. What the ledger says is on the disk before anything that follows from it is
/// done.
package actor Migrator {
    /// The two roles that a hoster may have in a migration.
    enum Role: String, Hashable, Sendable { case giving, taking }

    private struct Drive: Hashable {
        var site: String
        var role: Role
    }

    nonisolated let configuration: YardmasterConfiguration
    nonisolated let store: SiteStore
    nonisolated let guidances: GuidanceBoard
    nonisolated let link: PeerLink
    nonisolated let sites: any MigratedSites
    nonisolated let engine: EngineLink
    nonisolated let edge: EdgeProcess
    nonisolated let log: Logger

    private var ledgers: [String: KeptLedger] = [:]
    private var drivers: [Drive: Task<Void, Never>] = [:]
    /// Who is told when a ledger has changed.
    private var watchers: [Drive: AsyncStream<Void>.Continuation] = [:]
    /// What writes into stagings, by the site.
    var receivers: [String: Task<Result<Void, PeerError>, Never>] = [:]
    /// What is known of the digests of folders, by the migration and the role.
    var caches: [String: DigestCacheOfFolder] = [:]
    /// What the edge had counted of the old address' traffic, the last hour.
    var residuals: [String: [ResidualSample]] = [:]
    /// What resolvers have said of the names of sites that have moved, and when it was looked.
    var sightings: [String: NameServers.Sighting] = [:]
    var looks: [String: Double] = [:]
    /// What was proposed to operators, and may be begun as it was.
    var proposals: [MigrationIdentifier: Proposal] = [:]
    /// How often certificate or images were sent whole, by the migration.
    var sendings: [MigrationIdentifier: Int] = [:]
    /// What is under way to peers, by the site.
    var transfers: [String: Transfer] = [:]
    /// What copies beside a site that runs, and images, may take together; nil: all.
    nonisolated let bandwidth: BandwidthLimit?
    private var cleaning: Task<Void, Never>?
    private var isOver = false

    init(
        _ configuration: YardmasterConfiguration, _ store: SiteStore, _ guidances: GuidanceBoard,
        _ link: PeerLink, _ sites: any MigratedSites, _ engine: EngineLink, _ edge: EdgeProcess, log: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.guidances = guidances
        self.link = link
        self.sites = sites
        self.engine = engine
        self.edge = edge
        self.log = log
        bandwidth = configuration.bandwidthBytesPerSecond.map { BandwidthLimit(bytesPerSecond: $0) }
    }

    // MARK: Life

    /// Reads what is known. Sites are told before they begin.
    func read() async throws(Refusal) {
        ledgers = try await store.ledgers()
        for (site, kept) in ledgers { guidances[site] = Self.guidance(of: kept) }
    }

    /// Takes up what was under way.
    func begin() {
        for site in ledgers.keys { startDrivers(site) }
        cleaning = Task {
            while !Task.isCancelled {
                await removeExpiredCopies()
                try? await Task.sleep(for: .seconds(600))
            }
        }
    }

    /// Old copies are kept for some days after the end.
    private func removeExpiredCopies() async {
        for site in ledgers.keys {
            while let copy = ledgers[site]?.ledger.expiredCopy(atSeconds: Self.now), !Task.isCancelled {
                do throws(Refusal) {
                    try await Self.remove(keptPath(copy.migration))
                    try await change(site) { $0.noteRemoved(copy) }
                    log.info("\(site): the copy of the migration \(copy.migration) was removed")
                } catch {
                    return log.error("\(site): \(error.text)")
                }
            }
        }
    }

    /// Ends all work; the next process takes it up.
    func end() async {
        isOver = true
        cleaning?.cancel()
        for task in drivers.values { task.cancel() }
        for task in receivers.values { task.cancel() }
        for task in drivers.values { await task.value }
    }

    // MARK: Ledgers

    /// What is known of a site; an empty ledger if it never moved.
    func kept(_ site: String) async -> KeptLedger {
        if let kept = ledgers[site] { return kept }
        return KeptLedger(ledger: SiteLedger(site: site, isHere: await sites.isKnown(site)))
    }

    var allKept: [String: KeptLedger] { ledgers }

    /// Why an operator's verb is not for a site now; nil: it is.
    func objection(to verb: Yardmaster.Verb, _ site: String) -> String? {
        guard let ledger = ledgers[site]?.ledger else { return nil }
        if let outgoing = ledger.outgoing, !outgoing.isOver {
            // To stop is to turn back first: it would be started there.
            let isFree =
                ledger.mayRun && ledger.edgeRoute == .own && verb != .remove && verb != .stop
            return isFree ? nil : "\(site) is being migrated to \(outgoing.plan.peer): yard migrations"
        }
        if let incoming = ledger.incoming, incoming.state != .serving {
            return "\(site) is being migrated here from \(incoming.peer): yard migrations"
        }
        if let incoming = ledger.incoming, verb == .remove {
            return "\(incoming.peer) still forwards to \(site): yard migrations finish there, or here if "
                + "\(incoming.peer) is gone"
        }
        return nil
    }

    /// Whether a migration that is not over needs a peer.
    func needs(_ peer: String) -> Bool { ledgers.values.map(\.ledger).need(peer) }

    /// Why a site cannot be added; nil: it can.
    func objectionToAdding(_ site: String) -> String? {
        guard let ledger = ledgers[site]?.ledger, !ledger.token.isHeld,
            ledger.outgoing != nil || ledger.incoming != nil
        else { return nil }
        let peer = ledger.outgoing?.plan.peer ?? ledger.incoming?.peer
        return
            "\(site) was given away\(peer.map { " to \($0)" } ?? ""): it comes back by a migration from there"
    }

    /// A site is added by hand of which nothing is known but an epoch: this hoster is its writer, in a later
    /// one.
    func claim(_ site: String) async throws(Refusal) {
        if ledgers[site] != nil { try await change(site) { $0.claim() } }
    }

    /// Changes a ledger: on the disk, then in memory, then told to everybody.
    @discardableResult
    func change<Value>(_ site: String, _ body: (inout SiteLedger) -> Value) async throws(Refusal) -> Value {
        if ledgers[site] == nil {
            let isHere = await sites.isKnown(site)
            if ledgers[site] == nil {
                return try change(
                    KeptLedger(ledger: SiteLedger(site: site, isHere: isHere)), body)
            }
        }
        return try change(ledgers[site]!, body)
    }

    /// From here to the end nothing waits, so nobody comes in between.
    private func change<Value>(
        _ old: KeptLedger, _ body: (inout SiteLedger) -> Value
    ) throws(Refusal) -> Value {
        var kept = old
        let value = body(&kept.ledger)
        guard kept.ledger != old.ledger else { return value }
        try store.keep(kept, after: old)
        took(kept)
        return value
    }

    func took(_ kept: KeptLedger) {
        let site = kept.ledger.site
        ledgers[site] = kept.ledger.isEmpty ? nil : kept
        guidances[site] = Self.guidance(of: kept)
        for role in [Role.giving, .taking] { watchers[Drive(site: site, role: role)]?.yield() }
        startDrivers(site)
    }

    private static func guidance(of kept: KeptLedger) -> SiteGuidance {
        let route: SiteGuidance.Route? =
            switch kept.ledger.edgeRoute {
            case .own: nil
            case .held: .held
            case .elsewhere: kept.otherEdge.map { .elsewhere(tls: $0.tls, http: $0.http) } ?? .held
            case .none: SiteGuidance.Route.none
            }
        return SiteGuidance(mayRun: kept.ledger.mayRun, route: route)
    }

    // MARK: Driving

    private func startDrivers(_ site: String) {
        guard !isOver, let ledger = ledgers[site]?.ledger else { return }
        if let outgoing = ledger.outgoing, !outgoing.isOver { start(Drive(site: site, role: .giving)) }
        if ledger.incoming != nil { start(Drive(site: site, role: .taking)) }
    }

    private func start(_ drive: Drive) {
        guard drivers[drive] == nil else { return }
        drivers[drive] = Task {
            switch drive.role {
            case .giving: await give(drive.site)
            case .taking: await take(drive.site)
            }
            drivers[drive] = nil
            // Another one may have begun in between.
            if !Task.isCancelled { startDrivers(drive.site) }
        }
    }

    private func give(_ site: String) async {
        // A time may have come while there was no process.
        await noteGiving(.timePassed, site)
        while !Task.isCancelled, let outgoing = ledgers[site]?.ledger.outgoing, !outgoing.isOver {
            let event = await event(after: outgoing.next(atSeconds: Self.now), of: outgoing)
            if Task.isCancelled { return }
            await noteGiving(event, site)
        }
    }

    /// Waits, looks who still comes by the old address, or does what is next; what came of it.
    private func event(
        after action: OriginMigration.Action, of outgoing: OriginMigration
    ) async -> OriginMigration.Event {
        let site = outgoing.plan.site
        let drive = Drive(site: site, role: .giving)
        switch action {
        case .wait where outgoing.state == .forwarding:
            await pause(drive, until: nextLookSeconds(outgoing))
            guard Self.now >= nextLookSeconds(outgoing) else { return .timePassed }
            let traffic = await perform(
                drive, until: nil,
                isWanted: { await self.ledgers[site]?.ledger.outgoing?.state == .forwarding },
                work: { await self.look(outgoing) })
            return (traffic ?? nil).map { .residual($0) } ?? .timePassed
        case .wait(let until):
            await pause(drive, until: until)
            return .timePassed
        default:
            log.debug("\(site): \(action)")
            let done = await perform(
                drive, until: outgoing.deadlineSeconds,
                isWanted: {
                    await self.ledgers[site]?.ledger.outgoing?.next(atSeconds: Self.now) == action
                },
                work: { await self.perform(action, of: outgoing) })
            return done ?? .timePassed
        }
    }

    private func take(_ site: String) async {
        while !Task.isCancelled, let incoming = ledgers[site]?.ledger.incoming {
            let action = incoming.next(atSeconds: Self.now)
            if case .wait(let until) = action {
                await pause(Drive(site: site, role: .taking), until: until)
                continue
            }
            log.debug("\(site): \(action)")
            let event = await perform(
                Drive(site: site, role: .taking), until: nil,
                isWanted: { await self.ledgers[site]?.ledger.incoming?.next(atSeconds: Self.now) == action },
                work: { await self.perform(action, of: incoming) })
            if Task.isCancelled { return }
            guard let event else { continue }
            await noteTaking(event, site)
        }
    }

    func noteGiving(_ event: OriginMigration.Event, _ site: String) async {
        await note(site) { $0.note(event, atSeconds: Self.now) }
    }

    func noteTaking(_ event: DestinationMigration.Event, _ site: String) async {
        await note(site) { $0.note(event, atSeconds: Self.now) }
    }

    private func note(_ site: String, _ body: (inout SiteLedger) -> Void) async {
        let before = ledgers[site]?.ledger
        do throws(Refusal) {
            try await change(site, body)
        } catch {
            log.error("\(site): \(error.text)")
            try? await Task.sleep(for: .seconds(1))
        }
        tell(before, ledgers[site]?.ledger)
    }

    /// Says in the log what has become of a migration.
    private func tell(_ before: SiteLedger?, _ after: SiteLedger?) {
        let site = after?.site ?? before?.site ?? ""
        if let state = after?.outgoing?.state, state != before?.outgoing?.state {
            let reason = after?.outgoing?.report.failure.map { " (\($0))" } ?? ""
            log.info("\(site), to \(after?.outgoing?.plan.peer ?? ""): \(state.word)\(reason)")
        }
        if let state = after?.incoming?.state, state != before?.incoming?.state {
            log.info("\(site), from \(after?.incoming?.peer ?? ""): \(state.word)")
        }
        if let reason = after?.outgoing?.retry.reason, reason != before?.outgoing?.retry.reason {
            log.warning("\(site): \(reason)")
        }
        if let reason = after?.incoming?.retry.reason, reason != before?.incoming?.retry.reason {
            log.warning("\(site): \(reason)")
        }
    }

    // MARK: Waiting

    static var now: Double { Date().timeIntervalSince1970 }

    /// Until a time, or until the ledger has changed; for a minute at most.
    private func pause(_ drive: Drive, until seconds: Double?) async {
        let limit = min(60, max(0, (seconds ?? .infinity) - Self.now))
        let changes = watch(drive)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: .seconds(limit)) }
            group.addTask { for await _ in changes { return } }
            await group.next()
            group.cancelAll()
        }
        watchers[drive] = nil
    }

    private func watch(_ drive: Drive) -> AsyncStream<Void> {
        let (changes, watcher) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        watchers[drive] = watcher
        return changes
    }

    /// Does something for as long as it is wanted; nil: it is not any more, and has ended.
    private func perform<Event: Sendable>(
        _ drive: Drive, until deadline: Double?, isWanted: @escaping @Sendable () async -> Bool,
        work: @escaping @Sendable () async -> Event
    ) async -> Event? {
        let changes = watch(drive)
        defer { watchers[drive] = nil }
        return await withTaskGroup(of: Event?.self) { group in
            group.addTask { await work() }
            group.addTask {
                for await _ in changes where await !isWanted() { return nil }
                // Only who is cancelled comes here; nobody waits for this then.
                return nil
            }
            if let deadline {
                group.addTask {
                    try? await Task.sleep(for: .seconds(max(0, deadline - Self.now)))
                    return nil
                }
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            await group.waitForAll()
            return first
        }
    }
}

/// What a migration needs of the sites of this machine.
protocol MigratedSites: Sendable {
    /// Whether it is one of them.
    func isKnown(_ domain: String) async -> Bool
    /// All their names and whose they are.
    func names() async -> [String: String]
    /// Who keeps it; nil: there is no such site.
    func keeper(of domain: String) async -> SiteKeeper?
    /// Makes a site known that has come, or takes its new folder; it is wanted awake.
    func take(_ domain: String, folder: String) async throws(Refusal)
    /// Why a site cannot have these names because of routes that are not of sites, in one sentence; nil: it
    /// can.
    func objection(toNames names: [String]) async -> String?
    /// Removes what was made for it, and forgets it; its folder stays.
    func drop(_ domain: String) async throws(Refusal)
}
