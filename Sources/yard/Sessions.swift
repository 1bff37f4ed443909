import ArgumentParser
import YardKit

struct Sessions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the sessions that there are now.",
        discussion: "Columns that do not fit the terminal are left out; in a pipe there are all of them. The "
            + "list is printed as it comes.")

    @Option(help: ArgumentHelp("At most so many.", valueName: "count")) var limit: Int?
    @Option(help: ArgumentHelp("Those that asked for this name.", valueName: "name")) var name: String?
    @Option(
        help: ArgumentHelp("Those that go to this target.", valueName: "address"),
        completion: .custom { _, _, _ in KnownTargets.list() })
    var target: String?
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is at least 1") }
    }

    func run() throws {
        var client = try socket.client()
        let request = Request.with(
            "sessions",
            [
                "limit": limit.map { .integer($0) }, "name": name.map { .string($0) },
                "target": target.map { .string($0) },
            ])
        let style = Output.style
        var text = SessionsText(style: style)
        try Output.list(&client, request, isJSON: output.isJSON) { text.lines($0) }
        if !output.isJSON { Output.write([style.apply(.quiet, text.closing)]) }
    }
}
