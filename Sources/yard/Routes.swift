import ArgumentParser
import YardKit

struct Routes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the routes, or says what one name gets.",
        discussion: """
            Without NAME: each route of the table that serves now, with its targets and its line. With NAME: \
            which route a client that asks for this name gets and why, which targets \
            can take it, and what the route's options do.
            """)

    @Argument(help: "A host name, as a client would ask for it.") var name: String?
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var client = try socket.client()
        let request = Request.with("routes", ["name": name.map { .string($0) }])
        let style = Output.style
        if let name {
            let explanation = RouteExplanation(name: name, style: style)
            let answer = try client.ask(request)
            guard !answer["items"].elements.isEmpty || !output.isJSON else {
                throw YardError("no route knows the name \(name)", status: .refused)
            }
            Output.write(output.isJSON ? answer["items"].elements.map(\.line) : explanation.lines(answer))
            let match = answer["items"].elements.first?["match"].text ?? answer["match"].text
            if answer["items"].elements.isEmpty || match == "none" {
                throw ExitCode(ExitStatus.refused.rawValue)
            }
            return
        }
        var text = RoutesText(style: style)
        try Output.list(&client, request, isJSON: output.isJSON) { text.lines($0) }
        if !output.isJSON { Output.write([style.apply(.quiet, text.closing)]) }
    }
}
