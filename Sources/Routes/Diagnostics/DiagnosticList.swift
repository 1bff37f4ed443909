/// All diagnostics of one parse, bounded: a wrong million-line file must not fill the log or the memory.
package struct DiagnosticList: Sendable {
    /// So many errors, and so many warnings, are kept; the others are only counted.
    package static let keptMax = 100

    /// What was kept, ordered by file, line and column once `sort(by:)` ran.
    package private(set) var kept: [Diagnostic] = []

    /// All errors, the kept ones included.
    package private(set) var errorCount = 0

    /// All warnings, the kept ones included.
    package private(set) var warningCount = 0

    /// An empty list.
    package init() {}

    /// True exactly when a further error would only be counted: then its text need not be made.
    package var isFullOfErrors: Bool { errorCount >= Self.keptMax }

    /// True exactly when a further warning would only be counted.
    package var isFullOfWarnings: Bool { warningCount >= Self.keptMax }

    /// Adds one diagnostic, or counts it where the list is full. The text is made only when it is kept.
    package mutating func add(_ severity: Diagnostic.Severity, _ make: () -> Diagnostic) {
        switch severity {
        case .error:
            if !isFullOfErrors { kept.append(make()) }
            errorCount += 1
        case .warning, .note:
            if !isFullOfWarnings { kept.append(make()) }
            warningCount += 1
        }
    }

    /// Adds all of another list.
    package mutating func add(contentsOf other: DiagnosticList) {
        kept += other.kept
        errorCount += other.errorCount
        warningCount += other.warningCount
    }

    /// Orders what was kept as a reader walks through the files; `paths` is the order of the files.
    mutating func sort(by paths: [String]) {
        var ranks: [String: Int] = [:]
        for (index, path) in paths.enumerated() where ranks[path] == nil { ranks[path] = index }
        let keys = kept.enumerated().map { index, item in
            (ranks[item.path] ?? paths.count, item.line, item.column, index)
        }
        kept = keys.sorted(by: <).map { kept[$0.3] }
    }

    /// Everything as a person reads it, one diagnostic after the other, then how many more there were.
    /// Ends in a line feed unless it is empty.
    package var rendered: String {
        var lines = kept.map(\.rendered)
        let hiddenErrors = errorCount - kept.count { $0.severity == .error }
        let hiddenWarnings = warningCount - kept.count { $0.severity == .warning }
        if hiddenErrors > 0 { lines.append("\(hiddenErrors) more \(hiddenErrors == 1 ? "error" : "errors")") }
        if hiddenWarnings > 0 {
            lines.append("\(hiddenWarnings) more \(hiddenWarnings == 1 ? "warning" : "warnings")")
        }
        return lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
    }
}

/// A source file was refused; the diagnostics hold at least one error, and the warnings too.
package struct InvalidSource: Error {
    /// Why, with every place.
    package var diagnostics: DiagnosticList

    /// Wraps what a parse has found.
    package init(diagnostics: DiagnosticList) {
        self.diagnostics = diagnostics
    }
}
