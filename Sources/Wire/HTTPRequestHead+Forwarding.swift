extension HTTPRequestHead {
    /// The most bytes that ``appendForwarded(_:client:to:)`` writes more than the head has.
    package static let forwardedBytesMore = 160

    /// Appends the head that a backend gets, which makes it one request on one connection, and says who the
    /// client is.
    ///
    /// The request line and the fields pass as they are, in their order, but for those that concern this
    /// connection only, and those by which a proxy says where a request comes from: a client that sends one
    /// of these is not believed. An absolute target becomes its path (RFC 9112 section 3.2.1).
    ///
    /// - Parameters:
    ///   - received: the bytes that this head was read from.
    ///   - client: the client's address as text, without a port; at most 64 bytes.
    ///   - output: has room for the head and ``forwardedBytesMore``.
    package func appendForwarded(_ received: RawSpan, client: RawSpan, to output: inout OutputRawSpan) {
        let head = received.extracting(first: Int(byteCount))
        output.append(head.extracting(method.bounds))
        output.append(" ")
        if path.count == 0 { output.append("/") }
        // From the path on the request line is the client's: " HTTP/1.1" is what follows.
        var lineEnd = path.bounds.lowerBound
        while head.byte(at: lineEnd) != HTTPRequestHeadParser.lineFeed { lineEnd += 1 }
        output.append(head.extracting(path.bounds.lowerBound..<(lineEnd + 1)))

        var fields = HTTPFields(start: lineEnd + 1)
        // The parser has read these fields before, and threw nothing.
        while let field = try? fields.next(in: head) {
            switch field.kind {
            case .host, .contentLength, .transferEncoding, .other: output.append(head.extracting(field.line))
            case .connection, .ours: break
            }
        }
        output.append("X-Forwarded-For: ")
        output.append(client)
        output.append("\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n")
    }
}
