import ArgumentParser
import Linux
import YardKit

/// Everything about sites, which yardmaster runs.
struct Site: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Adds, starts, stops and shows sites.",
        discussion: """
            A site is a folder with a file `runme` that says how to start it, its data and its certificate. \
            These verbs ask yardmaster on its socket, which is open to root and to the group switchyard.
            """,
        subcommands: [
            Add.self, List.self, Show.self, Start.self, Stop.self, Restart.self, Sleep.self, Wake.self,
            Logs.self,
            Journal.self, Remove.self, Export.self, Import.self,
        ])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a site known; it is stopped until it is started.",
            discussion:
                "The folder stays where it is. A name without a slash is a folder of yardmaster's `sites`.")
        @Argument(help: "The site's folder.", completion: .directory) var folder: String
        @Flag(help: "Start it, too.") var start = false
        @Flag(help: "Let its first visitor start it.") var asleep = false
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            if start && asleep { throw ValidationError("--start and --asleep exclude each other") }
        }

        func run() throws {
            let path = folder.contains("/") ? PathText.plain(absolutePath(folder)) : folder
            let wish = start ? "awake" : asleep ? "asleep" : "stopped"
            try socket.work(
                .post, "/v1/sites", ["folder": .string(path), "wish": .string(wish)], output)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the sites and how they are.")
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func run() throws {
            let sites = try socket.client.ask(.get, "/v1/sites")["sites"].elements
            Output.write(output.isJSON ? sites.map(\.line) : SitesText.table(sites, Output.style))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Tells all about one site.")
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions

        func run() throws {
            let answer = try site.socket.client.ask(.get, site.uri)
            Output.write(output.isJSON ? [answer.line] : SitesText.details(answer))
        }
    }

    struct Start: SiteVerb {
        static let configuration = CommandConfiguration(
            abstract: "Starts a site, as its runme says now; returns when it answers.")
        static let verb = "start"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Stop: SiteVerb {
        static let configuration = CommandConfiguration(
            abstract: "Stops a site; its visitors are refused until it is started.")
        static let verb = "stop"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Restart: SiteVerb {
        static let configuration = CommandConfiguration(
            abstract:
                "Makes and starts a site's containers anew, as its runme says now; visitors wait meanwhile.")
        static let verb = "restart"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Sleep: SiteVerb {
        static let configuration = CommandConfiguration(
            abstract: "Puts a site to sleep, after its snapshot; its next visitor wakes it.")
        static let verb = "sleep"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Wake: SiteVerb {
        static let configuration = CommandConfiguration(abstract: "Wakes a site, as a visitor would.")
        static let verb = "wake"
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions
    }

    struct Logs: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows what a site has written last.")
        @OptionGroup var site: SiteArgument
        @Option(name: [.customShort("n"), .long], help: "How many lines of each part.") var lines = 100
        @Option(help: "One part alone: a sidecar, or `site` for what serves.") var part: String?
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (1...10_000).contains(lines) else { throw ValidationError("--lines is 1 to 10000") }
        }

        func run() throws {
            let query = "?lines=\(lines)" + (part.map { "&part=\(URIText.escaped($0))" } ?? "")
            let found = try site.socket.client.ask(.get, site.uri + "/logs" + query)["lines"].elements
            let hasParts = Set(found.map { $0["part"].shown }).count > 1
            Output.write(
                output.isJSON ? found.map(\.line) : found.map { SitesText.logLine($0, hasParts: hasParts) })
        }
    }

    struct Journal: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists what was wanted of sites, and what became of it.")
        @Argument(help: "One site alone.", completion: .custom { _, _, _ in KnownSites.list() }) var domain:
            String?
        @Option(name: [.customShort("n"), .long], help: "How many entries.") var lines = 20
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            guard (1...1000).contains(lines) else { throw ValidationError("--lines is 1 to 1000") }
        }

        func run() throws {
            let query = "?limit=\(lines)" + (domain.map { "&domain=\(URIText.escaped($0))" } ?? "")
            let found = try socket.client.ask(.get, "/v1/operations" + query)["operations"].elements
            Output.write(output.isJSON ? found.map(\.line) : SitesText.operations(found, Output.style))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stops a site and forgets it. Its folder with all its data stays.")
        @OptionGroup var site: SiteArgument
        @OptionGroup var output: OutputOptions

        func run() throws { try site.socket.work(.delete, site.uri, nil, output) }
    }
}

/// A verb that is done to one site.
protocol SiteVerb: ParsableCommand {
    static var verb: String { get }
    var site: SiteArgument { get }
    var output: OutputOptions { get }
}

extension SiteVerb {
    func run() throws { try site.socket.work(.post, "\(site.uri)/\(Self.verb)", nil, output) }
}

/// Which site.
struct SiteArgument: ParsableArguments {
    @Argument(
        help: "The site's domain, or another of its names.",
        completion: .custom { _, _, _ in KnownSites.list() })
    var domain: String
    @OptionGroup var socket: YardmasterOptions

    var uri: String { "/v1/sites/\(URIText.escaped(domain))" }
}

/// Where yardmaster is.
struct YardmasterOptions: ParsableArguments {
    @Option(
        name: .customLong("yardmaster"),
        help: ArgumentHelp(
            "yardmaster's socket (default: $SWITCHYARD_YARDMASTER, or \(YardmasterClient.standardPath)).",
            valueName: "path"), completion: .file())
    var given: String?

    var client: YardmasterClient {
        let variable = environmentVariable("SWITCHYARD_YARDMASTER").flatMap { $0.isEmpty ? nil : $0 }
        return YardmasterClient(path: given ?? variable ?? YardmasterClient.standardPath)
    }

    /// Asks for something that may take long, and shows how it goes.
    func work(
        _ method: YardmasterClient.Method, _ uri: String, _ content: KeyValuePairs<String, JSONValue>?,
        _ output: OutputOptions
    ) throws {
        let result = try follow(method, uri, content.map { .object($0) }, output)
        if output.isJSON { return Output.write([result.line]) }
        for warning in result["warnings"].elements { Output.writeError(Human.cleanLines(warning.text ?? "")) }
        let state = result["site"]["state"].text ?? "removed; its folder stays"
        Output.write(["\(Human.clean(result["domain"].shown)) is \(state)"])
    }

    /// The same, for whoever knows what to make of the result.
    func follow(
        _ method: YardmasterClient.Method, _ uri: String, _ content: JSONValue?, _ output: OutputOptions
    ) throws -> JSONValue {
        var screen = ProgressLine()
        var result = JSONValue.null
        defer { screen.end() }
        try client.follow(method, uri, content) { line in
            if line["progress"].isNull {
                result = line
            } else if output.isJSON {
                Output.write([line.line])
            } else {
                screen.show(SitesText.progress(line))
            }
        }
        return result
    }
}

/// One line on a terminal that is written over; nothing elsewhere.
private struct ProgressLine {
    private let isShown = isTerminal(2)
    private var isOpen = false

    mutating func show(_ text: String) {
        guard isShown else { return }
        isOpen = true
        try? writeAll(2, Array("\r\u{1b}[K\(text)".utf8))
    }

    mutating func end() {
        guard isOpen else { return }
        isOpen = false
        try? writeAll(2, Array("\r\u{1b}[K".utf8))
    }
}

/// For completion: the sites that yardmaster knows; none when it cannot be asked.
enum KnownSites {
    static func list() -> [String] {
        let options = YardmasterOptions.parseOrExit([])
        let sites = try? options.client.ask(.get, "/v1/sites")["sites"].elements
        return sites?.compactMap { $0["domain"].text } ?? []
    }
}

/// A text as a part of an address.
enum URIText {
    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            let character = Character(Unicode.Scalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber)
            if isPlain || "-._~".contains(character) {
                result.append(character)
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}

/// An absolute path without `.`, `..` and what is twice.
enum PathText {
    static func plain(_ path: String) -> String {
        let parts = path.split(separator: "/").reduce(into: [Substring]()) { parts, part in
            switch part {
            case ".": break
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }
}

/// `./runme`: its first line calls this.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts the site of a runme, and makes it known first if need be.",
        discussion:
            "The first line of a runme, `#!/usr/bin/env -S yard run`, calls this: `./runme`."
    )
    @Argument(help: "The runme.", completion: .file()) var runme: String
    @OptionGroup var socket: YardmasterOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let path = PathText.plain(absolutePath(runme))
        guard let slash = path.lastIndex(of: "/"), path[path.index(after: slash)...] == "runme" else {
            throw ValidationError("a site's manifest is a file of the name runme, in the site's folder")
        }
        let folder = String(path[..<slash])
        let sites = try socket.client.ask(.get, "/v1/sites")["sites"].elements
        if let site = sites.first(where: { $0["folder"].text == folder }), let domain = site["domain"].text {
            try socket.work(.post, "/v1/sites/\(domain)/start", nil, output)
        } else {
            try socket.work(
                .post, "/v1/sites", ["folder": .string(folder), "wish": .string("awake")], output)
        }
    }
}
