/// The answers that the router gives on a port for plain HTTP of its own accord; the raw value is the status
/// code.
package enum HTTPAnswer: UInt16, BitwiseCopyable, CaseIterable, Sendable {
    case badRequest = 400
    case notFound = 404
    case methodNotAllowed = 405
    case requestTimeout = 408
    case lengthRequired = 411
    case contentTooLarge = 413
    case targetTooLong = 414
    case headTooLarge = 431
    case notImplemented = 501
    case badGateway = 502
    case serviceUnavailable = 503
    case versionNotSupported = 505

    /// The reason phrase, and the one line that the answer has as its content.
    private var words: (reason: String, line: String) {
        switch self {
        case .badRequest: ("Bad Request", "This is not a request that can be understood.")
        case .notFound: ("Not Found", "There is no site of this name here.")
        case .methodNotAllowed: ("Method Not Allowed", "Only GET and HEAD are answered here.")
        case .requestTimeout: ("Request Timeout", "The request took too long to arrive.")
        case .lengthRequired: ("Length Required", "The request must say how long it is.")
        case .contentTooLarge: ("Content Too Large", "The request is too long.")
        case .targetTooLong: ("URI Too Long", "The address is too long.")
        case .headTooLarge: ("Request Header Fields Too Large", "The request's head is too long.")
        case .notImplemented: ("Not Implemented", "This kind of request is not passed on.")
        case .badGateway: ("Bad Gateway", "The site cannot be reached now.")
        case .serviceUnavailable: ("Service Unavailable", "There is no room for the request now.")
        case .versionNotSupported: ("HTTP Version Not Supported", "HTTP/1.1 and HTTP/1.0 are spoken here.")
        }
    }

    /// The answer up to its empty line: all of it when the request was HEAD. For a caller that prepares it
    /// once.
    package var head: [UInt8] {
        let (reason, line) = words
        let allow = self == .methodNotAllowed ? "Allow: GET, HEAD\r\n" : ""
        return Array(
            """
            HTTP/1.1 \(rawValue) \(reason)\r
            Content-Type: text/plain\r
            Content-Length: \(line.utf8.count + 1)\r
            \(allow)Connection: close\r
            \r

            """.utf8)
    }

    /// One line.
    package var content: [UInt8] { Array((words.line + "\n").utf8) }
}

/// The redirection to the same place over TLS (RFC 9110 section 15.4.9).
package enum HTTPRedirect {
    /// The most bytes that it has besides the path.
    package static let bytesMore = 512

    /// Appends the answer for a head that has a host; the output has room for its path and ``bytesMore``. The
    /// path holds no byte that could end the field: the parser lets none pass.
    package static func append(_ head: HTTPRequestHead, _ received: RawSpan, to output: inout OutputRawSpan) {
        output.append("HTTP/1.1 308 Permanent Redirect\r\nLocation: https://")
        output.append(head.host.bytes)
        if head.path.count == 0 { output.append("/") }
        output.append(received.extracting(head.path.bounds))
        output.append("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }
}

/// The fuzzers' way in, as ``HelloFuzz``.
package enum HTTPHeadFuzz {
    /// Parses `bytes` at once, then as a stream that grows by `step` bytes, and traps when the two disagree
    /// or when an answer changes after it was final. `step` is at least 1.
    package static func run(
        _ bytes: RawSpan, step: Int, limits: HTTPHeadLimits = HTTPHeadLimits()
    ) -> HTTPHeadOutcome {
        precondition(step >= 1, "a stream that does not grow never ends")
        var head = HTTPRequestHead()
        var whole = HTTPRequestHeadParser()
        let outcome = whole.advance(bytes, limits: limits, into: &head)
        precondition(Int(head.byteCount) <= bytes.byteCount, "the head ends behind the bytes received")
        precondition((outcome == .head) == (head.byteCount > 0), "a head without the answer, or the reverse")
        precondition(head.path.bounds.upperBound <= Int(head.byteCount), "the path lies in the head")

        var headInPieces = HTTPRequestHead()
        var inPieces = HTTPRequestHeadParser()
        var count = 0
        var lastOutcome = HTTPHeadOutcome.needMore
        while count < bytes.byteCount {
            count = min(count + step, bytes.byteCount)
            let next = inPieces.advance(bytes.extracting(first: count), limits: limits, into: &headInPieces)
            precondition(lastOutcome == .needMore || next == lastOutcome, "a final answer changed")
            lastOutcome = next
        }
        precondition(lastOutcome == outcome, "the answer depends on how the bytes were cut")
        precondition(headInPieces == head, "the head depends on how the bytes were cut")
        return outcome
    }
}
