import Archive
import Foundation
import Linux
import Migration
import NIOCore
import Peers
import Runme
import YardKit

/// What the hoster does who gives a site away.
extension Migrator {
    /// Whoever has got something so often and still says that it is missing is not believed.
    private static let sendingsMax = 10

    func perform(
        _ action: OriginMigration.Action, of migration: OriginMigration
    ) async -> OriginMigration.Event {
        if case .ask(let request) = action { return await ask(request, action, migration) }
        do {
            return .performed(action, try await work(action, migration))
        } catch let error as PeerError {
            return .performed(action, .failed(reason: error.text))
        } catch let error as ArchiveRefusal {
            return .performed(action, .failed(reason: error.text))
        } catch let refusal as Refusal {
            return .performed(action, .failed(reason: refusal.text))
        } catch {
            return .performed(action, .failed(reason: "\(error)"))
        }
    }

    private func ask(
        _ request: MigrationRequest, _ action: OriginMigration.Action, _ migration: OriginMigration
    ) async -> OriginMigration.Event {
        do {
            let peer = try await link.peer(migration.plan.peer)
            let content = try await link.client.ask(peer, "migration", JSONValue(encoding: request))
            // One to another request would change nothing, and be asked for again at once, for ever.
            guard let answer = content.decoded(MigrationAnswer.self), answer.request == request else {
                throw PeerError(.unclear, "\(peer.name) gives an answer that is none")
            }
            return .answered(answer)
        } catch let error as PeerError {
            // Before anything was sent, who is not let in need not try again.
            let isFinal = migration.state == .agreeing && !error.isWorthRetrying
            return .performed(
                action, isFinal ? .refused(reason: error.text) : .failed(reason: error.text))
        } catch {
            return .performed(action, .failed(reason: (error as? Refusal)?.text ?? "\(error)"))
        }
    }

    private func work(
        _ action: OriginMigration.Action, _ migration: OriginMigration
    ) async throws -> OriginMigration.Result {
        let site = migration.plan.site
        switch action {
        case .ask, .wait: return .done
        case .transfer(.certificate):
            return try await sendOnceMore("certificate", migration) { try await sendCertificate(migration) }
        case .transfer(.image):
            return try await sendOnceMore("image", migration) { try await sendImages(migration) }
        case .transfer(.copy(let pass)): return try await sendCopy(migration, pass: pass)
        case .restore where await sites.keeper(of: site) == nil: return .done
        case .fence, .restore, .switchOver:
            guard let keeper = await sites.keeper(of: site) else { throw Self.gone(site) }
            try await keeper.follow()
            if case .switchOver = action { await edge.waitForReload() }
            return .done
        case .digest(let challenge):
            return .digest(try await cache(migration).digest(challenge, isNew: false))
        case .setAside: return try await setAside(migration)
        case .announce: return try await announce(migration)
        case .endForwarding:
            if let keeper = await sites.keeper(of: site) {
                try await keeper.follow()
                // What has come back meanwhile, or is about to, stays.
                let ledger = await kept(site).ledger
                if !ledger.token.isHeld, ledger.incoming == nil { try await sites.drop(site) }
            }
            forgetLooks(site)
            return .done
        case .clear:
            caches[Self.cacheKey(migration)] = nil
            sendings[migration.plan.migration] = nil
            try? FileManager.default.removeItem(atPath: scratch(migration.plan.migration))
            return .done
        }
    }

    private static func gone(_ site: String) -> Refusal { Refusal(.missing, "there is no site \(site)") }

    private static func cacheKey(_ migration: OriginMigration) -> String {
        "giving \(migration.plan.migration)"
    }

    private func cache(_ migration: OriginMigration) async throws -> DigestCacheOfFolder {
        let key = Self.cacheKey(migration)
        if let cache = caches[key] { return cache }
        let cache = DigestCacheOfFolder(
            path: try await folder(migration.plan.site), allowsPrivilegedFiles: false)
        caches[key] = cache
        return cache
    }

    private func folder(_ site: String) async throws -> String {
        guard let keeper = await sites.keeper(of: site) else { throw Self.gone(site) }
        return await keeper.record.folder
    }

