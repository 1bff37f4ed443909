import Glibc
import Support
import Testing

extension EndToEnd {
    /// `make run`, as the README shows it.
    @Suite struct Demo {
        @Test func theDemoServesReloadsAndCleansUp() throws {
            let folder = try TemporaryFolder()
            let port = try FreePort.any()
            let demo = try ChildProcess(
                "bash", [Repository.path("scripts/demo"), Edge.binary], folder: Repository.root,
                environment: ["PORT": String(port), "DEMO_FOLDER": folder.path("demo")])
            #expect(Pause.until { demo.output.contains("The log follows") || !demo.isRunning })
            let lines = demo.output.split(separator: "\n").filter { $0.hasPrefix("  ") }.map(String.init)
            let asks = lines.filter { $0.hasPrefix("  curl ") }
            try #require(asks.count == 2, "\(demo.output)\(demo.errors)")

            let first = try run("bash", ["-c", asks[0]])
            #expect(first.output == "This is one.example: the first site.\n", "\(first.everything)")
            let second = try run("bash", ["-c", asks[1]])
            #expect(second.output == "This is two.example: the second site, with another certificate.\n")

            for line in lines.filter({ $0.hasPrefix("  sed ") || $0.hasPrefix("  kill ") }) {
                #expect(try run("bash", ["-c", line]).succeeded, "\(line)")
            }
            let moved = try Pause.until {
                try run("bash", ["-c", asks[0]]).output.contains("in its new house")
            }
            #expect(moved, "the reload did not take place: \(demo.output)")

            demo.send(signal: SIGTERM)
            try demo.wait(seconds: 10)
            #expect(demo.output.contains("demo: stopped."))
            #expect(throws: SocketError.self) { try StreamSocket(to: .ipv4(port: port)) }
        }
    }
}
