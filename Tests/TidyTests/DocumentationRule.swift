/// What one target offers to another carries a doc comment. Declarations that stand together without a blank
/// line share the comment of the first; initialisers and the witnesses of well-known protocols need none.
struct DocumentationRule {
    private static let keywords: Set<String> = [
        "func", "var", "let", "struct", "enum", "class", "protocol", "typealias", "subscript", "actor",
    ]
    private static let wellKnown: Set<String> = [
        "description", "debugDescription", "hash", "errorDescription", "rawValue", "id",
    ]

    /// Names of the requirements of our own protocols: they are documented there, and once is enough.
    private let requirements: Set<String>

    init(protocolsIn sources: [SwiftSource] = []) {
        requirements = Set(sources.flatMap(Self.requirements))
    }

    private static func requirements(of source: SwiftSource) -> [String] {
        let tokens = source.tokens
        return source.scopes.filter { scope in
            scope.kind == .type && source.lines[scope.firstLine - 1].code.contains("protocol ")
        }.flatMap { scope in
            tokens.indices.dropLast().filter { index in
                scope.firstLine < tokens[index].line && tokens[index].line <= scope.lastLine
                    && ["func", "var"].contains(tokens[index].text)
            }.map { tokens[$0 + 1].text }
        }
    }

    func check(_ source: SwiftSource) -> [Finding] {
        guard source.path.hasPrefix("Sources/") else { return [] }
        return source.lines.indices.compactMap { index in
            guard let name = packageDeclaration(source.lines[index]), !Self.wellKnown.contains(name),
                !requirements.contains(name)
            else { return nil }
            if isDocumented(index, in: source) { return nil }
            return Finding(
                path: source.path, line: index + 1, rule: "package '\(name)' without a doc comment")
        }
    }

    /// The name of what the line declares for other targets; nil when it declares nothing for them.
    private func packageDeclaration(_ line: SwiftSource.Line) -> String? {
        let words = line.code.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "=") }.map(
            String.init)
        guard let package = words.firstIndex(of: "package") else { return nil }
        guard let keyword = words[package...].firstIndex(where: Self.keywords.contains) else { return nil }
        // `package static func` and so on: only modifiers may stand between.
        guard words[package..<keyword].allSatisfy({ $0.first?.isLowercase == true && $0 != "init" }) else {
            return nil
        }
        // `func ==`: what an operator does is known.
        if line.code.firstRange(of: "func =") != nil || line.code.firstRange(of: "func <") != nil {
            return nil
        }
        // `class func` and `class var` name what follows.
        return words[(keyword + 1)...].first { !Self.keywords.contains($0) }
    }

    private func isDocumented(_ index: Int, in source: SwiftSource) -> Bool {
        var above = index - 1
        while above >= 0 {
            let line = source.lines[above]
            if line.isDocumentation { return true }
            if line.isAttribute || line.isOnlyComment {
                above -= 1
            } else if packageDeclaration(line) != nil {
                // The line above is a declaration of the same group.
                return isDocumented(above, in: source)
            } else {
                return false
            }
        }
        return false
    }
}
