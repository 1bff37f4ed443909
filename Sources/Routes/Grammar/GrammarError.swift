/// Why a piece of text does not follow the grammar, and which bytes of it are to blame.
struct GrammarError: Error {
    /// Offsets in bytes in the source file.
    var range: Range<Int>
    /// One sentence without a full stop.
    var message: String
    /// What to do about it.
    var hint: String?
    /// Second places.
    var notes: [Diagnostic]

    init(_ range: Range<Int>, _ message: String, hint: String? = nil, notes: [Diagnostic] = []) {
        self.range = range
        self.message = message
        self.hint = hint
        self.notes = notes
    }
}

/// The text of a range, repaired where it is not UTF-8. For diagnostics and for cold values only.
func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    var copy: [UInt8] = []
    copy.reserveCapacity(range.count)
    for index in range { copy.append(bytes[index]) }
    return String(decoding: copy, as: UTF8.self)
}

/// The text of a range in backquotes, cut when long, with control characters replaced.
func quoted(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    let whole = text(bytes, range)
    var short = String.UnicodeScalarView()
    for scalar in whole.unicodeScalars.prefix(60) {
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
        short.append(isControl || SourceExcerpt.isInvisible(scalar) ? "\u{FFFD}" : scalar)
    }
    return "`" + String(short) + (whole.unicodeScalars.count > 60 ? "…" : "") + "`"
}

/// True exactly when the bytes of the range are `word`.
func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ word: String) -> Bool {
    range.count == word.utf8.count && hasPrefix(bytes, range, word)
}

/// True exactly when the bytes of the range begin with `prefix`.
func hasPrefix(_ bytes: Span<UInt8>, _ range: Range<Int>, _ prefix: String) -> Bool {
    guard range.count >= prefix.utf8.count else { return false }
    var index = range.lowerBound
    for byte in prefix.utf8 {
        if bytes[index] != byte { return false }
        index += 1
    }
    return true
}

/// The offset of the first `byte` in the range.
func firstIndex(of byte: UInt8, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    for index in range where bytes[index] == byte { return index }
    return nil
}

/// The offset of the last `byte` in the range.
func lastIndex(of byte: UInt8, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    for index in range.reversed() where bytes[index] == byte { return index }
    return nil
}
