import ArgumentParser
import YardKit

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what the edge is and how it does.",
        discussion:
            "Version, process, listeners, sessions, descriptors, memory, the table of routes and its age, "
            + "and whether the last reload worked.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        let answer = try client.ask(Request.plain("status"))
        Output.write(output.isJSON ? [answer.line] : StatusText.lines(answer, style: Output.style))
    }
}
