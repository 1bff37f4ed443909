import Linux
import YardKit

/// Standard output and standard error.
enum Output {
    /// Colours only on a terminal, and not where somebody does not want them (no-color.org). Lines may be as
    /// long as they like in a file or a pipe.
    static var style: Style {
        guard isTerminal(1) else { return .plain }
        let isUnwanted = environmentVariable("NO_COLOR").map { !$0.isEmpty } ?? false
        return Style(
            hasColours: !isUnwanted && environmentVariable("TERM") != "dumb",
            width: terminalSize(1)?.columns ?? 80)
    }

    static func write(_ lines: [String]) {
        guard !lines.isEmpty else { return }
        do throws(Errno) {
            try writeAll(1, Array((lines.joined(separator: "\n") + "\n").utf8))
        } catch {
            // A full disk; a reader that has gone ended this process with SIGPIPE.
            writeError("yard: standard output: \(error)")
            exitProcess(ExitStatus.refused.rawValue)
        }
    }

    static func writeError(_ text: String) {
        let end = text.hasSuffix("\n") ? "" : "\n"
        // There is nobody left to tell when this fails.
        try? writeAll(2, Array((text + end).utf8))
    }

    /// A list as it comes: for scripts an item a line, else through `lines`. The items' count.
    static func list(
        _ client: inout ControlClient, _ request: JSONValue, isJSON: Bool, _ lines: ([JSONValue]) -> [String]
    ) throws(YardError) {
        try client.ask(request) { (answer) throws(YardError) in
            let items = answer["items"].elements
            write(isJSON ? items.map(\.line) : lines(items))
        }
    }
}
