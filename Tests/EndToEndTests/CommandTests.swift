import Glibc
import Support
import Testing

extension EndToEnd {
    /// The command line, and the process's life from its start to its end.
    @Suite struct Command {
        private func check(_ configuration: String, routes: String = "") throws -> Finished {
            let folder = try TemporaryFolder()
            try folder.write("routes.d/test.routes", routes)
            let file = try folder.write("switchyard.conf", configuration)
            return try run(Edge.binary, ["--config", file, "--check"])
        }

        @Test func checkAcceptsAGoodConfigurationAndDoesNotServe() throws {
            let port = try FreePort.any()
            let result = try check(
                "listen tls 127.0.0.1:\(port)\nroutes routes.d/*.routes\n", routes: "a.example 127.0.0.1:9\n")
            #expect(result.succeeded, "\(result.everything)")
            #expect(throws: SocketError.self) { try StreamSocket(to: .ipv4(port: port)) }
        }

        @Test func theExampleConfigurationCanBeUsedAsItIs() throws {
            let file = Repository.root + "/conf/switchyard.conf"
            let result = try run(Edge.binary, ["--config", file, "--check"])
            #expect(result.succeeded, "\(result.everything)")
        }

        @Test func checkNamesEveryErrorWithFileLineAndColumn() throws {
            let result = try check("listen tls 127.0.0.1:99999\nroutes routes.d/*.routes\nworkrs auto\n")
            #expect(result.ending == .status(1), "\(result.everything)")
            for place in ["switchyard.conf:1:22: error: ", "switchyard.conf:3:1: error: "] {
                #expect(result.errors.contains(place), "no '\(place)' in:\n\(result.errors)")
            }
            // The hint for the misspelt word, and the caret under it.
            #expect(result.errors.contains("did you mean `workers`"), "\(result.errors)")
            #expect(result.errors.contains("    ^~~~~~"), "\(result.errors)")
        }

        @Test func checkNamesTheErrorsOfRoutesFilesToo() throws {
            let result = try check(
                "listen tls 127.0.0.1:443\nroutes routes.d/*.routes\n",
                routes: "a.example 127.0.0.1:9\nb.example 127.0.0.1\na.example 127.0.0.1:10\n")
            #expect(result.ending == .status(1), "\(result.everything)")
            for place in ["test.routes:2:20: error: ", "test.routes:3:1: error: ", "test.routes:1:1: note: "]
            {
                #expect(result.errors.contains(place), "no '\(place)' in:\n\(result.errors)")
            }
        }

        @Test func aConfigurationThatIsNotThereIsAnErrorWithItsName() throws {
            let result = try run(Edge.binary, ["--config", "/nonexistent/switchyard.conf", "--check"])
            #expect(result.ending == .status(1), "\(result.everything)")
            #expect(result.errors.contains("/nonexistent/switchyard.conf"))
        }

        @Test func aBadConfigurationDoesNotStart() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("switchyard.conf", "listen tls nowhere\n")
            let result = try run(Edge.binary, ["--config", file], seconds: 10)
            #expect(result.ending == .status(1), "\(result.everything)")
            #expect(result.errors.contains("switchyard.conf:1:12: error: "))
        }

        @Test func aPortThatIsTakenIsAnErrorThatNamesIt() throws {
            let taken = try StreamListener()
            let folder = try TemporaryFolder()
            let file = try folder.write("switchyard.conf", "listen tls \(taken.endpoint)\n")
            let result = try run(Edge.binary, ["--config", file], seconds: 10)
            #expect(result.ending != .status(0), "\(result.everything)")
            #expect(result.errors.contains("\(taken.endpoint)"), "\(result.errors)")
        }

        @Test(arguments: [
            ("pidfile /nonexistent/x.pid", "pidfile /nonexistent/x.pid: "),
            ("log /nonexistent/log", "the log: "),
            ("user no-such-user", "user no-such-user: there is no such user"),
        ])
        func aStartThatFailsSaysAtWhatAndLeavesNoPidfile(_ setting: String, reason: String) throws {
            let folder = try TemporaryFolder()
            var lines = ["listen tls 127.0.0.1:\(try FreePort.any())", setting]
            if !setting.hasPrefix("pidfile") { lines.append("pidfile \(folder.path("pid"))") }
            let file = try folder.write("switchyard.conf", lines.joined(separator: "\n") + "\n")
            let result = try run(Edge.binary, ["--config", file], seconds: 10)
            #expect(result.ending == .status(1), "\(result.everything)")
            #expect(result.errors.contains(reason), "\(result.errors)")
            #expect(folder.read("pid").isEmpty)
        }

