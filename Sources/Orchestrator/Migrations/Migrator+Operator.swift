import Foundation
import Linux
import Migration
import Peers
import Runme
import YardKit

/// What operators ask of migrations.
extension Migrator {
    /// What of the pause is not the last copy, before anything was measured: drain, stop, compare, start.
    private static let overheadSeconds = 1.5
    private static let startSeconds = 1.0
    static let pauseSecondsMax = 5.0
    /// A proposal that nobody takes up is forgotten after so long, or behind so many others.
    private static let proposalSecondsMax = 600.0
    private static let proposalsMax = 16
    /// So long whoever asked for a migration waits for the peer, when it was turned back and all is well
    /// here.
    private static let recallPatience = Duration.seconds(10)
    /// More addresses of one hoster are not taken from it.
    private static let visitorsMax = 8

    /// What a migration would be, and where it leads.
    struct Proposal: Sendable {
        var plan: MigrationPlan
        var edge: EdgeAddress
        /// What becomes of DNS.
        var names: String
        let madeSeconds = Migrator.now

        /// The promise and the steps, a line each.
        var lines: [String] { plan.lines + [names] }
    }

    /// Something large on its way to a peer.
    struct Transfer: Sendable {
        var text: String
        var stream: PeerStream
        /// nil: it is not known how much there will be.
        var bytes: UInt64?
    }

    /// Looks at the site and asks the peer; nothing is begun.
    func propose(
        _ name: String, to peerName: String, pauseSeconds: Double, _ progress: Progress
    ) async throws(Refusal) -> Proposal {
        let peer = try await link.peer(peerName)
        guard let domain = await sites.names()[name.lowercased()],
            let keeper = await sites.keeper(of: domain)
        else { throw Refusal(.missing, "there is no site \(name)") }
        if let outgoing = allKept[domain]?.ledger.outgoing, !outgoing.isOver {
            throw Refusal(
                .conflict,
                "\(domain) is being migrated to \(outgoing.plan.peer): yard migrations show \(domain)")
        }
        if await keeper.record.wish == .stopped {
            throw Refusal(
                .conflict, "\(domain) is stopped, and would be started there: yard site start \(domain)")
        }
        progress("\(peerName) is asked")
        let edge: EdgeAddress
        do throws(PeerError) {
            let answer = try await link.client.ask(peer, "edge").decoded(EdgeAddress.self)
            let http = answer?.http.flatMap { HostPort($0) }
            guard let answer, let tls = HostPort(answer.tls), answer.http == nil || http != nil else {
                throw PeerError(.unclear, "\(peerName) does not say where its edge is")
            }
            edge = EdgeAddress(
                tls: tls.description, http: http?.description,
                visitors: answer.visitors?.filter { VisitorAddress($0) != nil }.prefix(Self.visitorsMax).map(
                    \.self))
        } catch {
            throw Refusal(error)
        }
        if let edge = HostPort(edge.tls), let reason = await EdgeProbe.objection(to: edge, name: domain) {
            throw Refusal(.conflict, "\(peerName): \(reason)")
        }
        let (record, runme) = await (keeper.record, keeper.runme)
        progress("the site is looked at")
        let offer = try await offer(record, runme, keeper.runner)
        let migration = MigrationIdentifier(Self.randomDigits())
        guard let migration else { throw Refusal(.failed, "there is no random number") }
        let plan = MigrationPlan(
            migration: migration, site: domain, peer: peerName, offer: offer,
            challenge: Self.randomDigits(), pauseSecondsMax: pauseSeconds,
            overheadSeconds: Self.overheadSeconds, startSeconds: Self.startSeconds)
        if let flaw = plan.flaw { throw Refusal(.invalid, flaw) }
        do throws(PeerError) {
            let question = MigrationRequest(
                migration: migration, site: domain, epoch: 0, demand: .offer(offer))
            _ = try await link.client.ask(peer, "consider", JSONValue(encoding: question))
        } catch {
            throw Refusal(error)
        }
        let proposal = Proposal(plan: plan, edge: edge, names: namesLine(of: plan, edge))
        proposals = proposals.filter { Self.now < $0.value.madeSeconds + Self.proposalSecondsMax }
        if proposals.count >= Self.proposalsMax { proposals = [:] }
        proposals[migration] = proposal
        return proposal
    }

    /// What was proposed under a number, as it was.
    func proposal(_ text: String) throws(Refusal) -> Proposal {
        guard let migration = MigrationIdentifier(text),
            let proposal = proposals.removeValue(forKey: migration)
        else { throw Refusal(.missing, "this was not proposed, or too long ago") }
        return proposal
    }

