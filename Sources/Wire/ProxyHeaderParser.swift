/// The parser's answer. All but `needMore` are final.
package enum ProxyHeaderOutcome: BitwiseCopyable, Equatable, Sendable {
    /// What was received may become a header: call again when there are more bytes.
    case needMore
    /// A whole header of so many bytes that names both ends of the client's connection.
    case addresses(source: ProxyEndpoint, destination: ProxyEndpoint, byteCount: Int)
    /// A whole header of so many bytes that names nobody: a balancer's own connection, such as a health check
    /// (LOCAL), or one of a kind that has no IP addresses or is not TCP (UNKNOWN, unspecified, unix sockets,
    /// datagrams).
    case local(byteCount: Int)
    /// No header, or one that breaks a rule.
    case malformed(ProxyHeaderFault)
}

/// The rule that a malformed header breaks; sections are of haproxy's doc/proxy-protocol.txt.
package enum ProxyHeaderFault: BitwiseCopyable, Equatable, Sendable {
    /// The first bytes are of neither version.
    case signature
    /// Version 1: no line end within 107 bytes, or CR and LF not together (2.1).
    case line
    /// Version 1: an unknown protocol, or fields too few, too many or not separated by one blank (2.1).
    case fields
    /// Version 1: an address or a port that is not written as it should be (2.1).
    case address
    /// Version 2: another version, or an unknown command (2.2).
    case command
    /// Version 2: an unknown address family or transport (2.2).
    case family
    /// Version 2: too short for its addresses, or longer than `ProxyHeaderParser.bytesMax`.
    case length
    /// Version 2: a TLV that leads out of the header (2.2.7).
    case extensions
}

