import Foundation
package import Runme

/// A site of containers: one that serves, and its sidecars, on a network of their own.
///
/// Containers are made once and then started and stopped, because making takes time that a visitor would wait
/// for. What was made for an earlier revision carries its number and is replaced.
package struct DockerSite: SiteRunner {
    /// By these labels containers are found again.
    package enum Label {
        package static let site = "switchyard.site"
        /// `site`, or a sidecar's name.
        package static let part = "switchyard.part"
        package static let revision = "switchyard.revision"
        /// The yardmaster that has made it, by ``SiteStore/identity``.
        package static let yardmaster = "switchyard.yardmaster"
    }
    /// The part that serves.
    package static let mainPart = "site"
    /// Where certificates are, in the site's folder and, read-only, in its containers.
    static let certificateFolder = "tls"
    /// How long a container has to end by itself.
    static let stopSeconds = 10
    static let snapshotSecondsMax: Int64 = 600

    let record: SiteRecord
    let runme: Runme
    let docker: Runme.Docker
    let network: SiteNetwork
    let engine: EngineLink
    /// Whose containers these are.
    let identity: String

    package init(
        _ record: SiteRecord, _ runme: Runme, _ docker: Runme.Docker, _ network: SiteNetwork,
        _ engine: EngineLink, _ identity: String
    ) {
        self.record = record
        self.runme = runme
        self.docker = docker
        self.network = network
        self.engine = engine
        self.identity = identity
    }

    package var host: String { network.address }
    package var ports: Runme.Ports { docker.ports }
    package var memoryBytes: UInt64 { parts.reduce(0) { $0 + ($1.container.memoryBytes ?? 0) } }

    /// Sidecars first: what serves needs them.
    private var parts: [(name: String, container: Runme.Container)] {
        docker.sidecars.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            + [(Self.mainPart, docker.container)]
    }
    private var networkName: String { "switchyard-\(record.domain)" }
    private func containerName(_ part: String) -> String {
        part == Self.mainPart ? networkName : "\(networkName)-\(part)"
    }
    private var folder: SiteFolder { SiteFolder(path: record.folder) }

    // MARK: Looking

    package func condition() async throws(Refusal) -> SiteCondition {
        // The engine tells of an end before its list knows of it, so each is asked about by itself.
        var states: [ContainerState] = []
        for listed in try await containers() {
            let state = try await engine.use { (engine) throws(EngineError) in
                try await engine.container(listed.identifier)
            }
            if let state { states.append(state) }
        }
        guard !states.isEmpty else { return .absent }
        let isCurrent =
            states.allSatisfy { $0.labels[Label.revision] == "\(record.revision)" }
            && Set(states.map { $0.labels[Label.part] }) == Set(parts.map(\.name))
            && states.count == parts.count
        guard let main = states.first(where: { $0.labels[Label.part] == Self.mainPart }), main.isRunning
        else {
            return states.contains(where: \.isRunning)
                ? .halfStopped(isCurrent: isCurrent) : .stopped(isCurrent: isCurrent)
        }
        return .running(
            isCurrent: isCurrent, isWhole: states.allSatisfy(\.isRunning),
            incarnation: "\(main.identifier) \(main.startedAt)")
    }

    package func lastWords() async -> String? {
        let name = containerName(Self.mainPart)
        guard
            let state = try? await engine.use({ (engine) throws(EngineError) in
                try await engine.container(name)
            }),
            !state.isRunning
        else { return nil }
        let lines = (try? await logs(of: Self.mainPart, lines: 3)) ?? []
        let words = lines.map(\.text).joined(separator: " | ")
        return "its container ended with status \(state.exitCode)\(words.isEmpty ? "" : ": \(words)")"
    }

    package func logs(of part: String?, lines: Int) async throws(Refusal) -> [LogLine] {
        let names = parts.map(\.name)
        if let part, !names.contains(part) {
            throw Refusal(
                .missing, "\(record.domain) has no part \(part); it has \(names.joined(separator: ", "))")
        }
        var all: [LogLine] = []
        for name in names where part == nil || part == name {
            let container = containerName(name)
            let pieces: [LogPiece]
            do throws(Refusal) {
                pieces = try await engine.use { (engine) throws(EngineError) in
                    try await engine.logs(of: container, lines: lines)
                }
            } catch {
                if error.kind == .missing { continue }
                throw error
            }
            all += LogLine.lines(of: pieces, part: name)
        }
        return all
    }

    // MARK: Making

    package func check(_ progress: Progress) async throws(Refusal) {
        try folder.checkCertificate(of: runme)
        for (name, container) in parts {
            _ = try await image(of: container, name, progress)
            _ = try folder.environment(of: container)
        }
    }

    /// The image's identifier; an archive is loaded or built.
    private func image(
        of container: Runme.Container, _ part: String, _ progress: Progress
    ) async throws(Refusal) -> ImageConfiguration {
        switch container.image {
        case .named(let name):
            let image = try await engine.use { (engine) throws(EngineError) in try await engine.image(name) }
            guard let image else {
                throw Refusal(
                    .missing,
                    "there is no image \(name) here: get it (docker pull \(name)) or carry it (archive: …)")
            }
            return image
        case .archive(let path):
            return try await ArchivedImage(
                path: "\(folder.path)/\(path)", file: try folder.held(path), tag: "\(networkName):\(part)"
            ).load(engine, progress)
        }
    }

    package func make(_ progress: Progress) async throws(Refusal) {
        try await removeContainers()
        try await makeNetwork()
        for (name, container) in parts {
            let image = try await image(of: container, name, progress)
            var specification = ContainerSpecification(image: image.identifier)
            specification.environment = try ownEnvironment + folder.environment(of: container)
            specification.labels = ownLabels.merging([
                Label.part: name, Label.revision: "\(record.revision)",
            ]) { $1 }
            specification.network = networkName
            if name == Self.mainPart { specification.address = network.address }
            specification.networkAliases = [name]
            specification.memoryBytes = container.memoryBytes
            specification.mounts = try await volumes(of: container, image.identifier, progress)
            try await engine.use { [specification] (engine) throws(EngineError) in
                _ = try await engine.createContainer(containerName(name), specification)
            }
        }
    }

    private func makeNetwork() async throws(Refusal) {
        try await engine.use { (engine) throws(EngineError) in
            try await engine.createNetwork(
                networkName, labels: ownLabels, addresses: network)
        }
    }

    /// Folders for volumes. One that is not there yet begins with what the image has at that place, as the
    /// engine's own volumes do, with its owners and rights.
    private func volumes(
        of container: Runme.Container, _ image: String, _ progress: Progress
    ) async throws(Refusal) -> [ContainerSpecification.Mount] {
        var mounts: [ContainerSpecification.Mount] = []
        for (name, target) in container.volumes.sorted(by: { $0.key < $1.key }) {
            let path = try folder.innerPath(name)
            if !FileManager.default.fileExists(atPath: path) {
                progress("the volume \(name) is filled from the image")
                try await VolumeSeed(
                    folder: folder, name: name, target: target, image: image, labels: ownLabels
                ).plant(engine)
            }
            mounts.append(ContainerSpecification.Mount(source: path, target: target))
        }
        if runme.certificatePath != nil {
            mounts.append(
                ContainerSpecification.Mount(
                    source: try folder.existingPath(Self.certificateFolder),
                    target: "/\(Self.certificateFolder)", isReadOnly: true))
        }
        return mounts
    }

    /// What a container is told of its site; the certificate is where it finds it.
    private var ownEnvironment: [String] {
        ["SWITCHYARD_DOMAIN=\(record.domain)"]
            + (runme.certificatePath.map { ["SWITCHYARD_CERTIFICATE=/\($0)"] } ?? [])
    }

    // MARK: Running

    package func start(_ progress: Progress) async throws(Refusal) {
        for (name, container) in parts {
            do throws(Refusal) {
                try await start(name, container)
            } catch {
                // Somebody may have removed the network meanwhile.
                guard error.text.contains("network") else { throw error }
                try await makeNetwork()
                try await start(name, container)
            }
        }
    }

    private func start(_ part: String, _ container: Runme.Container) async throws(Refusal) {
        try checkMounts(of: container)
        try await engine.use { (engine) throws(EngineError) in
            try await engine.startContainer(containerName(part))
        }
    }

    /// The engine looks a mount's source up anew at each start, and follows links as root, while the folder's
    /// owner may have put one in the place of a volume since the container was made.
    ///
    /// A race remains: the engine takes nothing but a path, and a link may come between this look and its
    /// own. Folders that are held open, mounted where only root can put things, would end it; but the engine
    /// does not see such mounts, as systemd gives yardmaster a mount namespace of its own
    /// (ProtectKernelLogs=).
    private func checkMounts(of container: Runme.Container) throws(Refusal) {
        for name in container.volumes.keys.sorted() { _ = try folder.existingPath(name) }
        if runme.certificatePath != nil { _ = try folder.existingPath(Self.certificateFolder) }
    }

    package func stop() async throws(Refusal) {
        let containers = try await containers()
        // What serves first: it may still have something to write to its sidecars.
        for container in containers.sorted(by: { Self.isMain($0) && !Self.isMain($1) })
        where container.isRunning {
            try await engine.use { (engine) throws(EngineError) in
                try await engine.stopContainer(container.identifier, afterSeconds: Self.stopSeconds)
            }
        }
    }

    private static func isMain(_ container: ContainerSummary) -> Bool {
        container.labels[Label.part] == mainPart
    }

    package func snapshot() async throws(Refusal) {
        guard let snapshot = runme.snapshot else { return }
        let container = containerName(snapshot.sidecar ?? Self.mainPart)
        let (exitCode, output) = try await engine.use { (engine) throws(EngineError) in
            try await engine.execute(
                snapshot.arguments, in: container, seconds: Self.snapshotSecondsMax)
        }
        guard exitCode == 0 else {
            let words = LogLine.lines(of: output, part: "").suffix(3).map(\.text).joined(separator: " | ")
            throw Refusal(
                .failed, "the snapshot ended with status \(exitCode)\(words.isEmpty ? "" : ": \(words)")")
        }
    }

    package func clear() async throws(Refusal) {
        try await removeContainers()
        try await engine.use { (engine) throws(EngineError) in
            for network in try await engine.networks(labelled: Label.yardmaster, identity)
            where network == networkName {
                try await engine.removeNetwork(network)
            }
        }
    }

    private func removeContainers() async throws(Refusal) {
        for container in try await containers() {
            try await engine.use { (engine) throws(EngineError) in
                try await engine.removeContainer(container.identifier)
            }
        }
    }

    /// What there is of it.
    func containers() async throws(Refusal) -> [ContainerSummary] {
        try await engine.use { (engine) throws(EngineError) in
            try await engine.containers(labelled: Label.site, record.domain).filter {
                Self.isOwn($0, identity)
            }
        }
    }

    /// Of all that is made for it; an image may have labels of the same names, which these replace.
    private var ownLabels: [String: String] { [Label.site: record.domain, Label.yardmaster: identity] }

    /// Whether a container was made by the yardmaster of that identity for a site. A label alone does not say
    /// so: whoever builds an image can write one, and an image that was made of a container has all of its
    /// labels.
    package static func isOwn(_ container: ContainerSummary, _ identity: String) -> Bool {
        guard let domain = container.labels[Label.site], container.labels[Label.yardmaster] == identity else {
            return false
        }
        let name = "switchyard-\(domain)"
        return container.name == name || container.name.hasPrefix(name + "-")
            || container.name.hasPrefix(VolumeSeed.namePrefix)
    }
}

extension LogLine {
    /// The lines of what a container has written, without their ends.
    static func lines(of pieces: [LogPiece], part: String) -> [LogLine] {
        pieces.flatMap { piece in
            String(decoding: piece.bytes, as: UTF8.self).split(separator: "\n").map {
                LogLine(part: part, isError: piece.stream == .error, text: String($0))
            }
        }
    }
}
