/// Finds the host name in a TLS ClientHello, from bytes as they come.
///
/// Two stages. The first follows the records and keeps a cursor, so that its whole work is linear in the
/// bytes even when a peer sends them one by one; it refuses at the earliest byte that shows the matter is
/// hopeless. When the hello is whole, the second stage (`HelloBody`) reads it once.
///
/// ```
///  received   |16 03 01 len|01 len(3) body…      |16 03 01 len|body…         |early data…
///              header       message, first piece  header       last piece
///              ^recordOffset                     ^recordEnd
/// ```
///
/// Pure: the answer depends on the bytes and the limits only, not on how the bytes were cut. Nothing is
/// allocated.
package struct HelloParser: BitwiseCopyable, Sendable {
    /// Longest record before encryption (RFC 8446 section 5.1).
    private static let recordBytesMax = 1 << 14
    /// Length of a record header: type, version, length.
    private static let recordHeaderBytes = 5
    /// Length of a handshake header: type, length of three bytes.
    private static let messageHeaderBytes = 4
    /// Handshake header, version, random, empty session id, one cipher suite, one compression method: the
    /// shortest hello.
    private static let messageBytesMin = 4 + 2 + 32 + 1 + 2 + 2 + 1 + 1
    /// ContentType handshake (RFC 8446 section 5.1).
    private static let recordTypeHandshake: UInt8 = 22

    /// Where the header of the current record is.
    private var recordOffset: UInt32 = 0
    /// Where the current record ends; 0 while its header is not whole.
    private var recordEnd: UInt32 = 0
    /// Records whose header was read, the current one included.
    private var recordCount: UInt32 = 0
    /// Bytes of the message in the records before the current one.
    private var joinedBytes: UInt32 = 0
    /// Handshake header as far as it was read, as a number in network order.
    private var messageHeader: UInt32 = 0
    /// How many bytes of the handshake header were read, 0 to 4.
    private var messageHeaderCount: UInt8 = 0
    /// The answer so far; any but `needMore` stays.
    private var outcome = HelloOutcome.needMore

    package init() {}

    /// Looks at the bytes received so far and answers.
    ///
    /// - Parameters:
    ///   - received: all bytes from the first one on; between calls it may only grow.
    ///   - limits: the same in every call.
    ///   - hello: filled when the answer is `name` or `noName`, and not touched before.
    /// - Returns: the answer. Any other than `needMore` is given again for ever.
    package mutating func advance(
        _ received: RawSpan, limits: HelloLimits, into hello: inout ClientHello
    ) -> HelloOutcome {
        guard outcome == .needMore else { return outcome }
        if let answer = followRecords(received, limits) {
            outcome = answer
        } else {
            outcome = parseBody(received.extracting(first: Int(recordEnd)), into: &hello)
        }
        return outcome
    }

    /// Length of the whole message with its header; 0 while the header is not whole.
    private var messageBytes: Int {
        guard messageHeaderCount == Self.messageHeaderBytes else { return 0 }
        return Int(messageHeader & 0xff_ffff) + Self.messageHeaderBytes
    }

    /// Reads on from the cursor. Returns nil when the hello is whole: then it ends at `recordEnd`.
    private mutating func followRecords(_ received: RawSpan, _ limits: HelloLimits) -> HelloOutcome? {
        // Each turn reads one record; a record has at least one byte, so this ends.
        while true {
            if recordEnd == 0, let answer = readRecordHeader(received, limits) { return answer }
            if messageHeaderCount < Self.messageHeaderBytes,
                let answer = readMessageHeader(received, limits)
            {
                return answer
            }
            guard received.byteCount >= Int(recordEnd) else { return .needMore }
            joinedBytes += recordEnd - recordOffset - UInt32(Self.recordHeaderBytes)
            if messageHeaderCount == Self.messageHeaderBytes, Int(joinedBytes) == messageBytes { return nil }
            recordOffset = recordEnd
            recordEnd = 0
        }
    }

    /// Reads the header at the cursor. Returns nil when it is whole and good.
    private mutating func readRecordHeader(_ received: RawSpan, _ limits: HelloLimits) -> HelloOutcome? {
        let offset = Int(recordOffset)
        let available = received.byteCount - offset
        guard available >= 1 else { return .needMore }
        guard recordCount < limits.recordsMax else { return .tooManyRecords }
        guard received.byte(at: offset) == Self.recordTypeHandshake else {
            return offset == 0 ? ForeignProtocol.classify(received) : .malformed(.recordType)
        }
        guard available >= 2 else { return .needMore }
        // The minor version is whatever the client likes (RFC 5246 appendix E.1).
        guard received.byte(at: offset + 1) == 3 else {
            return offset == 0 ? .notTLS : .malformed(.recordVersion)
        }
        guard available >= Self.recordHeaderBytes else { return .needMore }
        let recordBytes = Int(received.bigEndianUInt16(at: offset + 3))
        guard recordBytes > 0 else { return .malformed(.recordEmpty) }
        guard recordBytes <= Self.recordBytesMax else { return .malformed(.recordTooLong) }
        let end = offset + Self.recordHeaderBytes + recordBytes
        guard end <= Int(limits.bytesMax) else { return .tooLarge }
        recordEnd = UInt32(end)
        recordCount += 1
        return messageHeaderCount == Self.messageHeaderBytes ? compareLengths(limits) : nil
    }

    /// Reads what the current record holds of the handshake header. Returns nil when nothing is wrong yet.
    private mutating func readMessageHeader(_ received: RawSpan, _ limits: HelloLimits) -> HelloOutcome? {
        while messageHeaderCount < Self.messageHeaderBytes {
            let offset =
                Int(recordOffset) + Self.recordHeaderBytes + Int(messageHeaderCount) - Int(joinedBytes)
            guard offset < Int(recordEnd), offset < received.byteCount else { return nil }
            messageHeader = messageHeader << 8 | UInt32(received.byte(at: offset))
            messageHeaderCount += 1
            // HandshakeType client_hello is 1 (RFC 8446 section 4).
            if messageHeaderCount == 1, messageHeader != 1 { return .malformed(.notClientHello) }
        }
        guard messageBytes >= Self.messageBytesMin else { return .malformed(.helloTooShort) }
        return compareLengths(limits)
    }

    /// Compares the message's length with the current record's and with the limit, as soon as both are known.
    private func compareLengths(_ limits: HelloLimits) -> HelloOutcome? {
        let recordBytes = Int(recordEnd) - Int(recordOffset) - Self.recordHeaderBytes
        let messageBytesLeft = messageBytes - Int(joinedBytes) - recordBytes
        guard messageBytesLeft >= 0 else { return .malformed(.bytesBehindHello) }
        let bytesMin = Int(recordEnd) + (messageBytesLeft > 0 ? Self.recordHeaderBytes : 0) + messageBytesLeft
        return bytesMin <= Int(limits.bytesMax) ? nil : .tooLarge
    }

    /// Second stage: `records` holds the whole hello and nothing behind it.
    private func parseBody(_ records: RawSpan, into hello: inout ClientHello) -> HelloOutcome {
        let reader = HandshakeReader(firstRecordOf: records, messageBytes: messageBytes)
        do throws(HelloFault) {
            let hasName = try HelloBody.parse(reader, into: &hello)
            hello.byteCount = recordEnd
            return hasName ? .name : .noName
        } catch {
            hello = ClientHello()
            return .malformed(error)
        }
    }
}
