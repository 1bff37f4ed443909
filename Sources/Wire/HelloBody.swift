/// The second stage of `HelloParser`: reads a whole message once and keeps what `ClientHello` has room for.
///
/// Strict where a TLS server is strict: the name found here is the name that the server finds, or none.
enum HelloBody {
    /// Extension types (IANA registry "TLS ExtensionType Values") that the router reads.
    private enum ExtensionType {
        static let serverName = 0
        static let supportedGroups = 10
        static let applicationProtocols = 16
        static let preSharedKey = 41
        static let earlyData = 42
        static let encryptedClientHello = 0xfe0d
    }

    /// NameType host_name (RFC 6066 section 3).
    private static let nameTypeHostName = 0

    /// Parses the message, its handshake header included. Returns true when it has a host name.
    static func parse(
        _ message: consuming HandshakeReader, into hello: inout ClientHello
    ) throws(HelloFault) -> Bool {
        hello = ClientHello()
        try message.skip(4, orThrow: .helloTooShort)
        // TLS 1.3 keeps saying 1.2 here; a higher one is legal, and the server answers with less (RFC 5246
        // appendix E.1).
        guard try message.takeUInt16(orThrow: .helloTooShort) >= 0x0301 else { throw .obsoleteVersion }
        try message.skip(32, orThrow: .helloTooShort)
        let sessionIdentifierBytes = try message.takeUInt8(orThrow: .sessionIdentifierLength)
        guard sessionIdentifierBytes <= 32 else { throw .sessionIdentifierLength }
        try message.skip(sessionIdentifierBytes, orThrow: .sessionIdentifierLength)
        let cipherSuitesBytes = try message.takeUInt16(orThrow: .cipherSuitesLength)
        guard cipherSuitesBytes >= 2, cipherSuitesBytes & 1 == 0 else { throw .cipherSuitesLength }
        try message.skip(cipherSuitesBytes, orThrow: .cipherSuitesLength)
        guard try holdsNullMethod(message.takeVector8(orThrow: .compressionMethods)) else {
            throw .compressionMethods
        }
        // A hello without extensions is legal up to TLS 1.2 (RFC 5246 section 7.4.1.2).
        if message.isEmpty { return false }
        let extensions = try message.takeVector16(orThrow: .extensionsLength)
        guard message.isEmpty else { throw .extensionsLength }
        return try parseExtensions(extensions, into: &hello)
    }

    /// True when the null compression method, 0, is in the list (RFC 5246 section 7.4.1.2).
    private static func holdsNullMethod(_ methods: consuming HandshakeReader) throws(HelloFault) -> Bool {
        while !methods.isEmpty {
            if try methods.takeUInt8(orThrow: .compressionMethods) == 0 { return true }
        }
        return false
    }

    private static func parseExtensions(
        _ extensions: HandshakeReader, into hello: inout ClientHello
    ) throws(HelloFault) -> Bool {
        var rest = extensions
        var seen = SeenExtensions()
        var hasName = false
        while !rest.isEmpty {
            let type = try rest.takeUInt16(orThrow: .extensionLength)
            let body = try rest.takeVector16(orThrow: .extensionLength)
            guard seen.insert(type) else { throw .extensionTwice }
            switch type {
            case ExtensionType.serverName:
                hello.name = try parseServerName(body)
                hasName = true
            case ExtensionType.applicationProtocols:
                hello.applicationProtocols = try parseApplicationProtocols(body)
            case ExtensionType.supportedGroups:
                hello.offersPostQuantum = try parseSupportedGroups(body)
            case ExtensionType.encryptedClientHello:
                hello.offersECH = true
            case ExtensionType.earlyData:
                hello.offersEarlyData = true
            case ExtensionType.preSharedKey:
                guard rest.isEmpty else { throw .preSharedKeyNotLast }
            default:
                break
            }
        }
        if seen.needsSecondPass, holdsTypeTwice(extensions) { throw .extensionTwice }
        return hasName
    }

    /// server_name: a list with exactly one name of type host_name. The list is meant to be extensible, but
    /// no server takes another type, and more than one name of a type is forbidden (RFC 6066 section 3).
    private static func parseServerName(_ body: consuming HandshakeReader) throws(HelloFault) -> HostName {
        var list = try body.takeVector16(orThrow: .serverNameLength)
        guard body.isEmpty, !list.isEmpty else { throw .serverNameLength }
        guard try list.takeUInt8(orThrow: .serverNameLength) == nameTypeHostName else {
            throw .serverNameType
        }
        let name = try list.takeVector16(orThrow: .serverNameLength)
        guard list.isEmpty else { throw .serverNameTwice }
        do throws(HostNameFault) {
            if let text = name.contiguousRest { return try HostName.normalise(text) }
            return try normaliseScattered(name)
        } catch {
            throw .hostName(error.reason)
        }
    }

