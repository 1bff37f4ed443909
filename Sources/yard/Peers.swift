import ArgumentParser
import Linux
import YardKit

/// Other hosters.
struct PeerVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer",
        abstract: "Makes peers of other hosters, with whom sites are exchanged.",
        discussion: """
            One hoster invites, the other one accepts; then both know each other by their keys, and either \
            may offer sites to the other. Nothing is reachable for anybody else.
            """,
        subcommands: [Invite.self, Accept.self, List.self, Remove.self])

    struct Invite: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a token for another hoster; it is good for one use within a day.")
        @Argument(help: "What the other hoster will be called here.") var name: String
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let answer = try socket.client.ask(
                .post, "/v1/peers/invitations", .object(["name": .string(name)]))
            Output.write([output.isJSON ? answer.line : answer["token"].shown])
        }
    }

    struct Accept: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Accepts an invitation; both are peers then.")
        @Argument(help: "The token.") var token: String
        @Option(help: "What the inviter is called here, if not what it calls itself.") var name: String?
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            var members = [JSONMember(name: "token", value: .string(token))]
            if let name { members.append(JSONMember(name: "name", value: .string(name))) }
            let answer = try socket.client.ask(.post, "/v1/peers", .object(members))
            Output.write([
                output.isJSON ? answer.line : "\(answer["peer"]["name"].shown) is a peer now"
            ])
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the peers, who is invited, and who this hoster is.")
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let answer = try socket.client.ask(.get, "/v1/peers")
            Output.write(
                output.isJSON
                    ? (answer["peers"].elements + answer["invitations"].elements).map(\.line)
                    : MigrationsText.peers(answer, Output.style))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forgets a peer, or withdraws an invitation: from now on it may do nothing here.")
        @Argument(help: "The peer, or who was invited.") var name: String
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let answer = try socket.client.ask(.delete, "/v1/peers/\(URIText.escaped(name))")
            let isPeer = !answer["peer"].isNull
            Output.write([
                output.isJSON
                    ? answer.line
                    : isPeer ? "\(name) is no peer any more" : "the invitation of \(name) is withdrawn"
            ])
        }
    }
}

struct Migrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Moves a site with everything to a peer; returns when it is served there.",
        discussion: """
            The site runs here while it is copied. Then its visitors wait for some seconds, no longer than \
            was promised, and go on at the new hoster. What comes to the old address is forwarded until \
            `yard migrations finish`. Until the switch everything can be taken back: `yard migrations \
            revert`. If this command is interrupted the migration goes on: `yard migrations show`.
            """)
    @Argument(help: "The site's domain.", completion: .custom { _, _, _ in KnownSites.list() })
    var domain: String
    @Option(name: .customLong("to"), help: "The peer.") var peer: String
    @Flag(help: "Print the plan and its promise, and do nothing.") var dryRun = false
    @Option(help: ArgumentHelp("The longest that a visitor may wait.", valueName: "duration"))
    var maxPause = "5s"
    @OptionGroup var socket: YardmasterOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard let seconds = DurationText.seconds(maxPause), (0.5...600).contains(seconds) else {
            throw ValidationError("--max-pause is a duration from 500ms to 10m, such as 5s")
        }
    }

    func run() throws {
        let wanted: KeyValuePairs<String, JSONValue> = [
            "site": .string(domain), "to": .string(peer),
            "max_pause_seconds": .number("\(DurationText.seconds(maxPause) ?? 5)"),
            "dry_run": .bool(dryRun || !output.isJSON),
        ]
        var result = try socket.follow(.post, "/v1/migrations", .object(wanted), output)
        if output.isJSON { return Output.write([result.line]) }
        // The promise comes before anything is done.
        Output.write(result["plan"].elements.compactMap(\.text).map { Human.clean($0) })
        if dryRun { return }
        if isTerminal(2) {
            try? writeAll(
                2, Array("if this command is interrupted the migration goes on: yard migrations\n".utf8))
        }
        result = try socket.follow(
            .post, "/v1/migrations", .object(["proposal": result["proposal"]]), output)
        Output.write(MigrationsText.report(result["migration"]))
    }
}

/// `5s`, `1500ms`, `2m`.
enum DurationText {
    static func seconds(_ text: String) -> Double? {
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)]
        guard let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }),
            let count = Double(text.dropLast(unit.count)), count > 0, count.isFinite
        else { return nil }
        return count * factor
    }
}

/// Migrations that are under way, or were the last ones.
struct Migrations: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists migrations, and tells them what to do.",
        subcommands: [List.self, Show.self, Resume.self, Revert.self, Finish.self],
        defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists them, and what they wait for.")
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let found = try socket.client.ask(.get, "/v1/migrations")["migrations"].elements
            Output.write(output.isJSON ? found.map(\.line) : MigrationsText.list(found, Output.style))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows all that is known of the migration of one site.")
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions

        func run() throws {
            let found = try site.socket.client.ask(.get, "/v1/migrations")["migrations"].elements
                .filter { $0["site"].text == site.domain }
            guard !found.isEmpty else {
                throw YardError("\(site.domain) is not being migrated, and never was", status: .refused)
            }
            Output.write(output.isJSON ? found.map(\.line) : found.flatMap { MigrationsText.report($0) })
        }
    }

    struct Resume: MigrationVerb {
        static let configuration = CommandConfiguration(
            abstract: "Tries again at once what has failed.")
        static let wish = "resume"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Revert: MigrationVerb {
        static let configuration = CommandConfiguration(
            abstract: "Takes everything back; possible until the switch.")
        static let wish = "revert"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Finish: MigrationVerb {
        static let configuration = CommandConfiguration(
            abstract: "Ends the forwarding: DNS has moved. The old copy is kept for a week.",
            discussion: "While visitors still come by the old address it refuses, and says who does.")
        static let wish = "finish"
        @Flag(help: "End it even if visitors lose by it.") var force = false
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }
}

/// Something that is said to the migration of one site.
protocol MigrationVerb: ParsableCommand {
    static var wish: String { get }
    var site: SiteArgument { get }
    var output: OutputOptions { get }
    /// Even if visitors lose by it.
    var force: Bool { get }
}

extension MigrationVerb {
    var force: Bool { false }

    func run() throws {
        let answer = try site.socket.client.ask(
            .post, "/v1/migrations/\(URIText.escaped(site.domain))/\(Self.wish)",
            .object(["force": .bool(force)]))
        Output.write([output.isJSON ? answer.line : "done: yard migrations"])
    }
}
