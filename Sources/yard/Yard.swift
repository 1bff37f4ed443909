import ArgumentParser
import Linux
import YardKit

/// The operator's command: asks the running edge on its control socket, and yardmaster on its own.
@main struct Yard: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "yard",
        abstract: "Looks at the running edge, switchyard, and at the sites, and tells them what to do.",
        discussion: """
            Every verb that asks the edge does so on its control socket, which is open to root and to the \
            edge's own user and group.

            Exit status: 0 done; 1 the edge refuses, the files have errors, or the doctor found a problem; \
            2 the command line is wrong, or the edge cannot be reached.
            """,
        version: "0.1.0",
        subcommands: [
            Status.self, Routes.self, Sessions.self, Stats.self, Targets.self, Top.self, Reload.self,
            Drain.self,
            Check.self, Upgrade.self, Site.self, Run.self, BlueprintVerb.self, PeerVerb.self, Migrate.self,
            Migrations.self, DoctorVerb.self,
        ])

    static func main() {
        // The socket would take its number, and the answer would go to the edge.
        guard isOpen(1) else {
            Output.writeError("yard: standard output is closed")
            exitProcess(ExitStatus.notAsked.rawValue)
        }
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as YardError {
            fail(error.text, "yard: \(Human.cleanLines(error.text))", error.status)
        } catch let status as ExitCode {
            exitProcess(status.rawValue)
        } catch {
            // Help that was asked for is no failure; everything else that the parser throws is a wrong line.
            let isGood = exitCode(for: error) == .success
            let text = fullMessage(for: error)
            guard isGood else { fail(message(for: error), text, .notAsked) }
            Output.write([text])
            exitProcess(ExitStatus.done.rawValue)
        }
    }

    /// Ends with a failure. Who asks for JSON gets it then, too, and need not read two outputs.
    private static func fail(_ reason: String, _ text: String, _ status: ExitStatus) -> Never {
        if CommandLine.arguments.prefix(while: { $0 != "--" }).contains("--json") {
            Output.write([JSONValue.failure(reason).line])
        } else {
            Output.writeError(text)
        }
        exitProcess(status.rawValue)
    }
}

/// Where the edge is; of every verb that asks it.
struct SocketOptions: ParsableArguments {
    /// As the edge's configuration has it, unless it says otherwise.
    static let standardPath = "/run/switchyard/control.sock"

    @Option(
        name: .customLong("socket"),
        help: ArgumentHelp(
            "The edge's control socket (default: $SWITCHYARD_CONTROL, or \(standardPath)).", valueName: "path"
        ),
        completion: .file())
    var given: String?

    var path: String {
        if let given { return given }
        if let variable = environmentVariable("SWITCHYARD_CONTROL"), !variable.isEmpty { return variable }
        return Self.standardPath
    }

    func client() throws -> ControlClient { try ControlClient(path: path) }
}

/// Of every verb whose answer a script may want.
struct OutputOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print JSON: one object, or one for each line of a list.")
    var isJSON = false
}
