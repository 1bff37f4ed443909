import Migration

/// Writes by their numbers: bit 0 for the first. A world has at most 128.
typealias Writes = UInt128

/// One hoster of a world: what its yardmaster keeps on disk, what it is doing, and what there is besides.
final class Hoster {
    /// Something that its yardmaster does: begun, done in part, done; then it is noted.
    struct Job<Action: Equatable, Event> {
        let action: Action
        var progress = 0
        var event: Event?
        /// Of `ask` and `inquire`: until when an answer is waited for.
        var untilSeconds = 0.0
    }

    /// An rsync that writes to the staging here.
    struct Writer {
        let migration: MigrationIdentifier
        let transfer: MigrationTransfer
        /// The data as it was when it was looked at.
        var seen: Writes = 0
        /// Nobody is at the other end any more.
        var isGhost = false
    }

    struct Visitor {
        let write: Int
        let untilSeconds: Double
    }

    let name: String
    /// Survives everything.
    var ledger: SiteLedger

    // The yardmaster: lost in a crash.
    var isUp = true
    var upAgainSeconds = 0.0
    var giving: Job<OriginMigration.Action, OriginMigration.Event>?
    var taking: Job<DestinationMigration.Action, DestinationMigration.Event>?

    // Its disk.
    var data: Writes?
    /// By which migration it came, if it did.
    var dataMigration: MigrationIdentifier?
    var kept: [MigrationIdentifier: Writes] = [:]
    var staging: Writes?
    var stagingMigration: MigrationIdentifier?
    var hasCertificate = false
    var hasImage = false
    /// What was made to be sent.
    var hasCarried = false

    // Its machine.
    var isRunning = false
    /// Sessions that have reached the site; they go on whatever becomes of the route.
    var sessions = 0
    var writers: [Writer] = []
    var route = SiteLedger.EdgeRoute.none
    var parked: [Visitor] = []

    init(name: String, isHere: Bool) {
        self.name = name
        ledger = SiteLedger(site: World.site, isHere: isHere)
        guard isHere else { return }
        data = 0
        isRunning = true
        route = .own
    }

    /// Nothing of a site that is elsewhere, but old copies.
    var isClean: Bool {
        data == nil && staging == nil && !hasCertificate && !hasImage && !hasCarried && !isRunning
            && writers.isEmpty && sessions == 0
    }

    func stopSite() {
        isRunning = false
        sessions = 0
    }

    func endYardmaster() {
        giving = nil
        taking = nil
        isUp = false
    }
}
