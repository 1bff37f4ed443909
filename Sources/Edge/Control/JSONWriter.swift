/// Writes JSON (RFC 8259), without blanks, in the order of the calls. Who calls it keeps brackets in pairs.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    /// An object as a value.
    mutating func object(_ body: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "{"))
        body(&self)
        close(UInt8(ascii: "}"))
    }

    /// An array as a value.
    mutating func array(_ body: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "["))
        body(&self)
        close(UInt8(ascii: "]"))
    }

    /// The key of what is written next.
    mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A text. Quotes, backslashes and control characters are escaped.
    mutating func string(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case 0..<0x20, 0x7f:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Bytes that should be text; what is not UTF-8 becomes U+FFFD.
    mutating func string(bytes: [UInt8]) { string(String(decoding: bytes, as: UTF8.self)) }

    mutating func number<Value: BinaryInteger>(_ value: Value) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
    }

    /// Nanoseconds as seconds with six decimals.
    mutating func seconds(nanoseconds: UInt64) {
        separate()
        bytes.append(contentsOf: decimalSeconds(nanoseconds: nanoseconds).utf8)
    }

    mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    // MARK: Pairs

    mutating func pair(_ name: String, _ text: String) {
        key(name)
        string(text)
    }

    mutating func pair<Value: BinaryInteger>(_ name: String, _ value: Value) {
        key(name)
        number(value)
    }

    mutating func pair(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }

    mutating func pair(_ name: String, nanoseconds: UInt64) {
        key(name)
        seconds(nanoseconds: nanoseconds)
    }

    /// One answer: a line.
    static func line(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object(body)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// The answer to a request that cannot be met.
    static func failure(_ text: String) -> [UInt8] {
        line { writer in
            writer.pair("ok", false)
            writer.pair("error", text)
        }
    }
}

/// Nanoseconds as decimal seconds, without zeros at the end.
func decimalSeconds(nanoseconds: UInt64) -> String {
    let micro = nanoseconds / 1000
    let part = String(micro % 1_000_000)
    var text = "\(micro / 1_000_000)." + String(repeating: "0", count: 6 - part.count) + part
    while text.hasSuffix("0"), !text.hasSuffix(".0") { text.removeLast() }
    return text
}
