import Foundation
import Support
import Testing

extension EndToEnd {
    /// The control socket and the metrics, as a program in another language sees them.
    @Suite struct Control {
        @Test func everyAnswerCanBeReadAndIsTrueToWhatPassed() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let (metrics, origin) = (try FreePort.any(), try FreePort.any())
            var routes = "one.example 127.0.0.1:\(origin)\n*.wild.example 127.0.0.1:\(origin)\n"
            routes += "refused.example reject\ndead.example 127.0.0.1:1\n"
            for number in 0..<1200 { routes += "n\(number).example 127.0.0.1:\(origin)\n" }
            let edge = try Edge(
                routes: routes, settings: "control \(socket)\nmetrics 127.0.0.1:\(metrics)\nworkers 2")
            let result = try run(
                "python3",
                [
                    Repository.path("Tests/Programs/control_client.py"), socket, "\(metrics)", "\(edge.port)",
                    "\(origin)", Repository.path("docs/metrics.md"),
                ])
            #expect(result.succeeded && result.output.isEmpty, "\(result.everything)")
            edge.process.send(signal: 2)
            #expect(try edge.process.wait() == .status(0))
            #expect(throws: SocketError.self) { try StreamSocket(to: .unix(path: socket)) }
        }

        @Test func aLiveSocketIsAnErrorAndADeadOneIsReplaced() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            var first: Edge? = try Edge(routes: "a.example reject", settings: "control \(socket)")
            let pidfile = first?.folder.path("switchyard.pid") ?? ""
            let before = try String(contentsOfFile: pidfile, encoding: .utf8)
            let second = try folder.write(
                "switchyard.conf",
                "listen tls 127.0.0.1:\(try FreePort.any())\ncontrol \(socket)\npidfile \(pidfile)\n")
            let refused = try run(Edge.binary, ["--config", second])
            #expect(refused.ending == .status(1))
            // A start that was refused has not touched what belongs to the one that serves.
            #expect(try String(contentsOfFile: pidfile, encoding: .utf8) == before)
            #expect(refused.errors.contains("another process answers there"), "\(refused.errors)")
            first?.process.send(signal: 9)
            _ = try first?.process.wait()
            first = nil
            let third = try Edge(routes: "a.example reject", settings: "control \(socket)")
            _ = try StreamSocket(to: .unix(path: socket))
            #expect(third.process.isRunning)
        }

        @Test func aSocketWhoseFileWasRemovedComesBackAtAReloadWhichTellsItsWarnings() throws {
            let folder = try TemporaryFolder()
            let socket = folder.path("control.sock")
            let edge = try Edge(routes: "a.example reject", settings: "control \(socket)")
            try FileManager.default.removeItem(atPath: socket)
            try edge.reload()
            let file = edge.folder.path("switchyard.conf")
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try edge.folder.write("switchyard.conf", text + "user nobody\nlog /nonexistent/x.log\n")
            let client = try StreamSocket(to: .unix(path: socket))
            try client.send("{\"command\":\"reload\"}\n")
            let answer = String(decoding: try client.receive(), as: UTF8.self)
            #expect(answer.contains("\"ok\":true"), "\(answer)")
            for warning in ["the log cannot be opened", "in force from the next start on: user"] {
                #expect(answer.contains(warning), "\(answer)")
            }
        }
    }
}
