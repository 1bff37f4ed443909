import Wire

/// The answer does not depend on how the bytes were cut, once given it stays, and a name that is given is a
/// host name.
func fuzzHello(_ bytes: [UInt8]) {
    let limits = HelloLimits(bytesMax: 16 * 1024)
    let span = bytes.span.rawBytes
    var whole = HelloParser()
    var wholeHello = ClientHello()
    let answer = whole.advance(span, limits: limits, into: &wholeHello)
    require(
        whole.advance(span, limits: limits, into: &wholeHello) == answer, "an answer is given again for ever")

    var steps = HelloParser()
    var stepsHello = ClientHello()
    var stepAnswer = HelloOutcome.needMore
    var end = 0
    // The first byte says how the rest is cut, so that the fuzzer can choose.
    let step = 1 + Int(bytes.first ?? 0) % 7
    while end < bytes.count, stepAnswer == .needMore {
        end = min(bytes.count, end + step)
        stepAnswer = steps.advance(span.extracting(first: end), limits: limits, into: &stepsHello)
    }
    require(bytes.isEmpty || stepAnswer == answer, "the answer does not depend on the cuts")
    guard answer == .name else { return }
    require(wholeHello.name == stepsHello.name, "the name does not depend on the cuts")
    require(wholeHello.name.bytes.byteCount <= 253, "a name has at most 253 bytes")
}
