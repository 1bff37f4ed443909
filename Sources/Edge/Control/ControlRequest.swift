import Routes

/// A request on the control socket: one flat JSON object, on one line.
package struct ControlRequest: Equatable, Sendable {
    /// The value of a key.
    package enum Value: Equatable, Sendable {
        case text(String)
        case number(Int)
        case bool(Bool)
        case null
    }

    private var values: [String: Value] = [:]

    /// The value of a key.
    package subscript(key: String) -> Value? { values[key] }

    /// What is asked for; there always is something.
    package var command: String { text("command") ?? "" }

    /// A key's value if it is a text.
    package func text(_ key: String) -> String? {
        guard case .text(let text) = values[key] else { return nil }
        return text
    }

    /// A key's value if it is a text, as a host name: letters beyond ASCII are encoded as a hello has them.
    package func hostName(_ key: String) -> String? {
        text(key).map { $0.utf8.allSatisfy { $0 < 0x80 } ? $0 : UnicodeName.ascii($0) ?? $0 }
    }

    /// A key's value if it is a number.
    package func number(_ key: String) -> Int? {
        guard case .number(let number) = values[key] else { return nil }
        return number
    }

    /// Whether a key's value is true.
    package func bool(_ key: String) -> Bool {
        values[key] == .bool(true)
    }

    /// Reads a line; strict: what is not exactly one object of plain values is refused, with the reason.
    package init(_ line: [UInt8]) throws(ControlRequestError) {
        guard String(validating: line, as: UTF8.self) != nil else { throw .init("the request is not UTF-8") }
        var reader = Reader(bytes: line)
        try reader.expect("{", "a request is a JSON object")
        if reader.next() != UInt8(ascii: "}") {
            repeat {
                let key = try reader.string()
                try reader.expect(":", "a colon is missing behind \"\(key)\"")
                guard values.updateValue(try reader.value(), forKey: key) == nil else {
                    throw .init("\"\(key)\" stands there twice")
                }
                guard values.count <= 16 else { throw .init("a request has at most 16 keys") }
            } while try reader.takesComma()
        }
        try reader.expect("}", "the object does not end")
        guard reader.next() == nil else { throw .init("there is something behind the object") }
        guard text("command") != nil else { throw .init("\"command\" is missing") }
    }
}

/// Why a request cannot be read.
package struct ControlRequestError: Error {
    package var text: String
    init(_ text: String) { self.text = text }
}

/// The little of JSON that a request may use.
private struct Reader {
    let bytes: [UInt8]
    var place = 0

    /// The next byte that is not blank, which stays where it is.
    mutating func next() -> UInt8? {
        while place < bytes.count, [0x20, 0x09, 0x0d].contains(bytes[place]) { place += 1 }
        return place < bytes.count ? bytes[place] : nil
    }

    mutating func expect(_ character: Unicode.Scalar, _ otherwise: String) throws(ControlRequestError) {
        guard next() == UInt8(ascii: character) else { throw .init(otherwise) }
        place += 1
    }

    mutating func takesComma() throws(ControlRequestError) -> Bool {
        guard next() == UInt8(ascii: ",") else { return false }
        place += 1
        return true
    }

    mutating func value() throws(ControlRequestError) -> ControlRequest.Value {
        switch next() {
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "{"), UInt8(ascii: "["): throw .init("a request is one flat object")
        default: break
        }
        let start = place
        while place < bytes.count, isWordByte(bytes[place]) { place += 1 }
        let word = String(decoding: bytes[start..<place], as: UTF8.self)
        switch word {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default: break
        }
        let digits = word.hasPrefix("-") ? word.dropFirst() : word[...]
        guard let number = Int(word), !word.hasPrefix("+"), digits == "0" || !digits.hasPrefix("0") else {
            throw .init("'\(word)' is no value: a text, a whole number, true, false or null")
        }
        return .number(number)
    }

    private func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"): true
        case UInt8(ascii: "."): true
        default: false
        }
    }

    mutating func string() throws(ControlRequestError) -> String {
        try expect("\"", "a text is missing")
        var text: [UInt8] = []
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case 0..<0x20: throw .init("a control character in a text")
            case UInt8(ascii: "\\"): text.append(contentsOf: String(try escape()).utf8)
            default: text.append(byte)
            }
        }
        throw .init("a text does not end")
    }

    private mutating func escape() throws(ControlRequestError) -> Character {
        guard place < bytes.count else { throw .init("a text does not end") }
        let byte = bytes[place]
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return Character(Unicode.Scalar(byte))
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return Character(try codePoint())
        default: throw .init("an unknown escape in a text")
        }
    }

    private mutating func codePoint() throws(ControlRequestError) -> Unicode.Scalar {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A pair of surrogates, or half of one, which is no character.
        guard first < 0xdc00, place + 2 <= bytes.count, bytes[place] == UInt8(ascii: "\\"),
            bytes[place + 1] == UInt8(ascii: "u")
        else { throw .init("half a character in a text") }
        place += 2
        let second = try codeUnit()
        guard (0xdc00...0xdfff).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { throw .init("half a character in a text") }
        return scalar
    }

    private mutating func codeUnit() throws(ControlRequestError) -> UInt32 {
        guard place + 4 <= bytes.count else { throw .init("a text does not end") }
        var value: UInt32 = 0
        for byte in bytes[place..<place + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw .init("an unknown escape in a text")
            }
            value = value << 4 | UInt32(digit)
        }
        place += 4
        return value
    }
}
