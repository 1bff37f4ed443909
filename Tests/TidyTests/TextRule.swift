/// Rules for every text file: Markdown titles, paths of one machine, blanks at the end of a line.
struct TextRule {
    /// Folders of the machine on which somebody works; they mean nothing to a reader. They are put together
    /// here so that this file does not find itself.
    private static let machinePaths = ["/" + "work/", "/" + "root/", "/" + "tmp/bash", "/" + "home/"]

    func checkMachinePaths(path: String, text: String) -> [Finding] {
        numbered(text).flatMap { number, line in
            Self.machinePaths.filter { line.contains($0) && !isPartOfLongerPath($0, in: line) }.map {
                Finding(path: path, line: number, rule: "the path of one machine: \($0)")
            }
        }
    }

    /// Behind a letter, a digit or one of `._-})` it names something inside another folder.
    private func isPartOfLongerPath(_ folder: String, in line: Substring) -> Bool {
        var start = line.startIndex
        while let range = line[start...].firstRange(of: folder) {
            let before =
                range.lowerBound == line.startIndex ? nil : line[line.index(before: range.lowerBound)]
            let isLonger = before.map { $0.isLetter || $0.isNumber || "._-})".contains($0) } ?? false
            if !isLonger { return false }
            start = range.upperBound
        }
        return true
    }

    func checkBlanksAtEnd(path: String, text: String) -> [Finding] {
        var findings = numbered(text).filter { $0.line.last == " " || $0.line.last == "\t" }.map {
            Finding(path: path, line: $0.number, rule: "blanks at the end of the line")
        }
        if let last = text.last, last != "\n" {
            findings.append(Finding(path: path, line: 0, rule: "no line break at the end of the file"))
        }
        return findings
    }

    /// One title, and it comes first.
    func checkMarkdownTitle(path: String, text: String) -> [Finding] {
        var isInCode = false
        var titles: [Int] = []
        var firstText: Int?
        for (number, line) in numbered(text) {
            if line.hasPrefix("```") || line.hasPrefix("~~~") { isInCode.toggle() }
            if isInCode { continue }
            if line.hasPrefix("# ") { titles.append(number) }
            if firstText == nil, !line.allSatisfy(\.isWhitespace) { firstText = number }
        }
        if titles.count != 1 {
            return [
                Finding(path: path, line: titles.last ?? 0, rule: "\(titles.count) titles (exactly one '# ')")
            ]
        }
        if titles[0] != firstText {
            return [Finding(path: path, line: titles[0], rule: "the title is not the first line of text")]
        }
        return []
    }

    private func numbered(_ text: String) -> [(number: Int, line: Substring)] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
            ($0.offset + 1, $0.element)
        }
    }
}
