/// Reads one JSON value, which must be all that there is. Strict, as RFC 8259 has it, and bounded in depth.
package struct JSONReader {
    /// Why a text is no JSON.
    package struct Failure: Error, Equatable {
        /// Where in the text, in bytes.
        package let offset: Int
    }

    private let bytes: [UInt8]
    private var offset = 0
    /// Far more than the protocol nests.
    private static let depthMax = 32

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The value of a whole text.
    package static func read(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.offset == bytes.count else { throw Failure(offset: reader.offset) }
        return value
    }

    private var failure: Failure { Failure(offset: offset) }
    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipBlanks() {
        while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { offset += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(Failure) -> JSONValue {
        guard depth < Self.depthMax else { throw failure }
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Failure) -> JSONValue {
        let word = Array(text.description.utf8)
        guard bytes[offset...].starts(with: word) else { throw failure }
        offset += word.count
        return value
    }

    private mutating func object(depth: Int) throws(Failure) -> JSONValue {
        offset += 1
        skipBlanks()
        if take("}") { return .object([JSONMember]()) }
        var members: [JSONMember] = []
        repeat {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw failure }
            let name = try string()
            skipBlanks()
            guard take(":") else { throw failure }
            members.append(JSONMember(name: name, value: try value(depth: depth + 1)))
            skipBlanks()
        } while take(",")
        guard take("}") else { throw failure }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(Failure) -> JSONValue {
        offset += 1
        skipBlanks()
        if take("]") { return .array([]) }
        var elements: [JSONValue] = []
        repeat {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
        } while take(",")
        guard take("]") else { throw failure }
        return .array(elements)
    }

    private mutating func digits() -> Int {
        let start = offset
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
        return offset - start
    }

    private mutating func number() throws(Failure) -> JSONValue {
        let start = offset
        _ = take("-")
        if !take("0") {
            guard digits() > 0 else { throw failure }
        }
        if take(".") {
            guard digits() > 0 else { throw failure }
        }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            guard digits() > 0 else { throw failure }
        }
        return .number(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    private mutating func string() throws(Failure) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw failure
            default: text.append(byte)
            }
        }
        throw failure
    }

    private mutating func escape(into text: inout [UInt8]) throws(Failure) {
        guard let byte = next else { throw failure }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xd800..<0xdc00).contains(code), take("\\"), take("u") {
                let low = try hexadecimal()
                guard (0xdc00..<0xe000).contains(low) else { throw failure }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure }
            text += String(scalar).utf8
        default: throw failure
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        guard offset + 4 <= bytes.count else { throw failure }
        let digits = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
        guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }), let code = UInt32(digits, radix: 16) else {
            throw failure
        }
        offset += 4
        return code
    }
}
