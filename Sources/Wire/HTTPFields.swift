/// One field line of a head.
struct HTTPField {
    /// What a field means to the router.
    enum Kind: BitwiseCopyable {
        case host, contentLength, transferEncoding, connection
        /// Concerns this connection only, or says who the client is: not for the backend, which hears that
        /// from us.
        case ours
        /// Passed on as it is.
        case other
    }

    var kind: Kind
    /// The line with its CR LF.
    var line: Range<Int>
    /// The value, blanks at both ends not included.
    var value: Range<Int>
}

/// Walks through the fields of a whole head, and collects what the router wants of them.
struct HTTPFields {
    /// Where the next line begins.
    private var offset: Int
    private var host: Range<Int>?
    private var contentBytes: UInt64?
    private var hasTransferCoding = false

    init(start: Int) { offset = start }

    /// The next field of the head `bytes`; nil at the empty line.
    mutating func next(in bytes: RawSpan) throws(HTTPFault) -> HTTPField? {
        let start = offset
        var end = start
        while bytes.byte(at: end) != HTTPRequestHeadParser.carriageReturn { end += 1 }
        guard end > start else { return nil }
        offset = end + 2

        guard !Self.isBlank(bytes.byte(at: start)) else { throw .foldedField }
        var colon = start
        while colon < end, HTTPRequestLine.isTokenByte(bytes.byte(at: colon)) { colon += 1 }
        guard colon < end, colon > start else { throw .fieldName }
        guard bytes.byte(at: colon) == UInt8(ascii: ":") else {
            throw Self.isBlank(bytes.byte(at: colon)) ? .blankBeforeColon : .fieldName
        }
        var value = (colon + 1)..<end
        while !value.isEmpty, Self.isBlank(bytes.byte(at: value.lowerBound)) {
            value = (value.lowerBound + 1)..<value.upperBound
        }
        while !value.isEmpty, Self.isBlank(bytes.byte(at: value.upperBound - 1)) {
            value = value.lowerBound..<(value.upperBound - 1)
        }
        return HTTPField(
            kind: try Self.kind(of: bytes.extracting(start..<colon)), line: start..<offset, value: value)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == HTTPRequestHeadParser.tab
    }

    /// What a name says. Names that frame a request must be written as they are; the others may have `_` for
    /// `-`, because a backend that makes variables of names (RFC 3875 section 4.1.18) sees no difference.
    private static func kind(of name: RawSpan) throws(HTTPFault) -> HTTPField.Kind {
        let framing: HTTPField.Kind? =
            if name.spells("host") {
                .host
            } else if name.spells("content-length") {
                .contentLength
            } else if name.spells("transfer-encoding") {
                .transferEncoding
            } else if name.spells("connection") {
                .connection
            } else {
                nil
            }
        if let framing {
            guard name.firstOffset(of: UInt8(ascii: "_"), from: 0) == nil else { throw .ambiguousName }
            return framing
        }
        let isOurs =
            name.spells("keep-alive") || name.spells("proxy-connection") || name.spells("upgrade")
            || name.spells("http2-settings") || name.spells("te") || name.spells("forwarded")
            || name.spells("x-real-ip")
            || (name.byteCount > 12 && name.extracting(first: 12).spells("x-forwarded-"))
        return isOurs ? .ours : .other
    }

    /// Keeps what a field says.
    mutating func note(_ field: HTTPField, in bytes: RawSpan) throws(HTTPFault) {
        let value = bytes.extracting(field.value)
        switch field.kind {
        case .host:
            guard host == nil else { throw .hostTwice }
            host = field.value
        case .contentLength:
            guard contentBytes == nil else { throw .contentLength }
            contentBytes = try Self.readLength(value)
        case .transferEncoding:
            guard !hasTransferCoding else { throw .transferCodings }
            guard value.spells("chunked") else { throw .unknownCoding }
            hasTransferCoding = true
        case .connection: try Self.checkOptions(value)
        case .ours, .other: break
        }
    }

    /// A number in one form only: digits, no zero in front. 15 of them do not overflow.
    private static func readLength(_ value: RawSpan) throws(HTTPFault) -> UInt64 {
        guard value.byteCount > 0, value.byteCount == 1 || value.byte(at: 0) != UInt8(ascii: "0") else {
            throw .contentLength
        }
        for offset in 0..<value.byteCount where !HTTPRequestLine.isDigit(value.byte(at: offset)) {
            throw .contentLength
        }
        guard value.byteCount <= 15 else { throw .contentTooLarge }
        var number: UInt64 = 0
        for offset in 0..<value.byteCount {
            number = number * 10 + UInt64(value.byte(at: offset) - UInt8(ascii: "0"))
        }
        return number
    }

