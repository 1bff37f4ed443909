import Archive
import Hummingbird
import Runme
import YardKit

/// Archives of sites.
extension Interface {
    func addArchives(to router: Router<BasicRequestContext>) {
        router.post("/v1/sites/:domain/export") { request, context in
            try await export(request, try context.domain)
        }
        router.post("/v1/imports") { request, _ in try await `import`(request) }
    }

    private var exchange: SiteExchange { SiteExchange(sitesPath: yardmaster.configuration.sitesPath) }

    private static func path(_ body: JSONValue, _ name: String) throws(Refusal) -> String {
        guard let path = body[name].text, path.hasPrefix("/") else {
            throw Refusal(.invalid, "`\(name)` is an absolute path")
        }
        return path
    }

    private func export(_ request: Request, _ domain: String) async throws -> Response {
        let body = try await Self.body(request)
        let path = try Self.path(body, "path")
        let word = body["format"].text ?? SiteExchange.Format.switchyard.rawValue
        guard let format = SiteExchange.Format(rawValue: word) else {
            throw Refusal(.invalid, "`format` is switchyard or 0.3")
        }
        let suffixes = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2"]
        if format == .switchyard, suffixes.contains(where: path.hasSuffix) {
            throw Refusal(.invalid, "\(path) is a name of another kind of archive: a folder, or .tar.zst")
        }
        if format == .switchyard, body["dump"].text != nil {
            throw Refusal(.invalid, "a dump goes with format 0.3 only")
        }
        let includesKey = body["without_key"].flag != true
        let dump = try body["dump"].text.map { (_) throws(Refusal) in try Self.path(body, "dump") }
        let (keeper, exchange) = (try await yardmaster.keeper(domain), exchange)
        return await work(request) { (progress) throws(Refusal) in
            let (record, state, runner) = await (keeper.record, keeper.state, keeper.runner)
            if state == .awake {
                progress("its data is made consistent")
                try await runner.snapshot()
            }
            let content = try await exchange.export(
                record.folder, to: path, format, includesKey: includesKey, dump: dump, progress)
            return .object([
                "ok": .bool(true), "path": .string(path), "files": .integer(content.files),
                "bytes": .number("\(content.bytes)"), "digest": .string(content.digest),
            ])
        }
    }

    private func `import`(_ request: Request) async throws -> Response {
        let body = try await Self.body(request)
        let path = try Self.path(body, "path")
        let serving = try Self.serving(body)
        let exchange = exchange
        return await work(request) { (progress) throws(Refusal) in
            let (runme, folder, content) = try await exchange.import(path, serving: serving, progress)
            return .object([
                "ok": .bool(true), "domain": .string(runme.domain), "folder": .string(folder),
                "images": .array(runme.namedImages.map { .string($0) }),
                "files": .integer(content.files), "bytes": .number("\(content.bytes)"),
                "digest": .string(content.digest),
            ])
        }
    }

    private static func owner(_ text: String) throws(Refusal) -> MigrationServing.Owner {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
        guard numbers.count == 2, let user = numbers[0], let group = numbers[1] else {
            throw Refusal(.invalid, "`owner` is USER:GROUP, both by number")
        }
        return MigrationServing.Owner(user: user, group: group)
    }

    private static func serving(_ body: JSONValue) throws(Refusal) -> SiteExchange.Serving? {
        guard let domain = body["domain"].text else { return nil }
        guard let image = body["image"].text else { throw Refusal(.invalid, "`image` is missing") }
        let tls = try member(body, "tls_port", in: 1...65535) ?? 443
        let http = try member(body, "http_port", in: 1...65535)
        var serving = SiteExchange.Serving(
            domain: domain, image: image, ports: Runme.Ports(tls: UInt16(tls), http: http.map { UInt16($0) }))
        serving.contentPath = body["content_path"].text
        serving.uploadsPath = body["uploads_path"].text
        serving.pluginsPath = body["plugins_path"].text
        serving.databaseImage = body["database_image"].text
        if let text = body["owner"].text { serving.owner = try owner(text) }
        for member in body["variables"].members {
            guard let value = member.value.text else {
                throw Refusal(.invalid, "a variable of `variables` is a text")
            }
            serving.variables[member.name] =
                switch value {
                case "@database-host": .databaseHost
                case "@database-name": .databaseName
                case "@database-user": .databaseUser
                case "@database-password": .databasePassword
                default: .text(value)
                }
        }
        return serving
    }
}