/// Reads the PROXY protocol header that a balancer puts in front of a connection.
///
/// Pure and without a memory of its own: it looks at all bytes received so far, and the answer does not
/// depend on how they were cut. A header is short, and is refused at the first byte that cannot be one's, so
/// to look again at each receive costs little.
package enum ProxyHeaderParser {
    /// The longest header of version 2 that is taken. The addresses take 52 bytes or, of unix sockets, 232;
    /// with a name, an ALPN protocol, a unique id and all that haproxy can say of a client's certificate it
    /// stays below a kilobyte. And such a header and the largest hello fit one buffer together.
    package static let bytesMax = 2048

    /// Looks at the bytes received so far.
    package static func parse(_ received: RawSpan) -> ProxyHeaderOutcome {
        guard received.byteCount > 0 else { return .needMore }
        return received.byte(at: 0) == UInt8(ascii: "P") ? parseVersion1(received) : parseVersion2(received)
    }

    // MARK: Version 1

    private static func parseVersion1(_ received: RawSpan) -> ProxyHeaderOutcome {
        let keyword: StaticString = "PROXY "
        let start = keyword.utf8CodeUnitCount
        guard begins(received, 0, with: keyword) else { return .malformed(.signature) }
        let end = min(received.byteCount, ProxyHeader.version1BytesMax)
        var lineEnd = start
        while lineEnd < end {
            let byte = received.byte(at: lineEnd)
            if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") { break }
            lineEnd += 1
        }
        guard lineEnd + 1 < end else {
            guard received.byteCount < ProxyHeader.version1BytesMax else { return .malformed(.line) }
            let hasLineFeed = lineEnd < end && received.byte(at: lineEnd) == UInt8(ascii: "\n")
            return hasLineFeed ? .malformed(.line) : .needMore
        }
        guard received.byte(at: lineEnd) == UInt8(ascii: "\r"),
            received.byte(at: lineEnd + 1) == UInt8(ascii: "\n")
        else { return .malformed(.line) }
        return parseFields(received.extracting(start..<lineEnd), byteCount: lineEnd + 2)
    }

    private static func parseFields(_ line: RawSpan, byteCount: Int) -> ProxyHeaderOutcome {
        let familyEnd = fieldEnd(line, 0)
        let family = line.extracting(0..<familyEnd)
        // Whatever stands behind it is to be ignored.
        if equals(family, "UNKNOWN") { return .local(byteCount: byteCount) }
        let isIPv4 = equals(family, "TCP4")
        guard isIPv4 || equals(family, "TCP6") else { return .malformed(.fields) }
        // Where each of the four fields behind it ends: a blank, and for the last the line's end.
        let sourceEnd = fieldEnd(line, familyEnd + 1)
        let destinationEnd = fieldEnd(line, sourceEnd + 1)
        let sourcePortEnd = fieldEnd(line, destinationEnd + 1)
        guard sourcePortEnd < line.byteCount, fieldEnd(line, sourcePortEnd + 1) == line.byteCount else {
            return .malformed(.fields)
        }
        guard let sourcePort = port(line.extracting((destinationEnd + 1)..<sourcePortEnd)),
            let destinationPort = port(line.extracting((sourcePortEnd + 1)..<line.byteCount)),
            let source = endpoint(line.extracting((familyEnd + 1)..<sourceEnd), isIPv4, sourcePort),
            let destination = endpoint(
                line.extracting((sourceEnd + 1)..<destinationEnd), isIPv4, destinationPort)
        else { return .malformed(.address) }
        return .addresses(source: source, destination: destination, byteCount: byteCount)
    }

    /// Where the field that starts at `start` ends: at a blank, or at the line's end. A start behind the
    /// line's end gives the line's end, too.
    private static func fieldEnd(_ line: RawSpan, _ start: Int) -> Int {
        var end = min(start, line.byteCount)
        while end < line.byteCount, line.byte(at: end) != UInt8(ascii: " ") { end += 1 }
        return end
    }

    private static func endpoint(_ text: RawSpan, _ isIPv4: Bool, _ port: UInt16) -> ProxyEndpoint? {
        guard isIPv4 else {
            return AddressText.ipv6(text).map { ProxyEndpoint(high: $0.high, low: $0.low, port: port) }
        }
        return AddressText.ipv4(text).map { ProxyEndpoint(ipv4: $0, port: port) }
    }

    /// A decimal number up to 65,535 without zeros in front.
    private static func port(_ text: RawSpan) -> UInt16? {
        guard (1...5).contains(text.byteCount) else { return nil }
        guard text.byteCount == 1 || text.byte(at: 0) != UInt8(ascii: "0") else { return nil }
        var value: UInt32 = 0
        for offset in 0..<text.byteCount {
            let digit = text.byte(at: offset) &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + UInt32(digit)
        }
        return UInt16(exactly: value)
    }

    /// Whether as much of the text as was received stands at the place.
    private static func begins(_ received: RawSpan, _ start: Int, with text: StaticString) -> Bool {
        for index in 0..<min(text.utf8CodeUnitCount, received.byteCount - start) {
            guard received.byte(at: start + index) == text.byte(at: index) else { return false }
        }
        return true
    }

    private static func equals(_ field: RawSpan, _ text: StaticString) -> Bool {
        field.byteCount == text.utf8CodeUnitCount && begins(field, 0, with: text)
    }

    // MARK: Version 2

    private static func parseVersion2(_ received: RawSpan) -> ProxyHeaderOutcome {
        let signature = ProxyHeader.signature
        for index in 0..<min(signature.count, received.byteCount) {
            guard received.byte(at: index) == signature[index] else { return .malformed(.signature) }
        }
        guard received.byteCount > 12 else { return .needMore }
        // The version in the upper half; LOCAL is 0 and PROXY is 1.
        guard received.byte(at: 12) & 0xfe == 0x20 else { return .malformed(.command) }
        let isLocal = received.byte(at: 12) == 0x20
        guard received.byteCount > 13 else { return .needMore }
        let (family, transport) = (received.byte(at: 13) >> 4, received.byte(at: 13) & 15)
        // Of a LOCAL header "the receiver must discard the protocol block including the family".
        guard isLocal || (family <= 3 && transport <= 2) else { return .malformed(.family) }
        guard received.byteCount >= ProxyHeader.version2FixedBytes else { return .needMore }
        let byteCount = ProxyHeader.version2FixedBytes + Int(received.bigEndianUInt16(at: 14))
        guard byteCount <= bytesMax else { return .malformed(.length) }
        guard received.byteCount >= byteCount else { return .needMore }
        guard !isLocal, family != 0, transport != 0 else { return .local(byteCount: byteCount) }
        return parseBlock(received.extracting(first: byteCount), family: family, isStream: transport == 1)
    }

    /// Addresses of two times so many bytes, ports of two bytes each, then TLVs.
    private static func parseBlock(_ header: RawSpan, family: UInt8, isStream: Bool) -> ProxyHeaderOutcome {
        let start = ProxyHeader.version2FixedBytes
        // Unix sockets have two paths of 108 bytes, and no ports.
        let addressBytes = family == 1 ? 4 : family == 2 ? 16 : 108
        let end = start + 2 * addressBytes + (family == 3 ? 0 : 4)
        guard header.byteCount >= end else { return .malformed(.length) }
        guard areExtensionsWhole(header.extracting(end..<header.byteCount)) else {
            return .malformed(.extensions)
        }
        guard isStream, family != 3 else { return .local(byteCount: header.byteCount) }
        let ports = start + 2 * addressBytes
        return .addresses(
            source: endpoint(header, start, addressBytes, portAt: ports),
            destination: endpoint(header, start + addressBytes, addressBytes, portAt: ports + 2),
            byteCount: header.byteCount)
    }

    private static func endpoint(
        _ header: RawSpan, _ start: Int, _ addressBytes: Int, portAt portPlace: Int
    ) -> ProxyEndpoint {
        let port = header.bigEndianUInt16(at: portPlace)
        guard addressBytes == 16 else {
            let bits = UInt32(header.bigEndianUInt16(at: start)) << 16
            return ProxyEndpoint(ipv4: bits | UInt32(header.bigEndianUInt16(at: start + 2)), port: port)
        }
        func half(_ start: Int) -> UInt64 {
            var value: UInt64 = 0
            for offset in stride(from: 0, to: 8, by: 2) {
                value = value << 16 | UInt64(header.bigEndianUInt16(at: start + offset))
            }
            return value
        }
        return ProxyEndpoint(high: half(start), low: half(start + 8), port: port)
    }

    /// Steps from TLV to TLV: type, length of two bytes, value. What they say is of no use to a router.
    private static func areExtensionsWhole(_ extensions: RawSpan) -> Bool {
        var offset = 0
        // Each takes three bytes at least, so this ends.
        while offset < extensions.byteCount {
            guard extensions.byteCount - offset >= 3 else { return false }
            offset += 3 + Int(extensions.bigEndianUInt16(at: offset + 1))
        }
        return offset == extensions.byteCount
    }
}
