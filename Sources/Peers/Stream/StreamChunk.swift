package import NIOCore

/// How the bytes of a stream travel: in chunks with a head of four bytes, one for the kind and three for the
/// length. TLS could tell an orderly end from a cut link by itself, and half of a connection could be closed
/// by it, but libraries and middle boxes are careless with both. So the end is said in so many words, and a
/// stream without one was cut off.
package enum StreamChunk: Equatable {
    /// A part of the bytes; one chunk may come in several parts.
    case data(ByteBuffer)
    /// There is nothing more in this direction.
    case end
    /// The sender has given up, in both directions, and why.
    case abort(String)

    enum Kind: UInt8 {
        case data = 0
        case end = 1
        case abort = 2
        /// Nothing, to say that one is there.
        case alive = 3
    }

    static let headBytes = 4
    /// As the head can tell.
    static let dataBytesMax = 1 << 24 - 1
    static let reasonBytesMax = 1024

    static let alive = head(.alive, 0)

    static func head(_ kind: Kind, _ byteCount: Int) -> ByteBuffer {
        precondition(byteCount >= 0 && byteCount <= dataBytesMax, "a chunk that its head can tell")
        return ByteBuffer(integer: UInt32(kind.rawValue) << 24 | UInt32(byteCount))
    }

    /// The chunk as bytes.
    package var bytes: ByteBuffer {
        switch self {
        case .data(var content):
            var bytes = Self.head(.data, content.readableBytes)
            bytes.writeBuffer(&content)
            return bytes
        case .end: return Self.head(.end, 0)
        case .abort(let reason):
            let content = Array(reason.utf8.prefix(Self.reasonBytesMax))
            var bytes = Self.head(.abort, content.count)
            bytes.writeBytes(content)
            return bytes
        }
    }
}

/// Makes chunks of bytes as they come, in any portions. Data is passed on as it comes, so that a chunk of any
/// length costs no memory.
package struct StreamReader {
    /// The bytes are no chunks.
    package struct Failure: Error, Equatable {}

    /// Bytes that were received and not looked at.
    private var rest = ByteBuffer()
    /// How much of a chunk of data is still to come.
    private var dataLeft = 0
    /// An end was read: there is no more data, but signs of life, and perhaps an abort, as the other
    /// direction goes on.
    private var isOver = false

    package init() {}

    /// Takes what has come.
    package mutating func receive(_ bytes: ByteBuffer) {
        if rest.readableBytes == 0 {
            rest = bytes
        } else {
            // At most the head of a chunk, or an abort's reason.
            var bytes = bytes
            rest.writeBuffer(&bytes)
        }
    }

    /// The next chunk, if there is one in what was received.
    package mutating func next() throws(Failure) -> StreamChunk? {
        while true {
            if dataLeft > 0 {
                let count = min(dataLeft, rest.readableBytes)
                guard count > 0, let part = rest.readSlice(length: count) else { return nil }
                dataLeft -= count
                return .data(part)
            }
            guard let head = rest.getInteger(at: rest.readerIndex, as: UInt32.self) else { return nil }
            guard let kind = StreamChunk.Kind(rawValue: UInt8(head >> 24)) else { throw Failure() }
            let count = Int(head & 0xff_ffff)
            switch kind {
            case .data:
                guard !isOver else { throw Failure() }
                rest.moveReaderIndex(forwardBy: StreamChunk.headBytes)
                dataLeft = count
            case .end:
                guard count == 0, !isOver else { throw Failure() }
                isOver = true
                rest.moveReaderIndex(forwardBy: StreamChunk.headBytes)
                return .end
            case .abort:
                guard count <= StreamChunk.reasonBytesMax else { throw Failure() }
                guard rest.readableBytes >= StreamChunk.headBytes + count else { return nil }
                rest.moveReaderIndex(forwardBy: StreamChunk.headBytes)
                return .abort(printable(rest.readString(length: count) ?? ""))
            case .alive:
                guard count == 0 else { throw Failure() }
                rest.moveReaderIndex(forwardBy: StreamChunk.headBytes)
            }
        }
    }
}
