import Foundation
import HTTPTypes
import Hummingbird
import Linux
import Logging
import NIOCore
import ServiceLifecycle
import YardKit

/// What `yard` and others ask: HTTP on a unix socket, described in docs/yardmaster-api.yaml.
package struct Interface: Service {
    private static let bodyBytesMax = 64 << 10
    /// A connection on which nothing is said for so long is closed.
    private static let idleLimit = TimeAmount.seconds(60)
    let yardmaster: Yardmaster
    private let isServing: @Sendable () -> Void

    /// `isServing` is called once its socket can be asked.
    package init(_ yardmaster: Yardmaster, isServing: @escaping @Sendable () -> Void) {
        self.yardmaster = yardmaster
        self.isServing = isServing
    }

    /// Serves until the process is asked to end.
    package func run() async throws {
        let path = yardmaster.configuration.interfacePath
        let log = yardmaster.log
        removeFile(path)
        let application = Application(
            router: router(), server: .http1(configuration: .init(idleTimeout: Self.idleLimit)),
            configuration: ApplicationConfiguration(address: .unixDomainSocket(path: path), serverName: nil),
            onServerRunning: { [isServing] _ in
                do {
                    try LocalSocket.open(path)
                } catch {
                    log.error("\(path): \(error)")
                }
                isServing()
            }, logger: log)
        try await application.run()
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: FailureAnswer())
        let yardmaster = yardmaster
        router.get("/v1/status") { _, _ in Self.answer(await yardmaster.status()) }
        router.get("/v1/sites") { _, _ in
            Self.answer(.object(["sites": .array(await yardmaster.reports())]))
        }
        router.get("/v1/sites/:domain") { _, context in
            Self.answer(try await yardmaster.report(of: try context.domain))
        }
        router.post("/v1/sites") { request, _ in try await add(request) }
        router.delete("/v1/sites/:domain") { request, context in
            await perform(.remove, try context.domain, request)
        }
        for verb in Yardmaster.Verb.allCases where verb != .remove {
            router.post("/v1/sites/:domain/\(verb.rawValue)") { request, context in
                await perform(verb, try context.domain, request)
            }
        }
        router.get("/v1/sites/:domain/logs") { request, context in
            let lines = try Self.number(request, "lines", in: 1...10_000) ?? 100
            let part = request.uri.queryParameters.get("part")
            let keeper = try await yardmaster.keeper(try context.domain)
            let found = try await keeper.runner.logs(of: part, lines: lines)
            return Self.answer(.object(["lines": .array(found.map { JSONValue($0) })]))
        }
        addMigrations(to: router)
        addArchives(to: router)
        router.post("/v1/blueprints") { request, _ in try await blueprint(request) }
        router.get("/v1/operations") { request, _ in
            let limit = try Self.number(request, "limit", in: 1...1000) ?? 50
            let domain = request.uri.queryParameters.get("domain")
            let operations = try await yardmaster.store.operations(of: domain, limit: limit)
            return Self.answer(.object(["operations": .array(operations.map { JSONValue($0) })]))
        }
        return router
    }

    private static func number(
        _ request: Request, _ name: String, in range: ClosedRange<Int>
    ) throws(Refusal) -> Int? {
        guard let text = request.uri.queryParameters.get(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Refusal(.invalid, "`\(name)` is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    // MARK: Work

    private func add(_ request: Request) async throws -> Response {
        let body = try await Self.body(request)
        guard let folder = body["folder"].text else { throw Refusal(.invalid, "`folder` is missing") }
        let word = body["wish"].text ?? Wish.stopped.rawValue
        guard let wish = Wish(rawValue: word), wish != .removed else {
            throw Refusal(.invalid, "`wish` is stopped, asleep or awake")
        }
        let yardmaster = yardmaster
        return await change(request) { (progress) throws(Refusal) in
            // A site that cannot be started is kept all the same: it was added.
            var outcome = try await yardmaster.add(
                folder: folder, wish: wish == .awake ? .stopped : wish, progress)
            guard wish == .awake else { return outcome }
            do throws(Refusal) {
                outcome.warnings += try await yardmaster.perform(.start, outcome.domain, progress).warnings
            } catch {
                throw Refusal(error.kind, "\(error.text) (it was added, and is stopped)")
            }
            return outcome
        }
    }

    private func perform(_ verb: Yardmaster.Verb, _ domain: String, _ request: Request) async -> Response {
        let yardmaster = yardmaster
        return await change(request) { (progress) throws(Refusal) in
            try await yardmaster.perform(verb, domain, progress)
        }
    }

    /// Makes a runme of an image.
    private func blueprint(_ request: Request) async throws -> Response {
        let body = try await Self.body(request)
        guard let image = body["image"].text else { throw Refusal(.invalid, "`image` is missing") }
        let port = try Self.member(body, "tls_port", in: 1...65535).map { UInt16($0) }
        let seconds = try Self.member(body, "audit_seconds", in: 1...600)
        let domain = body["domain"].text ?? "example.org"
        let maker = yardmaster.blueprints
        return await work(request) { (progress) throws(Refusal) in
            let result = try await maker.make(
                image: image, domain: domain, tlsPort: port, auditSeconds: seconds, progress)
            return .object([
                "ok": .bool(true), "runme": .string(result.text),
                "warnings": .array(result.warnings.map { .string($0) }),
                "written": result.written.map { .array($0.map { JSONValue($0) }) } ?? .null,
            ])
        }
    }

    static func member(
        _ body: JSONValue, _ name: String, in range: ClosedRange<Int>
    ) throws(Refusal) -> Int? {
        if body[name].isNull { return nil }
        guard let number = body[name].integer, range.contains(number) else {
            throw Refusal(.invalid, "`\(name)` is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Work that changes a site; tells how the site is then.
    private func change(
        _ request: Request, _ body: @escaping @Sendable (Progress) async throws(Refusal) -> Yardmaster.Outcome
    ) async -> Response {
        let yardmaster = yardmaster
        return await work(request) { (progress) throws(Refusal) in
            let outcome = try await body(progress)
            let site = try? await yardmaster.report(of: outcome.domain)
            return .object([
                "ok": .bool(true), "domain": .string(outcome.domain), "site": site ?? .null,
                "warnings": .array(outcome.warnings.map { .string($0) }),
            ])
        }
    }

    /// Work that may take long. Who accepts lines hears of its progress; who does not, waits. It is done to
    /// its end even if nobody waits for it any more.
    func work(
        _ request: Request, _ body: @escaping @Sendable (Progress) async throws(Refusal) -> JSONValue
    ) async -> Response {
        @Sendable func result(_ progress: Progress) async -> Result<JSONValue, Refusal> {
            do throws(Refusal) {
                return .success(try await body(progress))
            } catch {
                return .failure(error)
            }
        }
        guard request.headers[.accept]?.contains("application/x-ndjson") == true else {
            let (results, sender) = AsyncStream.makeStream(of: Result<JSONValue, Refusal>.self)
            Task {
                sender.yield(await result(.none))
                sender.finish()
            }
            return switch await results.first(where: { _ in true }) {
            case .success(let value): Self.answer(value)
            case .failure(let refusal): Self.answer(refusal)
            case nil: Self.answer(Refusal(.unavailable, "yardmaster ends before this is done"))
            }
        }
        let (lines, sender) = AsyncStream.makeStream(
            of: ByteBuffer.self, bufferingPolicy: .bufferingNewest(64))
        Task {
            let progress = Progress { text, fraction in
                let share: JSONValue = fraction.map { .number(String(format: "%.3f", $0)) } ?? .null
                sender.yield(Self.line(.object(["progress": .string(text), "fraction": share])))
            }
            switch await result(progress) {
            case .success(let value): sender.yield(Self.line(value))
            case .failure(let refusal): sender.yield(Self.line(JSONValue(refusal)))
            }
            sender.finish()
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody(asyncSequence: lines))
    }

    // MARK: Texts

    static func body(_ request: Request) async throws(Refusal) -> JSONValue {
        var request = request
        guard let buffer = try? await request.collectBody(upTo: bodyBytesMax),
            let value = try? JSONReader.read(Array(buffer.readableBytesView)), case .object = value
        else { throw Refusal(.invalid, "the content is not a JSON object of at most \(bodyBytesMax) bytes") }
        return value
    }

    static func answer(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: line(value)))
    }

    static func answer(_ refusal: Refusal) -> Response {
        answer(JSONValue(refusal), status: refusal.kind.status)
    }

    private static func line(_ value: JSONValue) -> ByteBuffer { ByteBuffer(string: value.line + "\n") }
}

/// Everything that is refused is told in the same form.
private struct FailureAnswer: RouterMiddleware {
    func handle(
        _ request: Request, context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let refusal as Refusal {
            return Interface.answer(refusal)
        } catch let error as HTTPError {
            let kind: Refusal.Kind = error.status == .notFound ? .missing : .invalid
            let text =
                error.body ?? "\(request.method.rawValue) \(request.uri.path): \(error.status.reasonPhrase)"
            return Interface.answer(JSONValue(Refusal(kind, text)), status: error.status)
        }
    }
}

extension Refusal.Kind {
    fileprivate var status: HTTPResponse.Status {
        switch self {
        case .invalid: .badRequest
        case .missing: .notFound
        case .conflict: .conflict
        case .unavailable: .serviceUnavailable
        case .failed: .internalServerError
        }
    }
}

extension BasicRequestContext {
    var domain: String {
        get throws {
            let text = try parameters.require("domain")
            return text.removingPercentEncoding ?? text
        }
    }
}

extension JSONValue {
    fileprivate init(_ refusal: Refusal) {
        self = .object([
            "ok": .bool(false), "error": .string(refusal.text), "kind": .string(refusal.kind.rawValue),
        ])
    }

    fileprivate init(_ finding: Audit.Finding) {
        let kind =
            switch finding.kind {
            case .added: "added"
            case .modified: "modified"
            case .deleted: "deleted"
            }
        self = .object([
            "path": .string(finding.path), "change": .string(kind), "temporary": .bool(finding.isTemporary),
        ])
    }

    fileprivate init(_ line: LogLine) {
        self = .object([
            "part": .string(line.part), "error": .bool(line.isError), "text": .string(line.text),
        ])
    }
}
