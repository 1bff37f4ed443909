/// A DNS host name in the one form in which names are compared: ASCII, lower case, no dot at the end.
///
/// A fixed-size trivial value: it lives in a struct or on the stack, is copied as bytes, and never allocates.
/// Only `normalise` makes one, so two equal names have equal bytes. 256 bytes; the ones behind `byteCount`
/// are zero.
package struct HostName: BitwiseCopyable, Equatable, Sendable {
    /// Longest name in its text form without the dot at the end: 255 bytes on the wire (RFC 1035 section
    /// 2.3.4) less the first length byte and the root label.
    package static let bytesMax = 253
    /// Longest label (RFC 1035 section 2.3.4).
    package static let labelBytesMax = 63

    private var storage: InlineArray<255, UInt8>
    private var count: UInt8

    /// No name: zero bytes. `normalise` never returns it.
    package init() {
        storage = InlineArray(repeating: 0)
        count = 0
    }

    /// Length of the name in bytes, 0 to 253.
    package var byteCount: Int { Int(count) }

    /// True for the value that `init()` makes.
    package var isEmpty: Bool { count == 0 }

    /// The name's bytes; valid while the name is borrowed.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        borrowing get { storage.span.rawBytes.extracting(first: Int(count)) }
    }

    package static func == (left: borrowing HostName, right: borrowing HostName) -> Bool {
        let leftBytes = left.bytes
        let rightBytes = right.bytes
        guard leftBytes.byteCount == rightBytes.byteCount else { return false }
        for offset in 0..<leftBytes.byteCount where leftBytes.byte(at: offset) != rightBytes.byte(at: offset)
        {
            return false
        }
        return true
    }

    /// Adds a byte that `normalise` found good. Room for it was checked there.
    @inline(always)
    private mutating func append(_ byte: UInt8) {
        storage[Int(count)] = byte
        count &+= 1
    }
}

/// Why bytes are not a host name, and where.
package struct HostNameFault: Error, BitwiseCopyable, Equatable, Sendable {
    /// What is wrong with the name.
    package enum Reason: UInt8, BitwiseCopyable, CaseIterable, Sendable {
        /// No byte at all, or nothing but the dot at the end.
        case empty
        /// Two dots side by side, or a dot at the start.
        case emptyLabel
        /// A label of more than 63 bytes.
        case labelTooLong
        /// More than 253 bytes, the dot at the end not counted.
        case tooLong
        /// An IPv4 or IPv6 address: RFC 6066 section 3 keeps these out of the SNI.
        case ipLiteral
        /// NUL, another control byte, or DEL.
        case controlByte
        /// A blank.
        case blank
        /// A byte over 0x7f: a U-label that was not converted, or garbage.
        case nonASCIIByte
        /// A printable byte that no host name holds, such as a slash, a star or a colon.
        case invalidByte
    }

    /// What is wrong.
    package let reason: Reason
    /// The byte at which the rule is broken, counted from 0: the first one too many, the one that may not be
    /// there, or 0 when the whole is wrong (`empty`, `ipLiteral`). At most the count of the bytes given.
    package let byteOffset: UInt16

    package init(_ reason: Reason, byteOffset: Int) {
        self.reason = reason
        self.byteOffset = UInt16(clamping: byteOffset)
    }
}

