/// The slow half of `AddressGrammar`: why some text is not what it should be.
extension AddressGrammar {
    /// Reads an endpoint or says what is wrong with it.
    static func requireEndpoint(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(GrammarError) -> IPEndpoint {
        if let endpoint = endpoint(bytes, range) { return endpoint }
        throw explainEndpoint(bytes, range)
    }

    /// Reads a prefix or says what is wrong with it.
    static func requirePrefix(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(GrammarError) -> AddressPrefix {
        if let prefix = prefix(bytes, range) { return prefix }
        if range.isEmpty { throw GrammarError(range, "an address is missing here") }
        throw GrammarError(
            range, "\(quoted(bytes, range)) is not an address or prefix",
            hint: "write it like 192.0.2.0/24 or 2001:db8::/32")
    }

    /// Why `range` is not an endpoint. To be called only when `endpoint(_:_:)` has failed on it.
    static func explainEndpoint(_ bytes: Span<UInt8>, _ range: Range<Int>) -> GrammarError {
        if range.isEmpty { return GrammarError(range, "an address is missing here") }
        if bytes[range.lowerBound] == UInt8(ascii: "[") { return explainBracketed(bytes, range) }
        if ipv6(bytes, range) != nil {
            return GrammarError(
                range, "an IPv6 address stands in brackets, with a port behind them",
                hint: bracketed(bytes, range))
        }
        let colon = lastIndex(of: UInt8(ascii: ":"), bytes, range)
        let host = range.lowerBound..<(colon ?? range.upperBound)
        if isNumeric(bytes, host) {
            guard ipv4(bytes, host) != nil else { return explainQuad(bytes, host) }
            guard let colon else { return missingPort(bytes, range) }
            return explainPort(bytes, colon + 1..<range.upperBound)
        }
        if host.isEmpty || matches(bytes, host, "*") {
            return GrammarError(
                range, "an address is missing before the port",
                hint: "0.0.0.0:PORT means all IPv4 addresses, [::]:PORT all IPv6 ones")
        }
        if firstIndex(of: UInt8(ascii: "%"), bytes, range) != nil {
            return GrammarError(range, "addresses with a zone are not supported")
        }
        if firstIndex(of: UInt8(ascii: ":"), bytes, host) != nil {
            return GrammarError(range, "\(quoted(bytes, range)) is not an address")
        }
        return GrammarError(
            range, "\(quoted(bytes, host)) is a host name, and the edge resolves no names",
            hint: "write its address; where the address changes, let yardmaster write the route")
    }

    /// What was probably meant: `::1:443` is an address, but more likely `::1` and a port.
    private static func bracketed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        if let colon = lastIndex(of: UInt8(ascii: ":"), bytes, range), range.upperBound - colon > 2,
            port(bytes, colon + 1..<range.upperBound) != nil, ipv6(bytes, range.lowerBound..<colon) != nil
        {
            return "[\(text(bytes, range.lowerBound..<colon))]:\(text(bytes, colon + 1..<range.upperBound))"
        }
        return "[\(text(bytes, range))]:443"
    }

    private static func explainBracketed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> GrammarError {
        guard let bracket = lastIndex(of: UInt8(ascii: "]"), bytes, range) else {
            return GrammarError(range, "the closing bracket is missing")
        }
        let inner = range.lowerBound + 1..<bracket
        guard ipv6(bytes, inner) != nil else {
            if firstIndex(of: UInt8(ascii: "%"), bytes, inner) != nil {
                return GrammarError(inner, "addresses with a zone are not supported")
            }
            if ipv4(bytes, inner) != nil {
                return GrammarError(
                    range, "an IPv4 address has no brackets", hint: text(bytes, inner) + ":443")
            }
            return GrammarError(inner, "\(quoted(bytes, inner)) is not an IPv6 address")
        }
        guard bracket + 1 < range.upperBound, bytes[bracket + 1] == UInt8(ascii: ":") else {
            return missingPort(bytes, range)
        }
        return explainPort(bytes, bracket + 2..<range.upperBound)
    }

    private static func missingPort(_ bytes: Span<UInt8>, _ range: Range<Int>) -> GrammarError {
        GrammarError(
            range.upperBound..<range.upperBound, "a port is missing behind \(quoted(bytes, range))",
            hint: text(bytes, range) + ":443")
    }

    private static func explainPort(_ bytes: Span<UInt8>, _ range: Range<Int>) -> GrammarError {
        if range.isEmpty { return GrammarError(range, "a port is missing here") }
        if let hash = firstIndex(of: UInt8(ascii: "#"), bytes, range), hash > range.lowerBound {
            return GrammarError(
                range, "\(quoted(bytes, range)) is not a port",
                hint: "put a blank before the `#` of a comment")
        }
        if Quantity.number(bytes, range) != nil {
            return GrammarError(range, "port \(text(bytes, range)) is not in 1…65535, without leading zeros")
        }
        return GrammarError(range, "\(quoted(bytes, range)) is not a port")
    }

    private static func explainQuad(_ bytes: Span<UInt8>, _ range: Range<Int>) -> GrammarError {
        GrammarError(
            range, "\(quoted(bytes, range)) is not an IPv4 address",
            hint: "four numbers from 0 to 255, without leading zeros")
    }

    /// True exactly when the text consists of digits and dots, with at least one digit.
    private static func isNumeric(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var hasDigit = false
        for index in range {
            let byte = bytes[index]
            let isDigit = byte &- UInt8(ascii: "0") < 10
            guard isDigit || byte == UInt8(ascii: ".") else { return false }
            hasDigit = hasDigit || isDigit
        }
        return hasDigit
    }
}
