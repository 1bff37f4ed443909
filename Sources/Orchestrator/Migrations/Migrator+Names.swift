import Foundation
import Logging
import Migration
import Peers
import YardKit

/// Where the names of a site lead in DNS, while it moves and afterwards.
extension Migrator {
    /// A server of DNS that cannot be reached is tried so often, then the operator is asked.
    private static let announceFailuresMax = 6
    /// What still comes by an old address is counted over so long.
    private static let residualSeconds = 3600.0
    /// What is looked after most often, soon after the switch, and least often.
    private static let lookSeconds = 2.0...60.0

    private var servers: NameServers { NameServers(settings: configuration.names) }

    /// Where the names of a site that leaves lead, and are to lead; nil: a hoster has not said where its
    /// visitors come.
    func nameMove(_ names: [String], to edge: EdgeAddress?) -> NameMove? {
        let old = Set(configuration.peers?.addresses ?? [])
        let new = Set((edge?.visitors ?? []).compactMap { VisitorAddress($0) })
        guard !old.subtracting(new).isEmpty, !new.isEmpty else { return nil }
        return NameMove(names: names, old: old, new: new, ttlSeconds: configuration.names.ttlSeconds)
    }

    // MARK: Telling

    /// Leads the names to whoever has the site now: by this hoster's server of DNS, by the other one's, or by
    /// telling the operator what to do.
    func announce(_ migration: OriginMigration) async throws -> OriginMigration.Result {
        let names = migration.plan.offer.names
        let meanwhile = "until then all that comes here is forwarded"
        guard let move = nameMove(names, to: await kept(migration.plan.site).otherEdge) else {
            return .refused(
                reason: "let \(names.joined(separator: ", ")) lead to the address of \(migration.plan.peer) "
                    + "in DNS; \(meanwhile)")
        }
        var left = names
        do throws(Refusal) {
            left = try await servers.perform(move).map { name, reason in
                log.info("\(migration.plan.site): \(name) is not led elsewhere in DNS from here: \(reason)")
                return name
            }
        } catch {
            if migration.retry.failures < Self.announceFailuresMax { throw error }
            log.warning("\(migration.plan.site): \(error.text)")
        }
        if !left.isEmpty { left = await askToAnnounce(left, migration) }
        guard !left.isEmpty else { return .done }
        return .refused(reason: "\(move.handwork(left)); \(meanwhile)")
    }

    /// Whoever takes a site back has told DNS when it gave it, so it can tell it again. Names that it does
    /// not tell are returned.
    private func askToAnnounce(_ names: [String], _ migration: OriginMigration) async -> [String] {
        do {
            let peer = try await link.peer(migration.plan.peer)
            let answer = try await link.client.ask(
                peer, "announce",
                .object([
                    "site": .string(migration.plan.site),
                    "migration": .string("\(migration.plan.migration)"),
                    "names": .array(names.map { .string($0) }),
                ]))
            let left = Set(answer["left"].elements.compactMap(\.text))
            return names.filter(left.contains)
        } catch {
            let text = (error as? PeerError)?.text ?? (error as? Refusal)?.text ?? "\(error)"
            log.info("\(migration.plan.site): DNS is not told there either: \(text)")
            return names
        }
    }

