import ArgumentParser
import Linux
import YardKit

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says whether configuration and routes are right; changes nothing.",
        discussion: """
            Without FILE, the running edge reads its own files as a reload would. With FILE, the switchyard \
            program does (`switchyard --config FILE --check`), and no edge needs to run.
            """)

    @Argument(help: "A configuration file.", completion: .file()) var file: String?
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        if let file { return try check(file) }
        var client = try socket.client()
        let answer = try client.ask(Request.plain("check"))
        guard !output.isJSON else { return Output.write([answer.line]) }
        Output.write(answer.warnings + [Human.cleanLines(answer["summary"].text ?? "ok").trimmedLineEnd])
    }

    private func check(_ file: String) throws {
        guard let program = Self.switchyard else {
            throw YardError(
                "there is no program switchyard beside this one or in the search path", status: .notAsked)
        }
        let arguments = ["--config", file, "--check"]
        guard output.isJSON else {
            let error = becomeProgram(program, arguments)
            throw YardError("\(program): \(error)", status: .notAsked)
        }
        let result: (status: Int32, output: [UInt8])
        do throws(Errno) {
            result = try runProgram(program, arguments)
        } catch {
            throw YardError("\(program): \(error)", status: .notAsked)
        }
        let text = JSONValue.string(String(decoding: result.output, as: UTF8.self).trimmedLineEnd)
        let isGood = result.status == 0
        Output.write([JSONValue.object(["ok": .bool(isGood), isGood ? "summary" : "error": text]).line])
        if !isGood { throw ExitCode(ExitStatus.refused.rawValue) }
    }

    /// Beside this program, as when it was built or installed, or in the search path.
    private static var switchyard: String? {
        let own = (try? readLink("/proc/self/exe")) ?? ""
        let folder = own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/")
        let search = (environmentVariable("PATH") ?? "").split(separator: ":").map(String.init)
        return ([folder] + search).map { $0 + "/switchyard" }.first(where: isExecutable)
    }
}

extension JSONValue {
    /// What an answer warns of: the text of its `warnings`.
    var warnings: [String] {
        let text = Human.cleanLines(self["warnings"].text ?? "").trimmedLineEnd
        return text.isEmpty ? [] : [text]
    }
}

extension String {
    /// Without line ends at its end: the one that is printed is enough.
    var trimmedLineEnd: String {
        var text = self[...]
        while text.last == "\n" { text = text.dropLast() }
        return String(text)
    }
}
