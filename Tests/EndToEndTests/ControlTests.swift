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
            let second = try folder.write(
                "switchyard.conf", "listen tls 127.0.0.1:\(try FreePort.any())\ncontrol \(socket)\n")
            let refused = try run(Edge.binary, ["--config", second])
            #expect(refused.ending == .status(1))
            #expect(refused.errors.contains("another process answers there"), "\(refused.errors)")
            first?.process.send(signal: 9)
            _ = try first?.process.wait()
            first = nil
            let third = try Edge(routes: "a.example reject", settings: "control \(socket)")
            _ = try StreamSocket(to: .unix(path: socket))
            #expect(third.process.isRunning)
        }
    }
}
