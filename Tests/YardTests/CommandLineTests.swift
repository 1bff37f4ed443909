import Foundation
import Support
import Testing
import YardKit

/// An edge that gives recorded answers, to one connection after another, so many to each.
private final class RecordedEdge {
    let folder: TemporaryFolder
    let path: String
    private let work: Background

    init(_ answers: [String: String], connections: Int = 1, answersMax: Int = .max) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        path = folder.path("control.sock")
        nonisolated(unsafe) let listener = try StreamListener(.unix(path: path))
        work = Background {
            for _ in 0..<connections {
                let client = try unsafe listener.accept()
                var count = 0
                while count < answersMax, let line = try Self.readLine(client) {
                    count += 1
                    let request = try JSONReader.read(line)
                    try client.send(
                        answers[request["command"].text ?? ""] ?? #"{"ok":false,"error":"no"}"# + "\n")
                }
            }
        }
    }

    private static func readLine(_ client: StreamSocket) throws -> [UInt8]? {
        var line: [UInt8] = []
        while let byte = try client.receive(exactly: 1).first {
            if byte == UInt8(ascii: "\n") { return line }
            line.append(byte)
        }
        return nil
    }

    /// Runs `yard` against it.
    func yard(_ arguments: [String]) throws -> Finished { try runYard(arguments, socket: path) }
}

private func runYard(_ arguments: [String], socket: String) throws -> Finished {
    try run(Repository.path(".build/release/yard"), arguments, environment: ["SWITCHYARD_CONTROL": socket])
}

/// The program itself: what it prints where, and how it ends.
@Suite struct CommandLineTests {
    private func recorded(_ name: String) throws -> String {
        try #require(TextFile.read(YardFixtures.path(name + ".json")))
    }

    @Test func `A question is answered on standard output`() throws {
        let edge = try RecordedEdge(["status": try recorded("status")])
        let result = try edge.yard(["status"])
        #expect(result.succeeded, "\(result.everything)")
        #expect(result.output == TextFile.read(YardFixtures.path("status.expected")))
    }

