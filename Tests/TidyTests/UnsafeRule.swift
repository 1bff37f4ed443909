/// `unsafe` stays inside the folders where it belongs, and each use says why it is safe.
struct UnsafeRule {
    /// How many lines above a use may carry its SAFETY comment. Further away, it must be the comment of the
    /// function or the type around it.
    private static let distance = 8

    private static let allowed: [(path: String, reason: String)] = [
        ("Sources/Linux/", "system calls take pointers"),
        ("Sources/DataPlane/Memory/", "slab, pipe pool and mailboxes own raw memory"),
        ("Sources/DataPlane/Backends/", "the kernel reads and writes the buffers of a session"),
        ("Sources/Wire/ByteReader.swift", "the one reader of integers, bounds-checked before each load"),
        (
            "Sources/Routes/Image/RawWords.swift",
            "the same for the words of a table's image, in the machine's order"
        ),
    ]

    func check(_ source: SwiftSource) -> [Finding] {
        guard source.path.hasPrefix("Sources/") else { return [] }
        let isAllowed = Self.allowed.contains { source.path.hasPrefix($0.path) }
        let lines = Set(source.tokens.filter { $0.text == "unsafe" }.map(\.line)).sorted()
        return lines.compactMap { line in
            if !isAllowed {
                return Finding(path: source.path, line: line, rule: "unsafe is not allowed here (UnsafeRule)")
            }
            if isExplained(line, in: source) { return nil }
            return Finding(
                path: source.path, line: line, rule: "unsafe without a SAFETY: comment near or above")
        }
    }

    private func isExplained(_ line: Int, in source: SwiftSource) -> Bool {
        let near = source.lines[max(0, line - 1 - Self.distance)...(line - 1)]
        if near.contains(where: { $0.comment.contains("SAFETY:") }) { return true }
        return source.scopes.contains { scope in
            scope.firstLine <= line && line <= scope.lastLine
                && source.commentAbove(line: scope.firstLine).contains("SAFETY:")
        }
    }
}
