/// An end of a connection as a PROXY protocol header names it. An IPv4 address is kept as the IPv6 address
/// that it is mapped to (`::ffff:192.0.2.1`), so that both of a header's addresses are of one kind.
package struct ProxyEndpoint: BitwiseCopyable, Hashable, Sendable {
    /// The address as two halves, most significant first.
    package var high: UInt64
    package var low: UInt64
    package var port: UInt16

    /// An IPv6 address, or an IPv4 one in its mapped form.
    package init(high: UInt64, low: UInt64, port: UInt16) {
        self.high = high
        self.low = low
        self.port = port
    }

    /// An IPv4 address, most significant byte first in the text.
    package init(ipv4 bits: UInt32, port: UInt16) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(bits), port: port)
    }

    /// The IPv4 address, if it is one.
    package var ipv4: UInt32? {
        high == 0 && low >> 32 == 0xffff ? UInt32(truncatingIfNeeded: low) : nil
    }
}

/// A header of the PROXY protocol, as it goes in front of a connection's first bytes: who the client is, and
/// where it connected to ("The PROXY protocol, versions 1 & 2", haproxy's doc/proxy-protocol.txt).
///
/// ```
///  version 1   PROXY TCP4 192.0.2.1 203.0.113.7 50000 443\r\n
///  version 2   signature (12) | version, command | family, transport | length (2) | addresses | TLVs
/// ```
///
/// Lies in the caller's memory as a whole; nothing is allocated. When one address is IPv4 and the other is
/// not, both are written as IPv6.
package struct ProxyHeader: BitwiseCopyable, Sendable {
    /// The longest: version 2 with IPv6 addresses, a name of 253 bytes and a protocol of 16.
    package static let byteCountMax = 16 + 36 + (3 + 253) + (3 + 16)
    /// Longest header of version 1, its line end included (section 2.1).
    package static let version1BytesMax = 107
    /// What version 2 begins with, and no other protocol (section 2.2).
    static var signature: InlineArray<12, UInt8> {
        [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
    }
    /// Signature, version and command, family and transport, length.
    static let version2FixedBytes = 16

    private static let tlvApplicationProtocol: UInt8 = 0x01
    private static let tlvAuthority: UInt8 = 0x02

    private var storage = InlineArray<327, UInt8>(repeating: 0)
    /// How many bytes it has.
    package private(set) var byteCount = 0

    /// No bytes.
    package init() {
        precondition(storage.count == Self.byteCountMax, "the longest header fits, and nothing is wasted")
    }

    /// The bytes.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        borrowing get { storage.span.rawBytes.extracting(first: byteCount) }
    }

    /// Becomes a header of version 1. Without addresses it says that they are unknown.
    package mutating func setVersion1(source: ProxyEndpoint?, destination: ProxyEndpoint?) {
        byteCount = 0
        guard let source, let destination else {
            append("PROXY UNKNOWN\r\n")
            return
        }
        let isIPv4 = source.ipv4 != nil && destination.ipv4 != nil
        append(isIPv4 ? "PROXY TCP4 " : "PROXY TCP6 ")
        append(addressOf: source, isIPv4: isIPv4)
        append(" ")
        append(addressOf: destination, isIPv4: isIPv4)
        append(" ")
        append(decimal: UInt32(source.port))
        append(" ")
        append(decimal: UInt32(destination.port))
        append("\r\n")
    }

    /// Becomes a header of version 2. Without addresses its family is unspecified. An empty name, or an empty
    /// protocol, is left out.
    package mutating func setVersion2(
        source: ProxyEndpoint?, destination: ProxyEndpoint?, authority: RawSpan,
        applicationProtocol: StaticString
    ) {
        byteCount = 0
        let signature = Self.signature
        for index in signature.indices { append(byte: signature[index]) }
        append(byte: 0x21)
        let lengthPlace = byteCount + 1
        if let source, let destination {
            let isIPv4 = source.ipv4 != nil && destination.ipv4 != nil
            append(byte: isIPv4 ? 0x11 : 0x21)
            append(bigEndian: 0, bytes: 2)
            append(binaryAddressOf: source, isIPv4: isIPv4)
            append(binaryAddressOf: destination, isIPv4: isIPv4)
            append(bigEndian: UInt64(source.port), bytes: 2)
            append(bigEndian: UInt64(destination.port), bytes: 2)
        } else {
            append(byte: 0)
            append(bigEndian: 0, bytes: 2)
        }
        if applicationProtocol.utf8CodeUnitCount > 0 {
            append(byte: Self.tlvApplicationProtocol)
            append(bigEndian: UInt64(applicationProtocol.utf8CodeUnitCount), bytes: 2)
            append(applicationProtocol)
        }
        if authority.byteCount > 0 {
            append(byte: Self.tlvAuthority)
            append(bigEndian: UInt64(authority.byteCount), bytes: 2)
            for offset in 0..<authority.byteCount { append(byte: authority.byte(at: offset)) }
        }
        let length = byteCount - Self.version2FixedBytes
        storage[lengthPlace] = UInt8(truncatingIfNeeded: length >> 8)
        storage[lengthPlace + 1] = UInt8(truncatingIfNeeded: length)
    }

    // MARK: Appending

    private mutating func append(byte: UInt8) {
        storage[byteCount] = byte
        byteCount += 1
    }

    private mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { append(byte: text.byte(at: index)) }
    }

    private mutating func append(bigEndian number: UInt64, bytes count: Int) {
        for index in stride(from: count - 1, through: 0, by: -1) {
            append(byte: UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }

    private mutating func append(decimal number: UInt32) {
        if number >= 10 { append(decimal: number / 10) }
        append(byte: UInt8(ascii: "0") + UInt8(number % 10))
    }

    private mutating func append(binaryAddressOf endpoint: ProxyEndpoint, isIPv4: Bool) {
        if !isIPv4 { append(bigEndian: endpoint.high, bytes: 8) }
        append(bigEndian: endpoint.low, bytes: isIPv4 ? 4 : 8)
    }

    private mutating func append(addressOf endpoint: ProxyEndpoint, isIPv4: Bool) {
        guard isIPv4 else {
            append(ipv6: endpoint)
            return
        }
        for shift in stride(from: 24, through: 0, by: -8) {
            append(decimal: UInt32(truncatingIfNeeded: endpoint.low >> UInt64(shift)) & 255)
            if shift > 0 { append(".") }
        }
    }

    /// As RFC 5952 wants it, because some backends log the text as it came: the longest run of zeros is `::`.
    private mutating func append(ipv6 endpoint: ProxyEndpoint) {
        func group(_ index: Int) -> UInt32 {
            let half = index < 4 ? endpoint.high : endpoint.low
            return UInt32(truncatingIfNeeded: half >> UInt64(48 - 16 * (index & 3))) & 0xffff
        }
        var (gapStart, gapCount, index) = (8, 1, 0)
        while index < 8 {
            var end = index
            while end < 8, group(end) == 0 { end += 1 }
            if end - index > gapCount { (gapStart, gapCount) = (index, end - index) }
            index = max(end, index + 1)
        }
        index = 0
        while index < 8 {
            if index == gapStart {
                append("::")
                index += gapCount
                continue
            }
            if index > 0, index != gapStart + gapCount { append(":") }
            append(hexadecimal: group(index))
            index += 1
        }
    }

    private mutating func append(hexadecimal number: UInt32) {
        if number >= 16 { append(hexadecimal: number >> 4) }
        let digit = UInt8(truncatingIfNeeded: number & 15)
        append(byte: digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}
