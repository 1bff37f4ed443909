import Testing
import Wire

/// What the parser makes of a head that is there at once.
func parseHead(
    _ bytes: [UInt8], limits: HTTPHeadLimits = HTTPHeadLimits()
) -> (outcome: HTTPHeadOutcome, head: HTTPRequestHead) {
    var parser = HTTPRequestHeadParser()
    var head = HTTPRequestHead()
    let outcome = parser.advance(bytes.span.rawBytes, limits: limits, into: &head)
    return (outcome, head)
}

/// As above, of text; each `\n` stands for CR LF.
func parseHead(_ text: String) -> (outcome: HTTPHeadOutcome, head: HTTPRequestHead) {
    parseHead(headBytes(text))
}

/// The bytes of a head that is written with `\n` for CR LF.
func headBytes(_ text: String) -> [UInt8] {
    text.utf8.flatMap { $0 == 10 ? [13, 10] : [$0] }
}

/// The fault of a request with these lines behind the request line and Host; nil when it is taken.
func fault(_ fields: String, method: String = "POST", target: String = "/") -> HTTPFault? {
    fault(of: "\(method) \(target) HTTP/1.1\nHost: a.example\n\(fields)\n\n")
}

/// The fault of a whole head; nil when it is taken. A head that is not whole is a failure of the test.
func fault(of text: String) -> HTTPFault? { fault(ofBytes: headBytes(text)) }

func fault(ofBytes bytes: [UInt8]) -> HTTPFault? {
    switch parseHead(bytes).outcome {
    case .refused(let fault): return fault
    case .head: return nil
    case .needMore:
        Issue.record("the head is not whole")
        return nil
    }
}

/// The bytes that `write` appends to memory of the given size.
func written(capacity: Int, _ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](capacity: capacity) { output in
        // An OutputSpan of bytes and an OutputRawSpan differ in name only, but one does not turn into the
        // other. SAFETY: the buffer is the array's own memory and outlives the raw span.
        unsafe output.withUnsafeMutableBufferPointer { buffer, count in
            var raw = unsafe OutputRawSpan(
                buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            write(&raw)
            count = raw.byteCount
        }
    }
}