    @Test func `An edge that ends between two questions is a sentence, not a signal`() throws {
        let answers = ["top": #"{"ok":true}"#, "status": try recorded("status")]
        let edge = try RecordedEdge(answers, answersMax: 2)
        let result = try edge.yard(["top", "--once"])
        #expect(result.ending == .status(2), "\(result.everything)")
        #expect(result.errors.contains(edge.path), "\(result.everything)")
    }

    @Test func `For scripts an answer is passed on as it came, and a list an item a line`() throws {
        let status = try RecordedEdge(["status": try recorded("status")])
        #expect(try status.yard(["status", "--json"]).output == (try recorded("status")))
        let routes = try RecordedEdge(["routes": try recorded("routes")])
        let lines = try routes.yard(["routes", "--json"]).output.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(
            try lines.map { try JSONReader.read(Array($0.utf8))["source"].isNull } == [
                false, false, false, false,
            ])
    }

    @Test func `A name without a route is told by the status, too`() throws {
        let edge = try RecordedEdge(["routes": try recorded("route-none")])
        let result = try edge.yard(["routes", "nobody.example"])
        #expect(result.ending == .status(1))
        #expect(result.output.contains("unrecognized_name"))
    }

    @Test func `A refusal is printed and has status 1`() throws {
        let edge = try RecordedEdge([
            "drain": #"{"ok":false,"error":"no route has the target 10.0.0.1:1"}"# + "\n"
        ])
        let result = try edge.yard(["drain", "10.0.0.1:1"])
        #expect(result.ending == .status(1))
        #expect(result.errors == "yard: no route has the target 10.0.0.1:1\n")
        #expect(result.output.isEmpty)
    }

    @Test func `A failure is JSON for who asks for JSON`() throws {
        let edge = try RecordedEdge(["drain": #"{"ok":false,"error":"no"}"# + "\n"])
        let refused = try edge.yard(["drain", "10.0.0.1:1", "--json"])
        #expect(refused.ending == .status(1))
        #expect(refused.output == #"{"ok":false,"error":"no"}"# + "\n")
        #expect(refused.errors.isEmpty)
        let none = try RecordedEdge(["routes": try recorded("route-none")])
        let unknown = try none.yard(["routes", "nobody.example", "--json"])
        #expect(unknown.ending == .status(1) && unknown.output.hasPrefix(#"{"ok":false,"error":""#))
        let verbs = ["status", "routes", "sessions", "stats", "targets", "top", "reload", "check", "upgrade"]
        for arguments in verbs.map({ [$0] }) + [["drain", "x"], ["sessions", "--limit", "0"], ["drain"]] {
            let result = try runYard(arguments + ["--json"], socket: "/nonexistent/control.sock")
            #expect(result.ending == .status(2), "\(arguments): \(result.everything)")
            let answer = try JSONReader.read(Array(result.output.dropLast().utf8))
            #expect(answer["ok"].flag == false && answer["error"].text?.isEmpty == false, "\(arguments)")
        }
    }

    @Test func `A closed standard output is an error and not silence`() throws {
        let edge = try RecordedEdge(["status": try recorded("status")])
        let program = Repository.path(".build/release/yard")
        let result = try run(
            "sh", ["-c", "exec \"$0\" status >&-", program], environment: ["SWITCHYARD_CONTROL": edge.path])
        #expect(result.ending == .status(2))
        #expect(result.errors == "yard: standard output is closed\n")
        // The edge waits for somebody.
        _ = try edge.yard(["status"])
    }

    @Test func `Without an edge it says what to do, with status 2`() throws {
        let result = try runYard(["status"], socket: "/nonexistent/control.sock")
        #expect(result.ending == .status(2))
        #expect(result.errors.contains("is switchyard running?"), "\(result.errors)")
        for bad in [["stauts"], ["sessions", "--limit", "0"], ["drain"], ["top", "--interval", "10"]] {
            #expect(try runYard(bad, socket: "/nonexistent").ending == .status(2))
        }
    }

    @Test func `What is no edge is told from one`() throws {
        let edge = try RecordedEdge(["status": "220 mail.example ESMTP\n"])
        let result = try edge.yard(["status"])
        #expect(result.ending == .status(2))
        #expect(result.errors.contains("not the answer of a switchyard"))
    }

    @Test func `One screen of top is printed for scripts`() throws {
        let edge = try RecordedEdge(["status": try recorded("status"), "top": try recorded("top-now")])
        let result = try edge.yard(["top", "--once"])
        #expect(result.succeeded, "\(result.everything)")
        #expect(result.output.split(separator: "\n", omittingEmptySubsequences: false).count == 25)
        #expect(result.output.contains("one.example"))
        let noTerminal = try RecordedEdge(["status": try recorded("status"), "top": try recorded("top-now")])
        #expect(try noTerminal.yard(["top"]).errors.contains("yard top --once"))
    }

    @Test func `A file is checked by the switchyard beside it`() throws {
        let good = try runYard(["check", Repository.path("conf/switchyard.conf")], socket: "/nonexistent")
        #expect(good.succeeded, "\(good.everything)")
        let folder = try TemporaryFolder()
        let file = try folder.write("switchyard.conf", "listen tls nowhere\n")
        #expect(try runYard(["check", file], socket: "/nonexistent").ending == .status(1))
        let json = try runYard(["check", "--json", file], socket: "/nonexistent")
        #expect(json.ending == .status(1))
        #expect(json.output.hasPrefix(#"{"ok":false,"error":""#))
    }

    @Test func `The doctor works without an edge`() throws {
        let result = try runYard(["doctor", "--json"], socket: "/nonexistent/control.sock")
        let answer = try JSONReader.read(Array(result.output.dropLast().utf8))
        let problems = try #require(answer["problems"].integer)
        #expect(result.ending == .status(problems > 0 ? 1 : 0))
        #expect(answer["findings"].elements.count > 15)
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `Completions are as the program makes them`(shell: String) throws {
        let made = try runYard(["--generate-completion-script", shell], socket: "/nonexistent").output
        let file = Repository.path("completions/yard.\(shell)")
        if ProcessInfo.processInfo.environment["SWITCHYARD_UPDATE_GOLDEN"] == "1" {
            try Data(made.utf8).write(to: URL(fileURLWithPath: file))
        }
        #expect(made == TextFile.read(file))
    }

    @Test func `Every verb is in the manual`() throws {
        let manual = try #require(TextFile.read(Repository.path("man/yard.1")))
        let help = try runYard(["--help"], socket: "/nonexistent").output
        let verbs = help.split(separator: "\n").drop { !$0.hasPrefix("SUBCOMMANDS") }.dropFirst()
            .filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") && !$0.contains("See '") }
            .compactMap { $0.split(separator: " ").first }
        #expect(verbs.count == 17, "\(verbs)")
        for verb in verbs { #expect(manual.contains(".It Cm \(verb)"), "\(verb)") }
    }
}
