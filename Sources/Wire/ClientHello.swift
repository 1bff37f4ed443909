/// What the router wants to know of a TLS ClientHello (RFC 8446 section 4.1.2). Trivial and of fixed size.
///
/// Filled by `HelloParser` when it answers `name` or `noName`; before that, and after a refusal, it holds
/// nothing.
package struct ClientHello: BitwiseCopyable, Equatable, Sendable {
    /// The name in the server_name extension (RFC 6066 section 3); empty when the answer was `noName`.
    package var name = HostName()
    /// The application protocols that the client offers; empty when it offers none.
    package var applicationProtocols: ApplicationProtocols = []
    /// True when the hello has an encrypted_client_hello extension (RFC 9849): a real one or a GREASE one,
    /// which by intent look the same.
    package var offersECH = false
    /// True when the client's supported groups hold one with a post-quantum part, such as X25519MLKEM768.
    package var offersPostQuantum = false
    /// True when the client sends early data behind the hello (RFC 8446 section 4.2.10).
    package var offersEarlyData = false
    /// Bytes of the records that hold the hello, headers included. Whatever was received behind them is
    /// forwarded as it is.
    package var byteCount: UInt32 = 0

    package init() {}
}

/// The protocols of an ALPN extension (RFC 7301) that the router tells apart.
package struct ApplicationProtocols: OptionSet, BitwiseCopyable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `h2`
    package static let http2 = ApplicationProtocols(rawValue: 1 << 0)
    /// `http/1.1`
    package static let http11 = ApplicationProtocols(rawValue: 1 << 1)
    /// `http/1.0`
    package static let http10 = ApplicationProtocols(rawValue: 1 << 2)
    /// `h3`
    package static let http3 = ApplicationProtocols(rawValue: 1 << 3)
    /// `acme-tls/1`: a certificate authority proves control of the name (RFC 8737).
    package static let acmeTLS1 = ApplicationProtocols(rawValue: 1 << 4)
    /// Any other name, GREASE (RFC 8701) included.
    package static let other = ApplicationProtocols(rawValue: 1 << 5)

    /// The one protocol, when just one is offered and known by name; else empty. A router does not know which
    /// of several a server will choose.
    package var single: StaticString {
        switch self {
        case .http2: "h2"
        case .http11: "http/1.1"
        case .http10: "http/1.0"
        case .http3: "h3"
        case .acmeTLS1: "acme-tls/1"
        default: ""
        }
    }
}

/// How much of a hello the router takes before it refuses.
package struct HelloLimits: BitwiseCopyable, Equatable, Sendable {
    /// Most bytes as received, record headers included.
    package var bytesMax: UInt32
    /// Most TLS records. Each costs a few nanoseconds, so the bound is there to have one. The default lets a
    /// real post-quantum hello pass that came in records of one byte.
    package var recordsMax: UInt32

    package init(bytesMax: UInt32 = 16 * 1024, recordsMax: UInt32 = 2560) {
        self.bytesMax = bytesMax
        self.recordsMax = recordsMax
    }
}

/// The parser's answer. All but `needMore` are final.
package enum HelloOutcome: BitwiseCopyable, Equatable, Sendable {
    /// What was received may become a hello: call again when there are more bytes.
    case needMore
    /// A whole hello with a host name.
    case name
    /// A whole hello without a server_name extension.
    case noName
    /// An HTTP request without TLS.
    case plainHTTP
    /// A hello in the format of SSLv2, which has no place for a name.
    case sslv2
    /// Neither TLS nor one of the above.
    case notTLS
    /// A hello that breaks a rule.
    case malformed(HelloFault)
    /// The hello is longer than `HelloLimits.bytesMax`, or says that it will be.
    case tooLarge
    /// The hello is cut into more than `HelloLimits.recordsMax` records.
    case tooManyRecords
}

