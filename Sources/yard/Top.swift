import ArgumentParser
import Linux
import YardKit

struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watches the edge: rates, sessions, bytes, the busiest names and targets.",
        discussion: """
            Keys: q quits; s sorts by the next of rate, sessions, bytes, errors; p pauses and goes on; \
            1 to 9 are the seconds between two looks.
            """)

    @Flag(help: "Print one screen and exit; for scripts.") var once = false
    @Option(help: ArgumentHelp("Seconds between two looks, 1 to 9.", valueName: "seconds")) var interval = 2
    @Option(
        help: ArgumentHelp("Order: rate, sessions, bytes or errors.", valueName: "order"),
        completion: .list(TopScreen.Order.allCases.map(\.rawValue)),
        transform: { text in
            guard let order = TopScreen.Order(rawValue: text) else {
                throw ValidationError("'\(text)' is none of rate, sessions, bytes, errors")
            }
            return order
        })
    var sort = TopScreen.Order.rate
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...9).contains(interval) else { throw ValidationError("--interval is 1 to 9") }
    }

    func run() throws {
        if output.isJSON {
            var client = try socket.client()
            Output.write([try client.ask(Request.plain("top")).line])
            return
        }
        var choices = TopScreen.Choices()
        choices.order = sort
        choices.seconds = interval
        let style = Output.style
        var loop = try TopLoop(path: socket.path, choices: choices, hasColours: style.hasColours)
        if once {
            let size = terminalSize(1) ?? (80, 24)
            Output.write(try loop.once(columns: size.columns, rows: size.rows))
            return
        }
        guard isTerminal(0), isTerminal(1) else {
            throw YardError("this is no terminal: yard top --once prints one screen", status: .notAsked)
        }
        try loop.run()
    }
}
