/// Which modules a folder may import: the directions of the house. A folder that is not listed is a finding,
/// so that nobody adds one without deciding this.
struct ImportRule {
    /// The longest folder that matches decides.
    private static let allowed: [(folder: String, modules: Set<String>, reason: String)] = [
        ("Sources/Wire/", [], "pure: the standard library alone"),
        ("Sources/Routes/", ["Wire"], "pure: opens no file, knows no socket"),
        ("Sources/Linux/", ["CLinux", "Glibc"], "the one place that calls the kernel"),
        (
            "Sources/DataPlane/", ["Wire", "Routes", "Linux", "CLinux", "CUring", "Synchronization"],
            "no Foundation, no logging package, no event-loop package"
        ),
        ("Sources/DataPlane/Session/", ["Wire", "Routes"], "pure by rule: a state machine"),
        (
            "Sources/Edge/", ["DataPlane", "Routes", "Wire", "Linux", "Synchronization"],
            "the process around the workers; never Foundation"
        ),
        ("Sources/switchyard/", ["Edge", "Linux"], "parses arguments and runs"),
        ("Sources/Runme/", ["Routes", "Wire", "Yams"], "pure, but for the reader of YAML"),
        ("Sources/Migration/", [], "pure: the standard library alone"),
        (
            "Sources/Archive/",
            [
                "Runme", "Routes", "Linux", "Crypto", "Foundation", "Synchronization", "Subprocess", "System",
                "SystemPackage",
            ],
            "files and their digests; runs nothing but tar"
        ),
        (
            "Sources/Peers/",
            [
                "Linux", "YardKit", "Foundation", "Synchronization", "NIOCore", "NIOPosix", "NIOTLS",
                "NIOSSL",
                "X509", "Crypto", "SwiftASN1", "SystemPackage",
            ],
            "other hosters, and nothing of sites"
        ),
        (
            "Sources/Orchestrator/",
            [
                "Archive", "Migration", "Peers", "NIOSSL", "X509", "Crypto", "SwiftASN1", "Runme", "Routes",
                "Wire", "Linux", "YardKit", "Foundation", "Synchronization",
                "AsyncHTTPClient",
                "NIOCore", "NIOPosix", "NIOHTTP1", "HTTPTypes", "Hummingbird", "ServiceLifecycle", "Logging",
                "GRDB", "Subprocess", "System", "SystemPackage",
            ],
            "runs sites; far from traffic"
        ),
        (
            "Sources/YardKit/", ["Linux", "NIOCore", "NIOConcurrencyHelpers", "NIOHTTP1", "NIOPosix"],
            "knows the edge and yardmaster by their sockets alone"
        ),
        (
            "Sources/yardmaster/",
            [
                "Orchestrator", "Routes", "Linux", "ArgumentParser", "Logging", "ServiceLifecycle",
                "UnixSignals",
            ],
            "parses arguments and runs"
        ),
        ("Sources/yard/", ["YardKit", "Linux", "ArgumentParser"], "the verbs: arguments in, text out"),
        (
            "Tests/SimulationTests/",
            ["DataPlane", "Routes", "Wire", "Linux", "CLinux", "Support", "Testing"],
            "no kernel of its own: the system's names come from CLinux, as in the data plane"
        ),
    ]

    func check(_ source: SwiftSource) -> [Finding] {
        let entries = Self.allowed.filter { source.path.hasPrefix($0.folder) }
        guard source.path.hasPrefix("Sources/") || !entries.isEmpty else { return [] }
        guard let entry = entries.max(by: { $0.folder.count < $1.folder.count }) else {
            return [
                Finding(
                    path: source.path, line: 0, rule: "no rule says what this folder may import (ImportRule)")
            ]
        }
        return imports(of: source).filter { !entry.modules.contains($0.module) }.map {
            Finding(
                path: source.path, line: $0.line,
                rule: "\(entry.folder) may not import \($0.module) (\(entry.reason))")
        }
    }

    /// `import A`, `package import A`, `@preconcurrency import A`, `import struct A.B`.
    private func imports(of source: SwiftSource) -> [(module: String, line: Int)] {
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        return source.lines.enumerated().compactMap { index, line in
            let words = line.code.split(whereSeparator: { $0.isWhitespace })
            guard let at = words.firstIndex(of: "import"), words[..<at].allSatisfy(isBeforeImport) else {
                return nil
            }
            let rest = words[(at + 1)...].drop { kinds.contains(String($0)) }
            guard let name = rest.first else { return nil }
            return (String(name.prefix { $0 != "." && $0 != ";" }), index + 1)
        }
    }

    private func isBeforeImport(_ word: Substring) -> Bool {
        word.hasPrefix("@") || ["package", "internal", "public", "private", "fileprivate"].contains(word)
    }
}
