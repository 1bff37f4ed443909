import Foundation
import Support
import Testing

extension EndToEnd {
    /// Clients of the control socket and of the metrics that behave badly, and what the rest sees of them.
    @Suite struct ControlLimits {
        /// What the metrics say.
        private func metrics(_ port: UInt16) throws -> String {
            let client = try StreamSocket(to: .ipv4(port: port))
            try client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return String(decoding: try client.receiveToEnd(), as: UTF8.self)
        }

        private func ask(_ socket: String, _ request: String) throws -> String {
            let client = try StreamSocket(to: .unix(path: socket))
            try client.send(request + "\n")
            return String(decoding: try client.receive(), as: UTF8.self)
        }

        @Test func whoTakesAllPlacesAndSaysNothingKeepsNobodyOut() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let port = try FreePort.any()
            let edge = try Edge(
                routes: "a.example reject", settings: "control \(socket)\nmetrics 127.0.0.1:\(port)")
            var silent = try (0..<40).map { _ in try StreamSocket(to: .ipv4(port: port)) }
            let start = ContinuousClock.now
            #expect(try metrics(port).contains("switchyard_sessions 0"))
            #expect(ContinuousClock.now - start < .seconds(3), "before their time is over")

            // One that was answered may ask again, as long as it is not the one that is silent the longest.
            silent += try (0..<40).map { _ in try StreamSocket(to: .unix(path: socket)) }
            let asking = try StreamSocket(to: .unix(path: socket))
            try asking.send("{\"command\":\"status\"}\n")
            #expect(String(decoding: try asking.receive(), as: UTF8.self).contains("\"ok\":true"))
            silent += try (0..<30).map { _ in try StreamSocket(to: .unix(path: socket)) }
            #expect(try ask(socket, "{\"command\":\"status\"}").contains("\"ok\":true"))
            try asking.send("{\"command\":\"status\"}\n")
            #expect(String(decoding: try asking.receive(), as: UTF8.self).contains("\"ok\":true"))
            #expect(edge.process.isRunning)
            for client in silent { client.close() }
        }

