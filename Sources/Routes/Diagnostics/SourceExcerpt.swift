/// The printable form of a source line with a caret line below it.
///
/// Each scalar of the line is one unit: tabs stay tabs (and are repeated in the caret line, so that the caret
/// stands right whatever the terminal's tab stops), control characters and bytes that are not UTF-8 are
/// written as `\xNN`, because a terminal must never be driven by somebody's configuration file. Wide
/// characters count as one column; the caret may then stand to the left of its mark.
struct SourceExcerpt {
    /// The column of the place, from 1.
    let column: Int

    /// The line and the caret line.
    let lines: [String]

    /// More of a line than this many units is cut away around the place.
    static let unitsMax = 160

    /// So many units are kept to the left of the place when the line is cut.
    static let unitsBefore = 60

    init(of place: SourcePlace, in file: SourceFile) {
        let bytes = file.bytes
        var lineEnd = place.lineStart
        while lineEnd < bytes.count, bytes[lineEnd] != UInt8(ascii: "\n") { lineEnd += 1 }
        if lineEnd > place.lineStart, bytes[lineEnd - 1] == UInt8(ascii: "\r") { lineEnd -= 1 }

        let units = Self.units(of: bytes[place.lineStart..<lineEnd])
        let first = units.firstIndex { $0.offset >= place.start } ?? units.count
        let behind = units.firstIndex { $0.offset >= place.end } ?? units.count
        column = first + 1

        var window = 0..<units.count
        if units.count > Self.unitsMax {
            let start = max(0, min(first - Self.unitsBefore, units.count - Self.unitsMax))
            window = start..<(start + Self.unitsMax)
        }
        var line = window.lowerBound > 0 ? "…" : ""
        var caret = window.lowerBound > 0 ? " " : ""
        for index in window {
            line += units[index].text
            if index < first { caret += units[index].text == "\t" ? "\t" : units[index].blanks }
        }
        if window.upperBound < units.count { line += "…" }

        let marked = units[first..<max(first, min(behind, window.upperBound))]
        let width = marked.reduce(0) { $0 + $1.text.unicodeScalars.count }
        caret += "^" + String(repeating: "~", count: max(0, width - 1))
        lines = [line, caret]
    }

    /// One printable piece of the line.
    private struct Unit {
        /// Offset in bytes in the file.
        let offset: Int
        let text: String

        var blanks: String { String(repeating: " ", count: text.unicodeScalars.count) }
    }

    private static func units(of line: ArraySlice<UInt8>) -> [Unit] {
        guard let text = String(validating: line, as: UTF8.self) else {
            return line.indices.map { Unit(offset: $0, text: printable(UInt32(line[$0]), isByte: true)) }
        }
        var offset = line.startIndex
        return text.unicodeScalars.map { scalar in
            defer { offset += UTF8.width(scalar) }
            return Unit(offset: offset, text: printable(scalar.value, isByte: false))
        }
    }

    private static func printable(_ value: UInt32, isByte: Bool) -> String {
        let isControl = (value < 0x20 && value != 0x09) || (0x7F...0x9F).contains(value)
        if isControl || (isByte && value >= 0x80) {
            let digits = String(value, radix: 16, uppercase: true)
            return "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
        }
        guard let scalar = Unicode.Scalar(value) else { return "?" }
        if isInvisible(scalar) { return "\\u{" + String(value, radix: 16, uppercase: true) + "}" }
        return String(Character(scalar))
    }

    /// True for characters that show nothing themselves but change how others are shown, such as marks that
    /// turn the direction of writing.
    static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
