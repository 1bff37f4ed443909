/// Finds the head of one HTTP/1.x request, from bytes as they come.
///
/// *Whoever stands behind us must see the same request as we do.* A request that two readers cut in two
/// places is how one client's bytes become another one's request. So whatever RFC 9112 lets a server repair
/// is refused here: every line ends in CR LF, every field has a name that is a token with the colon behind
/// it, nothing is folded, and where the request ends is said once and in one way.
///
/// Two stages. The first goes over the bytes once, however they are cut, finds the lines and reads the
/// request line as soon as it is there. When the empty line has come the second (``HTTPFields``) reads the
/// fields. Pure: the answer depends on the bytes and the limits only. Nothing is allocated.
package struct HTTPRequestHeadParser: BitwiseCopyable, Sendable {
    /// Bytes that were looked at.
    private var scannedBytes: UInt16 = 0
    /// Where the current line begins.
    private var lineStart: UInt16 = 0
    /// Whole lines so far, the request line included.
    private var lineCount: UInt8 = 0
    /// The answer so far; any but `needMore` stays.
    private var outcome = HTTPHeadOutcome.needMore

    package init() {}

    /// Looks at the bytes received so far and answers.
    ///
    /// - Parameters:
    ///   - received: all bytes from the first one on; between calls it may only grow.
    ///   - limits: the same in every call.
    ///   - head: filled when the answer is `head`, and not touched before.
    /// - Returns: the answer. Any other than `needMore` is given again for ever.
    package mutating func advance(
        _ received: RawSpan, limits: HTTPHeadLimits, into head: inout HTTPRequestHead
    ) -> HTTPHeadOutcome {
        guard outcome == .needMore else { return outcome }
        do throws(HTTPFault) {
            guard try findEnd(received, limits) else { return .needMore }
            head = try Self.read(received.extracting(first: Int(scannedBytes)))
            outcome = .head
        } catch {
            outcome = .refused(error)
        }
        return outcome
    }

    /// Goes on until the head's empty line; false when it has not come.
    private mutating func findEnd(_ received: RawSpan, _ limits: HTTPHeadLimits) throws(HTTPFault) -> Bool {
        var offset = Int(scannedBytes)
        var last = offset > 0 ? received.byte(at: offset - 1) : 0
        defer { scannedBytes = UInt16(offset) }
        while offset < received.byteCount {
            if lineCount == 0, offset >= Int(limits.requestLineBytesMax) { throw .requestLineTooLong }
            guard offset < Int(limits.bytesMax) else { throw .headTooLarge }
            let byte = received.byte(at: offset)
            offset += 1
            if byte == Self.lineFeed {
                guard last == Self.carriageReturn else { throw .bareLineFeed }
                if try endLine(received, end: offset, limits) { return true }
            } else {
                guard last != Self.carriageReturn else { throw .bareCarriageReturn }
                guard byte >= 0x20 ? byte != 0x7f : byte == Self.carriageReturn || byte == Self.tab else {
                    throw .controlByte
                }
            }
            last = byte
        }
        return false
    }

    /// A line is whole; `end` is behind its CR LF. True when it is the empty one at the end of the head.
    private mutating func endLine(
        _ received: RawSpan, end: Int, _ limits: HTTPHeadLimits
    ) throws(HTTPFault) -> Bool {
        let line = Int(lineStart)..<(end - 2)
        lineStart = UInt16(end)
        guard !line.isEmpty else {
            guard lineCount > 0 else { throw .emptyLine }
            return true
        }
        if lineCount == 0 {
            _ = try HTTPRequestLine.read(received.extracting(line))
        } else {
            // The lines so far but for the first are fields, and this is one more.
            guard lineCount <= limits.fieldsMax else { throw .tooManyFields }
        }
        lineCount += 1
        return false
    }

    /// Second stage: reads a whole head.
    private static func read(_ bytes: RawSpan) throws(HTTPFault) -> HTTPRequestHead {
        var lineEnd = 0
        while bytes.byte(at: lineEnd) != carriageReturn { lineEnd += 1 }
        let line = try HTTPRequestLine.read(bytes.extracting(0..<lineEnd))
        var fields = HTTPFields(start: lineEnd + 2)
        while let field = try fields.next(in: bytes) { try fields.note(field, in: bytes) }
        return try fields.head(line, in: bytes)
    }

    static let lineFeed: UInt8 = 10
    static let carriageReturn: UInt8 = 13
    static let tab: UInt8 = 9
}

/// The first line of a request: method, target, version.
struct HTTPRequestLine {
    var method: Range<Int> = 0..<0
    /// Path and query; empty when an absolute target has none.
    var path: Range<Int> = 0..<0
    /// The host and port of an absolute target; nil when the target is a path.
    var authority: Range<Int>?
    var isVersion11 = false

    /// The longest registered method has 17 bytes (RFC 9110 section 16.1.1).
    static let methodBytesMax = 32

    /// Reads the line, its end not included.
    static func read(_ line: RawSpan) throws(HTTPFault) -> HTTPRequestLine {
        let blank = UInt8(ascii: " ")
        guard let methodEnd = line.firstOffset(of: blank, from: 0),
            let targetEnd = line.firstOffset(of: blank, from: methodEnd + 1),
            methodEnd > 0, targetEnd > methodEnd + 1
        else { throw .requestLine }

        var read = HTTPRequestLine()
        // First the version: a line that is no HTTP at all should not be told that its method is unknown.
        read.isVersion11 = try readVersion(line.extracting((targetEnd + 1)..<line.byteCount))
        read.method = 0..<methodEnd
        try check(method: line.extracting(read.method))
        try read.readTarget((methodEnd + 1)..<targetEnd, in: line)
        return read
    }

    /// True for `HTTP/1.1`, false for `HTTP/1.0`.
    private static func readVersion(_ version: RawSpan) throws(HTTPFault) -> Bool {
        guard version.byteCount == 8, version.extracting(first: 5).isExactly("HTTP/"),
            isDigit(version.byte(at: 5)), version.byte(at: 6) == UInt8(ascii: "."),
            isDigit(version.byte(at: 7))
        else { throw .requestLine }
        guard version.byte(at: 5) == UInt8(ascii: "1"), version.byte(at: 7) <= UInt8(ascii: "1") else {
            throw .version
        }
        return version.byte(at: 7) == UInt8(ascii: "1")
    }

    private static func check(method: RawSpan) throws(HTTPFault) {
        for offset in 0..<method.byteCount where !isTokenByte(method.byte(at: offset)) { throw .requestLine }
        guard method.byteCount <= methodBytesMax, !method.isExactly("CONNECT"), !method.isExactly("TRACE")
        else { throw .method }
    }

    private mutating func readTarget(_ target: Range<Int>, in line: RawSpan) throws(HTTPFault) {
        for offset in target {
            let byte = line.byte(at: offset)
            guard byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "#") else { throw .targetByte }
        }
        let slash = UInt8(ascii: "/")
        guard line.byte(at: target.lowerBound) != slash else {
            path = target
            return
        }
        let scheme = 7
        guard target.count > scheme, line.extracting(target).extracting(first: scheme).spells("http://")
        else { throw .targetForm }
        let start = target.lowerBound + scheme
        var end = start
        while end < target.upperBound, line.byte(at: end) != slash { end += 1 }
        guard end > start else { throw .targetForm }
        authority = start..<end
        path = end..<target.upperBound
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// True for the bytes of a token (RFC 9110 section 5.6.2).
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"),
            UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
            UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
