/// One remark about a source file, with everything that is needed to print it: the file may be gone by then.
package struct Diagnostic: Hashable, Sendable {
    /// How much a diagnostic weighs.
    package enum Severity: String, Sendable {
        /// The file is refused.
        case error
        /// The file is accepted; the author should look.
        case warning
        /// Belongs to the diagnostic before it and points to a second place.
        case note
    }

    /// How much it weighs.
    package var severity: Severity

    /// The file's path, as `SourceFile.path` had it.
    package var path: String

    /// Line number, from 1.
    package var line: Int

    /// Column, from 1, in Unicode scalars; in bytes where the line is not valid UTF-8.
    package var column: Int

    /// One sentence without a full stop.
    package var message: String

    /// The offending line, made printable, and the caret line under it. Empty when there is nothing to show.
    package var excerpt: [String]

    /// What the author probably meant, or could do.
    package var hint: String?

    /// Second places, such as the first of two duplicates.
    package var notes: [Diagnostic]

    /// Makes a diagnostic for `place` in `file`.
    ///
    /// - Parameters:
    ///   - message: one sentence without a full stop; it may quote the source text through `quoted(_:)`.
    ///   - hint: what to do about it, if that can be guessed.
    package init(
        _ severity: Severity, at place: SourcePlace, in file: SourceFile,
        _ message: String, hint: String? = nil, notes: [Diagnostic] = []
    ) {
        let excerpt = SourceExcerpt(of: place, in: file)
        self.severity = severity
        self.path = file.path
        self.line = place.line
        self.column = excerpt.column
        self.message = message
        self.excerpt = excerpt.lines
        self.hint = hint
        self.notes = notes
    }

    /// The diagnostic as a person reads it: `path:line:column: error: message`, the line, the caret, the
    /// hint, the notes. Lines are joined by line feeds; there is none at the end.
    package var rendered: String {
        var lines = ["\(path):\(line):\(column): \(severity.rawValue): \(message)"]
        lines += excerpt.map { "    " + $0 }
        if let hint { lines.append("    hint: " + hint) }
        lines += notes.map(\.rendered)
        return lines.joined(separator: "\n")
    }
}
