import ArgumentParser
import YardKit

struct Targets: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the targets and how they do.",
        discussion:
            "States: up; resting, after three failures in a row; down, when its check says so; drained, "
            + "by `yard drain`.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        var text = TargetsText(style: Output.style)
        try Output.list(&client, Request.plain("targets"), isJSON: output.isJSON) { text.lines($0) }
    }
}

/// For completion: the targets that the edge knows; none when it cannot be asked.
enum KnownTargets {
    static func list() -> [String] {
        let variable = SocketOptions.parseOrExit([])
        guard var client = try? ControlClient(path: variable.path) else { return [] }
        var found: [String] = []
        try? client.ask(Request.plain("targets")) { answer in
            found += answer["items"].elements.compactMap { $0["address"].text }
        }
        return found
    }
}