    private func namesLine(of plan: MigrationPlan, _ edge: EdgeAddress) -> String {
        guard let move = nameMove(plan.offer.names, to: edge) else {
            return "DNS is left to you: a hoster does not say where its visitors come (peers: addresses)"
        }
        let server =
            configuration.names.server.map { "by the server \($0)" }
            ?? "by hand, unless \(plan.peer) does it"
        return "DNS, in step 10, \(server): \(move.handwork(move.names))"
    }

    /// Begins it.
    func begin(_ proposal: Proposal) async throws(Refusal) {
        let site = proposal.plan.site
        var kept = await kept(site)
        // Somebody may have been quicker.
        if let known = allKept[site] { kept = known }
        if let reason = kept.ledger.begin(proposal.plan, atSeconds: Self.now) {
            throw Refusal(.conflict, reason)
        }
        // Where the names will lead is known before anything can depend on it.
        kept.otherEdge = proposal.edge
        try store.keep(kept, after: allKept[site])
        took(kept)
    }

    private func offer(
        _ record: SiteRecord, _ runme: Runme, _ runner: any SiteRunner
    ) async throws(Refusal) -> MigrationOffer {
        if let flaw = runme.travelFlaw { throw Refusal(.conflict, "\(runme.domain) \(flaw)") }
        let folder = SiteFolder(path: record.folder)
        let (own, text, _) = try folder.manifest()
        guard text == record.runme else {
            throw Refusal(
                .conflict, "the runme of \(own.domain) has changed since it was taken: yard site restart")
        }
        guard let path = runme.certificatePath else {
            throw Refusal(
                .conflict, "\(runme.domain) has no certificate in its runme (tls:), which has to go first")
        }
        let certificate = try SiteCertificate(path: try folder.existingPath(path))
        if let flaw = certificate.flaw(for: runme.domain, atSeconds: Self.now) {
            throw Refusal(.conflict, flaw)
        }
        var images: [ImageReference] = []
        for name in runme.namedImages {
            let image = try await engine.use { (engine) throws(EngineError) in try await engine.image(name) }
            guard let image else { throw Refusal(.missing, "there is no image \(name) here") }
            images.append(ImageReference(name: name, identifier: image.identifier))
        }
        let (bytes, files) = try await Self.size(of: record.folder)
        return MigrationOffer(
            names: [runme.domain] + runme.aliases, product: runme.product, bytes: bytes, files: files,
            memoryBytes: runme.memoryBytes, certificateFingerprint: certificate.fingerprint,
            certificateEndsSeconds: certificate.endsSeconds,
            image: images.isEmpty ? nil : images.map(\.text).joined(separator: " "))
    }

    private static func size(of folder: String) async throws(Refusal) -> (bytes: UInt64, files: UInt64) {
        func count(_ option: String) async throws(Refusal) -> UInt64 {
            let text = try await Tool.run(["du", "-s", option, "--", folder])
            return UInt64(text.prefix { $0.isNumber }) ?? 0
        }
        return (try await count("--bytes"), try await count("--inodes"))
    }

