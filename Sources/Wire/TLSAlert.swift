/// The fatal alerts with which the router refuses (RFC 8446 section 6.2); the raw value is the
/// AlertDescription.
package enum TLSAlert: UInt8, BitwiseCopyable, CaseIterable, Sendable {
    /// No common ground: an SSLv2 hello.
    case handshakeFailure = 40
    /// The hello is malformed.
    case decodeError = 50
    /// No backend of the name can be reached now.
    case internalError = 80
    /// The hello has no name and there is no default route.
    case missingExtension = 109
    /// No route has this name (RFC 6066 section 3).
    case unrecognizedName = 112

    /// Length of `record` in bytes.
    package static let recordBytes = 7

    /// The alert as one record in the clear: type 21, version, length 2, level fatal, description.
    ///
    /// The version says 3.3, as RFC 8446 section 5.1 wants of all but a client's first hello. No version is
    /// agreed yet, and clients look at the major number only: OpenSSL, GnuTLS and JSSE name the alert to
    /// their user with 3.1 and 3.3 alike.
    package var record: InlineArray<7, UInt8> {
        [21, 3, 3, 0, 2, 2, rawValue]
    }

    /// Appends `record` to the caller's memory, which must have room for it.
    package func append(to output: inout OutputRawSpan) {
        let record = record
        for index in record.indices { output.append(record[index]) }
    }
}

/// The answer to a request in plain HTTP on a port that speaks TLS.
package enum PlainHTTPAnswer {
    private static let text: StaticString = """
        HTTP/1.1 400 Bad Request\r
        Content-Type: text/plain\r
        Content-Length: 43\r
        Connection: close\r
        \r
        This port speaks TLS: please use https://.

        """

    /// Length of the whole answer in bytes.
    package static var byteCount: Int { text.utf8CodeUnitCount }

    /// Appends the answer to the caller's memory, which must have room for it.
    package static func append(to output: inout OutputRawSpan) { output.append(text) }

    /// The answer; for a caller that prepares it once.
    package static var bytes: [UInt8] { Array(text.description.utf8) }
}