        @Test func versionAndHelpAnswerOnStandardOutput() throws {
            let version = try run(Edge.binary, ["--version"])
            #expect(version.succeeded && version.output.hasPrefix("switchyard "), "\(version.everything)")
            let help = try run(Edge.binary, ["--help"])
            #expect(help.succeeded, "\(help.everything)")
            for option in ["--config", "--check", "--version"] { #expect(help.output.contains(option)) }
        }

        @Test func anUnknownOptionIsRefused() throws {
            let result = try run(Edge.binary, ["--confg", "x"], seconds: 10)
            #expect(!result.succeeded)
            #expect(result.errors.contains("--confg"), "\(result.everything)")
        }
    }

    /// SIGTERM, SIGINT, the pid file.
    @Suite struct Life {
        private let listener: StreamListener

        init() throws {
            listener = try StreamListener()
        }

        private func session(_ edge: Edge) throws -> (client: StreamSocket, server: StreamSocket) {
            let hello = HelloBuilder(name: "a.example").record()
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(hello)
            let server = try listener.accept()
            // A socket that is closed with bytes unread in it would send a reset.
            #expect(try server.receive(exactly: hello.count) == hello)
            return (client, server)
        }

        @Test func theProcessIdentifierIsInItsFileWhileItRuns() throws {
            let edge = try Edge(routes: "a.example 127.0.0.1:9")
            #expect(edge.folder.read("switchyard.pid") == "\(edge.process.identifier)\n")
            edge.process.send(signal: SIGTERM)
            #expect(try edge.process.wait() == .status(0))
            #expect(edge.folder.read("switchyard.pid").isEmpty)
        }

        @Test func aDrainLetsARunningTransferFinishAndRefusesNewConnections() throws {
            let edge = try Edge(routes: "a.example \(listener.endpoint)", settings: "timeout drain=20s")
            let (client, server) = try session(edge)
            edge.process.send(signal: SIGTERM)
            let refuses = Pause.until(seconds: 5) { (try? StreamSocket(to: edge.endpoint)) == nil }
            #expect(refuses, "still accepts after SIGTERM")

            let bytes = Bytes.pattern(4 << 20)
            let sender = Background {
                try server.send(bytes)
                server.close()
            }
            #expect(try client.receiveToEnd() == bytes)
            try sender.wait()
            client.close()
            // Long before the drain's limit: nothing is left to wait for.
            #expect(try edge.process.wait(seconds: 5) == .status(0))
        }

        @Test func aDrainHasAnEnd() throws {
            let edge = try Edge(routes: "a.example \(listener.endpoint)", settings: "timeout drain=700ms")
            let (client, server) = try session(edge)
            let start = ContinuousClock.now
            edge.process.send(signal: SIGTERM)
            #expect(try edge.process.wait(seconds: 8) == .status(0))
            #expect(ContinuousClock.now - start > .milliseconds(500))
            _ = try? client.receive()
            _ = try? server.receive()
        }

        @Test func anInterruptEndsItAtOnce() throws {
            let edge = try Edge(routes: "a.example \(listener.endpoint)", settings: "timeout drain=60s")
            let (client, server) = try session(edge)
            edge.process.send(signal: SIGINT)
            #expect(try edge.process.wait(seconds: 3) == .status(0))
            _ = try? client.receive()
            _ = try? server.receive()
        }

        @Test func aReaderOfTheLogWhoStopsReadingDoesNotKeepItFromEnding() throws {
            let folder = try TemporaryFolder()
            let fifo = folder.path("log")
            let isMade = unsafe mkfifo(fifo, 0o600) == 0
            #expect(isMade)
            let held = unsafe open(fifo, O_RDWR)
            defer { close(held) }

            let edge = try Edge(
                routes: "a.example \(listener.endpoint)", settings: "log \(fifo)", logsToError: false)
            // Many times what a pipe and the ring hold.
            for _ in 0..<2000 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send("GET / HTTP/1.0\r\n\r\n")
                _ = try client.receiveToEnd()
            }
            edge.process.send(signal: SIGTERM)
            #expect(try edge.process.wait(seconds: 5) == .status(0))
        }

        @Test func anInterruptEndsADrain() throws {
            let edge = try Edge(routes: "a.example \(listener.endpoint)", settings: "timeout drain=60s")
            let peers = try session(edge)
            edge.process.send(signal: SIGTERM)
            Pause.milliseconds(200)
            #expect(edge.process.isRunning)
            edge.process.send(signal: SIGINT)
            #expect(try edge.process.wait(seconds: 3) == .status(0))
            _ = peers
        }
    }
}
