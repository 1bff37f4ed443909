package import Routes
import Wire
import Yams

extension Runme {
    /// Reads a manifest; the warnings come beside it.
    package static func parse(_ file: SourceFile) throws(InvalidSource) -> (Runme, DiagnosticList) {
        var parser = RunmeParser(file)
        guard let runme = parser.parse(), parser.reader.diagnostics.errorCount == 0 else {
            throw InvalidSource(diagnostics: parser.reader.diagnostics)
        }
        return (runme, parser.reader.diagnostics)
    }
}

/// What the fields of a runme mean, and what they may be.
private struct RunmeParser {
    var reader: ManifestReader
    private let hasFirstLine: Bool

    init(_ file: SourceFile) {
        reader = ManifestReader(file)
        hasFirstLine = file.bytes.starts(with: Array(Runme.firstLine.utf8) + [UInt8(ascii: "\n")])
    }

    mutating func parse() -> Runme? {
        guard var fields = reader.document() else { return nil }
        if !hasFirstLine {
            reader.warn(
                .start, "`./runme` will not start the site",
                hint: "let the first line be \(Runme.firstLine)")
        }
        parseFormat(&fields)
        let domain = fields.require("domain", &reader).flatMap { hostName($0, of: "the domain") }
        let aliases = fields.take("aliases").map { parseAliases($0, beside: domain) } ?? []
        let product = fields.take("product").flatMap { reader.text($0, of: "the product") }
        let version = fields.take("version").flatMap { reader.text($0, of: "the version") }
        let start = fields.require("start", &reader).flatMap { parseStart($0) }
        let snapshot = fields.take("snapshot").flatMap { parseSnapshot($0, start) }
        let ready = fields.take("ready").flatMap { parseReady($0) } ?? Runme.Ready()
        let sleep = fields.take("sleep").flatMap { parseSleep($0) }
        let certificate = fields.take("tls").flatMap { parseCertificate($0) }
        let backup = fields.take("backup").flatMap { parseBackup($0) }
        let mail = fields.take("mail").flatMap { parseMail($0) }
        reader.finish(fields)
        guard let domain, let start else { return nil }
        var runme = Runme(domain: domain, start: start)
        runme.aliases = aliases
        runme.product = product
        runme.version = version
        runme.snapshot = snapshot
        runme.ready = ready
        runme.sleepAfterMilliseconds = sleep
        runme.certificatePath = certificate
        runme.backup = backup
        runme.mailForward = mail
        return runme
    }

    private mutating func parseFormat(_ fields: inout Fields) {
        guard let node = fields.require("runme", &reader) else { return }
        guard let text = reader.text(node, of: "the format"), text != "\(Runme.format)" else { return }
        reader.error(node.place, "this reads format \(Runme.format), and not `\(text)`")
    }

    // MARK: Names

    private mutating func hostName(_ node: Node, of what: String) -> String? {
        guard let text = reader.text(node, of: what) else { return nil }
        guard let ascii = UnicodeName.ascii(text) else {
            reader.error(node.place, "\(what) is not a host name", hint: "write its A-label (xn--…)")
            return nil
        }
        do throws(HostNameFault) {
            let name = try HostName.normalise(Array(ascii.utf8).span.rawBytes)
            return (0..<name.byteCount).reduce(into: "") {
                $0.unicodeScalars.append(Unicode.Scalar(name.bytes.byte(at: $1)))
            }
        } catch {
            reader.error(node.place, "\(what) is not a host name: \(error.reason.words)")
            return nil
        }
    }

    private mutating func parseAliases(_ node: Node, beside domain: String?) -> [String] {
        var names: [String] = []
        for item in reader.list(node, of: "aliases") {
            guard let name = hostName(item, of: "an alias") else { continue }
            guard name != domain, !names.contains(name) else {
                reader.error(item.place, "`\(name)` stands twice")
                continue
            }
            names.append(name)
        }
        return names
    }

