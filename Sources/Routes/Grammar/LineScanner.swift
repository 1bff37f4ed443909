/// Walks through a source text line by line and word by word, by offsets only: nothing is copied.
///
/// A line ends in a line feed, in a carriage return and a line feed, or with the file. Words are separated by
/// blanks and tabs. A `#` where a word could begin starts a comment; inside a word it is a plain byte,
/// because paths may hold it. A byte order mark at the start of the file is skipped.
struct LineScanner {
    /// Longer lines are refused: the longest sensible one, 64 targets and a hundred aliases, has a few KiB.
    static let lineBytesMax = 65_536

    /// Number of the current line, from 1; 0 before the first `nextLine(in:)`.
    private(set) var line = 0
    /// Offset of the current line's first byte.
    private(set) var lineStart = 0
    /// Offset behind the current line's last byte, its line ending excluded.
    private(set) var lineEnd = 0
    /// Offset at which the search for the next word starts.
    private(set) var position = 0
    /// Offset of the next line's first byte.
    private var following = 0

    /// Offset of the first control character seen in a word of this line, or -1.
    private(set) var controlOffset = -1
    /// True exactly when a word of this line holds a byte over 0x7F.
    private(set) var hasNonASCII = false

    /// Goes to the next line. False at the end of the text.
    mutating func nextLine(in bytes: Span<UInt8>) -> Bool {
        if line == 0, bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { following = 3 }
        guard following < bytes.count else { return false }
        line += 1
        lineStart = following
        position = following
        var end = following
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        following = end + 1
        if end > lineStart, end < bytes.count, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        lineEnd = end
        controlOffset = -1
        hasNonASCII = false
        return true
    }

    /// The next word of the line, or nil at its end or at a comment.
    mutating func nextWord(in bytes: Span<UInt8>) -> Range<Int>? {
        var index = position
        while index < lineEnd, bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\t") {
            index += 1
        }
        guard index < lineEnd, bytes[index] != UInt8(ascii: "#") else {
            position = lineEnd
            return nil
        }
        let start = index
        while index < lineEnd {
            let byte = bytes[index]
            if byte <= 0x20 || byte >= 0x7F {
                if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { break }
                note(byte, at: index)
            }
            index += 1
        }
        position = index
        return start..<index
    }

    @inline(never)
    private mutating func note(_ byte: UInt8, at index: Int) {
        if byte >= 0x80 {
            hasNonASCII = true
        } else if controlOffset < 0 {
            controlOffset = index
        }
    }

    /// True exactly when the words read so far hold bytes that `suspicion(in:)` must judge, or the line is
    /// long.
    var isSuspicious: Bool {
        controlOffset >= 0 || hasNonASCII || lineEnd - lineStart > Self.lineBytesMax
    }

    /// What is wrong with the line as such: its length, a control character, or bytes that are not UTF-8.
    func suspicion(in bytes: Span<UInt8>) -> GrammarError? {
        if lineEnd - lineStart > Self.lineBytesMax {
            return GrammarError(
                lineStart..<lineStart,
                "this line has \(lineEnd - lineStart) bytes, more than \(Self.lineBytesMax)",
                hint: "spread the names over several lines")
        }
        if controlOffset >= 0 {
            let digits = String(bytes[controlOffset], radix: 16, uppercase: true)
            let code = "0x" + (digits.utf8.count < 2 ? "0" : "") + digits
            return GrammarError(
                controlOffset..<controlOffset + 1, "control character \(code)", hint: controlHint(in: bytes))
        }
        guard hasNonASCII, let offset = Self.firstInvalidUTF8(bytes, lineStart..<position) else { return nil }
        return GrammarError(
            offset..<offset + 1, "this byte is not UTF-8", hint: "save the file as UTF-8")
    }

    private func controlHint(in bytes: Span<UInt8>) -> String? {
        switch bytes[controlOffset] {
        case 0x00: "is this a text file?"
        case 0x0D: "a carriage return may only stand at the end of a line"
        default: nil
        }
    }

    /// The offset of the first byte that no valid UTF-8 sequence explains.
    private static func firstInvalidUTF8(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var copy: [UInt8] = []
        for index in range { copy.append(bytes[index]) }
        if String(validating: copy, as: UTF8.self) != nil { return nil }
        var decoder = UTF8()
        var iterator = copy.makeIterator()
        var offset = range.lowerBound
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): offset += UTF8.width(scalar)
            case .emptyInput: return nil
            case .error: return offset
            }
        }
    }

    /// A place in the current line.
    func place(_ range: Range<Int>) -> SourcePlace {
        SourcePlace(line: line, lineStart: lineStart, start: range.lowerBound, end: range.upperBound)
    }
}
