import Archive
import Foundation
import Linux
import Migration
import Peers
import Routes
import Runme
import YardKit

/// What the hoster does who takes a site.
extension Migrator {
    func perform(
        _ action: DestinationMigration.Action, of migration: DestinationMigration
    ) async -> DestinationMigration.Event {
        if case .inquire(let inquiry) = action { return await inquire(inquiry, action, migration) }
        do {
            return .performed(action, try await work(action, migration))
        } catch let error as ArchiveRefusal {
            return .performed(action, .refused(reason: error.text))
        } catch let refusal as Refusal {
            let isPassing = refusal.kind == .unavailable
            return .performed(
                action, isPassing ? .failed(reason: refusal.text) : .refused(reason: refusal.text))
        } catch {
            return .performed(action, .failed(reason: "\(error)"))
        }
    }

    private func inquire(
        _ inquiry: MigrationInquiry, _ action: DestinationMigration.Action, _ migration: DestinationMigration
    ) async -> DestinationMigration.Event {
        do {
            let peer = try await link.peer(migration.peer)
            let content = try await link.client.ask(peer, "standing", JSONValue(encoding: inquiry))
            guard let standing = content.decoded(MigrationStanding.self) else {
                return .performed(action, .failed(reason: "\(peer.name) gives an answer that is none"))
            }
            return .told(inquiry, standing)
        } catch {
            let text = (error as? PeerError)?.text ?? (error as? Refusal)?.text ?? "\(error)"
            return .performed(action, .failed(reason: text))
        }
    }

    private func work(
        _ action: DestinationMigration.Action, _ migration: DestinationMigration
    ) async throws -> DestinationMigration.Result {
        switch action {
        case .inquire, .wait: return .done
        case .close:
            try await removeIncoming(migration)
            return .done
        case .checkCertificate: return try checkCertificate(migration)
        case .fetchImage:
            return try await fetchImages(migration, of: SiteFolder(path: staging(migration)))
        case .preparePass: return try await preparePass(migration)
        case .digest(let challenge):
            try await endReceivers(of: migration)
            return .digest(try await cache(migration).digest(challenge, isNew: true))
        case .start: return try await start(migration)
        case .openRoute:
            guard let keeper = await sites.keeper(of: migration.site) else {
                throw Refusal(.unavailable, "the site is not known")
            }
            // From here on it is not ours to remove, whatever an older state of this hoster may say.
            try await Self.remove(mark(migration).path)
            try await keeper.follow()
            await edge.waitForReload()
            caches["taking \(migration.migration)"] = nil
            return .done
        case .stop:
            if let keeper = await sites.keeper(of: migration.site) { try await keeper.follow() }
            return .done
        case .remove: return try await remove(migration)
        }
    }

    // MARK: Where things are

    /// Everything of a migration that has not become a site.
    func incoming(_ migration: DestinationMigration) -> String {
        "\(configuration.sitesPath)/.incoming/\(migration.site)/\(migration.migration)"
    }
    /// What becomes the site's folder.
    func staging(_ migration: DestinationMigration) -> String { incoming(migration) + "/site" }
    /// Tells that the folder in its place came with this migration.
    private func mark(_ migration: DestinationMigration) -> FolderMark {
        FolderMark(path: incoming(migration) + "/installed")
    }
    private func place(_ migration: DestinationMigration) -> String {
        "\(configuration.sitesPath)/\(migration.site)"
    }

    func cache(_ migration: DestinationMigration) -> DigestCacheOfFolder {
        let key = "taking \(migration.migration)"
        if let cache = caches[key] { return cache }
        // What has come may be more than was offered.
        let bytesMax = TransferAllowance.pass(
            ofSite: migration.offer.bytes, siteBytesMax: configuration.peers?.siteBytesMax ?? 0, to: ""
        ).bytesMax
        let cache = DigestCacheOfFolder(
            path: staging(migration), bytesMax: min(bytesMax, configuration.peers?.siteBytesMax ?? 0),
            allowsPrivilegedFiles: false)
        caches[key] = cache
        return cache
    }

