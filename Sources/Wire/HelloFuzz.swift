/// The fuzzers' way in, beside the parser: libFuzzer and the seeded tests call the same function.
package enum HelloFuzz {
    /// Parses `bytes` at once, then as a stream that grows by `step` bytes, and traps when the two disagree
    /// or when an answer changes after it was final. `step` is at least 1.
    package static func run(
        _ bytes: RawSpan, step: Int, limits: HelloLimits = HelloLimits()
    ) -> HelloOutcome {
        precondition(step >= 1, "a stream that does not grow never ends")
        var hello = ClientHello()
        var whole = HelloParser()
        let outcome = whole.advance(bytes, limits: limits, into: &hello)
        precondition(hello.byteCount <= bytes.byteCount, "the hello ends behind the bytes received")
        precondition((outcome == .name) == !hello.name.isEmpty, "a name without the answer, or the reverse")

        var helloInPieces = ClientHello()
        var inPieces = HelloParser()
        var count = 0
        var lastOutcome = HelloOutcome.needMore
        while count < bytes.byteCount {
            count = min(count + step, bytes.byteCount)
            let next = inPieces.advance(bytes.extracting(first: count), limits: limits, into: &helloInPieces)
            precondition(lastOutcome == .needMore || next == lastOutcome, "a final answer changed")
            lastOutcome = next
        }
        precondition(lastOutcome == outcome, "the answer depends on how the bytes were cut")
        precondition(helloInPieces == hello, "the hello depends on how the bytes were cut")
        return outcome
    }
}
