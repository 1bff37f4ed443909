/// What one target offers to another carries a doc comment. Declarations that stand together without a blank
/// line share the comment of the first; initialisers and the witnesses of well-known protocols need none.
struct DocumentationRule {
    private static let keywords: Set<String> = [
        "func", "var", "let", "struct", "enum", "class", "protocol", "typealias", "subscript", "actor",
    ]
    private static let wellKnown: Set<String> = [
        "description", "debugDescription", "hash", "errorDescription", "rawValue", "id",
    ]

    func check(_ source: SwiftSource) -> [Finding] {
        guard source.path.hasPrefix("Sources/") || source.path.hasPrefix("Tests/Support/") else { return [] }
        return source.lines.indices.compactMap { index in
            guard let name = packageDeclaration(source.lines[index]), !Self.wellKnown.contains(name) else {
                return nil
            }
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
        // `class func` and `class var` name what follows.
        let name = words[(keyword + 1)...].first { !Self.keywords.contains($0) }
        return name ?? "operator"
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