/// The rule that a malformed hello breaks. Section numbers are of RFC 8446 unless another RFC is named.
package enum HelloFault: Error, BitwiseCopyable, Equatable, Sendable {
    /// A record of another type than handshake before the hello was whole (5.1).
    case recordType
    /// A record behind the first whose major version is not 3 (5.1).
    case recordVersion
    /// A record without a byte in it, which is forbidden for handshakes (5.1).
    case recordEmpty
    /// A record of more than 2^14 bytes (5.1).
    case recordTooLong
    /// Something stands behind the hello in its last record; a server of TLS 1.3 refuses that (5.1).
    case bytesBehindHello
    /// The first handshake message is not a ClientHello (4).
    case notClientHello
    /// The message is too short for the fields that every hello has (4.1.2).
    case helloTooShort
    /// The version is that of SSL 3.0 or older (RFC 7568).
    case obsoleteVersion
    /// The session id is over 32 bytes or leads out of the hello (4.1.2).
    case sessionIdentifierLength
    /// The cipher suites are none, of odd length, or lead out of the hello (4.1.2).
    case cipherSuitesLength
    /// The compression methods lack the null method, which every hello must offer, or lead out of the hello
    /// (4.1.2).
    case compressionMethods
    /// The extensions end before the hello does, or behind it (4.2).
    case extensionsLength
    /// An extension leads out of the extensions (4.2).
    case extensionLength
    /// Two extensions of the same type (4.2).
    case extensionTwice
    /// An extension behind pre_shared_key, which must be the last (4.2.11).
    case preSharedKeyNotLast
    /// The lengths in the server_name extension do not add up, or its list is empty (RFC 6066 section 3).
    case serverNameLength
    /// A name of another type than host_name (RFC 6066 section 3).
    case serverNameType
    /// More than one name, or bytes behind the first (RFC 6066 section 3).
    case serverNameTwice
    /// The lengths in the ALPN extension do not add up, or a protocol is empty (RFC 7301 section 3.1).
    case applicationProtocolsLength
    /// The lengths in the supported_groups extension do not add up, or the list is empty (4.2.7).
    case supportedGroupsLength
    /// The name is not a host name.
    case hostName(HostNameFault.Reason)

    /// A short name for a log line or a metric's label: lower case with underscores, from a closed set.
    package var label: StaticString {
        switch self {
        case .recordType: "record_type"
        case .recordVersion: "record_version"
        case .recordEmpty: "record_empty"
        case .recordTooLong: "record_too_long"
        case .bytesBehindHello: "bytes_behind_hello"
        case .notClientHello: "not_client_hello"
        case .helloTooShort: "hello_too_short"
        case .obsoleteVersion: "obsolete_version"
        case .sessionIdentifierLength: "session_identifier_length"
        case .cipherSuitesLength: "cipher_suites_length"
        case .compressionMethods: "compression_methods"
        case .extensionsLength: "extensions_length"
        case .extensionLength: "extension_length"
        case .extensionTwice: "extension_twice"
        case .preSharedKeyNotLast: "pre_shared_key_not_last"
        case .serverNameLength: "server_name_length"
        case .serverNameType: "server_name_type"
        case .serverNameTwice: "server_name_twice"
        case .applicationProtocolsLength: "application_protocols_length"
        case .supportedGroupsLength: "supported_groups_length"
        case .hostName(let reason): reason.label
        }
    }
}

extension HostNameFault.Reason {
    /// A short name for a log line or a metric's label: lower case with underscores, from a closed set.
    package var label: StaticString {
        switch self {
        case .empty: "name_empty"
        case .emptyLabel: "name_empty_label"
        case .labelTooLong: "name_label_too_long"
        case .tooLong: "name_too_long"
        case .ipLiteral: "name_ip_literal"
        case .controlByte: "name_control_byte"
        case .blank: "name_blank"
        case .nonASCIIByte: "name_non_ascii_byte"
        case .invalidByte: "name_invalid_byte"
        }
    }
}
