import Foundation
import Support
import Testing

extension EndToEnd {
    /// What the edge does as a service: notifications, sockets that are handed over, privileges, the units.
    @Suite struct System {
        @Test(arguments: ["life", "abstract", "watchdog", "sockets", "privileges", "descriptors"])
        func itDoesWhatTheServiceManagerExpects(_ scenario: String) throws {
            let folder = try TemporaryFolder()
            let result = try run(
                "python3",
                [
                    Repository.path("Tests/Programs/supervisor.py"), scenario, Edge.binary, folder.path("."),
                    Edge.inputOutput,
                ])
            #expect(result.succeeded && result.output.hasSuffix("ok\n"), "\(result.everything)")
        }

        @Test func theUnitsAreRight() throws {
            let folder = try TemporaryFolder()
            for unit in ["switchyard.service", "switchyard.socket"] {
                let text = try String(contentsOfFile: Repository.path("systemd/\(unit)"), encoding: .utf8)
                try folder.write(
                    unit, text.replacingOccurrences(of: "/usr/bin/switchyard", with: Edge.binary))
            }
            let result = try run(
                "systemd-analyze",
                ["verify", "--man=no", folder.path("switchyard.service"), folder.path("switchyard.socket")])
            #expect(result.succeeded && (result.output + result.errors).isEmpty, "\(result.everything)")
        }

        @Test func theServiceIsConfined() throws {
            let result = try run(
                "systemd-analyze",
                [
                    "security", "--offline=true", "--threshold=15", "--no-pager",
                    Repository.path("systemd/switchyard.service"),
                ])
            #expect(result.succeeded, "\(result.output.suffix(100))")
        }

        @Test func withoutTheSandboxThereIsNoFilter() throws {
            let edge = try Edge(routes: "a.example 127.0.0.1:9", settings: "sandbox off")
            let status = try String(
                contentsOfFile: "/proc/\(edge.process.identifier)/status", encoding: .utf8)
            let other = try Edge(routes: "a.example 127.0.0.1:9")
            let confined = try String(
                contentsOfFile: "/proc/\(other.process.identifier)/status", encoding: .utf8)
            func filters(_ text: String) -> Substring? {
                text.split(separator: "\n").first { $0.hasPrefix("Seccomp_filters:") }
            }
            #expect(filters(status) != filters(confined))
            #expect(confined.contains("Seccomp:\t2\n"))
            #expect(confined.contains("NoNewPrivs:\t1\n"))
        }
    }
}