    /// The options of a Connection field. Each may name a field that is not to be passed on; the ones that
    /// real clients name are never passed on, and another could take away a field that matters.
    private static func checkOptions(_ value: RawSpan) throws(HTTPFault) {
        var start = 0
        while start < value.byteCount {
            var end = start
            while end < value.byteCount, value.byte(at: end) != UInt8(ascii: ",") { end += 1 }
            var option = start..<end
            start = end + 1
            while !option.isEmpty, isBlank(value.byte(at: option.lowerBound)) {
                option = (option.lowerBound + 1)..<option.upperBound
            }
            while !option.isEmpty, isBlank(value.byte(at: option.upperBound - 1)) {
                option = option.lowerBound..<(option.upperBound - 1)
            }
            let word = value.extracting(option)
            guard
                word.isEmpty || word.spells("close") || word.spells("keep-alive") || word.spells("upgrade")
                    || word.spells("te") || word.spells("http2-settings")
            else { throw .connectionOption }
        }
    }

    /// The head, when all fields were noted.
    func head(_ line: HTTPRequestLine, in bytes: RawSpan) throws(HTTPFault) -> HTTPRequestHead {
        if hasTransferCoding {
            guard contentBytes == nil else { throw .lengthAndCoding }
            guard line.isVersion11 else { throw .transferCodings }
        }
        var head = HTTPRequestHead()
        if let host {
            head.host = try Self.readHost(bytes.extracting(host))
        } else if line.isVersion11 {
            throw .hostMissing
        }
        if let authority = line.authority {
            // The authority is the one that counts (RFC 9112 section 3.2.2), but not for everybody.
            guard let host, bytes.extracting(authority).isSameName(bytes.extracting(host)) else {
                throw .hostsDiffer
            }
        }
        let method = bytes.extracting(line.method)
        head.byteCount = UInt32(bytes.byteCount)
        head.contentBytes = contentBytes ?? 0
        head.method = HTTPRange(line.method)
        head.path = HTTPRange(line.path)
        head.isVersion11 = line.isVersion11
        head.isHead = method.isExactly("HEAD")
        head.isRead = head.isHead || method.isExactly("GET")
        head.isChunked = hasTransferCoding
        head.isChallenge = Self.isChallenge(bytes.extracting(line.path))
        return head
    }

    /// The name in a Host field, its port cut off; the empty name for an IP address or an empty field.
    private static func readHost(_ value: RawSpan) throws(HTTPFault) -> HostName {
        guard !value.isEmpty else { return HostName() }
        // The colons of an IPv6 address stand within brackets.
        var nameEnd = 0
        if value.byte(at: 0) == UInt8(ascii: "[") {
            guard let bracket = value.firstOffset(of: UInt8(ascii: "]"), from: 0) else { throw .host }
            nameEnd = bracket + 1
        } else {
            nameEnd = value.firstOffset(of: UInt8(ascii: ":"), from: 0) ?? value.byteCount
        }
        if nameEnd < value.byteCount {
            guard value.byte(at: nameEnd) == UInt8(ascii: ":") else { throw .host }
            try checkPort(value.extracting((nameEnd + 1)..<value.byteCount))
        }
        let name = value.extracting(first: nameEnd)
        do throws(HostNameFault) {
            return try HostName.normalise(name)
        } catch {
            guard error.reason == .ipLiteral else { throw .host }
            return HostName()
        }
    }

    /// Digits up to 65535, or nothing (RFC 3986 section 3.2.3).
    private static func checkPort(_ port: RawSpan) throws(HTTPFault) {
        guard port.byteCount <= 5 else { throw .host }
        var number = 0
        for offset in 0..<port.byteCount {
            guard HTTPRequestLine.isDigit(port.byte(at: offset)) else { throw .host }
            number = number * 10 + Int(port.byte(at: offset) - UInt8(ascii: "0"))
        }
        guard number <= 65535 else { throw .host }
    }

    /// True for the path of an ACME challenge with a token of base64url behind it (RFC 8555 section 8.3), and
    /// for nothing that a server could take for another path: no dots, no escapes, no query.
    private static func isChallenge(_ path: RawSpan) -> Bool {
        let prefix: StaticString = "/.well-known/acme-challenge/"
        let prefixBytes = prefix.utf8CodeUnitCount
        guard path.byteCount > prefixBytes, path.extracting(first: prefixBytes).isExactly(prefix) else {
            return false
        }
        for offset in prefixBytes..<path.byteCount {
            let byte = path.byte(at: offset)
            let isLetter = (byte | 0x20) &- UInt8(ascii: "a") < 26
            guard
                isLetter || HTTPRequestLine.isDigit(byte) || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "_")
            else { return false }
        }
        return true
    }
}
