import ArgumentParser
import YardKit

struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends no new sessions to a target.",
        discussion: "Sessions that are there stay. It holds until `--off` or the end of the process, over "
            + "reloads too. A route all of whose targets are drained answers with alert 80.")

    @Argument(
        help: "The target's address, as in the routes.",
        completion: .custom { _, _, _ in KnownTargets.list() })
    var target: String
    @Flag(help: "Send it sessions again.") var off = false
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        let answer = try client.ask(
            Request.with("drain", ["target": .string(target), "off": off ? .bool(true) : nil]))
        let routes = Human.number(answer["routes"].integer ?? 0, "route")
        let sessions = Human.number(answer["sessions"].integer ?? 0, "session")
        let text =
            off
            ? "\(target) takes sessions again, of \(routes)"
            : "\(target) takes no new sessions, of \(routes); \(sessions) still there"
        Output.write([output.isJSON ? answer.line : Human.clean(text)])
    }
}
