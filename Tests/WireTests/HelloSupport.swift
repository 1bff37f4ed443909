import Support
import Testing
import Wire

/// What the parser makes of bytes that are there at once.
func parse(
    _ bytes: [UInt8], limits: HelloLimits = HelloLimits()
) -> (
    outcome: HelloOutcome, hello: ClientHello
) {
    var parser = HelloParser()
    var hello = ClientHello()
    let outcome = parser.advance(bytes.span.rawBytes, limits: limits, into: &hello)
    return (outcome, hello)
}

/// The answer after each prefix of the bytes, from one byte to all, by one parser.
func answersWhileGrowing(_ bytes: [UInt8], limits: HelloLimits = HelloLimits()) -> [HelloOutcome] {
    var parser = HelloParser()
    var hello = ClientHello()
    return bytes.indices.map { last in
        parser.advance(bytes.span.rawBytes.extracting(first: last + 1), limits: limits, into: &hello)
    }
}

extension HostName: CustomTestStringConvertible {
    /// The name for a comparison in a test.
    var text: String {
        let bytes = bytes
        return String(decoding: (0..<bytes.byteCount).map { bytes.byte(at: $0) }, as: UTF8.self)
    }

    /// How a failed test shows the name.
    package var testDescription: String { text }

    /// The name that a text spells; nil when it is none.
    static func spelled(_ text: [UInt8]) -> HostName? { try? normalise(text.span.rawBytes) }
}

/// Says a figure on standard output, where the test run's other lines are.
func say(_ line: String) { print(line) }
