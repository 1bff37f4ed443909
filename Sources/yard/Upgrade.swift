import ArgumentParser
import YardKit

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replaces the running edge by the program that is installed now.",
        discussion:
            "It is to hand listeners and sessions over. This version of the edge refuses it: restart to "
            + "take a new program into use.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        let answer = try client.ask(Request.plain("upgrade"))
        Output.write([
            output.isJSON ? answer.line : "upgraded: process \(answer["pid"].integer ?? 0) serves now"
        ])
    }
}
