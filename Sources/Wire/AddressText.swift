/// IP addresses as text, read and written without allocating.
package enum AddressText {
    /// A dotted quad: four decimal numbers up to 255, no leading zeros (other programs read those as octal).
    package static func ipv4(_ text: RawSpan) -> UInt32? {
        var value: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for index in 0..<text.byteCount {
            let byte = text.byte(at: index)
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

    /// An IPv6 address without brackets, in any form of RFC 4291; no zone.
    package static func ipv6(_ text: RawSpan) -> (high: UInt64, low: UInt64)? {
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var count = 0
        var gap = -1
        var index = 0
        let end = text.byteCount
        if end >= 2, text.byte(at: 0) == UInt8(ascii: ":"), text.byte(at: 1) == UInt8(ascii: ":") {
            gap = 0
            index = 2
        }
        while index < end {
            var stop = index
            while stop < end, text.byte(at: stop) != UInt8(ascii: ":") { stop += 1 }
            if stop == end, let quad = ipv4(text.extracting(index..<stop)) {
                guard count <= 6 else { return nil }
                groups[count] = UInt16(truncatingIfNeeded: quad >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: quad)
                count += 2
                break
            }
            guard count < 8, let group = hexadecimalGroup(text.extracting(index..<stop)) else { return nil }
            groups[count] = group
            count += 1
            index = stop + 1
            if stop == end { break }
            if index == end { return nil }
            if text.byte(at: index) == UInt8(ascii: ":") {
                guard gap < 0 else { return nil }
                gap = count
                index += 1
            }
        }
        guard gap >= 0 ? count <= 7 : count == 8 else { return nil }
        return joined(groups, count: count, gap: gap < 0 ? count : gap)
    }

    private static func hexadecimalGroup(_ text: RawSpan) -> UInt16? {
        guard (1...4).contains(text.byteCount) else { return nil }
        var value: UInt16 = 0
        for index in 0..<text.byteCount {
            guard let digit = hexadecimalDigit(text.byte(at: index)) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    /// The value of a hexadecimal digit of either case.
    package static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Puts the groups before the gap to the left and the others to the right, with zeros between.
    private static func joined(
        _ groups: InlineArray<8, UInt16>, count: Int, gap: Int
    ) -> (high: UInt64, low: UInt64) {
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
        return (high, low)
    }
}
