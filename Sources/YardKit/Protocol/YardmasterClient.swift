import Linux
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks yardmaster: HTTP on a unix socket, one request a connection.
package struct YardmasterClient: Sendable {
    /// Where yardmaster listens, unless its configuration says otherwise.
    package static let standardPath = "/run/yardmaster/api.sock"

    private let path: String

    /// A client of the socket at that path. Nothing is done yet.
    package init(path: String) { self.path = path }

    /// One request and its answer.
    package func ask(
        _ method: Method, _ uri: String, _ content: JSONValue? = nil
    ) throws(YardError) -> JSONValue {
        var last = JSONValue.null
        try follow(method, uri, content, accept: "application/json") { last = $0 }
        return last
    }

    /// One request that may take long, and what is said meanwhile: `each` hears a line as it comes. The last
    /// one is the result.
    package func follow(
        _ method: Method, _ uri: String, _ content: JSONValue? = nil, accept: String = "application/x-ndjson",
        _ each: (JSONValue) -> Void
    ) throws(YardError) {
        let answer = try send(method, uri, content, accept)
        var refusal: YardError?
        while let line = try answer.next(from: path) {
            guard let value = try? JSONReader.read(line), case .object = value else {
                throw YardError("\(path): this is not the answer of a yardmaster", status: .notAsked)
            }
            if value["ok"].flag == false {
                refusal = YardError(
                    value["error"].text ?? "yardmaster refuses, and does not say why", status: .refused)
            } else {
                each(value)
            }
        }
        if let refusal { throw refusal }
    }

    /// What is done at an address.
    package enum Method: String, Sendable { case get = "GET", post = "POST", delete = "DELETE" }

    private func send(
        _ method: Method, _ uri: String, _ content: JSONValue?, _ accept: String
    ) throws(YardError) -> AnswerLines {
        let lines = AnswerLines()
        do {
            let channel = try ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(AnswerHandler(lines))
                    }
                }
                .connect(unixDomainSocketPath: path).wait()
            var head = HTTPRequestHead(version: .http1_1, method: .RAW(value: method.rawValue), uri: uri)
            head.headers = ["Host": "yardmaster", "Accept": accept, "Connection": "close"]
            let bytes = content.map { ByteBuffer(string: $0.line) }
            if let bytes {
                head.headers.add(name: "Content-Type", value: "application/json")
                head.headers.add(name: "Content-Length", value: "\(bytes.readableBytes)")
            }
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            if let bytes { channel.write(HTTPClientRequestPart.body(.byteBuffer(bytes)), promise: nil) }
            try channel.writeAndFlush(HTTPClientRequestPart.end(nil)).wait()
            return lines
        } catch let error as IOError {
            throw .connectingToYardmaster(path, Errno(number: error.errnoCode))
        } catch {
            throw YardError("yardmaster cannot be asked on \(path): \(error)", status: .notAsked)
        }
    }
}

/// The lines of an answer, from the thread that receives them to the one that waits for them.
private final class AnswerLines: Sendable {
    enum Piece {
        case line([UInt8])
        case end
        case broken(String)
    }

    private enum Filling { static let empty = 0, filled = 1 }
    private let condition = ConditionLock(value: Filling.empty)
    private let pieces = NIOLockedValueBox<[Piece]>([])

    func add(_ piece: Piece) {
        condition.lock()
        pieces.withLockedValue { $0.append(piece) }
        condition.unlock(withValue: Filling.filled)
    }

    /// Waits for the next line; nil: there is none any more.
    func next(from path: String) throws(YardError) -> [UInt8]? {
        condition.lock(whenValue: Filling.filled)
        let (piece, isEmpty) = pieces.withLockedValue { pieces in
            (pieces.removeFirst(), pieces.isEmpty)
        }
        condition.unlock(withValue: isEmpty ? Filling.empty : Filling.filled)
        switch piece {
        case .line(let line): return line
        case .end: return nil
        case .broken(let reason):
            throw YardError("\(path): yardmaster did not answer to the end: \(reason)", status: .notAsked)
        }
    }
}

/// Cuts an answer into lines.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    /// A longer line is not one of yardmaster's.
    private static let lineBytesMax = 64 << 20

    private let lines: AnswerLines
    private var rest: [UInt8] = []
    private var isOver = false

    init(_ lines: AnswerLines) { self.lines = lines }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: break
        case .body(let part):
            rest += part.readableBytesView
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines.add(.line(Array(rest[..<end])))
                rest.removeSubrange(...end)
            }
            if rest.count > Self.lineBytesMax { finish(.broken("a line is too long"), context) }
        case .end:
            if !rest.isEmpty { lines.add(.line(rest)) }
            finish(.end, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.broken("it closed the connection"), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.broken("\(error)"), context)
    }

    private func finish(_ piece: AnswerLines.Piece, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        lines.add(piece)
        context.close(promise: nil)
    }
}