    private static func randomDigits() -> String {
        [randomBits(), randomBits()].map { bits in
            let digits = String(bits, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Says something to the migration of a site, in whichever role this hoster has.
    /// `isForced`: even if visitors lose by it.
    func hear(_ wish: OperatorWish, _ site: String, isForced: Bool) async throws(Refusal) {
        guard let ledger = allKept[site]?.ledger else {
            throw Refusal(.missing, "\(site) is not being migrated")
        }
        let isGiving = ledger.outgoing.map { !$0.isOver } ?? false
        if wish == .finish, isGiving, !isForced, let reason = ledger.outgoing.flatMap(objectionToEnding) {
            throw Refusal(.conflict, "\(reason); --force ends the forwarding all the same")
        }
        let reason = try await change(site) { ledger in
            isGiving
                ? ledger.hearOutgoing(wish, atSeconds: Self.now)
                : ledger.hearIncoming(wish, atSeconds: Self.now)
        }
        if let reason { throw Refusal(.conflict, reason) }
    }

    /// Waits until a migration that was begun serves there, or has turned back; tells each step.
    func follow(_ site: String, _ progress: Progress) async throws(Refusal) {
        var told: MigrationStep?
        var began: ContinuousClock.Instant?
        while true {
            guard let outgoing = allKept[site]?.ledger.outgoing else { return }
            switch outgoing.state {
            case .forwarding, .ending, .closing, .done: return
            // It is served there; only DNS is not told yet.
            case .announcing where outgoing.retry.failures > 0: return
            case .reverted(let reason), .clearing(let reason):
                throw Refusal(.failed, "\(site) stays here: \(reason)")
            // The peer may never answer, and the operator is to know how it stands.
            case .recalling(let reason):
                let begin = began ?? .now
                began = begin
                guard begin + Self.recallPatience > .now else {
                    throw Refusal(
                        .failed,
                        "\(site) stays here: \(reason); \(outgoing.plan.peer) has not said that it "
                            + "forgets it: yard migrations finish \(site)")
                }
            default: break
            }
            if outgoing.isStalled {
                throw Refusal(
                    .unavailable,
                    "it does not go on (\(outgoing.retry.reason ?? "")): yard migrations resume \(site)")
            }
            if let transfer = transfers[site] {
                progress(transfer.progressText, transfer.fraction)
                told = nil
            } else if let step = outgoing.step, step != told {
                progress(step.title)
                told = step
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: Reports

    /// All migrations, by their sites.
    func reports() -> [JSONValue] {
        allKept.sorted { $0.key < $1.key }.flatMap { _, kept in
            [
                kept.ledger.outgoing.map { report($0, kept) },
                kept.ledger.incoming.map { report($0, kept) },
            ].compactMap(\.self)
        }
    }

    private func report(_ migration: OriginMigration, _ kept: KeptLedger) -> JSONValue {
        let report = migration.report
        let sighting = sightings[migration.plan.site]
        // What was to be done by hand was done, if nobody is led astray any more.
        let isForwarding = migration.state == .forwarding || migration.state == .announcing
        let isLed = sighting.map { $0.old.isEmpty && !$0.new.isEmpty } ?? false
        return .object([
            "site": .string(migration.plan.site), "role": .string("giving"),
            "peer": .string(migration.plan.peer), "migration": .string("\(migration.plan.migration)"),
            "state": .string(migration.state.word), "step": .text(migration.step?.title),
            "over": .bool(migration.isOver), "stalled": .bool(migration.isStalled),
            "promised_pause_seconds": .seconds(report.promisedPauseSeconds),
            "pause_seconds": report.pauseSeconds.map { .seconds($0) } ?? .null,
            "rounds": .integer(report.rounds), "bytes": .number("\(report.bytes)"),
            "last_copy_bytes": report.lastCopyBytes.map { .number("\($0)") } ?? .null,
            "seconds": report.seconds.map { .seconds($0) } ?? .null,
            "lost_writes": .integer(report.lostWrites), "failure": .text(report.failure),
            "retry": .text(migration.retry.reason),
            "by_hand": .text(isLed || !isForwarding ? nil : migration.handwork),
            "forwards_to": .text(isForwarding ? kept.otherEdge?.tls : nil),
            "transfer": .text(transfers[migration.plan.site]?.progressText),
            "residual_sessions": migration.residual.map { .integer($0.sessions) } ?? .null,
            "residual_seconds": migration.residual.map { .seconds($0.seconds) } ?? .null,
            "resolvers": sighting.map(JSONValue.init) ?? .null,
            "end_proposed": .bool(isEndProposed(migration)),
        ])
    }

    private func report(_ migration: DestinationMigration, _ kept: KeptLedger) -> JSONValue {
        .object([
            "site": .string(migration.site), "role": .string("taking"), "peer": .string(migration.peer),
            "migration": .string("\(migration.migration)"), "state": .string(migration.state.word),
            "over": .bool(false), "retry": .text(migration.retry.reason),
        ])
    }
}

extension Migrator.Transfer {
    var progressText: String {
        let sent = Human.bytes(Double(stream.bytesWritten))
        return "\(text): \(sent)" + (bytes.map { " of \(Human.bytes(Double($0)))" } ?? "")
    }
    /// How much of it is there, from 0 to 1.
    var fraction: Double? {
        bytes.map { min(1, Double(stream.bytesWritten) / max(1, Double($0))) }
    }
}

extension JSONValue {
    /// Resolvers, by where they lead visitors.
    fileprivate init(_ sighting: NameServers.Sighting) {
        func list(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
        self = .object([
            "old": list(sighting.old), "new": list(sighting.new), "other": list(sighting.other),
        ])
    }

    /// A text, or null.
    static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
}
