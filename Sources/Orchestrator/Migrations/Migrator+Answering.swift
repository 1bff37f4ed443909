import Foundation
import Logging
import Migration
import Peers
import Runme
import YardKit

/// What the hoster who takes a site answers, and what it lets in.
extension Migrator {
    /// Each site that was ever offered leaves a line: the epoch that is refused for ever.
    private static let ledgersMax = 20_000

    /// All that peers can ask for.
    nonisolated var methods: [PeerMethod] {
        [
            PeerMethod("edge", for: .offer) { _ in
                guard let edge = self.link.edge else { return .refusal("sites are not taken here") }
                return .answer(JSONValue(encoding: edge))
            },
            PeerMethod("consider", for: .offer) { request in await self.consider(request) },
            PeerMethod("migration", for: .offer) { request in await self.answer(request) },
            PeerMethod("send", for: .offer) { request in await self.admit(request) },
            PeerMethod("announce", for: .offer) { request in await self.answerAnnouncement(request) },
            PeerMethod("standing", for: []) { request in await self.standing(request) },
        ]
    }

    private func standing(_ request: PeerRequest) async -> PeerAnswer {
        guard let inquiry = request.content.decoded(MigrationInquiry.self) else {
            return .refusal("this is no inquiry")
        }
        let ledger = await kept(inquiry.site).ledger
        if ledger.token.isHeld, inquiry.epoch > ledger.token.epoch {
            log.warning(
                """
                \(inquiry.site): \(request.peer.name.text) says that it was granted a later epoch than ours: \
                the state here is old, or it lies
                """)
        }
        return .answer(JSONValue(encoding: ledger.standing(of: inquiry, from: request.peer.name.text)))
    }

    /// Answers when there is more to say than that it is worked at, or after a while.
    private func answer(_ peerRequest: PeerRequest) async -> PeerAnswer {
        guard let request = peerRequest.content.decoded(MigrationRequest.self) else {
            return .refusal("this is no request of a migration")
        }
        guard link.edge != nil else { return .refusal("sites are not taken here") }
        let peer = peerRequest.peer.name.text
        let end = Self.now + 2
        var terms = HosterTerms(
            products: [], freeBytes: 0, siteBytesMax: 0, memoryBytesMax: 0, takenNames: [])
        if case .offer(let offer) = request.demand {
            if allKept[request.site]?.ledger.incoming?.migration != request.migration {
                guard allKept.count < Self.ledgersMax || allKept[request.site] != nil else {
                    return .refusal("too many sites are known here")
                }
                if let reason = await objection(to: offer, of: request.site) { return .refusal(reason) }
            }
            terms = await self.terms(besides: request.site)
            let known = try? await link.book.peer(with: peerRequest.peer.fingerprint)
            guard known == peerRequest.peer else { return .refusal("you are no peer any more") }
            // Behind this nothing is waited for before it is answered.
            if let reason = allKept.values.map(\.ledger).obstacle(to: request, from: peer) {
                return .refusal(reason)
            }
        }
        do throws(Refusal) {
            while true {
                let answer = try await change(request.site) {
                    $0.answer(request, from: peer, terms: terms, atSeconds: Self.now)
                }
                // Who compares has work of its own to do meanwhile.
                var isHeld = answer.outcome == .working
                if case .compare = request.demand { isHeld = false }
                if !isHeld || Self.now > end || Task.isCancelled {
                    return .answer(JSONValue(encoding: answer))
                }
                try? await Task.sleep(for: .milliseconds(10))
            }
        } catch {
            return .refusal(error.text)
        }
    }

    /// Says whether an offer would be taken; nothing is begun.
    private func consider(_ request: PeerRequest) async -> PeerAnswer {
        guard let question = request.content.decoded(MigrationRequest.self),
            case .offer(let offer) = question.demand
        else { return .refusal("this is no offer") }
        guard link.edge != nil else { return .refusal("sites are not taken here") }
        if let flaw = offer.flaw(site: question.site) { return .refusal(flaw) }
        if let reason = await objection(to: offer, of: question.site) { return .refusal(reason) }
        let terms = await terms(besides: question.site)
        if let reason = terms.refusal(of: offer, atSeconds: Self.now) { return .refusal(reason) }
        return .answer(.null)
    }

    /// What on this machine is in an offer's way, in one sentence; nil: nothing.
    private func objection(to offer: MigrationOffer, of site: String) async -> String? {
        // Another one says so; what it names is no name.
        guard offer.flaw(site: site) == nil else { return nil }
        let place = "\(configuration.sitesPath)/\(site)"
        let isHere = await sites.isKnown(site)
        if !isHere, FileManager.default.fileExists(atPath: place) {
            return "there is a folder \(place) already"
        }
        return await sites.objection(toNames: offer.names)
    }

    private func terms(besides site: String) async -> HosterTerms {
        let names = await sites.names().filter { $0.value != site }
        return HosterTerms(
            products: configuration.peers?.products,
            freeBytes: DiskRoom(at: configuration.sitesPath).bytesLeft,
            siteBytesMax: configuration.peers?.siteBytesMax ?? 0,
            memoryBytesMax: configuration.peers?.siteMemoryBytesMax ?? 0, takenNames: Set(names.keys))
    }

