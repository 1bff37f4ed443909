import Wire

/// The answers that a worker gives of its own accord. They are prepared at start, in one buffer that is never
/// given back.
struct FixedAnswers: BitwiseCopyable {
    /// Holds them all.
    let buffer: BufferIndex
    private let alertCount: UInt32
    private let plainHTTPBytes: UInt32
    /// Where each answer to an HTTP request begins, in the order of the cases, and behind the last one its
    /// end; and how long it is without its content.
    private var requestAnswers = InlineArray<13, UInt32>(repeating: 0)
    private var requestAnswerHeads = InlineArray<12, UInt32>(repeating: 0)

    init<Backend: IOBackend & ~Copyable>(in backend: inout Backend) {
        var bytes: [UInt8] = []
        for alert in TLSAlert.allCases {
            precondition(
                bytes.count == Int(Self.place(of: alert)) * TLSAlert.recordBytes, "alerts lie in their order")
            let record = alert.record
            for index in record.indices { bytes.append(record[index]) }
        }
        alertCount = UInt32(TLSAlert.allCases.count)
        plainHTTPBytes = UInt32(PlainHTTPAnswer.bytes.count)
        bytes += PlainHTTPAnswer.bytes
        precondition(
            HTTPAnswer.allCases.count == requestAnswerHeads.count, "there is a place for each answer")
        for (index, answer) in HTTPAnswer.allCases.enumerated() {
            precondition(Self.place(of: answer) == index, "answers lie in their order")
            requestAnswers[index] = UInt32(bytes.count)
            requestAnswerHeads[index] = UInt32(answer.head.count)
            bytes += answer.head + answer.content
        }
        requestAnswers[requestAnswerHeads.count] = UInt32(bytes.count)
        guard let buffer = backend.makeBuffer(copying: bytes.span) else {
            preconditionFailure("a new pool has a buffer")
        }
        self.buffer = buffer
    }

    /// Where in the buffer an alert lies, in records.
    private static func place(of alert: TLSAlert) -> UInt32 {
        switch alert {
        case .handshakeFailure: 0
        case .decodeError: 1
        case .internalError: 2
        case .missingExtension: 3
        case .unrecognizedName: 4
        }
    }

    /// Where in ``requestAnswers`` an answer stands.
    private static func place(of answer: HTTPAnswer) -> Int {
        switch answer {
        case .badRequest: 0
        case .notFound: 1
        case .methodNotAllowed: 2
        case .requestTimeout: 3
        case .lengthRequired: 4
        case .contentTooLarge: 5
        case .targetTooLong: 6
        case .headTooLarge: 7
        case .notImplemented: 8
        case .badGateway: 9
        case .serviceUnavailable: 10
        case .versionNotSupported: 11
        }
    }

    /// An answer to an HTTP request; without its content when that was HEAD.
    func answer(_ answer: HTTPAnswer, headOnly: Bool) -> BufferSlice {
        let place = Self.place(of: answer)
        let start = requestAnswers[place]
        return BufferSlice(
            buffer: buffer, offset: Int32(start),
            count: headOnly ? requestAnswerHeads[place] : requestAnswers[place + 1] - start)
    }

    /// A fatal alert as a TLS record.
    subscript(alert: TLSAlert) -> BufferSlice {
        let bytes = UInt32(TLSAlert.recordBytes)
        return BufferSlice(buffer: buffer, offset: Int32(Self.place(of: alert) * bytes), count: bytes)
    }

    /// What is left of an answer of which only a part was sent.
    func rest(offset: Int32, count: UInt32) -> BufferSlice {
        BufferSlice(buffer: buffer, offset: offset, count: count)
    }

    /// HTTP/1.1 400, for a request on a TLS port.
    var plainHTTP: BufferSlice {
        BufferSlice(
            buffer: buffer, offset: Int32(alertCount) * Int32(TLSAlert.recordBytes), count: plainHTTPBytes)
    }
}
