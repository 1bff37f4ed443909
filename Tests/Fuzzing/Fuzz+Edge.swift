import DataPlane
import Edge
import Linux
import Routes
import Wire

/// Any line is a request with a command or refused with a sentence.
func fuzzControl(_ bytes: [UInt8]) {
    do throws(ControlRequestError) {
        let request = try ControlRequest(bytes)
        require(request.text("command") != nil, "a request has a command")
        _ = (request.hostName("name"), request.number("limit"), request.bool("off"))
        require(!bytes.contains(UInt8(ascii: "\n")) || bytes.isEmpty, "a request is one line")
        require(
            (try? ControlRequest(Array(" ".utf8) + bytes + Array(" ".utf8))) == request, "blanks mean nothing"
        )
    } catch {
        require(!error.text.isEmpty, "a refusal has a text")
    }
}

/// A head is taken or not whatever the cuts, and never a longer one than there may be.
func fuzzMetricsRequest(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    var whole = bytes
    let head = MetricsRequest.takeHead(&whole, hasEnded: false)
    var (received, inPieces): ([UInt8], [UInt8]?) = ([], nil)
    let step = 1 + Int(bytes[0]) % 97
    var end = 0
    while end < bytes.count, inPieces == nil {
        received += bytes[end..<min(bytes.count, end + step)]
        end = min(bytes.count, end + step)
        inPieces = MetricsRequest.takeHead(&received, hasEnded: false)
    }
    require(head == inPieces, "the answer does not depend on the cuts")
    guard let head else { return }
    require(head.count <= MetricsRequest.headBytesMax, "no head is longer than it may be")
    _ = MetricsRequest(head)
}

/// Verdicts are those of the first line that fits, for every address at which one may change.
func fuzzSources(_ bytes: [UInt8]) {
    var rules = SourceRules()
    var reader = ByteSource(bytes)
    while rules.rules.count < 40, let kind = reader.next() {
        let address = reader.address(isIPv4: kind & 2 == 0)
        let lengthBits = Int(reader.next() ?? 0) % (address.widthBits + 1)
        rules.rules.append(
            SourceRules.Rule(
                isAllowed: kind & 1 == 0, prefix: AddressPrefix(address: address, lengthBits: lengthBits),
                place: SourcePlace(line: 1, lineStart: 0, start: 0, end: 0)))
    }
    let image = SourceTable.compile(rules)
    for rule in rules.rules {
        for address in rule.prefix.address.neighbours(
            hostBits: rule.prefix.address.widthBits - rule.prefix.lengthBits)
        {
            require(
                SourceTable.allows(address, in: image.span.rawBytes) == rules.allows(address),
                "the table's verdict is the first line's")
        }
    }
}

/// Numbers out of a fuzzer's bytes.
private struct ByteSource {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> UInt8? {
        guard place < bytes.count else { return nil }
        defer { place += 1 }
        return bytes[place]
    }

    mutating func address(isIPv4: Bool) -> IPAddress {
        var bits: UInt64 = 0
        for _ in 0..<(isIPv4 ? 4 : 8) { bits = bits << 8 | UInt64(next() ?? 0) }
        guard !isIPv4 else { return .v4(UInt32(bits)) }
        var low: UInt64 = 0
        for _ in 0..<8 { low = low << 8 | UInt64(next() ?? 0) }
        return .v6(high: bits, low: low)
    }
}

extension IPAddress {
    /// The first address of a range and the last, and those beside them.
    fileprivate func neighbours(hostBits: Int) -> [IPAddress] {
        let hosts = hostBits == 0 ? 0 : UInt128.max >> UInt128(128 - hostBits)
        switch self {
        case .v4(let bits):
            let last = bits | UInt32(truncatingIfNeeded: hosts)
            return [bits, bits &- 1, last, last &+ 1, bits ^ 1].map { .v4($0) }
        case .v6(let high, let low):
            let first = UInt128(high) << 64 | UInt128(low)
            let last = first | hosts
            return [first, first &- 1, last, last &+ 1, first ^ 1].map {
                .v6(high: UInt64(truncatingIfNeeded: $0 >> 64), low: UInt64(truncatingIfNeeded: $0))
            }
        }
    }
}

/// What one process believes of another: bytes are a record or a message that is written as the same bytes,
/// or nothing. The first byte says which of the two they are.
func fuzzHandOver(_ bytes: [UInt8]) {
    guard let kind = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    if kind & 1 == 0 {
        _ = HandOverRecord.sessions(atEnd: rest)
        guard let record = try? HandOverRecord(rest) else { return }
        require(record.encoded == rest, "a record is written as it was read")
        require(record.encoded.count <= HandOverRecord.bytesMax, "and fits one packet")
        require((1...6).contains(record.descriptorCount), "and has a few descriptors")
    } else {
        guard let message = try? UpgradeMessage(rest) else { return }
        let again = message.encoded
        require((try? UpgradeMessage(again))?.encoded == again, "a message is written as it was read")
        require(again.count <= UpgradeMessage.bytesMax, "and fits one packet")
    }
}
