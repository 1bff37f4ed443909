package import Routes
package import Yams

/// Takes a YAML file apart, and remembers what is wrong with it and where. A wrong value does not end the
/// reading: an author sees all mistakes at once.
package struct ManifestReader {
    let file: SourceFile
    /// What was found.
    package private(set) var diagnostics = DiagnosticList()
    /// The offset of each line's first byte.
    private let lineStarts: [Int]

    /// A reader of one file.
    package init(_ file: SourceFile) {
        self.file = file
        var starts = [0]
        for (offset, byte) in file.bytes.enumerated() where byte == UInt8(ascii: "\n") {
            starts.append(offset + 1)
        }
        lineStarts = starts
    }

    /// The mapping that the file is; nil when it is none, which has been told then.
    package mutating func document(what: String = "a runme") -> Fields? {
        guard let text = String(validating: file.bytes, as: UTF8.self) else {
            error(.start, "the file is not UTF-8")
            return nil
        }
        // With them a small file says much, and takes long to read.
        if let mark = ReferenceScan.first(in: file.bytes) {
            error(
                mark, "\(what) has no anchors and no aliases", hint: "put a text that begins so into quotes")
            return nil
        }
        do {
            guard let node = try Yams.compose(yaml: text) else {
                error(.start, "the file is empty")
                return nil
            }
            return fields(node, of: what)
        } catch let fault as YamlError {
            tell(fault)
        } catch {
            self.error(.start, "this is not YAML")
        }
        return nil
    }

    private mutating func tell(_ fault: YamlError) {
        switch fault {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            error(TextMark(mark), problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            error(TextMark(context.mark), "`\(duplicates.first ?? "")` stands twice")
        case .reader(let problem, _, _, _): error(.start, problem)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            error(.start, "this is not YAML")
        }
    }

    // MARK: Diagnostics

    /// Tells of a mistake.
    package mutating func error(_ mark: TextMark, _ message: String, hint: String? = nil) {
        let (place, file) = (place(mark), file)
        diagnostics.add(.error) { Diagnostic(.error, at: place, in: file, message, hint: hint) }
    }

    /// Tells of something that may not be meant so.
    package mutating func warn(_ mark: TextMark, _ message: String, hint: String? = nil) {
        let (place, file) = (place(mark), file)
        diagnostics.add(.warning) { Diagnostic(.warning, at: place, in: file, message, hint: hint) }
    }

    /// From the mark to the end of what stands there: a blank, a comma or a bracket ends it.
    private func place(_ mark: TextMark) -> SourcePlace {
        let line = min(max(1, mark.line), lineStarts.count)
        let lineStart = lineStarts[line - 1]
        var start = lineStart
        // Columns are counted in scalars.
        for _ in 1..<max(1, mark.column) where start < file.bytes.count && file.bytes[start] != 10 {
            start += 1
            while start < file.bytes.count, file.bytes[start] & 0xc0 == 0x80 { start += 1 }
        }
        var end = start
        while end < file.bytes.count, !Self.isEnd(file.bytes[end]) { end += 1 }
        return SourcePlace(line: line, lineStart: lineStart, start: start, end: end)
    }

    private static func isEnd(_ byte: UInt8) -> Bool {
        byte <= 0x20
            || [UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":")].contains(byte)
    }

    // MARK: Values

    /// A mapping's fields; nil, and told, when it is none.
    package mutating func fields(_ node: Node, of what: String) -> Fields? {
        guard case .mapping(let mapping) = node else {
            error(node.place, "\(what) is a mapping of keys and values")
            return nil
        }
        var fields = Fields(mark: node.place, what: what)
        for (key, value) in mapping {
            guard case .scalar(let name) = key else {
                error(key.place, "a key of \(what) is a word")
                continue
            }
            fields.values[name.string] = (key.place, value)
        }
        return fields
    }

    /// A text; nil, and told, when it is none.
    package mutating func text(_ node: Node, of what: String) -> String? {
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            error(node.place, "\(what) is a text")
            return nil
        }
        guard !scalar.string.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            error(node.place, "\(what) has a control character")
            return nil
        }
        guard scalar.string.utf8.count <= 4096 else {
            error(node.place, "\(what) is too long")
            return nil
        }
        return scalar.string
    }

    /// A list; a value that is none stands for a list of itself only where a person would write it so.
    package mutating func list(_ node: Node, of what: String) -> [Node] {
        guard case .sequence(let sequence) = node, !sequence.isEmpty else {
            error(node.place, "\(what) is a list: [ … ]")
            return []
        }
        return Array(sequence)
    }

    /// Texts in a list.
    package mutating func texts(_ node: Node, of what: String) -> [(mark: TextMark, text: String)] {
        list(node, of: what).compactMap { item in
            text(item, of: "an item of \(what)").map { (item.place, $0) }
        }
    }

    /// A quantity, by one of ``Routes/Quantity``'s readers.
    package mutating func quantity<Value>(
        _ node: Node, of what: String, _ read: (String) throws(Quantity.Fault) -> Value
    ) -> Value? {
        guard let text = text(node, of: what) else { return nil }
        do throws(Quantity.Fault) {
            return try read(text)
        } catch {
            self.error(node.place, error.message, hint: error.hint)
            return nil
        }
    }

    /// Tells of the keys that nobody has asked for.
    package mutating func finish(_ fields: Fields) {
        let unknown = fields.values.filter { !fields.known.contains($0.key) }
        for (key, value) in unknown.sorted(by: { $0.value.mark < $1.value.mark }) {
            error(
                value.mark, "\(fields.what) has no `\(key)`",
                hint: Suggestion.hint(for: key, among: fields.known))
        }
    }
}

/// The fields of one mapping, and which of them were asked for.
package struct Fields {
    let mark: TextMark
    /// For messages: what they are the fields of.
    let what: String
    fileprivate var values: [String: (mark: TextMark, value: Node)] = [:]
    fileprivate var known: [String] = []

    fileprivate init(mark: TextMark, what: String) {
        self.mark = mark
        self.what = what
    }

    /// The value of a key that may stand there.
    package mutating func take(_ key: String) -> Node? {
        known.append(key)
        return values[key]?.value
    }

    /// The value of a key that must stand there.
    package mutating func require(_ key: String, _ reader: inout ManifestReader) -> Node? {
        if let value = take(key) { return value }
        reader.error(mark, "\(what) needs `\(key)`")
        return nil
    }

    /// All that stand there, by their keys: for mappings whose keys are the author's.
    package mutating func takeAll() -> [(key: String, mark: TextMark, value: Node)] {
        known += values.keys
        return values.map { ($0.key, $0.value.mark, $0.value.value) }.sorted { $0.mark < $1.mark }
    }
}

/// A line and a column, both from 1.
package struct TextMark: Comparable, Sendable {
    /// The file's first character.
    package static let start = TextMark(line: 1, column: 1)

    /// From 1.
    package let line: Int
    /// In scalars, from 1.
    package let column: Int

    /// A place.
    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    init(_ mark: Mark) { self.init(line: mark.line, column: mark.column) }

    package static func < (left: TextMark, right: TextMark) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

extension Node {
    /// Where it stands.
    package var place: TextMark { mark.map { TextMark($0) } ?? .start }
}
