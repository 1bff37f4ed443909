/// Which files there must be, and which folders there may be.
struct LayoutRule {
    private static let required = [
        ".ci/run", ".gitignore", ".swift-format", "CHANGELOG.md", "LICENSE", "Makefile", "Package.swift",
        "README.md",
    ]

    /// - Parameters:
    ///   - paths: every file of the tree, relative to its root.
    ///   - manifest: the text of Package.swift.
    func check(paths: [String], manifest: String) -> [Finding] {
        let missing = Self.required.filter { !paths.contains($0) }.map {
            Finding(path: $0, line: 0, rule: "the file is missing")
        }
        return missing + orphans(paths: paths, manifest: manifest)
    }

    /// Swift files in a folder of no target: nobody compiles them.
    private func orphans(paths: [String], manifest: String) -> [Finding] {
        paths.filter { $0.hasSuffix(".swift") && $0 != "Package.swift" }.compactMap { path in
            let parts = path.split(separator: "/")
            guard parts.count > 2, ["Sources", "Tests", "Benchmarks"].contains(parts[0]) else {
                return Finding(
                    path: path, line: 0, rule: "a Swift file outside Sources, Tests and Benchmarks")
            }
            let folder = String(parts[1])
            let isTarget =
                manifest.contains("name: \"\(folder)\"")
                || manifest.contains("path: \"\(parts[0])/\(folder)\"")
            return isTarget
                ? nil : Finding(path: path, line: 0, rule: "no target of Package.swift compiles it")
        }
    }
}