    /// For files that are there for one migration alone.
    func scratch(_ migration: MigrationIdentifier) -> String {
        "\(configuration.scratchPath)/migration-\(migration)"
    }

    // MARK: Sending

    private func header(
        _ migration: OriginMigration, _ what: String, _ more: KeyValuePairs<String, JSONValue>
    ) -> JSONValue {
        .object(
            [
                JSONMember(name: "site", value: .string(migration.plan.site)),
                JSONMember(name: "migration", value: .string("\(migration.plan.migration)")),
                JSONMember(name: "what", value: .string(what)),
            ] + more.map { JSONMember(name: $0.key, value: $0.value) })
    }

    /// Sends something, unless it was sent in vain too often: each time goes well, so nothing else ends it.
    private func sendOnceMore(
        _ what: String, _ migration: OriginMigration,
        _ send: () async throws -> OriginMigration.Result
    ) async throws -> OriginMigration.Result {
        let key = migration.plan.migration
        guard sendings[key, default: 0] < Self.sendingsMax else {
            return .refused(reason: "\(migration.plan.peer) asks for the \(what) again and again")
        }
        let result = try await send()
        sendings[key, default: 0] += 1
        return result
    }

    /// The runme says where the certificate is, so both go.
    private func sendCertificate(_ migration: OriginMigration) async throws -> OriginMigration.Result {
        let folder = try await folder(migration.plan.site)
        let (runme, text, _) = try SiteFolder(path: folder).manifest()
        guard let path = runme.certificatePath,
            let data = try? SiteFolder(path: folder).bytes(
                of: path, bytesMax: 1 << 20, what: "the certificate")
        else { return .refused(reason: "the certificate of \(migration.plan.site) is gone") }
        let peer = try await link.peer(migration.plan.peer)
        _ = try await link.client.ask(
            peer, "send",
            header(
                migration, "certificate",
                [
                    "runme": .string(text),
                    "certificate": .string(String(decoding: data, as: UTF8.self)),
                ]))
        return .done
    }

    /// Each image as a file that `docker save` has written by its identifier, so that no name goes with it.
    private func sendImages(_ migration: OriginMigration) async throws -> OriginMigration.Result {
        let images = ImageReference.list(migration.plan.offer.image)
        let folder = scratch(migration.plan.migration)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let peer = try await link.peer(migration.plan.peer)
        for (index, image) in images.enumerated() {
            let file = "\(folder)/image.tar"
            defer { try? FileManager.default.removeItem(atPath: file) }
            try await engine.use { (engine) throws(EngineError) in
                try await engine.saveImage(image.identifier, to: file)
            }
            let last = JSONValue.bool(index == images.count - 1)
            let request = header(
                migration, "image", ["image": .string(image.text), "last": last])
            let bytes = (try? FileManager.default.attributesOfItem(atPath: file)[.size]) as? UInt64
            defer { transfers[migration.plan.site] = nil }
            try await link.client.stream(peer, "send", request) { (answer, stream) throws(PeerError) in
                if answer["have"].flag == true { return }
                await self.show(
                    Transfer(text: "the image \(image.name)", stream: stream, bytes: bytes), of: migration)
                try await FileStream.send(file, through: stream, within: self.bandwidth)
            }
        }
        return .done
    }

    private func sendCopy(_ migration: OriginMigration, pass: Int) async throws -> OriginMigration.Result {
        let folder = try await folder(migration.plan.site)
        let peer = try await link.peer(migration.plan.peer)
        let request = header(migration, "copy", ["pass": .integer(pass)])
        let limit = bandwidth
        let isLast = migration.state == .copyingLast
        // How much has changed since the first round is not known before it is sent.
        let bytes = migration.rounds.isEmpty ? migration.plan.offer.bytes : nil
        defer { transfers[migration.plan.site] = nil }
        let round = try await link.client.stream(peer, "send", request) { (_, stream) throws(PeerError) in
            await self.show(
                Transfer(text: isLast ? "the last copy" : "the data", stream: stream, bytes: bytes),
                of: migration)
            // Visitors wait for the last one.
            return try await CopyPass.send(folder, through: stream, within: isLast ? nil : limit)
        }
        if !isLast {
            guard let keeper = await sites.keeper(of: migration.plan.site) else {
                throw Self.gone(migration.plan.site)
            }
            if try SiteFolder(path: folder).manifest().text != (await keeper.record.runme) {
                return .refused(reason: "its runme was changed while it was copied")
            }
            do {
                try await cache(migration).warm()
            } catch let refusal as ArchiveRefusal {
                // Better to know now than when visitors wait.
                return .refused(reason: refusal.text)
            }
        }
        return .copied(round)
    }