    /// Lets something into the staging of a migration, if that is open for it.
    private func admit(_ request: PeerRequest) async -> PeerAnswer {
        let content = request.content
        guard let site = content["site"].text, let migration = await kept(site).ledger.incoming,
            migration.migration.description == content["migration"].text,
            migration.peer == request.peer.name.text
        else { return .refusal("there is no such migration here") }
        switch content["what"].text {
        case "certificate" where migration.permits(.certificate):
            return await receiveCertificate(content, migration)
        case "image" where migration.permits(.image): return await receiveImage(content, migration)
        case "copy":
            guard let pass = content["pass"].integer, migration.permits(.copy(pass: pass)) else { break }
            return .stream(.null) { (stream) throws(PeerError) in
                try await self.receiveCopy(stream, pass, migration)
            }
        default: break
        }
        return .refusal("nothing of that kind is expected here now")
    }

    private func receiveCertificate(
        _ content: JSONValue, _ migration: DestinationMigration
    ) async -> PeerAnswer {
        let folder = SiteFolder(path: staging(migration))
        do {
            guard let text = content["runme"].text, let certificate = content["certificate"].text else {
                return .refusal("a runme and a certificate are wanted")
            }
            let (runme, _, _) = try SiteFolder.parse(Array(text.utf8), named: SiteFolder.manifestName)
            guard runme.domain == migration.site, let path = runme.certificatePath else {
                return .refusal("this is not the runme of \(migration.site), or it has no certificate")
            }
            try makeStaging(migration)
            let file = URL(fileURLWithPath: try folder.innerPath(path))
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try Data(certificate.utf8).write(to: file, options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder.manifestPath), options: .atomic)
        } catch {
            return .refusal((error as? Refusal)?.text ?? error.localizedDescription)
        }
        await noteTaking(.received(.certificate), migration.site)
        return .answer(.null)
    }

    private func receiveImage(_ content: JSONValue, _ migration: DestinationMigration) async -> PeerAnswer {
        guard let image = content["image"].text.flatMap({ ImageReference($0) }),
            ImageReference.list(migration.offer.image).contains(image)
        else { return .refusal("this image was not offered") }
        let isLast = content["last"].flag == true
        let have = (try? await has(image)) ?? false
        return .stream(.object(["have": .bool(have)])) { (stream) throws(PeerError) in
            if !have { try await self.take(image, from: stream, migration) }
            if isLast { await self.noteTaking(.received(.image), migration.site) }
        }
    }

    private func take(
        _ image: ImageReference, from stream: PeerStream, _ migration: DestinationMigration
    ) async throws(PeerError) {
        do throws(PeerError) {
            try await load(image, from: stream, migration)
        } catch {
            await note(error, .image, migration)
            throw error
        }
    }

    /// What is not taken for good ends the migration; anything else may go well next time.
    private func note(
        _ error: PeerError, _ transfer: MigrationTransfer, _ migration: DestinationMigration
    ) async {
        guard error.kind == .tooLong || error.kind == .unclear else { return }
        await noteTaking(.refused(transfer, reason: error.text), migration.site)
    }

    private func load(
        _ image: ImageReference, from stream: PeerStream, _ migration: DestinationMigration
    ) async throws(PeerError) {
        let file = incoming(migration) + "/image-\(UUID().uuidString).tar"
        defer { try? FileManager.default.removeItem(atPath: file) }
        do throws(Refusal) {
            try makeStaging(migration)
        } catch {
            throw PeerError(.refused, error.text)
        }
        let allowance = TransferAllowance(
            bytesMax: configuration.peers?.siteBytesMax ?? 0, path: incoming(migration))
        try await FileStream.receive(file, within: allowance, from: stream)
        do throws(Refusal) {
            try CarriedImage.check(file)
        } catch {
            throw PeerError(error.kind == .invalid ? .unclear : .refused, error.text)
        }
        do throws(Refusal) {
            try await engine.use { (engine) throws(EngineError) in
                _ = try await engine.loadImages(from: file)
            }
            guard try await has(image) else {
                throw Refusal(.invalid, "the image that was sent is another one than \(image.text)")
            }
        } catch {
            throw PeerError(.refused, error.text)
        }
    }

    private func receiveCopy(
        _ stream: PeerStream, _ pass: Int, _ migration: DestinationMigration
    ) async throws(PeerError) {
        do throws(Refusal) {
            try await endReceivers(of: migration)
        } catch {
            throw PeerError(.busy, error.text)
        }
        // It may be over by now, and from here to the next wait nobody comes in between.
        guard let now = allKept[migration.site]?.ledger.incoming, now.migration == migration.migration,
            now.permits(.copy(pass: pass))
        else { throw PeerError(.refused, "this pass is over") }
        let (folder, file) = (staging(migration), incoming(migration) + "/rsyncd.conf")
        let allowance = TransferAllowance.pass(
            ofSite: migration.offer.bytes, siteBytesMax: configuration.peers?.siteBytesMax ?? 0, to: folder)
        let receiver = Task { () -> Result<Void, PeerError> in
            do throws(PeerError) {
                try await CopyPass.receive(
                    into: folder, configuration: file, through: stream, within: allowance)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        receivers[migration.site] = receiver
        let result = await withTaskCancellationHandler {
            await receiver.value
        } onCancel: {
            receiver.cancel()
        }
        if receivers[migration.site] == receiver { receivers[migration.site] = nil }
        if case .failure(let error) = result {
            await note(error, .copy(pass: pass), migration)
            throw error
        }
        await noteTaking(.received(.copy(pass: pass)), migration.site)
        let cache = cache(migration)
        Task { try? await cache.warm() }
    }
}
