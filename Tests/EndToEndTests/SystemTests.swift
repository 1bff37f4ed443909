import Foundation
import Support
import Testing

extension EndToEnd {
    /// What the edge does as a service: notifications, sockets that are handed over, privileges, the units.
    @Suite struct System {
        @Test(arguments: ["life", "abstract", "watchdog", "sockets", "privileges", "descriptors", "upgrade"])
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

        @Test func systemdFollowsUpgradesAndDrainsTheLastProcess() throws {
            let folder = try TemporaryFolder()
            let result = try run(
                "unshare",
                [
                    "--mount", "python3", Repository.path("Tests/Programs/systemd.py"), Edge.binary,
                    folder.path("."), Edge.inputOutput,
                ])
            guard !result.output.hasPrefix("cannot") else {
                print("SKIPPED: there is no systemd for a user here: \(result.output)")
                return
            }
            #expect(result.succeeded && result.output.hasSuffix("ok\n"), "\(result.everything)")
        }

        @Test func theUnitsAreRight() throws {
            let folder = try TemporaryFolder()
            let units = ["switchyard.service", "switchyard.socket", "yardmaster.service", "site@.service"]
            for unit in units {
                let text = try String(contentsOfFile: Repository.path("systemd/\(unit)"), encoding: .utf8)
                try folder.write(
                    unit, text.replacingOccurrences(of: "/usr/bin/", with: Repository.path(".build/release/"))
                )
            }
            let result = try run(
                "systemd-analyze",
                ["verify", "--man=no"] + units.map(folder.path))
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

        /// Every word that the grammar knows stands in the manual; the words are read off its sources.
        @Test(arguments: [
            ("switchyard.conf.5", "Configuration/ConfigurationDirective.swift", "case "),
            ("switchyard.routes.5", "Compiler/ParsedOptions.swift", "case ."),
        ])
        func theManualKnowsEveryWord(_ page: String, source: String, prefix: String) throws {
            let manual = try String(contentsOfFile: Repository.path("man/\(page)"), encoding: .utf8)
            let text = try String(
                contentsOfFile: Repository.path("Sources/Routes/\(source)"), encoding: .utf8)
            let words = text.split(separator: "\n").compactMap { line -> Substring? in
                let line = line.drop { $0 == " " }
                guard line.hasPrefix(prefix) else { return nil }
                return line.dropFirst(prefix.count).prefix { $0.isLetter || $0 == "-" }
            }
            try #require(!words.isEmpty)
            for word in words {
                #expect(manual.contains(word.replacingOccurrences(of: "-", with: "\\-")), "\(word)")
            }
        }

        @Test func theManualIsLaidOutWithoutAWarning() throws {
            for page in ["switchyard.8", "switchyard.conf.5", "switchyard.routes.5"] {
                let result = try run("man", ["--warnings", "-l", Repository.path("man/\(page)")])
                #expect(result.succeeded && result.errors.isEmpty, "\(result.errors)")
            }
        }
    }
}
