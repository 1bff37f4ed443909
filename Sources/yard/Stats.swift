import ArgumentParser
import YardKit

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows all that was counted since the start.",
        discussion:
            "Counters over all workers, the sizes of hellos, the times from accept to route, and each "
            + "worker's processor time.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        let answer = try client.ask(Request.plain("stats"))
        Output.write(output.isJSON ? [answer.line] : StatsText.lines(answer, style: Output.style))
    }
}