    /// A name cut by a record boundary is joined first. 256 bytes are enough: whatever is longer is too long
    /// by then.
    @inline(never)
    private static func normaliseScattered(_ name: HandshakeReader) throws(HostNameFault) -> HostName {
        var rest = name
        var joined = InlineArray<256, UInt8>(repeating: 0)
        var count = 0
        while count < joined.count, let byte = try? rest.takeUInt8(orThrow: .serverNameLength) {
            joined[count] = UInt8(byte)
            count += 1
        }
        return try HostName.normalise(joined.span.rawBytes.extracting(first: count))
    }

    /// application_layer_protocol_negotiation: a list of names of 1 to 255 bytes, at least one (RFC 7301
    /// section 3.1).
    private static func parseApplicationProtocols(
        _ body: consuming HandshakeReader
    ) throws(HelloFault) -> ApplicationProtocols {
        var list = try body.takeVector16(orThrow: .applicationProtocolsLength)
        guard body.isEmpty, !list.isEmpty else { throw .applicationProtocolsLength }
        var offered: ApplicationProtocols = []
        while !list.isEmpty {
            let name = try list.takeVector8(orThrow: .applicationProtocolsLength)
            guard !name.isEmpty else { throw .applicationProtocolsLength }
            offered.insert(try identify(name))
        }
        return offered
    }

    /// Tells a protocol by its name. Names of up to ten bytes are packed into a number; no known one is
    /// longer. The count is compared too, or a name with NUL bytes in front would pass for one of these.
    private static func identify(
        _ name: consuming HandshakeReader
    ) throws(HelloFault) -> ApplicationProtocols {
        let count = name.remaining
        guard count <= 10 else { return .other }
        var high: UInt64 = 0
        var low: UInt64 = 0
        while !name.isEmpty {
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(try name.takeUInt8(orThrow: .applicationProtocolsLength))
        }
        return switch (count, high, low) {
        case (2, 0, 0x6832): .http2  // "h2"
        case (2, 0, 0x6833): .http3  // "h3"
        case (8, 0, 0x6874_7470_2f31_2e31): .http11  // "http/1.1"
        case (8, 0, 0x6874_7470_2f31_2e30): .http10  // "http/1.0"
        case (10, 0x6163, 0x6d65_2d74_6c73_2f31): .acmeTLS1  // "ac", "me-tls/1"
        default: .other
        }
    }

    /// supported_groups: a list of two-byte numbers, at least one (RFC 8446 section 4.2.7). Returns true when
    /// one of them has a post-quantum part.
    private static func parseSupportedGroups(_ body: consuming HandshakeReader) throws(HelloFault) -> Bool {
        var list = try body.takeVector16(orThrow: .supportedGroupsLength)
        guard body.isEmpty, !list.isEmpty, list.remaining & 1 == 0 else { throw .supportedGroupsLength }
        var holdsPostQuantum = false
        while !list.isEmpty {
            switch try list.takeUInt16(orThrow: .supportedGroupsLength) {
            // IANA registry "TLS Supported Groups": MLKEM512, MLKEM768, MLKEM1024; SecP256r1MLKEM768,
            // X25519MLKEM768, SecP384r1MLKEM1024; and the draft X25519Kyber768 that browsers of 2023 and 2024
            // offer.
            case 0x0200...0x0202, 0x11eb...0x11ed, 0x6399: holdsPostQuantum = true
            default: break
            }
        }
        return holdsPostQuantum
    }

    /// Exact and linear, for hellos with more unusual extensions than `SeenExtensions` can hold: a bit for
    /// each type. The 8 KiB are on the stack, of this cold function only.
    @inline(never)
    private static func holdsTypeTwice(_ extensions: HandshakeReader) -> Bool {
        var rest = extensions
        var bits = InlineArray<1024, UInt64>(repeating: 0)
        while let type = try? rest.takeUInt16(orThrow: .extensionLength),
            (try? rest.takeVector16(orThrow: .extensionLength)) != nil
        {
            let bit: UInt64 = 1 << UInt64(type & 63)
            if bits[type >> 6] & bit != 0 { return true }
            bits[type >> 6] |= bit
        }
        return false
    }
}

/// The extension types met so far. Types below 64 are bits; the few real ones above are kept in a short list.
/// When the list is full it says so, and the caller makes a second, exact pass: no hello costs more than
/// linear time.
private struct SeenExtensions {
    /// Bit n: type n was met.
    private var low: UInt64 = 0
    /// Types from 64 on. Browsers send six: two of GREASE, renegotiation_info, ECH, application settings,
    /// trust anchors.
    private var high = InlineArray<16, UInt16>(repeating: 0)
    private var highCount = 0
    /// True when the list was too short to tell.
    private(set) var needsSecondPass = false

    /// Notes the type. Returns false when it was met before.
    @inline(always)
    mutating func insert(_ type: Int) -> Bool {
        if type < 64 {
            let bit: UInt64 = 1 << UInt64(type)
            guard low & bit == 0 else { return false }
            low |= bit
            return true
        }
        for index in 0..<highCount where high[index] == UInt16(type) { return false }
        if highCount < high.count {
            high[highCount] = UInt16(type)
            highCount += 1
        } else {
            needsSecondPass = true
        }
        return true
    }
}