extension HostName {
    /// The host name that `text` spells: the one normaliser of hello, routes and log.
    ///
    /// Upper case is folded and one dot at the end is dropped. Hyphens and underscores are taken in any
    /// place: names such as `_dmarc.example.org` or `-a.example.org` break the rule for host names (RFC 952)
    /// but DNS carries them and clients send them; to refuse them would cut off sites and make nothing safer.
    /// Anything that is not a letter, digit, hyphen, underscore or dot is refused. So is a name that an
    /// address parser would take: see `isNumber`.
    ///
    /// The first fault from the left is reported, and nothing behind it is looked at, save to tell an IPv6
    /// address from a stray colon. Time is linear in the bytes.
    package static func normalise(_ text: RawSpan) throws(HostNameFault) -> HostName {
        let hasRootDot = !text.isEmpty && text.byte(at: text.byteCount - 1) == UInt8(ascii: ".")
        let textCount = hasRootDot ? text.byteCount - 1 : text.byteCount
        guard textCount > 0 else { throw HostNameFault(.empty, byteOffset: 0) }
        var name = HostName()
        var labelStart = 0
        for offset in 0..<textCount {
            let byte = text.byte(at: offset)
            if byte == UInt8(ascii: ".") {
                guard offset > labelStart else { throw HostNameFault(.emptyLabel, byteOffset: offset) }
                labelStart = offset + 1
            } else {
                guard isNameByte(byte) else { throw refusal(of: byte, at: offset, in: text) }
                guard offset - labelStart < labelBytesMax else {
                    throw HostNameFault(.labelTooLong, byteOffset: offset)
                }
            }
            guard offset < bytesMax else { throw HostNameFault(.tooLong, byteOffset: offset) }
            name.append(lowerCase(byte))
        }
        guard labelStart < textCount else { throw HostNameFault(.emptyLabel, byteOffset: textCount) }
        guard !isNumber(text.extracting(labelStart..<textCount)) else {
            throw HostNameFault(.ipLiteral, byteOffset: 0)
        }
        return name
    }

    /// True for the bytes that stand in a label: letter, digit, hyphen, underscore.
    @inline(always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    @inline(always)
    private static func lowerCase(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// True when the last label of a name is a number, decimal or hexadecimal: then inet_aton and the URL
    /// standard ("ends in a number checker") take the whole for an IPv4 address: 127.0.0.1, 127.1,
    /// 2130706433, 0x7f000001, 1.2.3.0x4. No top-level domain is such a number (RFC 3696 section 2).
    private static func isNumber(_ label: RawSpan) -> Bool {
        let isHexadecimal =
            label.byteCount >= 2 && label.byte(at: 0) == UInt8(ascii: "0")
            && lowerCase(label.byte(at: 1)) == UInt8(ascii: "x")
        for offset in (isHexadecimal ? 2 : 0)..<label.byteCount {
            let byte = lowerCase(label.byte(at: offset))
            let isDigit = byte &- UInt8(ascii: "0") < 10
            let isHexadecimalLetter = byte &- UInt8(ascii: "a") < 6
            guard isDigit || (isHexadecimal && isHexadecimalLetter) else { return false }
        }
        return true
    }

    /// Names the fault of a byte that no label holds. Cold: kept out of the loop.
    @inline(never)
    private static func refusal(of byte: UInt8, at offset: Int, in text: RawSpan) -> HostNameFault {
        switch byte {
        case 0..<0x20, 0x7f: HostNameFault(.controlByte, byteOffset: offset)
        case 0x20: HostNameFault(.blank, byteOffset: offset)
        case 0x80...: HostNameFault(.nonASCIIByte, byteOffset: offset)
        case UInt8(ascii: ":"), UInt8(ascii: "["):
            if isIPv6Literal(text) {
                HostNameFault(.ipLiteral, byteOffset: 0)
            } else {
                HostNameFault(.invalidByte, byteOffset: offset)
            }
        default: HostNameFault(.invalidByte, byteOffset: offset)
        }
    }

    /// True when `text` looks like an IPv6 address: two colons or more before any zone, and nothing but what
    /// belongs to one. `name:443` is not one: there the colon itself is reported.
    private static func isIPv6Literal(_ text: RawSpan) -> Bool {
        var colons = 0
        for offset in 0..<text.byteCount {
            switch text.byte(at: offset) {
            case UInt8(ascii: ":"): colons += 1
            case UInt8(ascii: "%"): return colons >= 2
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: "["),
                UInt8(ascii: "]"):
                continue
            default: return false
            }
        }
        return colons >= 2
    }
}
