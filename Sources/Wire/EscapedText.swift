/// Bytes from the wire made safe for a line of a log or a terminal.
package enum EscapedText {
    /// The most bytes that one byte becomes.
    package static let bytesPerByteMax = 4

    /// Appends `bytes` to `output`: printable ASCII as it is, quote and backslash with a backslash in front,
    /// every other byte as `\xNN` with two lower-case digits. The result can stand between double quotes,
    /// holds no control byte and no blank line, and can be read back without doubt.
    ///
    /// Returns true when everything fitted. Otherwise the text ends where the next byte did not fit; an
    /// escape is never cut.
    @discardableResult
    package static func append(_ bytes: RawSpan, to output: inout OutputRawSpan) -> Bool {
        for offset in 0..<bytes.byteCount {
            let byte = bytes.byte(at: offset)
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                guard output.freeCapacity >= 2 else { return false }
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            case 0x20...0x7e:
                guard output.freeCapacity >= 1 else { return false }
                output.append(byte)
            default:
                guard output.freeCapacity >= 4 else { return false }
                output.append(UInt8(ascii: "\\"))
                output.append(UInt8(ascii: "x"))
                output.append(digit(byte >> 4))
                output.append(digit(byte & 0xf))
            }
        }
        return true
    }

    /// The hexadecimal digit of a value from 0 to 15.
    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ (value &- 10)
    }
}
