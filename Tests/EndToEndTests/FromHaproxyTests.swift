import Foundation
import Support
import Testing

extension EndToEnd {
    /// The files of `docs/from-haproxy.md`: both programs take theirs, and the document shows what they take.
    @Suite struct FromHaproxy {
        private static let folder = "docs/examples/from-haproxy"

        private func text(_ path: String) throws -> String {
            try String(contentsOfFile: Repository.path(path), encoding: .utf8)
        }

        @Test func haproxyTakesItsFile() throws {
            let result = try run(
                "haproxy", ["-c", "-f", Repository.path("\(Self.folder)/haproxy.cfg")])
            #expect(result.succeeded, "\(result.everything)")
            for word in ["WARNING", "ALERT"] {
                #expect(!result.everything.contains(word), "\(result.everything)")
            }
        }

        @Test func theEdgeTakesItsFiles() throws {
            let file = Repository.path("\(Self.folder)/switchyard.conf")
            let result = try run(Edge.binary, ["--config", file, "--check"])
            #expect(result.succeeded, "\(result.everything)")
            // The user is there where the edge was installed.
            let warnings = result.everything.split(separator: "\n").filter { $0.contains("warning: ") }
            #expect(warnings.allSatisfy { $0.contains("no user switchyard") }, "\(result.everything)")
        }

        @Test(arguments: ["haproxy.cfg", "sni.map", "deny.lst", "switchyard.conf", "routes.d/sites.routes"])
        func theDocumentShowsTheFileAsItIs(_ name: String) throws {
            let document = try text("docs/from-haproxy.md")
            let file = try text("\(Self.folder)/\(name)")
            #expect(document.contains("```\n\(file)```\n"), "\(name)")
        }

        @Test func theExampleRoutesEveryNameThatTheMapHas() throws {
            let routes = try text("\(Self.folder)/routes.d/sites.routes")
            let names = routes.split(separator: "\n").flatMap { line in
                (line.split(separator: " ").first ?? "").split(separator: ",")
            }
            for line in try text("\(Self.folder)/sni.map").split(separator: "\n") {
                let name = try #require(line.split(separator: " ").first)
                #expect(names.contains(name), "\(name)")
            }
        }
    }
}
