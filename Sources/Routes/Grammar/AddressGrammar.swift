/// Reads addresses, endpoints and prefixes from source text.
///
/// The readers that return optionals are the happy path: they allocate nothing. Only when they fail does the
/// caller ask for the explanation, which may be slow.
enum AddressGrammar {
    /// A dotted quad: four decimal numbers up to 255, no leading zeros (other programs read those as octal).
    static func ipv4(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
        var value: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for index in range {
            let byte = bytes[index]
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                value = value << 8 | part
                (part, digits, dots) = (0, 0, dots + 1)
            } else {
                let digit = byte &- UInt8(ascii: "0")
                guard digit < 10, digits < 3, !(digits > 0 && part == 0) else { return nil }
                part = part * 10 + UInt32(digit)
                guard part <= 255 else { return nil }
                digits += 1
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        return value << 8 | part
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
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var count = 0
        var gap = -1
        var index = range.lowerBound
        if hasPrefix(bytes, range, "::") {
            gap = 0
            index += 2
        }
        while index < range.upperBound {
            let end = firstIndex(of: UInt8(ascii: ":"), bytes, index..<range.upperBound) ?? range.upperBound
            if end == range.upperBound, let quad = ipv4(bytes, index..<end) {
                guard count <= 6 else { return nil }
                groups[count] = UInt16(truncatingIfNeeded: quad >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: quad)
                count += 2
                break
            }
            guard count < 8, let group = hexGroup(bytes, index..<end) else { return nil }
            groups[count] = group
            count += 1
            index = end + 1
            if end == range.upperBound { break }
            if index == range.upperBound { return nil }
            if bytes[index] == UInt8(ascii: ":") {
                guard gap < 0 else { return nil }
                gap = count
                index += 1
            }
        }
        guard gap >= 0 ? count <= 7 : count == 8 else { return nil }
        return joined(groups, count: count, gap: gap < 0 ? count : gap)
    }

    private static func hexGroup(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt16? {
        guard (1...4).contains(range.count) else { return nil }
        var value: UInt16 = 0
        for index in range {
            guard let digit = hexDigit(bytes[index]) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Puts the groups before the gap to the left and the others to the right, with zeros between.
    private static func joined(_ groups: InlineArray<8, UInt16>, count: Int, gap: Int) -> IPAddress {
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<count {
            let place = index < gap ? index : 8 - count + index
            let group = UInt64(groups[index])
            if place < 4 {
                high |= group << (48 - 16 * UInt64(place))
            } else {
                low |= group << (48 - 16 * UInt64(place - 4))
            }
        }
        return .v6(high: high, low: low)
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
