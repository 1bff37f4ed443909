import DataPlane
import Wire

/// The answer does not depend on how the bytes were cut; a head that is taken has a place for everything it
/// says, and what a backend gets of it is one request, the same one.
func fuzzHTTPHead(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    // The first byte says how the rest is cut, so that the fuzzer can choose.
    let step = 1 + Int(bytes[0]) % 61
    guard HTTPHeadFuzz.run(bytes.span.rawBytes, step: step) == .head else { return }
    let (_, head) = parse(bytes, HTTPHeadLimits())
    require(head.isVersion11 || !head.isChunked, "chunks are of version 1.1")
    require(!head.isChunked || head.contentBytes == 0, "the content ends in one place")
    require(!head.path.bounds.contains { bytes[$0] <= 0x20 || bytes[$0] == 0x7f }, "a path has no blanks")

    // It may gain two fields, and some bytes.
    let limits = HTTPHeadLimits(bytesMax: .max, fieldsMax: 254)
    let passedOn = forwarded(bytes, head)
    let (outcome, again) = parse(passedOn + Array("GET /x HTTP/1.1\r\n\r\n".utf8), limits)
    require(outcome == .head && Int(again.byteCount) == passedOn.count, "what is passed on is one head")
    require(again.host == head.host, "it is for the same host")
    require(
        again.contentBytes == head.contentBytes && again.isChunked == head.isChunked, "with the same content")
    require(again.isChallenge == head.isChallenge, "of the same kind")
    require(passedOn[again.method.bounds] == bytes[head.method.bounds], "with the same method")
    require(
        passedOn[again.path.bounds] == bytes[head.path.bounds]
            || (head.path.count == 0 && passedOn[again.path.bounds] == [0x2f]), "and the same path")
}

private func parse(_ bytes: [UInt8], _ limits: HTTPHeadLimits) -> (HTTPHeadOutcome, HTTPRequestHead) {
    var parser = HTTPRequestHeadParser()
    var head = HTTPRequestHead()
    let outcome = parser.advance(bytes.span.rawBytes, limits: limits, into: &head)
    return (outcome, head)
}

private func forwarded(_ bytes: [UInt8], _ head: HTTPRequestHead) -> [UInt8] {
    let scratch = ByteScratch(capacity: Int(head.byteCount) + HTTPRequestHead.forwardedBytesMore)
    let client = Array("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".utf8)
    let written = scratch.write {
        head.appendForwarded(bytes.span.rawBytes, client: client.span.rawBytes, to: &$0)
    }
    let copy = (0..<written.count).map { written.span[$0] }
    // What was written lies in it.
    extendLifetime(scratch)
    return copy
}

/// An answer that is given stays, whatever follows, and a header that is written again says the same.
func fuzzProxyHeader(_ bytes: [UInt8]) {
    let span = bytes.span.rawBytes
    let outcome = ProxyHeaderParser.parse(span)
    var early = ProxyHeaderOutcome.needMore
    for count in 0..<min(bytes.count, ProxyHeaderParser.bytesMax + 16) {
        let next = ProxyHeaderParser.parse(span.extracting(first: count))
        require(early == .needMore || next == early, "a final answer stays")
        early = next
    }
    require(early == .needMore || early == outcome, "a final answer stays to the end")
    switch outcome {
    case .needMore: require(bytes.count < ProxyHeaderParser.bytesMax, "nobody waits for ever")
    case .malformed: break
    case .local(let byteCount): require(byteCount <= bytes.count, "a header ends within what came")
    case .addresses(let source, let destination, let byteCount):
        require(byteCount <= bytes.count, "a header ends within what came")
        var header = ProxyHeader()
        header.setVersion1(source: source, destination: destination)
        require(names(header, source, destination), "version 1 says the same")
        let name = bytes.span.rawBytes.extracting(first: min(253, bytes.count))
        header.setVersion2(
            source: source, destination: destination, authority: name, applicationProtocol: "http/1.1")
        require(names(header, source, destination), "version 2 says the same")
    }
}

private func names(_ header: ProxyHeader, _ source: ProxyEndpoint, _ destination: ProxyEndpoint) -> Bool {
    ProxyHeaderParser.parse(header.bytes)
        == .addresses(source: source, destination: destination, byteCount: header.byteCount)
}
