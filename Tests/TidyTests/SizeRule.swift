/// Functions, files and lines that are too long to be read at one go.
struct SizeRule {
    static let functionLinesMax = 70
    static let fileLinesMax = 500
    static let lineColumnsMax = 110
    /// C, Python and shell: the programs in Benchmarks/ were written to a wider line.
    static let foreignLineColumnsMax = 140

    /// Files and functions that are longer, each with the reason that a reviewer has accepted.
    private static let accepted: [(path: String, reason: String)] = []

    func check(_ source: SwiftSource) -> [Finding] {
        if Self.accepted.contains(where: { $0.path == source.path }) { return [] }
        var findings: [Finding] = []
        if source.lines.count > Self.fileLinesMax {
            let rule = "file of \(source.lines.count) lines (at most \(Self.fileLinesMax))"
            findings.append(Finding(path: source.path, line: 0, rule: rule))
        }
        for scope in source.scopes where scope.kind != .type {
            let count = scope.lastLine - scope.firstLine + 1
            guard count > Self.functionLinesMax else { continue }
            let rule = "function of \(count) lines (at most \(Self.functionLinesMax))"
            findings.append(Finding(path: source.path, line: scope.firstLine, rule: rule))
        }
        return findings
    }

    /// Lines of any kind of source: Swift, C, scripts.
    func checkColumns(path: String, text: String) -> [Finding] {
        let most = path.hasSuffix(".swift") ? Self.lineColumnsMax : Self.foreignLineColumnsMax
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .filter { $0.element.count > most }
            .map {
                let rule = "line of \($0.element.count) columns (at most \(most))"
                return Finding(path: path, line: $0.offset + 1, rule: rule)
            }
    }
}
