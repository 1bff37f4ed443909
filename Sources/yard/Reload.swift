import ArgumentParser
import YardKit

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the edge read its configuration and routes anew.",
        discussion:
            "As SIGHUP does, and says how it went. No connection is touched. A mistake changes nothing: "
            + "it is printed with its place, and the exit status is 1.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        let answer = try client.ask(Request.plain("reload"))
        guard !output.isJSON else { return Output.write([answer.line]) }
        Output.write(answer.warnings + ["reloaded: \(Human.cleanLines(answer["summary"].text ?? ""))"])
    }
}