    /// A name for a folder or for a container on its network.
    private mutating func isLabel(_ text: String, _ mark: TextMark, of what: String) -> Bool {
        let isGood =
            (1...63).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            }
        if !isGood {
            reader.error(mark, "\(what) has up to 63 letters a-z, digits and hyphens, and no hyphen in front")
        }
        return isGood
    }

    // MARK: Paths

    /// A path within the site's folder.
    private mutating func innerPath(_ node: Node, of what: String) -> String? {
        guard let path = reader.text(node, of: what) else { return nil }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.hasPrefix("/"), !parts.contains("..") else {
            reader.error(node.place, "\(what) leads out of the site's folder")
            return nil
        }
        guard !parts.contains(""), !parts.contains(".") else {
            reader.error(
                node.place, "\(what) is not a plain path", hint: "without `./`, `//` and a slash at its end")
            return nil
        }
        return path
    }

    /// A path within a container.
    private mutating func containerPath(_ node: Node, of what: String) -> String? {
        guard let path = reader.text(node, of: what) else { return nil }
        let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard path.hasPrefix("/"), path.count > 1, !parts.contains(""), !parts.contains("."),
            !parts.contains("..")
        else {
            reader.error(
                node.place, "\(what) is a plain path that begins with a slash")
            return nil
        }
        guard !path.contains(":") else {
            reader.error(node.place, "\(what) has a colon, which the engine takes for the end of the path")
            return nil
        }
        return path
    }

    // MARK: Start

    private mutating func parseStart(_ node: Node) -> Runme.Start? {
        guard var fields = reader.fields(node, of: "start") else { return nil }
        let (docker, vagrant, command) = (
            fields.take("docker"), fields.take("vagrant"), fields.take("command")
        )
        reader.finish(fields)
        guard [docker, vagrant, command].compactMap({ $0 }).count == 1 else {
            reader.error(node.place, "start has exactly one of `docker`, `vagrant` and `command`")
            return nil
        }
        if let docker { return parseDocker(docker).map { .docker($0) } }
        if let vagrant { return parseVagrant(vagrant).map { .vagrant($0) } }
        return command.flatMap { parseCommand($0) }.map { .command($0) }
    }

    private mutating func parsePorts(_ node: Node) -> Runme.Ports? {
        guard var fields = reader.fields(node, of: "ports") else { return nil }
        let tls = fields.take("tls").flatMap { port($0) }
        let http = fields.take("http").flatMap { port($0) }
        let proxy = fields.take("proxy").flatMap { parseProxy($0) }
        reader.finish(fields)
        guard let tls else {
            reader.error(
                node.place, "ports needs `tls`",
                hint: "the edge holds no keys: the site itself has to speak TLS on a port")
            return nil
        }
        return Runme.Ports(tls: tls, http: http, proxy: proxy)
    }

    private mutating func parseProxy(_ node: Node) -> Runme.ProxyHeader? {
        guard let text = reader.text(node, of: "proxy") else { return nil }
        if let header = Runme.ProxyHeader(rawValue: text) { return header }
        let known = Runme.ProxyHeader.allCases.map(\.rawValue)
        reader.error(
            node.place, "there is no PROXY protocol `\(text)`: v1 or v2",
            hint: Suggestion.hint(for: text, among: known))
        return nil
    }

    private mutating func port(_ node: Node) -> UInt16? {
        guard let text = reader.text(node, of: "a port") else { return nil }
        guard let port = UInt16(text), port > 0, text.utf8.first != UInt8(ascii: "+") else {
            reader.error(node.place, "`\(text)` is not a port: 1 to 65535")
            return nil
        }
        return port
    }

    private mutating func parseDocker(_ node: Node) -> Runme.Docker? {
        guard var fields = reader.fields(node, of: "docker") else { return nil }
        let container = parseContainer(&fields)
        let ports = fields.require("ports", &reader).flatMap { parsePorts($0) }
        var sidecars: [String: Runme.Container] = [:]
        if let node = fields.take("sidecars"), var list = reader.fields(node, of: "sidecars") {
            for (name, mark, value) in list.takeAll() where isLabel(name, mark, of: "a sidecar's name") {
                guard var sidecar = reader.fields(value, of: "a sidecar") else { continue }
                sidecars[name] = parseContainer(&sidecar)
                reader.finish(sidecar)
            }
        }
        reader.finish(fields)
        guard let container, let ports else { return nil }
        var docker = Runme.Docker(container: container, ports: ports)
        docker.sidecars = sidecars
        return docker
    }

    private mutating func parseContainer(_ fields: inout Fields) -> Runme.Container? {
        let (name, archive) = (fields.take("image"), fields.take("archive"))
        let image: Runme.Container.Image?
        switch (name, archive) {
        case (let name?, nil): image = reader.text(name, of: "an image").map { .named($0) }
        case (nil, let archive?): image = innerPath(archive, of: "an archive").map { .archive(path: $0) }
        default:
            reader.error(fields.mark, "\(fields.what) needs exactly one of `image` and `archive`")
            image = nil
        }
        let volumes = fields.take("volumes").map { parseVolumes($0) } ?? [:]
        let environment = fields.take("env_file").flatMap { innerPath($0, of: "env_file") }
        let memory = fields.take("memory").flatMap {
            reader.quantity($0, of: "memory") { (text) throws(Quantity.Fault) in
                try Quantity.bytes(text, in: 6 << 20...1 << 44)
            }
        }
        guard let image else { return nil }
        var container = Runme.Container(image: image)
        container.volumes = volumes
        container.environmentPath = environment
        container.memoryBytes = memory
        return container
    }

    private mutating func parseVolumes(_ node: Node) -> [String: String] {
        guard var list = reader.fields(node, of: "volumes") else { return [:] }
        var volumes: [String: String] = [:]
        for (name, mark, value) in list.takeAll() where isLabel(name, mark, of: "a volume's name") {
            guard !["tls", "env", "runme"].contains(name) else {
                reader.error(
                    mark, "a volume cannot be called `\(name)`: the site's folder has something of that name")
                continue
            }
            guard let path = containerPath(value, of: "where a volume is mounted") else { continue }
            guard !volumes.values.contains(path) else {
                reader.error(value.place, "`\(path)` is a volume already")
                continue
            }
            volumes[name] = path
        }
        return volumes
    }

    private mutating func parseVagrant(_ node: Node) -> Runme.Vagrant? {
        guard var fields = reader.fields(node, of: "vagrant") else { return nil }
        let directory = fields.require("directory", &reader).flatMap { innerPath($0, of: "directory") }
        let address = fields.require("address", &reader).flatMap { node -> String? in
            guard let text = reader.text(node, of: "address") else { return nil }
            let bytes = Array(text.utf8)
            guard
                AddressText.ipv4(bytes.span.rawBytes) != nil || AddressText.ipv6(bytes.span.rawBytes) != nil
            else {
                reader.error(node.place, "`\(text)` is not an IP address")
                return nil
            }
            return text
        }
        let ports = fields.require("ports", &reader).flatMap { parsePorts($0) }
        reader.finish(fields)
        guard let directory, let address, let ports else { return nil }
        return Runme.Vagrant(directory: directory, address: address, ports: ports)
    }

    private mutating func parseCommand(_ node: Node) -> Runme.Command? {
        guard var fields = reader.fields(node, of: "command") else { return nil }
        let arguments = fields.require("exec", &reader).map { reader.texts($0, of: "exec").map(\.text) }
        let ports = fields.require("ports", &reader).flatMap { parsePorts($0) }
        reader.finish(fields)
        guard let arguments, !arguments.isEmpty, let ports else { return nil }
        return Runme.Command(arguments: arguments, ports: ports)
    }

    // MARK: The rest

    private mutating func parseSnapshot(_ node: Node, _ start: Runme.Start?) -> Runme.Snapshot? {
        guard var fields = reader.fields(node, of: "snapshot") else { return nil }
        let arguments = fields.require("exec", &reader).map { reader.texts($0, of: "exec").map(\.text) }
        var sidecar: String?
        if let node = fields.take("in"), let name = reader.text(node, of: "in") {
            sidecar = name
            if case .docker(let docker)? = start {
                if docker.sidecars[name] == nil {
                    reader.error(
                        node.place, "there is no sidecar `\(name)`",
                        hint: Suggestion.hint(for: name, among: docker.sidecars.keys.sorted()))
                }
            } else if start != nil {
                reader.error(node.place, "only a site of `docker` has sidecars")
            }
        }
        reader.finish(fields)
        guard let arguments, !arguments.isEmpty else { return nil }
        return Runme.Snapshot(arguments: arguments, sidecar: sidecar)
    }

    private mutating func milliseconds(
        _ node: Node, of what: String, in bounds: ClosedRange<UInt64>
    ) -> UInt32? {
        reader.quantity(node, of: what) { (text) throws(Quantity.Fault) in
            try Quantity.milliseconds(text, in: bounds)
        }
    }

    private mutating func parseReady(_ node: Node) -> Runme.Ready? {
        guard var fields = reader.fields(node, of: "ready") else { return nil }
        var ready = Runme.Ready()
        if let node = fields.take("check"), let text = reader.text(node, of: "check") {
            if let check = Runme.Ready.Check(rawValue: text) {
                ready.check = check
            } else {
                let known = Runme.Ready.Check.allCases.map(\.rawValue)
                reader.error(
                    node.place, "there is no check `\(text)`", hint: Suggestion.hint(for: text, among: known))
            }
        }
        if let node = fields.take("within"),
            let limit = milliseconds(node, of: "within", in: 1000...3_600_000)
        {
            ready.withinMilliseconds = limit
        }
        reader.finish(fields)
        return ready
    }

    private mutating func parseSleep(_ node: Node) -> UInt32? {
        guard var fields = reader.fields(node, of: "sleep") else { return nil }
        defer { reader.finish(fields) }
        guard let node = fields.require("after", &reader) else { return nil }
        if case .scalar(let scalar) = node, scalar.string == "never" { return nil }
        return milliseconds(node, of: "after", in: 1000...30 * 86_400_000)
    }

    private mutating func parseCertificate(_ node: Node) -> String? {
        guard var fields = reader.fields(node, of: "tls") else { return nil }
        defer { reader.finish(fields) }
        return fields.require("certificate", &reader).flatMap { node -> String? in
            guard let path = innerPath(node, of: "certificate") else { return nil }
            // This folder is what a site's containers see of it.
            guard path.hasPrefix("tls/") else {
                reader.error(node.place, "certificate is a file in the folder `tls`")
                return nil
            }
            return path
        }
    }

    private mutating func parseBackup(_ node: Node) -> Runme.Backup? {
        guard var fields = reader.fields(node, of: "backup") else { return nil }
        let every = fields.require("every", &reader).flatMap {
            milliseconds($0, of: "every", in: 60_000...30 * 86_400_000)
        }
        let remotes = fields.require("to", &reader).map { node in
            reader.texts(node, of: "to").compactMap { item -> String? in
                // git takes what begins with a hyphen for an option.
                guard !item.text.hasPrefix("-") else {
                    reader.error(item.mark, "a remote does not begin with a hyphen")
                    return nil
                }
                return item.text
            }
        }
        reader.finish(fields)
        guard let every, let remotes, !remotes.isEmpty else { return nil }
        return Runme.Backup(everyMilliseconds: every, remotes: remotes)
    }

    private mutating func parseMail(_ node: Node) -> String? {
        guard var fields = reader.fields(node, of: "mail") else { return nil }
        defer { reader.finish(fields) }
        guard let node = fields.require("forward", &reader), let text = reader.text(node, of: "forward")
        else {
            return nil
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        let isGood =
            parts.count == 2 && !parts[0].isEmpty && !text.contains(" ")
            && (try? HostName.normalise(Array(parts[1].utf8).span.rawBytes)) != nil
        guard isGood else {
            reader.error(node.place, "`\(text)` is not a mail address")
            return nil
        }
        return text
    }
}

extension HostNameFault.Reason {
    /// For a message.
    fileprivate var words: String {
        switch self {
        case .empty: "it is empty"
        case .emptyLabel: "there is nothing between two dots"
        case .labelTooLong: "a part of it has more than 63 letters"
        case .tooLong: "it has more than 253 letters"
        case .ipLiteral: "it is an IP address"
        case .controlByte, .nonASCIIByte, .invalidByte: "it has a character that no host name has"
        case .blank: "it has a blank"
        }
    }
}
