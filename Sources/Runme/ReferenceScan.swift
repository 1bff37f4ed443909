/// Finds anchors and aliases (`&name`, `*name`), which Yams does not tell of.
enum ReferenceScan {
    /// Where the first one is. What stands in quotes or behind a `#` is none.
    static func first(in bytes: [UInt8]) -> TextMark? {
        var (line, column) = (1, 1)
        var quote: UInt8?
        var isComment = false
        var before = UInt8(ascii: "\n")
        for (offset, byte) in bytes.enumerated() {
            let beginsToken = " \t\r\n[{,".utf8.contains(before)
            if byte == UInt8(ascii: "\n") {
                isComment = false
            } else if isComment {
                // To the end of the line.
            } else if let open = quote {
                if byte == open, !(open == UInt8(ascii: "\"") && before == UInt8(ascii: "\\")) { quote = nil }
            } else if beginsToken {
                switch byte {
                case UInt8(ascii: "#"): isComment = true
                case UInt8(ascii: "\""), UInt8(ascii: "'"): quote = byte
                case UInt8(ascii: "&"), UInt8(ascii: "*"):
                    if offset + 1 < bytes.count, bytes[offset + 1] > 0x20 {
                        return TextMark(line: line, column: column)
                    }
                default: break
                }
            }
            before = byte
            // Columns are counted in scalars.
            if byte == UInt8(ascii: "\n") {
                (line, column) = (line + 1, 1)
            } else if byte & 0xc0 != 0x80 {
                column += 1
            }
        }
        return nil
    }
}
