import Wire

/// The answers that a worker gives of its own accord. They are prepared at start, in one buffer that is never given back.
struct FixedAnswers: BitwiseCopyable {
    private let buffer: BufferIndex
    private let plainHTTPBytes: UInt32

    init<Backend: IOBackend & ~Copyable>(in backend: inout Backend) {
        var bytes: [UInt8] = []
        for alert in TLSAlert.allCases {
            let record = alert.record
            for index in record.indices { bytes.append(record[index]) }
        }
        let answer = PlainHTTPAnswer.bytes
        bytes += answer
        plainHTTPBytes = UInt32(answer.count)
        guard let buffer = backend.makeBuffer(copying: bytes.span) else {
            preconditionFailure("a new pool has a buffer")
        }
        self.buffer = buffer
    }

    /// A fatal alert as a TLS record.
    subscript(alert: TLSAlert) -> BufferSlice {
        let place = UInt32(TLSAlert.allCases.firstIndex(of: alert) ?? 0)
        return BufferSlice(
            buffer: buffer, offset: place * UInt32(TLSAlert.recordBytes), count: UInt32(TLSAlert.recordBytes))
    }

    /// HTTP/1.1 400, for a request on a TLS port.
    var plainHTTP: BufferSlice {
        let offset = UInt32(TLSAlert.allCases.count * TLSAlert.recordBytes)
        return BufferSlice(buffer: buffer, offset: offset, count: plainHTTPBytes)
    }
}
