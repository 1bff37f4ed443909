import AsyncHTTPClient
import Foundation
import Linux
import NIOCore
import NIOHTTP1

/// Requests to the engine, and their answers.
struct EngineTransport: Sendable {
    /// A longer answer is not read.
    private static let answerBytesMax = 16 << 20
    /// For an image, either way.
    private static let fileSecondsMax: Int64 = 3600

    private let client: HTTPClient
    private let socket: String
    /// In front of each path: `/v1.41`.
    private var prefix = ""

    init(socket: String) {
        self.socket = socket
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.redirectConfiguration = .disallow
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func speaking(_ version: InterfaceVersion) -> EngineTransport {
        var copy = self
        copy.prefix = "/v\(version)"
        return copy
    }

    func shutDown() async { try? await client.shutdown() }

    // MARK: Calls

    /// An answer with a good status.
    struct Answer {
        var bytes: [UInt8]

        func decoded<Body: Decodable>(_ type: Body.Type) throws(EngineError) -> Body {
            do {
                return try EngineJSON.decode(type, from: bytes)
            } catch {
                throw .unclear("\(error)")
            }
        }

        /// Some calls begin well and say in a later line that they have failed.
        func throwFailureBehindTheStatus() throws(EngineError) {
            for case let message? in lines(ProgressBody.self).map(\.error) {
                throw .refused(status: 500, message: message)
            }
        }

        /// What its lines say, as far as they can be read.
        func lines<Body: Decodable>(_ type: Body.Type) -> [Body] {
            bytes.split(separator: UInt8(ascii: "\n")).compactMap { try? EngineJSON.decode(type, from: $0) }
        }
    }

    /// One request without a content.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, _ query: [String: String] = [:], seconds: Int64 = 30
    ) async throws(EngineError) -> Answer {
        try await call(request(method, path, query.sorted { $0.key < $1.key }), seconds: seconds)
    }

