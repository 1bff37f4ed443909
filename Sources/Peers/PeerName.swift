/// What a hoster is called: 1 to 63 lower-case letters, digits, `-` and `.`, the first a letter or digit. It
/// stands in command lines, logs and certificates, so nothing needs to be quoted anywhere.
package struct PeerName: Hashable, Sendable, CustomStringConvertible {
    /// The name itself.
    package let text: String

    package init(_ text: String) throws(PeerError) {
        let bytes = Array(text.utf8)
        let isPlain = bytes.allSatisfy {
            Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
        }
        guard (1...63).contains(bytes.count), isPlain, Self.isLetterOrDigit(bytes[0]) else {
            throw PeerError(
                .unclear,
                "`\(printable(text, charactersMax: 80))` is no name for a peer: it is 1 to 63 "
                    + "lower-case letters, digits, - and ., "
                    + "and begins with a letter or a digit")
        }
        self.text = text
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    package var description: String { text }
}