    private func show(_ transfer: Transfer, of migration: OriginMigration) {
        transfers[migration.plan.site] = transfer
    }

    // MARK: After the switch

    /// Where old copies are kept.
    func keptPath(_ migration: MigrationIdentifier) -> String {
        "\(configuration.sitesPath)/.kept/\(migration)"
    }

    private func setAside(_ migration: OriginMigration) async throws -> OriginMigration.Result {
        guard let keeper = await sites.keeper(of: migration.plan.site) else { return .done }
        try await keeper.follow()
        try await keeper.runner.clear()
        let kept = keptPath(migration.plan.migration)
        let folder = await keeper.record.folder
        let files = FileManager.default
        if files.fileExists(atPath: folder), !files.fileExists(atPath: kept) {
            try files.createDirectory(
                atPath: "\(configuration.sitesPath)/.kept", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            do throws(Linux.Errno) {
                try renameFile(folder, to: kept)
            } catch {
                // On another file system it is in nobody's way.
                guard error == .otherDevice || error == .busy else {
                    throw Refusal(.unavailable, "\(folder) cannot be moved: \(error)")
                }
            }
        }
        caches[Self.cacheKey(migration)] = nil
        sendings[migration.plan.migration] = nil
        try? files.removeItem(atPath: scratch(migration.plan.migration))
        return .done
    }
}

/// An image by its name and its identifier.
struct ImageReference: Equatable {
    var name: String
    var identifier: String

    /// As an offer has it.
    var text: String { "\(name)@\(identifier)" }

    /// nil: it is none.
    init?(_ text: some StringProtocol) {
        guard let mark = text.lastIndex(of: "@") else { return nil }
        name = String(text[..<mark])
        identifier = String(text[text.index(after: mark)...])
        let digits = identifier.dropFirst("sha256:".count)
        guard !name.isEmpty, identifier.hasPrefix("sha256:"), digits.count == 64,
            digits.allSatisfy({ $0.isHexDigit && !$0.isUppercase })
        else { return nil }
    }

    init(name: String, identifier: String) {
        self.name = name
        self.identifier = identifier
    }

    /// All of an offer.
    static func list(_ text: String?) -> [ImageReference] {
        (text ?? "").split(separator: " ").compactMap { ImageReference($0) }
    }
}

/// Files through a stream.
enum FileStream {
    private static let chunkBytes = 1 << 17
    /// So much comes between two looks at the disk.
    private static let lookBytes = 1 << 20

    static func send(
        _ path: String, through stream: PeerStream, within limit: BandwidthLimit?
    ) async throws(PeerError) {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw PeerError(.unusable, "\(path) cannot be read")
        }
        defer { try? handle.close() }
        while true {
            let data: Data
            do {
                data = try handle.read(upToCount: chunkBytes) ?? Data()
            } catch {
                throw PeerError(.unusable, "\(path) cannot be read: \(error)")
            }
            if data.isEmpty { break }
            try await stream.write(ByteBuffer(bytes: data), within: limit)
        }
        try await stream.finish()
    }

    static func receive(
        _ path: String, within allowance: TransferAllowance, from stream: PeerStream
    ) async throws(PeerError) {
        guard
            FileManager.default.createFile(
                atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw PeerError(.unusable, "\(path) cannot be written") }
        defer { try? handle.close() }
        var (count, lookedAt) = (0, 0)
        while let bytes = try await stream.read() {
            count += bytes.readableBytes
            if UInt64(count) > allowance.bytesMax || count - lookedAt >= lookBytes {
                if let objection = allowance.objection(afterBytes: count) { throw objection }
                lookedAt = count
            }
            do {
                try handle.write(contentsOf: Data(bytes.readableBytesView))
            } catch {
                throw PeerError(.refused, "\(path) cannot be written: \(error.localizedDescription)")
            }
        }
    }
}
