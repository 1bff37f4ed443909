import Foundation
import Peers
package import Routes
import Runme

/// What `yardmaster.yaml` says; without it, what stands here.
package struct YardmasterConfiguration: Equatable, Sendable {
    /// Where it is looked for, unless it is told otherwise.
    package static let standardPath = "/etc/switchyard/yardmaster.yaml"

    /// The folder of the sites' folders.
    package var sitesPath = "/var/lib/switchyard/sites"
    /// The SQLite file with what is wanted of them; what commands write is kept beside it.
    package var statePath = "/var/lib/switchyard/yardmaster.sqlite"
    /// Where `yard` and others ask.
    package var interfacePath = "/run/yardmaster/api.sock"
    /// Where the edge says who is waited for.
    package var wakePath = "/run/yardmaster/wake.sock"
    /// The container engine's socket.
    package var enginePath = Engine.defaultSocket
    /// Where sites' networks are taken from.
    package var networks = "10.213.0.0/16"
    /// The routes file that yardmaster is the author of.
    package var routesPath = "/etc/switchyard/routes.d/yardmaster.routes"
    /// The edge's pid file.
    package var edgePidPath = "/run/switchyard/switchyard.pid"
    /// The edge's control socket.
    package var edgeControlPath = "/run/switchyard/control.sock"
    /// What sites may take of the machine.
    package var limits = Capacity.Limits()
    /// From comparison to comparison of what is wanted and what is there.
    package var compareMilliseconds: UInt32 = 30_000

    /// Other hosters; nil: there are none.
    package var peers: PeerSettings?
    /// What is told and asked of DNS.
    package var names = NameSettings()
    /// The most that copies may take of the link beside a site that runs; nil: all.
    package var bandwidthBytesPerSecond: Int?

    package init() {}

    /// The key by which peers know this hoster.
    package var identityPath: String { stateFolder + "/identity.pem" }
    private var stateFolder: String {
        String(statePath.prefix(upTo: statePath.lastIndex(of: "/") ?? statePath.startIndex))
    }
    /// Where what commands write is kept.
    package var logPath: String { stateFolder + "/logs" }
    /// For what is needed for a moment.
    package var scratchPath: String { stateFolder + "/scratch" }
    /// The networks' pool.
    package var pool: SiteNetwork.Pool { SiteNetwork.Pool(networks) ?? SiteNetwork.Pool("10.213.0.0/16")! }

    /// Makes the folders that it needs and that are not there.
    package func makeFolders() throws(Refusal) {
        let files = [statePath, interfacePath, wakePath]
        let parents = files.map { String($0.prefix(upTo: $0.lastIndex(of: "/") ?? $0.startIndex)) }
        for folder in [sitesPath, logPath] + parents where !folder.isEmpty {
            do {
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o755])
            } catch {
                throw Refusal(.unavailable, "\(folder) cannot be made: \(error.localizedDescription)")
            }
        }
    }

    /// Reads a file; all mistakes are told.
    package static func parse(_ file: SourceFile) throws(InvalidSource) -> YardmasterConfiguration {
        var reader = ManifestReader(file)
        var configuration = YardmasterConfiguration()
        if let fields = reader.document(what: "a configuration") { configuration.read(fields, &reader) }
        guard reader.diagnostics.errorCount == 0 else { throw InvalidSource(diagnostics: reader.diagnostics) }
        return configuration
    }

    private mutating func read(_ given: Fields, _ reader: inout ManifestReader) {
        var fields = given
        func path(
            _ name: String, _ fields: inout Fields, _ reader: inout ManifestReader, _ value: inout String
        ) {
            guard let node = fields.take(name), let text = reader.text(node, of: name) else { return }
            guard text.hasPrefix("/"), !text.contains(where: \.isWhitespace) else {
                reader.error(node.place, "\(name) is an absolute path without blanks")
                return
            }
            value = text
        }
        path("sites", &fields, &reader, &sitesPath)
        path("state", &fields, &reader, &statePath)
        path("api", &fields, &reader, &interfacePath)
        path("wake", &fields, &reader, &wakePath)
        path("engine", &fields, &reader, &enginePath)
        if let node = fields.take("networks"), let text = reader.text(node, of: "networks") {
            if SiteNetwork.Pool(text) == nil {
                reader.error(
                    node.place, "networks is an IPv4 network of 8 to 28 bits",
                    hint: "for instance 10.213.0.0/16")
            }
            networks = text
        }
        if let node = fields.take("edge"), var edge = reader.fields(node, of: "edge") {
            path("routes", &edge, &reader, &routesPath)
            path("pidfile", &edge, &reader, &edgePidPath)
            path("control", &edge, &reader, &edgeControlPath)
            reader.finish(edge)
        }
        if let node = fields.take("limits"), var limits = reader.fields(node, of: "limits") {
            readLimits(&limits, &reader)
            reader.finish(limits)
        }
        if let node = fields.take("compare"),
            let value = reader.quantity(
                node, of: "compare",
                { (text) throws(Quantity.Fault) in
                    try Quantity.milliseconds(text, in: 1000...3_600_000)
                })
        {
            compareMilliseconds = value
        }
        if let node = fields.take("peers"), var peers = reader.fields(node, of: "peers") {
            readPeers(&peers, &reader)
            reader.finish(peers)
        }
        if let node = fields.take("dns"), var names = reader.fields(node, of: "dns") {
            readNames(&names, &reader)
            reader.finish(names)
        }
        reader.finish(fields)
    }

    private mutating func readPeers(_ fields: inout Fields, _ reader: inout ManifestReader) {
        let name = fields.require("name", &reader).flatMap { node in
            reader.text(node, of: "name").flatMap { text -> String? in
                if (try? PeerName(text)) != nil { return text }
                reader.error(node.place, "name is of lower-case letters, digits, - and ., 63 at most")
                return nil
            }
        }
        let listen = fields.require("listen", &reader).map { node in
            reader.texts(node, of: "listen").compactMap { item -> HostPort? in
                if let address = HostPort(item.text) { return address }
                reader.error(item.mark, "`\(item.text)` is not an IP address with a port")
                return nil
            }
        }
        let address = fields.require("address", &reader).flatMap { reader.text($0, of: "address") }
        var forwards: [String?] = []
        for key in ["forward", "forward_http"] {
            guard let node = fields.take(key), let text = reader.text(node, of: key) else {
                forwards.append(nil)
                continue
            }
            if HostPort(text) == nil { reader.error(node.place, "\(key) is an IP address with a port") }
            forwards.append(text)
        }
        if let node = fields.take("bandwidth"),
            let bytes = reader.quantity(
                node, of: "bandwidth",
                { (text) throws(Quantity.Fault) in try Quantity.bytes(text, in: 1 << 10...1 << 40) })
        {
            bandwidthBytesPerSecond = Int(bytes)
        }
        var settings = PeerSettings(name: name ?? "", listen: listen ?? [], address: address ?? "")
        (settings.forwardTLS, settings.forwardHTTP) = (forwards[0], forwards[1])
        readTerms(of: &settings, &fields, &reader)
        // What is missing was told.
        if name != nil, listen != nil, address != nil { peers = settings }
    }

    /// What is taken of peers.
    private func readTerms(
        of settings: inout PeerSettings, _ fields: inout Fields, _ reader: inout ManifestReader
    ) {
        if let node = fields.take("site_size"),
            let bytes = reader.quantity(
                node, of: "site_size",
                { (text) throws(Quantity.Fault) in try Quantity.bytes(text, in: 1 << 20...1 << 50) })
        {
            settings.siteBytesMax = bytes
        }
        if let node = fields.take("site_memory"),
            let bytes = reader.quantity(
                node, of: "site_memory",
                { (text) throws(Quantity.Fault) in try Quantity.bytes(text, in: 1 << 20...1 << 50) })
        {
            settings.siteMemoryBytesMax = bytes
        }
        if let node = fields.take("products") {
            settings.products = Set(reader.texts(node, of: "products").map(\.text))
        }
        guard let node = fields.take("addresses") else { return }
        settings.addresses = reader.texts(node, of: "addresses").compactMap { item in
            if let address = VisitorAddress(item.text) { return address }
            reader.error(item.mark, "`\(item.text)` is not an IP address")
            return nil
        }
        // Without one, visitors who have no IPv6 would find nothing behind the names.
        if !settings.addresses.contains(where: { $0.kind == .ipv4 }) {
            reader.error(node.place, "addresses has no IPv4 address")
        }
    }

    private mutating func readNames(_ fields: inout Fields, _ reader: inout ManifestReader) {
        func server(_ item: (text: String, place: TextMark)) -> HostPort? {
            let text = item.text
            let whole = text.contains(":") && VisitorAddress(text) != nil ? "[\(text)]" : text
            if let server = HostPort(text) ?? HostPort("\(whole):53") { return server }
            reader.error(item.place, "`\(text)` is not an IP address, with or without a port")
            return nil
        }
        if let node = fields.take("server"), let text = reader.text(node, of: "server") {
            names.server = server((text, node.place))
        }
        if let node = fields.take("key"), let text = reader.text(node, of: "key") {
            if !text.hasPrefix("/") { reader.error(node.place, "key is an absolute path") }
            names.keyPath = text
        }
        if let node = fields.take("ttl"),
            let value = reader.quantity(
                node, of: "ttl",
                { (text) throws(Quantity.Fault) in try Quantity.milliseconds(text, in: 1000...86_400_000) })
        {
            names.ttlSeconds = value / 1000
        }
        if let node = fields.take("resolvers") {
            names.resolvers = reader.texts(node, of: "resolvers").compactMap { server(($0.text, $0.mark)) }
        }
    }

    private mutating func readLimits(_ fields: inout Fields, _ reader: inout ManifestReader) {
        if let node = fields.take("running"), let text = reader.text(node, of: "running") {
            if let count = Int(text), count > 0 {
                limits.running = count
            } else {
                reader.error(node.place, "running is a number of sites, at least 1")
            }
        }
        if let node = fields.take("memory"),
            let bytes = reader.quantity(
                node, of: "memory",
                { (text) throws(Quantity.Fault) in
                    try Quantity.bytes(text, in: 1 << 20...1 << 50)
                })
        {
            limits.memoryBytes = bytes
        }
    }
}
