/// A backend's address as the parser has read it: a path is still a range of the source text.
enum ParsedAddress {
    case ip(IPEndpoint)
    /// Offsets in bytes of the path in the source file, `unix:` excluded.
    case unix(Range<Int>)

    /// Reads `192.0.2.1:443`, `[2001:db8::1]:443` or `unix:/path`, or says what is wrong.
    static func parse(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(GrammarError) -> ParsedAddress {
        if let endpoint = AddressGrammar.endpoint(bytes, range) {
            if endpoint.address.isUnspecified {
                throw GrammarError(range, "\(endpoint.address) is no address to connect to")
            }
            return .ip(endpoint)
        }
        guard hasPrefix(bytes, range, "unix:") else { throw AddressGrammar.explainEndpoint(bytes, range) }
        return .unix(try path(bytes, range.lowerBound + 5..<range.upperBound))
    }

    /// An absolute path that fits a socket address.
    private static func path(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(GrammarError) -> Range<Int> {
        if range.isEmpty { throw GrammarError(range, "a path is missing behind `unix:`") }
        switch bytes[range.lowerBound] {
        case UInt8(ascii: "/"): break
        case UInt8(ascii: "@"): throw GrammarError(range, "abstract unix sockets are not supported")
        default:
            throw GrammarError(
                range, "the path of a unix socket is absolute", hint: "unix:/\(text(bytes, range))")
        }
        guard range.count <= TargetAddress.pathBytesMax else {
            throw GrammarError(
                range,
                "the path has \(range.count) bytes; a unix socket's has at most \(TargetAddress.pathBytesMax)"
            )
        }
        return range
    }
}
