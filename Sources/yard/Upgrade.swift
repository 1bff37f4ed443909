import ArgumentParser
import YardKit

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replaces the running edge by the program that is installed now.",
        discussion:
            "The new program takes over listeners and sessions, and nobody is cut off. If it cannot, the "
            + "old one goes on, and the reason is printed.")

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
