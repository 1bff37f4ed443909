/// What the router wants to know of the head of one HTTP/1.x request (RFC 9112). Trivial and of fixed size.
///
/// Filled by ``HTTPRequestHeadParser`` when it answers `head`; before that, and after a refusal, it holds
/// nothing. Ranges count from the first byte of the head.
package struct HTTPRequestHead: BitwiseCopyable, Equatable, Sendable {
    /// The host of the Host field without its port; empty when there is none that can be a name: an HTTP/1.0
    /// request without Host, an empty Host, or an IP address.
    package var host = HostName()
    /// How many bytes follow the head as the request's content; 0 without a Content-Length.
    package var contentBytes: UInt64 = 0
    /// Bytes of the head, the empty line at its end included. What was received behind them is content, or
    /// nobody's.
    package var byteCount: UInt32 = 0
    /// The method.
    package var method = HTTPRange()
    /// The path with its query, as it was sent. Empty when an absolute target has none, which means `/`.
    package var path = HTTPRange()
    /// True for HTTP/1.1, false for HTTP/1.0.
    package var isVersion11 = false
    /// True when the method is GET or HEAD.
    package var isRead = false
    /// True when the method is HEAD: the answer has no content, whatever its Content-Length says.
    package var isHead = false
    /// True when the content is in chunks and nobody says how long it is.
    package var isChunked = false
    /// True when the path is that of an ACME challenge and nothing else (RFC 8555 section 8.3).
    package var isChallenge = false

    package init() {}
}

/// Some bytes of a head: where they begin, and how many there are.
package struct HTTPRange: BitwiseCopyable, Equatable, Sendable {
    package var start: UInt16
    package var count: UInt16

    package init() {
        start = 0
        count = 0
    }

    /// The bounds lie within a head, whose bytes 16 bits can count.
    init(_ bounds: Range<Int>) {
        start = UInt16(bounds.lowerBound)
        count = UInt16(bounds.count)
    }

    /// The bounds.
    package var bounds: Range<Int> { Int(start)..<(Int(start) + Int(count)) }
}

/// How much of a request head the router takes before it refuses.
package struct HTTPHeadLimits: BitwiseCopyable, Equatable, Sendable {
    /// Most bytes of a head, the empty line at its end included. At most `UInt16.max`.
    package var bytesMax: UInt16
    /// Most bytes of the request line with its end; 8,000 are what RFC 9112 section 3 wants everybody to
    /// take.
    package var requestLineBytesMax: UInt16
    /// Most fields; at most 254, because lines are counted in eight bits.
    package let fieldsMax: UInt8

    package init(bytesMax: UInt16 = 8192, requestLineBytesMax: UInt16 = 8000, fieldsMax: UInt8 = 100) {
        self.bytesMax = bytesMax
        self.requestLineBytesMax = requestLineBytesMax
        self.fieldsMax = min(fieldsMax, 254)
    }
}

/// The parser's answer. All but `needMore` are final.
package enum HTTPHeadOutcome: BitwiseCopyable, Equatable, Sendable {
    /// What was received may become a head: call again when there are more bytes.
    case needMore
    /// A whole head.
    case head
    /// A head that breaks a rule, or asks for what the router does not do.
    case refused(HTTPFault)
}

/// The rule that a head breaks. Section numbers are of RFC 9112 unless another RFC is named.
package enum HTTPFault: UInt8, Error, BitwiseCopyable, CaseIterable, Equatable, Sendable {
    // Anywhere.
    /// A line that ends in LF alone (2.2): some take it for an end and some do not.
    case bareLineFeed
    /// A CR without LF behind it (2.2).
    case bareCarriageReturn
    /// NUL or another control byte (RFC 9110 section 5.5). A TLS record begins with one.
    case controlByte
    /// An empty line in front of the request, which a server may skip (2.2); then it is not the first byte
    /// that tells what is spoken.
    case emptyLine

    // The request line.
    /// Not a method, a target and a version with one blank between each two (3): HTTP/0.9, other protocols.
    case requestLine
    /// A method that is no token, or is too long, or is one that a router of requests must not pass on:
    /// CONNECT and TRACE (RFC 9110 section 9.3).
    case method
    /// A byte in the target that none holds: a fragment, or anything over 0x7f (3.2).
    case targetByte
    /// A target that is neither a path nor an `http:` URL (3.2): `*`, an authority, another scheme.
    case targetForm
    /// Another version than 1.0 or 1.1, the preface of HTTP/2 included.
    case version
    /// A request line longer than ``HTTPHeadLimits/requestLineBytesMax``.
    case requestLineTooLong

    // Fields.
    /// A line that begins with a blank (5.2): it continues the one before for some, and for others is one.
    case foldedField
    /// A blank in front of the colon (5.1).
    case blankBeforeColon
    /// A name that is no token, or a line without a colon (5).
    case fieldName
    /// A name that reads as one of those that frame a request once `_` is taken for `-`, as CGI does.
    case ambiguousName
    /// More fields than ``HTTPHeadLimits/fieldsMax``.
    case tooManyFields
    /// A head longer than ``HTTPHeadLimits/bytesMax``.
    case headTooLarge
    /// A connection option that names a field we would have to remove, and which is not one of those that
    /// are removed anyway (RFC 9110 section 7.6.1).
    case connectionOption

    // Whom it is for.
    /// HTTP/1.1 without a Host (3.2).
    case hostMissing
    /// More than one Host (3.2).
    case hostTwice
    /// A Host that is no host and port: user, list, path, bytes that no name holds (3.2).
    case host
    /// The URL in the request line names another host than Host does.
    case hostsDiffer

    // Where it ends.
    /// Content-Length more than once, not of digits only, or with zeros in front (6.3).
    case contentLength
    /// A Content-Length of more than 15 digits.
    case contentTooLarge
    /// Transfer-Encoding and Content-Length together (6.1).
    case lengthAndCoding
    /// Transfer-Encoding more than once, or in HTTP/1.0, which knows none (6.1).
    case transferCodings
    /// A transfer coding other than `chunked` (6.1).
    case unknownCoding

    /// The answer to it.
    package var answer: HTTPAnswer {
        switch self {
        case .bareLineFeed, .bareCarriageReturn, .controlByte, .emptyLine, .requestLine, .targetByte,
            .targetForm, .foldedField, .blankBeforeColon, .fieldName, .ambiguousName, .connectionOption,
            .hostMissing, .hostTwice, .host, .hostsDiffer, .contentLength, .lengthAndCoding, .transferCodings:
            .badRequest
        case .method, .unknownCoding: .notImplemented
        case .version: .versionNotSupported
        case .requestLineTooLong: .targetTooLong
        case .tooManyFields, .headTooLarge: .headTooLarge
        case .contentTooLarge: .contentTooLarge
        }
    }
}