    /// A peer has given the site back, and wants its names to lead here again. Only names that went to that
    /// peer from here are changed, so nobody can have other names led anywhere.
    func answerAnnouncement(_ request: PeerRequest) async -> PeerAnswer {
        let (content, peer) = (request.content, request.peer.name.text)
        guard let site = content["site"].text else { return .refusal("`site` is missing") }
        let kept = await kept(site)
        guard let migration = kept.ledger.incoming, migration.peer == peer, migration.state == .serving,
            migration.migration.description == content["migration"].text
        else { return .refusal("there is no such migration here") }
        guard configuration.names.server != nil else { return .refusal("no server takes updates from here") }
        let own = Set(configuration.peers?.addresses ?? [])
        let theirs = Set((kept.otherEdge?.visitors ?? []).compactMap { VisitorAddress($0) })
        guard let given = kept.ledger.outgoing?.plan, given.peer == peer, !theirs.isEmpty, !own.isEmpty else {
            return .refusal("the names were never led to \(peer) from here")
        }
        let asked = Set(content["names"].elements.compactMap(\.text))
        let move = NameMove(
            names: given.offer.names.filter(asked.contains), old: theirs, new: own,
            ttlSeconds: configuration.names.ttlSeconds)
        do throws(Refusal) {
            let left = try await servers.perform(move)
            for (name, reason) in left {
                log.info("\(site): \(name) is not led here again in DNS: \(reason)")
            }
            let others = asked.subtracting(move.names).sorted() + left.map(\.name)
            return .answer(.object(["left": .array(others.map { .string($0) })]))
        } catch {
            return .refusal(error.text)
        }
    }

    // MARK: Looking

    /// When it is to be looked again what still comes by the old address: often in the beginning.
    func nextLookSeconds(_ migration: OriginMigration) -> Double {
        guard let last = looks[migration.plan.site] else { return Self.now }
        let switched = (migration.pauseBeganSeconds ?? last) + (migration.pauseSeconds ?? 0)
        let rest = max(0, last - switched) / 10
        return last + min(max(rest, Self.lookSeconds.lowerBound), Self.lookSeconds.upperBound)
    }

    /// Looks who still uses the old address: visitors, by what the edge counts, and resolvers, by what they
    /// say.
    func look(_ migration: OriginMigration) async -> ResidualTraffic? {
        let site = migration.plan.site
        looks[site] = Self.now
        if let move = nameMove(migration.plan.offer.names, to: await kept(site).otherEdge) {
            sightings[site] = await servers.sighting(of: move)
        }
        return await residual(site)
    }

    /// What still comes by the old address: counted by this edge, for all sites together that it forwards to
    /// the same peer.
    private func residual(_ site: String) async -> ResidualTraffic? {
        guard let address = await kept(site).otherEdge?.tls,
            let traffic = try? await edge.traffic()[address]
        else { return nil }
        var samples = residuals[site] ?? []
        // An edge that was started anew counts from nothing.
        if let last = samples.last, last.connections > traffic.connections { samples = [] }
        samples.append(ResidualSample(seconds: Self.now, connections: traffic.connections))
        while samples.count > 2, Self.now - samples[1].seconds >= Self.residualSeconds {
            samples.removeFirst()
        }
        residuals[site] = samples
        guard let first = samples.first, samples.count > 1 else { return nil }
        return ResidualTraffic(
            sessions: traffic.connections - first.connections, seconds: Self.now - first.seconds)
    }

    /// Forgets what was seen of a site.
    func forgetLooks(_ site: String) {
        residuals[site] = nil
        sightings[site] = nil
        looks[site] = nil
    }

    /// Whether so little still comes by the old address that it should be ended.
    func isEndProposed(_ migration: OriginMigration) -> Bool {
        migration.isEndProposed && sightings[migration.plan.site]?.old.isEmpty ?? true
    }

    /// What visitors would lose if it was ended now, in one sentence; nil: nothing, as far as is known.
    func objectionToEnding(_ migration: OriginMigration) -> String? {
        guard migration.state == .forwarding || migration.state == .announcing, !isEndProposed(migration)
        else { return nil }
        let site = migration.plan.site
        if let old = sightings[site]?.old, !old.isEmpty {
            return "visitors still get the old address of \(site) from \(old.joined(separator: ", "))"
        }
        if let residual = migration.residual, residual.sessions > 0 {
            let time = Human.duration(residual.seconds)
            return "\(residual.sessions) connections came by the old address within \(time)"
        }
        return "it was not measured for an hour yet what still comes by the old address of \(site)"
    }
}

/// What the edge had counted at a time.
struct ResidualSample: Sendable {
    var seconds: Double
    var connections: Int
}
