/// Words that must not stand in the sources.
struct WordRule {
    /// How many lines above an `@unchecked Sendable` may say why it is safe.
    private static let safetyDistance = 6

    /// Sequences of tokens, and what is wrong with them.
    private static let banned: [(tokens: [String], rule: String)] = [
        (["print", "("], "print( is not for the edge: output goes through the log or a named descriptor"),
        (["fatalError", "(", ")"], "fatalError without a text: say what must hold"),
        (["preconditionFailure", "(", ")"], "preconditionFailure without a text: say what must hold"),
        (["try", "!"], "try! hides an error"),
        (["as", "!"], "as! hides a type error"),
        (["@", "inline", "(", "__always", ")"], "@inline(__always) is unofficial: use @inline(always)"),
        (["@", "_transparent"], "@_transparent serves stable binary interfaces; this is an application"),
        (["@", "testable"], "@testable needs a build of its own: use package access"),
    ]

    func check(_ source: SwiftSource) -> [Finding] {
        var findings = source.lines.enumerated().filter { $0.element.comment.contains("FIXME") }.map {
            Finding(path: source.path, line: $0.offset + 1, rule: "FIXME: repair it, or file an issue")
        }
        guard source.path.hasPrefix("Sources/") else { return findings }
        let tokens = source.tokens
        let words = tokens.map(\.text)
        for index in words.indices {
            for ban in Self.banned where words[index...].starts(with: ban.tokens) {
                // `self.print(` and `func print(` are somebody's own.
                if index > 0, ban.tokens[0] == "print", [".", "func"].contains(words[index - 1]) { continue }
                findings.append(Finding(path: source.path, line: tokens[index].line, rule: ban.rule))
            }
        }
        return findings + unexplainedSendable(source)
    }

    private func unexplainedSendable(_ source: SwiftSource) -> [Finding] {
        source.lines.indices.filter { index in
            guard source.lines[index].code.contains("@unchecked Sendable") else { return false }
            let near = source.lines[max(0, index - Self.safetyDistance)...index]
            return !near.contains { $0.comment.contains("SAFETY:") }
        }.map {
            Finding(
                path: source.path, line: $0 + 1, rule: "@unchecked Sendable without a SAFETY: comment above")
        }
    }
}
