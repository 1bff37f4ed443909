/// What a peer speaks whose first byte is not that of a TLS record.
enum ForeignProtocol {
    /// The methods of HTTP (RFC 9110 section 9, RFC 5789, RFC 9113 section 3.4), each with the blank behind
    /// it, as bytes from the highest of a word down, zero behind.
    private static var methods: InlineArray<10, UInt64> {
        [
            0x4745_5420_0000_0000,  // "GET "
            0x4845_4144_2000_0000,  // "HEAD "
            0x504f_5354_2000_0000,  // "POST "
            0x5055_5420_0000_0000,  // "PUT "
            0x4445_4c45_5445_2000,  // "DELETE "
            0x4f50_5449_4f4e_5320,  // "OPTIONS "
            0x434f_4e4e_4543_5420,  // "CONNECT "
            0x5041_5443_4820_0000,  // "PATCH "
            0x5452_4143_4520_0000,  // "TRACE "
            0x5052_4920_0000_0000,  // "PRI ", the preface of HTTP/2
        ]
    }

    /// Answers `plainHTTP` or `sslv2` when the first bytes leave no doubt, `needMore` while they may still
    /// become one of these, else `notTLS`. Looks at eight bytes at most.
    @inline(never)
    static func classify(_ received: RawSpan) -> HelloOutcome {
        let count = min(received.byteCount, 8)
        var word: UInt64 = 0
        for offset in 0..<count {
            word |= UInt64(received.byte(at: offset)) << UInt64(56 - 8 * offset)
        }
        if received.byte(at: 0) & 0x80 != 0 { return classifySSLv2(word, count) }
        let methods = methods
        for index in methods.indices {
            let methodBytes = 8 - methods[index].trailingZeroBitCount / 8
            let shift = UInt64(64 - 8 * min(count, methodBytes))
            guard word >> shift == methods[index] >> shift else { continue }
            return count >= methodBytes ? .plainHTTP : .needMore
        }
        return .notTLS
    }

    /// An SSLv2 hello: two bytes of length with the highest bit set, message type 1, and the version: 2 as it
    /// was then or 3.x for a client that could do more (RFC 5246 appendix E.2).
    private static func classifySSLv2(_ word: UInt64, _ count: Int) -> HelloOutcome {
        guard count >= 3 else { return .needMore }
        guard UInt8(truncatingIfNeeded: word >> 40) == 1 else { return .notTLS }
        guard count >= 5 else { return .needMore }
        let version = UInt16(truncatingIfNeeded: word >> 24)
        return version == 0x0002 || version >> 8 == 3 ? .sslv2 : .notTLS
    }
}
