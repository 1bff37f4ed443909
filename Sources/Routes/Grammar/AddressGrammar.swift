import Wire

/// Reads addresses, endpoints and prefixes from source text.
///
/// The readers that return optionals are the happy path: they allocate nothing. Only when they fail does the
/// caller ask for the explanation, which may be slow.
enum AddressGrammar {
    /// A dotted quad: four decimal numbers up to 255, no leading zeros (other programs read those as octal).
    static func ipv4(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
        AddressText.ipv4(bytes.rawBytes.extracting(range))
    }

    /// A decimal port from 1 to 65,535, no leading zeros.
    static func port(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt16? {
        guard (1...5).contains(range.count), bytes[range.lowerBound] != UInt8(ascii: "0") else { return nil }
        var value: UInt32 = 0
        for index in range {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + UInt32(digit)
        }
        return UInt16(exactly: value)
    }

    /// An IPv6 address without brackets, in any form of RFC 4291; no zone.
    static func ipv6(_ bytes: Span<UInt8>, _ range: Range<Int>) -> IPAddress? {
        AddressText.ipv6(bytes.rawBytes.extracting(range)).map { IPAddress.v6(high: $0.high, low: $0.low) }
    }

    /// `192.0.2.1:443` or `[2001:db8::1]:443`.
    static func endpoint(_ bytes: Span<UInt8>, _ range: Range<Int>) -> IPEndpoint? {
        guard let colon = lastIndex(of: UInt8(ascii: ":"), bytes, range),
            let port = port(bytes, colon + 1..<range.upperBound)
        else { return nil }
        let host = range.lowerBound..<colon
        if let address = ipv4(bytes, host) { return IPEndpoint(address: .v4(address), port: port) }
        guard host.count > 2, bytes[host.lowerBound] == UInt8(ascii: "["),
            bytes[colon - 1] == UInt8(ascii: "]"),
            let address = ipv6(bytes, host.lowerBound + 1..<colon - 1)
        else { return nil }
        return IPEndpoint(address: address, port: port)
    }

    /// An address with or without `/bits`; without, it is that one address. Host bits are cleared.
    static func prefix(_ bytes: Span<UInt8>, _ range: Range<Int>) -> AddressPrefix? {
        let slash = firstIndex(of: UInt8(ascii: "/"), bytes, range)
        let host = range.lowerBound..<(slash ?? range.upperBound)
        guard let address = ipv4(bytes, host).map(IPAddress.v4) ?? ipv6(bytes, host) else { return nil }
        guard let slash else { return AddressPrefix(address: address, lengthBits: address.widthBits) }
        let digits = slash + 1..<range.upperBound
        guard (1...3).contains(digits.count) else { return nil }
        guard let bits = Quantity.number(bytes, digits), bits <= UInt64(address.widthBits) else { return nil }
        return AddressPrefix(address: address, lengthBits: Int(bits))
    }
}
