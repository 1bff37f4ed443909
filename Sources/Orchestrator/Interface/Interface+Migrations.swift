import Foundation
import Hummingbird
import Migration
import Peers
import YardKit

/// Peers and migrations.
extension Interface {
    func addMigrations(to router: Router<BasicRequestContext>) {
        router.get("/v1/peers") { _, _ in
            let link = try await migrator().link
            let (peers, invitations) = try await Self.refusing { () async throws(PeerError) in
                (try await link.book.peers(), try await link.book.invitations())
            }
            // One under the name of a peer, who has invited us in turn, lets nobody in.
            let names = Set(peers.map(\.name))
            let open = invitations.filter { $0.isOpen(at: Date()) && !names.contains($0.peerName) }
                .sorted { $0.expires < $1.expires }
            return Self.answer(
                .object([
                    "name": .string(link.identity.name.text),
                    "fingerprint": .string(link.identity.fingerprint.text),
                    "address": .string(link.address.description),
                    "peers": .array(peers.map { Self.report($0) }),
                    "invitations": .array(open.map { Self.report($0) }),
                ]))
        }
        router.post("/v1/peers/invitations") { request, _ in try await invite(request) }
        router.post("/v1/peers") { request, _ in try await accept(request) }
        router.delete("/v1/peers/:name") { _, context in
            let link = try await migrator().link
            let text = try context.parameters.require("name")
            guard await !(try migrator()).needs(text) else {
                throw Refusal(.conflict, "\(text) is needed by a migration: yard migrations")
            }
            let gone = try await Self.refusing { () async throws(PeerError) in
                try await link.book.remove(try PeerName(text))
            }
            guard gone.peer != nil || gone.wasInvited else {
                throw Refusal(.missing, "there is no peer \(text), and nobody is invited as such")
            }
            if let peer = gone.peer { await yardmaster.disconnect(peer) }
            return Self.answer(
                .object([
                    "ok": .bool(true), "peer": gone.peer.map { Self.report($0) } ?? .null,
                    "was_invited": .bool(gone.wasInvited),
                ]))
        }
        router.get("/v1/migrations") { _, _ in
            Self.answer(.object(["migrations": .array(try await migrator().reports())]))
        }
        router.post("/v1/migrations") { request, _ in try await migrate(request) }
        for wish in OperatorWish.allCases {
            router.post("/v1/migrations/:domain/\(wish.rawValue)") { request, context in
                let domain = try context.domain
                let hasBody = request.headers[.contentLength].map { $0 != "0" } ?? false
                let isForced = hasBody ? try await Self.body(request)["force"].flag == true : false
                try await migrator().hear(wish, domain, isForced: isForced)
                return Self.answer(.object(["ok": .bool(true), "domain": .string(domain)]))
            }
        }
    }

    private func migrator() async throws(Refusal) -> Migrator {
        guard let migrator = await yardmaster.migrator else {
            throw Refusal(
                .conflict, "there are no peers in the configuration: peers: { name, listen, address }")
        }
        return migrator
    }

    private static func refusing<Value>(
        _ body: () async throws(PeerError) -> Value
    ) async throws(Refusal) -> Value {
        do throws(PeerError) {
            return try await body()
        } catch {
            throw Refusal(error)
        }
    }

    private static func report(_ peer: Peer) -> JSONValue {
        .object([
            "name": .string(peer.name.text), "address": .string(peer.address.description),
            "fingerprint": .string(peer.fingerprint.text),
            "since": .string(peer.since.ISO8601Format()),
            "may": .array(peer.permissions.words.map { .string($0) }), "invited": .bool(false),
        ])
    }

    private static func report(_ invitation: Invitation) -> JSONValue {
        .object([
            "name": .string(invitation.peerName.text),
            "expires": .string(invitation.expires.ISO8601Format()),
            "failures": .number("\(invitation.failures)"),
            "may": .array(invitation.permissions.words.map { .string($0) }), "invited": .bool(true),
        ])
    }

    // MARK: Peers

    private func invite(_ request: Request) async throws -> Response {
        let body = try await Self.body(request)
        let link = try await migrator().link
        guard let name = body["name"].text else { throw Refusal(.invalid, "`name` is missing") }
        try Self.checkNotOurs(name, link)
        let token = try await Self.refusing { () async throws(PeerError) in
            let (invitation, token) = try Invitation.make(
                for: try PeerName(name), from: link.identity, at: [link.address])
            try await link.book.add(invitation)
            return token
        }
        return Self.answer(
            .object([
                "ok": .bool(true), "token": .string(token.text),
                "expires": .string(token.expires.ISO8601Format()),
            ]))
    }

    private static func checkNotOurs(_ name: String?, _ link: PeerLink) throws(Refusal) {
        guard name == link.identity.name.text else { return }
        throw Refusal(.conflict, "\(link.identity.name.text) is what this hoster is called")
    }

    private func accept(_ request: Request) async throws -> Response {
        let body = try await Self.body(request)
        let link = try await migrator().link
        guard let text = body["token"].text else { throw Refusal(.invalid, "`token` is missing") }
        try Self.checkNotOurs(body["name"].text, link)
        let peer = try await Self.refusing { () async throws(PeerError) in
            try await link.client.accept(
                try InvitationToken(text), ownAddress: link.address, keepingIn: link.book,
                as: try body["name"].text.map { (name) throws(PeerError) in try PeerName(name) })
        }
        return Self.answer(.object(["ok": .bool(true), "peer": Self.report(peer)]))
    }

    // MARK: Migrations

    /// Proposes a migration, begins one, or begins what was proposed.
    private func migrate(_ request: Request) async throws -> Response {
        let body = try await Self.body(request)
        let migrator = try await migrator()
        if let text = body["proposal"].text {
            let proposal = try await migrator.proposal(text)
            return await work(request) { (progress) throws(Refusal) in
                try await Self.carryOut(proposal, migrator, progress)
            }
        }
        guard let site = body["site"].text, let peer = body["to"].text else {
            throw Refusal(.invalid, "`site` and `to` are wanted, or `proposal`")
        }
        let pause = body["max_pause_seconds"].double ?? Migrator.pauseSecondsMax
        guard (0.5...600).contains(pause) else {
            throw Refusal(.invalid, "`max_pause_seconds` is a number from 0.5 to 600")
        }
        let isDry = body["dry_run"].flag == true
        return await work(request) { (progress) throws(Refusal) in
            let proposal = try await migrator.propose(site, to: peer, pauseSeconds: pause, progress)
            guard isDry else { return try await Self.carryOut(proposal, migrator, progress) }
            return .object([
                "ok": .bool(true), "plan": Self.plan(of: proposal), "migration": .null,
                "proposal": .string("\(proposal.plan.migration)"),
            ])
        }
    }

    private static func plan(of proposal: Migrator.Proposal) -> JSONValue {
        .array(proposal.lines.map { .string($0) })
    }

    private static func carryOut(
        _ proposal: Migrator.Proposal, _ migrator: Migrator, _ progress: Progress
    ) async throws(Refusal) -> JSONValue {
        try await migrator.begin(proposal)
        try await migrator.follow(proposal.plan.site, progress)
        let report = await migrator.reports().last {
            $0["site"].text == proposal.plan.site && $0["role"].text == "giving"
        }
        return .object([
            "ok": .bool(true), "plan": plan(of: proposal), "migration": report ?? .null, "proposal": .null,
        ])
    }
}