    /// One with a JSON content.
    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, _ query: [String: String] = [:], body: some Encodable,
        seconds: Int64 = 60
    ) async throws(EngineError) -> Answer {
        var request = request(method, path, query.sorted { $0.key < $1.key })
        guard let data = EngineJSON.encode(body) else { throw .unclear("a request") }
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(data)
        return try await call(request, seconds: seconds)
    }

    /// One whose content is a file, however large.
    func upload(
        _ file: String, to path: String, _ query: KeyValuePairs<String, String>,
        _ progress: @escaping @Sendable (UInt64, UInt64) -> Void
    ) async throws(EngineError) -> Answer {
        try await upload(file, to: path, query.map { ($0.key, $0.value) }, progress)
    }

    /// The same, with a key more than once.
    func upload(
        _ file: String, to path: String, _ query: [(String, String)],
        _ progress: @escaping @Sendable (UInt64, UInt64) -> Void
    ) async throws(EngineError) -> Answer {
        let content: FileContent
        do {
            content = try FileContent(path: file, progress: progress)
        } catch {
            throw .unreadable(path: file, reason: "\((error as NSError).localizedDescription)")
        }
        var request = request(.POST, path, query)
        request.headers.add(name: "Content-Type", value: "application/x-tar")
        request.body = .stream(content, length: .known(Int64(content.byteCount)))
        return try await call(request, seconds: Self.fileSecondsMax)
    }

    private func request(
        _ method: HTTPMethod, _ path: String, _ query: [(String, String)]
    ) -> HTTPClientRequest {
        let values = query.map { "\($0.0.escaped)=\($0.1.escaped)" }.joined(separator: "&")
        var request = HTTPClientRequest(
            url: "http+unix://\(socket.escaped)\(prefix)\(path)\(values.isEmpty ? "" : "?" + values)")
        request.method = method
        // There is no host in such an address, and the engine wants one named.
        request.headers.add(name: "Host", value: "engine")
        return request
    }

    private func call(_ request: HTTPClientRequest, seconds: Int64) async throws(EngineError) -> Answer {
        let status: UInt
        let bytes: [UInt8]
        do {
            let response = try await client.execute(request, timeout: .seconds(seconds))
            status = response.status.code
            bytes = Array((try await response.body.collect(upTo: Self.answerBytesMax)).readableBytesView)
        } catch {
            throw failure(error, seconds: seconds)
        }
        // 304: it is in that state already.
        guard (200..<300).contains(status) || status == 304 else { throw refusal(status, bytes) }
        return Answer(bytes: bytes)
    }

    private func refusal(_ status: UInt, _ bytes: [UInt8]) -> EngineError {
        let body = try? EngineJSON.decode(MessageBody.self, from: bytes)
        let message = body?.message ?? String(decoding: bytes.prefix(500), as: UTF8.self)
        // A sentence is one line.
        let words = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        return .refused(status: body?.isConflict == true ? 409 : Int(status), message: words)
    }

    private func failure(_ error: any Error, seconds: Int64) -> EngineError {
        switch error {
        case is NIOTooManyBytesError: .unclear("it is too long")
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            .late(seconds: seconds)
        default: .unreachable(socket: socket, reason: "\(error)")
        }
    }

    /// An answer of any length goes into a file, which is whole or not there.
    func download(
        _ path: String, _ query: [(String, String)], to file: String,
        _ progress: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) async throws(EngineError) {
        let request = request(.GET, path, query)
        let partial = file + ".partial"
        do {
            let response = try await client.execute(request, timeout: .seconds(Self.fileSecondsMax))
            guard response.status.code == 200 else {
                let bytes = Array((try await response.body.collect(upTo: 65_536)).readableBytesView)
                throw refusal(response.status.code, bytes)
            }
            guard FileManager.default.createFile(atPath: partial, contents: nil),
                let handle = FileHandle(forWritingAtPath: partial)
            else { throw EngineError.unwritable(path: file, reason: "it cannot be made") }
            defer { try? handle.close() }

            var count: UInt64 = 0
            for try await part in response.body {
                do {
                    try handle.write(contentsOf: Data(part.readableBytesView))
                } catch {
                    throw EngineError.unwritable(path: file, reason: (error as NSError).localizedDescription)
                }
                count += UInt64(part.readableBytes)
                progress(count)
            }
            do {
                try renameFile(partial, to: file)
            } catch {
                throw EngineError.unwritable(path: file, reason: "\(error)")
            }
        } catch {
            removeFile(partial)
            throw error as? EngineError ?? failure(error, seconds: Self.fileSecondsMax)
        }
    }

    // MARK: Streams

    /// The lines of an answer that does not end, as far as something can be made of them.
    func lines<Element: Sendable>(
        _ path: String, _ query: [String: String], _ make: @escaping @Sendable (ArraySlice<UInt8>) -> Element?
    ) -> AsyncThrowingStream<Element, any Error> {
        let request = request(.GET, path, query.sorted { $0.key < $1.key })
        let client = client
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    let response = try await client.execute(request, deadline: .distantFuture)
                    guard response.status.code == 200 else {
                        let bytes = Array((try await response.body.collect(upTo: 65_536)).readableBytesView)
                        throw refusal(response.status.code, bytes)
                    }
                    var rest: [UInt8] = []
                    for try await part in response.body {
                        rest += part.readableBytesView
                        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                            if let element = make(rest[..<end]) { continuation.yield(element) }
                            rest.removeSubrange(...end)
                        }
                        guard rest.count <= Self.answerBytesMax else {
                            throw EngineError.unclear("a line is too long")
                        }
                    }
                    continuation.finish()
                } catch let error as EngineError {
                    continuation.finish(throwing: error)
                } catch {
                    continuation.finish(throwing: failure(error, seconds: 0))
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}

/// A file as the content of a request, read piece by piece as the engine takes it.
private struct FileContent: AsyncSequence, Sendable {
    private static let pieceBytes = 1 << 20

    let path: String
    let byteCount: UInt64
    let progress: @Sendable (UInt64, UInt64) -> Void

    init(path: String, progress: @escaping @Sendable (UInt64, UInt64) -> Void) throws {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        byteCount = try handle.seekToEnd()
        try handle.close()
        self.path = path
        self.progress = progress
    }

    func makeAsyncIterator() -> Iterator { Iterator(content: self) }

    struct Iterator: AsyncIteratorProtocol {
        let content: FileContent
        var handle: FileHandle?
        var sentCount: UInt64 = 0

        init(content: FileContent) { self.content = content }

        mutating func next() async throws -> ByteBuffer? {
            let file = try handle ?? FileHandle(forReadingFrom: URL(fileURLWithPath: content.path))
            handle = file
            guard let piece = try file.read(upToCount: FileContent.pieceBytes), !piece.isEmpty else {
                try file.close()
                return nil
            }
            sentCount += UInt64(piece.count)
            content.progress(sentCount, content.byteCount)
            return ByteBuffer(bytes: piece)
        }
    }
}
