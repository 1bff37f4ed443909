import Wire

/// The answers that a worker gives of its own accord. They are prepared at start, in one buffer that is never
/// given back.
struct FixedAnswers: BitwiseCopyable {
    /// Holds them all.
    let buffer: BufferIndex
    private let alertCount: UInt32
    private let plainHTTPBytes: UInt32

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

    /// A fatal alert as a TLS record.
    subscript(alert: TLSAlert) -> BufferSlice {
        let bytes = UInt32(TLSAlert.recordBytes)
        return BufferSlice(buffer: buffer, offset: Self.place(of: alert) * bytes, count: bytes)
    }

    /// What is left of an answer of which only a part was sent.
    func rest(offset: UInt32, count: UInt32) -> BufferSlice {
        BufferSlice(buffer: buffer, offset: offset, count: count)
    }

    /// HTTP/1.1 400, for a request on a TLS port.
    var plainHTTP: BufferSlice {
        BufferSlice(buffer: buffer, offset: alertCount * UInt32(TLSAlert.recordBytes), count: plainHTTPBytes)
    }
}