        @Test func whoReadsAnAnswerForEverMakesRoomInTheEnd() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let routes = (0..<50_000).map { "n\($0).example 127.0.0.1:1" }.joined(separator: "\n")
            let edge = try Edge(routes: routes, settings: "control \(socket)")
            let slow = try (0..<64).map { _ in try StreamSocket(to: .unix(path: socket)) }
            for client in slow { try client.send("{\"command\":\"routes\"}\n") }
            let reading = Background {
                for _ in 0..<12 {
                    for client in slow { _ = try? client.receive(exactly: 1 << 17) }
                    Pause.milliseconds(2000)
                }
            }
            // Of which the first is about to be over.
            Pause.milliseconds(6000)
            let start = ContinuousClock.now
            #expect(try ask(socket, "{\"command\":\"status\"}").contains("\"ok\":true"))
            #expect(ContinuousClock.now - start < .seconds(8))
            for client in slow { client.close() }
            try? reading.wait()
            #expect(edge.process.isRunning)
        }

        @Test func aClientThatHangsUpBeforeItsAnswerCostsNoTime() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let routes = (0..<100_000).map { "n\($0).example 127.0.0.1:1" }.joined(separator: "\n")
            let edge = try Edge(routes: routes, settings: "control \(socket)")
            let before = try Self.controlTicks(edge.process.identifier)
            let start = ContinuousClock.now
            for _ in 0..<30 {
                let client = try StreamSocket(to: .unix(path: socket))
                try client.send("{\"command\":\"check\"}\n")
                Pause.milliseconds(10)
                client.close()
            }
            // Behind all the others.
            #expect(try ask(socket, "{\"command\":\"check\"}").contains("\"ok\":true"))
            let ticks = try Self.controlTicks(edge.process.identifier) - before
            let passed = ContinuousClock.now - start
            #expect(passed > .milliseconds(500), "there was something to wait for: \(passed)")
            #expect(ticks <= 15, "\(ticks) hundredths of a second of processor time in \(passed)")
        }

        /// Hundredths of a second of processor time that the control thread has used.
        private static func controlTicks(_ process: Int32) throws -> Int {
            let tasks = "/proc/\(process)/task"
            for task in try FileManager.default.contentsOfDirectory(atPath: tasks) {
                let text = try run("cat", ["\(tasks)/\(task)/stat"]).output
                guard text.contains("(control)") else { continue }
                let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
                return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
            }
            return 0
        }

        @Test func theMetricsSayWhichTargetsGetNoSessions() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let (port, closed) = (try FreePort.any(), try FreePort.any())
            let target = try StreamListener()
            let edge = try Edge(
                routes:
                    "a.example 127.0.0.1:\(closed) check=tcp:200ms\nb.example \(target.endpoint) check=tcp",
                settings: "control \(socket)\nmetrics 127.0.0.1:\(port)")
            try edge.process.waitForErrorLine { $0.contains(" is down: ") }
            func line(_ endpoint: String, _ value: Int) -> String {
                "\nswitchyard_target_up{target=\"\(endpoint)\"} \(value)\n"
            }
            var text = try metrics(port)
            #expect(text.contains(line("127.0.0.1:\(closed)", 0)), "\(text)")
            #expect(text.contains(line("\(target.endpoint)", 1)), "\(text)")
            #expect(text.contains("\nswitchyard_targets_passed_over 1\n"))
            let drained = try ask(socket, "{\"command\":\"drain\",\"target\":\"\(target.endpoint)\"}")
            #expect(drained.contains("\"ok\":true"), "\(drained)")
            text = try metrics(port)
            #expect(text.contains(line("\(target.endpoint)", 0)), "\(text)")
            #expect(text.contains("\nswitchyard_targets_passed_over 2\n"))
            #expect(try ask(socket, "{\"command\":\"drain\"}").contains("drain needs"))
        }

        @Test func aNameMayBeAskedForAsPeopleWriteIt() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let edge = try Edge(routes: "b\u{FC}cher.example 127.0.0.1:1", settings: "control \(socket)")
            for name in ["b\u{FC}cher.example", "B\u{DC}CHER.example", "xn--bcher-kva.example"] {
                let answer = try ask(socket, "{\"command\":\"routes\",\"name\":\"\(name)\"}")
                #expect(answer.contains("\"match\":\"exact\""), "\(name): \(answer)")
            }
            #expect(edge.process.isRunning)
        }

        @Test func linesThatADiskDoesNotTakeAreCountedAndMissed() throws {
            let folder = try TemporaryFolder()
            let port = try FreePort.any()
            func settings(_ log: String) -> String { "log \(log)\nmetrics 127.0.0.1:\(port)" }
            let edge = try Edge(
                routes: "a.example reject", settings: settings("/dev/full"), logsToError: false)
            for _ in 0..<5 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(HelloBuilder(name: "a.example").record())
                _ = try client.receiveToEnd()
            }
            let isCounted = try Pause.until {
                let line = try metrics(port).split(separator: "\n")
                    .first { $0.hasPrefix("switchyard_log_dropped_total ") }
                return Int(line?.split(separator: " ").last ?? "") ?? 0 >= 5
            }
            #expect(isCounted)
            let file = folder.path("log")
            try Edge.writeConfiguration(
                in: edge.folder, listeners: [edge.endpoint], settings: settings(file))
            edge.process.send(signal: SIGHUP)
            let isTold = Pause.until { folder.read("log").contains(" lines lost: ") }
            #expect(isTold, "\(folder.read("log"))")
            #expect(folder.read("log").contains("No space left on device"))
        }

        @Test func aPidfileBelongsToTheEdgeThatRuns() throws {
            let folder = try TemporaryFolder()
            var first: Edge? = try Edge(routes: "a.example reject", settings: "control off")
            let pidfile = try #require(first).folder.path("switchyard.pid")
            let process = try #require(first).process
            func configuration() throws -> String {
                try folder.write(
                    "switchyard.conf",
                    "listen tls 127.0.0.1:\(try FreePort.any())\ncontrol off\npidfile \(pidfile)\n")
            }
            let refused = try run(Edge.binary, ["--config", try configuration()], seconds: 10)
            #expect(refused.ending == .status(1), "\(refused.everything)")
            #expect(refused.errors.contains("switchyard.conf:3:"), "\(refused.errors)")
            #expect(refused.errors.contains("process \(process.identifier)"), "\(refused.errors)")
            #expect(try String(contentsOfFile: pidfile, encoding: .utf8) == "\(process.identifier)\n")
            // What a crash has left is replaced.
            process.send(signal: SIGKILL)
            _ = try process.wait()
            let third = try ChildProcess(Edge.binary, ["--config", try configuration()])
            try third.waitForErrorLine { $0.contains(Edge.Log.ready) }
            #expect(try String(contentsOfFile: pidfile, encoding: .utf8) == "\(third.identifier)\n")
            first = nil
        }
    }
}