    func makeStaging(_ migration: DestinationMigration) throws(Refusal) {
        do {
            try FileManager.default.createDirectory(
                atPath: staging(migration), withIntermediateDirectories: true)
            // Nobody but root looks into what is not a site yet.
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o700], ofItemAtPath: "\(configuration.sitesPath)/.incoming")
        } catch {
            throw Refusal(.unavailable, "the staging cannot be made: \(error.localizedDescription)")
        }
    }

    // MARK: Before the grant

    private func checkCertificate(
        _ migration: DestinationMigration
    ) throws(Refusal) -> DestinationMigration.Result {
        let folder = SiteFolder(path: staging(migration))
        guard FileManager.default.fileExists(atPath: folder.manifestPath) else { return .missing }
        if let flaw = try folder.manifest().runme.flaw(against: migration.offer) {
            return .refused(reason: flaw)
        }
        let (runme, _, _) = try folder.manifest()
        guard let path = runme.certificatePath,
            FileManager.default.fileExists(atPath: try folder.innerPath(path))
        else { return .missing }
        let certificate = try SiteCertificate(path: try folder.existingPath(path))
        guard certificate.fingerprint == migration.offer.certificateFingerprint else {
            return .refused(reason: "the certificate is another one than that of the offer")
        }
        if let flaw = certificate.flaw(for: migration.site, atSeconds: Self.now) {
            return .refused(reason: flaw)
        }
        return .done
    }

    private func preparePass(
        _ migration: DestinationMigration
    ) async throws(Refusal) -> DestinationMigration.Result {
        try await endReceivers(of: migration)
        try makeStaging(migration)
        let room = DiskRoom(at: configuration.sitesPath)
        guard !room.isExhausted, room.bytesLeft > migration.offer.bytes / 100 else {
            return .refused(reason: "the disk of the new hoster is full")
        }
        return .done
    }

    /// Ends what writes to the staging, and waits until nobody does; what an earlier process of ours has
    /// left, too.
    func endReceivers(of migration: DestinationMigration) async throws(Refusal) {
        repeat {
            while let receiver = receivers[migration.site] {
                receiver.cancel()
                _ = await receiver.value
                if receivers[migration.site] == receiver { receivers[migration.site] = nil }
            }
            guard await ProcessEnding.end(rootedIn: staging(migration)) else {
                throw Refusal(.unavailable, "an rsync of an earlier pass does not end here")
            }
            // Somebody may have come meanwhile.
        } while receivers[migration.site] != nil
    }

    // MARK: With the grant

    private func start(_ migration: DestinationMigration) async throws(Refusal) -> DestinationMigration.Result
    {
        let (staging, place, mark) = (staging(migration), place(migration), mark(migration))
        let files = FileManager.default
        if files.fileExists(atPath: staging) {
            // Behind the mark it is ours to remove again, so nothing of somebody else may be there.
            guard !files.fileExists(atPath: place) else {
                return .refused(reason: "there is a folder of that name at the new hoster already")
            }
            do throws(Linux.Errno) {
                try mark.put(on: staging)
                try renameFile(staging, to: place)
                try OpenFolder(path: configuration.sitesPath).synchroniseNames()
            } catch {
                throw Refusal(.unavailable, "\(place) cannot be made: \(error)")
            }
        }
        guard mark.isOn(place) else { return .refused(reason: "the folder there is not the one that came") }
        if let reason = await sites.objection(toNames: migration.offer.names) {
            return .refused(reason: reason)
        }
        let folder = SiteFolder(path: place)
        // The last copy may have brought another one.
        if let flaw = try folder.manifest().runme.flaw(against: migration.offer) {
            return .refused(reason: flaw)
        }
        guard case .done = try await fetchImages(migration, of: folder) else {
            return .refused(reason: "the runme wants another image than was offered")
        }
        try await nameImages(migration)
        try await sites.take(migration.site, folder: place)
        guard let keeper = await sites.keeper(of: migration.site) else {
            throw Refusal(.unavailable, "the site is not known yet")
        }
        try await keeper.follow()
        let runner = await keeper.runner
        let shown = await CertificateProbe.fingerprint(
            at: runner.tlsAddress, name: migration.site, proxy: runner.ports.proxy)
        switch shown {
        case .success(migration.offer.certificateFingerprint): return .done
        case .success: return .refused(reason: "the site shows another certificate there")
        case .failure(let reason): return .failed(reason: "no TLS with the site there: \(reason.text)")
        }
    }

    private func remove(
        _ migration: DestinationMigration
    ) async throws(Refusal) -> DestinationMigration.Result {
        try await endReceivers(of: migration)
        caches["taking \(migration.migration)"] = nil
        let ledger = await kept(migration.site).ledger
        // What runs here by a grant is not ours to remove, nor what somebody else has put there.
        if !ledger.token.isHeld, mark(migration).isOn(place(migration)) {
            if ledger.edgeRoute == .elsewhere {
                // Its names still lead to whom it was given.
                try await sites.keeper(of: migration.site)?.runner.clear()
            } else {
                try await sites.drop(migration.site)
            }
            // Where it is taken apart nobody else can put a link into it.
            try? renameFile(place(migration), to: incoming(migration) + "/removed")
            try await Self.remove(place(migration))
        }
        await removeImages(migration)
        try await removeIncoming(migration)
        return .done
    }

    private func removeIncoming(_ migration: DestinationMigration) async throws(Refusal) {
        try await Self.remove(incoming(migration))
        let parent = "\(configuration.sitesPath)/.incoming/\(migration.site)"
        if (try? FileManager.default.contentsOfDirectory(atPath: parent).isEmpty) == true {
            try await Self.remove(parent)
        }
    }

    /// It may be millions of files, so a program of its own does it.
    static func remove(_ path: String) async throws(Refusal) {
        do throws(Refusal) {
            try await Tool.run(["rm", "-rf", "--", path], seconds: 86_400)
        } catch {
            throw Refusal(.unavailable, error.text)
        }
    }
}
