import ArgumentParser
import Linux
import Logging
import Orchestrator
import Routes
import ServiceLifecycle
import UnixSignals

/// The orchestrator: runs sites, keeps the edge's routes true, and serves `yard`.
@main struct YardmasterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "yardmaster",
        abstract:
            "Runs this machine's sites, wakes them, puts them to sleep, and tells the edge where they are.",
        discussion: """
            Sites go on running when it ends; the next one finds them. `yard site` talks to it.

            Exit status: 0 it was asked to end; 1 it cannot serve; 2 the command line or the configuration \
            is wrong.
            """,
        version: YardmasterVersion.text)

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp(
            "The configuration (default: \(YardmasterConfiguration.standardPath); without that file, what it "
                + "says as it is installed).", valueName: "file"), completion: .file())
    var path: String?
    @Flag(name: .customLong("check"), help: "Read the configuration, say what is wrong with it, and end.")
    var isCheck = false
    @Option(name: .customLong("log-level"), help: "debug, info, warning or error.")
    var logLevel = "info"
    /// rsync connects by this: between its two pipes and descriptor 3, which leads to the other hoster.
    @Flag(help: .hidden) var relay = false

    func run() async throws {
        if relay {
            ignoreBrokenPipeSignal()
            return try Linux.relay(input: 0, output: 1, socket: 3)
        }
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw ValidationError("there is no log level '\(logLevel)'")
        }
        let configuration: YardmasterConfiguration
        do {
            configuration = try read()
        } catch let failure as ConfigurationFailure {
            try? writeAll(2, Array((failure.text + "\n").utf8))
            throw ExitCode(2)
        }
        if isCheck { return }
        ignoreBrokenPipeSignal()
        LoggingSystem.bootstrap { _ in StandardErrorLog() }
        var log = Logger(label: "yardmaster")
        log.logLevel = level
        do throws(Refusal) {
            try configuration.makeFolders()
            let yardmaster = try Yardmaster(configuration, log: log)
            try await yardmaster.begin()
            let interface = Interface(yardmaster) { [log] in
                log.info("yardmaster \(YardmasterVersion.text) serves on \(configuration.interfacePath)")
                ServiceManager().tell(.ready)
            }
            var services = ServiceGroupConfiguration(
                services: [interface, Watching(yardmaster: yardmaster)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
            // Whoever waits for slow work is told so; the next process goes on with it.
            services.maximumGracefulShutdownDuration = .seconds(5)
            try await runGroup(ServiceGroup(configuration: services))
        } catch {
            log.error("\(error.text)")
            throw ExitCode(1)
        }
    }

    private func runGroup(_ group: ServiceGroup) async throws(Refusal) {
        do {
            try await group.run()
        } catch is CancellationError {
            // Somebody was still being answered when the time for that was over.
        } catch {
            throw Refusal(.failed, "\(error)")
        }
    }

    private func read() throws -> YardmasterConfiguration {
        let file = path ?? YardmasterConfiguration.standardPath
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try readFile(file, bytesMax: 1 << 20)
        } catch {
            if path == nil, error == .noEntry { return YardmasterConfiguration() }
            throw ConfigurationFailure(text: "\(file) cannot be read: \(error)")
        }
        do throws(InvalidSource) {
            return try YardmasterConfiguration.parse(SourceFile(path: file, bytes: bytes))
        } catch {
            throw ConfigurationFailure(text: error.diagnostics.rendered)
        }
    }
}

/// What is wrong with the configuration; exit status 2.
private struct ConfigurationFailure: Error {
    let text: String
}

/// The part that watches, under the service group's care.
private struct Watching: Service {
    let yardmaster: Yardmaster

    func run() async throws {
        await cancelWhenGracefulShutdown { await yardmaster.run() }
    }
}

/// A line for the journal: `<4>` in front of a warning is its level there (sd-daemon(3)).
private struct StandardErrorLog: LogHandler {
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        // There is nobody to tell when this fails.
        try? writeAll(2, Array("\(event.level.rawValue): \(Self.oneLine("\(event.message)"))\n".utf8))
    }

    /// Others' words, such as a container's, are in it: none of them begins a line of its own, or moves a
    /// cursor.
    private static func oneLine(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { line, scalar in
            switch scalar {
            case "\n": line += "\\n"
            case "\t": line += "\\t"
            case _ where scalar.properties.generalCategory == .control, "\u{2028}", "\u{2029}":
                line += "\\u{\(String(scalar.value, radix: 16))}"
            default: line.unicodeScalars.append(scalar)
            }
        }
    }
}
