import Foundation

/// Runs an image for a while, without a network, and tells what it writes outside of its volumes: that is
/// lost when its container is made anew, and missing in every backup.
package struct Audit: Sendable {
    /// A path that it has written.
    package struct Finding: Equatable, Sendable {
        /// In the container.
        package var path: String
        /// `added`, `modified` or `deleted`.
        package var kind: FileChange.Kind
        /// Whether it is in a place for what nobody misses.
        package var isTemporary: Bool

        package init(path: String, kind: FileChange.Kind, isTemporary: Bool) {
            self.path = path
            self.kind = kind
            self.isTemporary = isTemporary
        }
    }

    /// By this label what a process has left that was killed in between is found; its value is the folder of
    /// whoever made it.
    static let label = "switchyard.audit"
    private static let namePrefix = "switchyard-audit-"
    private static let folderPrefix = "audit-"
    private static let temporaryPlaces = ["/tmp", "/run", "/var/run", "/var/tmp"]
    /// What the engine itself puts into a container.
    private static let enginePlaces = [
        "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab",
        "/.dockerenv",
        "/run/.containerenv",
    ]

    let image: ImageConfiguration
    let volumes: [String]
    let domain: String

    // MARK: Findings

    /// What is outside of the volumes. A folder that was changed only by what was written in it is not named
    /// beside that.
    package static func findings(_ changes: [FileChange], volumes: [String]) -> [Finding] {
        let ignored = volumes + enginePlaces + ["/tls"]
        let outside = changes.filter { change in !ignored.contains { isInside(change.path, $0) } }
        let paths = changes.map(\.path).sorted()
        return outside.filter { change in
            guard change.kind != .deleted else { return true }
            return !hasDescendant(change.path, in: paths)
        }.map { change in
            Finding(
                path: change.path, kind: change.kind,
                isTemporary: temporaryPlaces.contains { isInside(change.path, $0) })
        }.sorted { $0.path < $1.path }
    }

    private static func isInside(_ path: String, _ folder: String) -> Bool {
        path == folder || path.hasPrefix(folder + "/")
    }

    /// Whether something below it has changed, too; `paths` are in order.
    private static func hasDescendant(_ path: String, in paths: [String]) -> Bool {
        let prefix = path == "/" ? "/" : path + "/"
        var (low, high) = (0, paths.count)
        while low < high {
            let middle = (low + high) / 2
            if paths[middle] < prefix { low = middle + 1 } else { high = middle }
        }
        return low < paths.count && paths[low].hasPrefix(prefix)
    }

    // MARK: Running

    /// What it has written, and a warning if it did not run to the end.
    func run(
        _ engine: EngineLink, seconds: Int, scratchFolder: String, _ progress: Progress
    ) async throws(Refusal) -> (findings: [Finding], warning: String?) {
        let identifier = UUID().uuidString.lowercased()
        let folder = "\(scratchFolder)/\(Self.folderPrefix)\(identifier)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await makeCertificate(in: folder)
        let specification = specification(folder, scratchFolder)
        return try await engine.use { (engine) throws(EngineError) in
            let container = try await engine.createContainer(Self.namePrefix + identifier, specification)
            do throws(EngineError) {
                let result = try await watch(container, engine, seconds, progress)
                try await engine.removeContainer(container)
                return result
            } catch {
                try? await engine.removeContainer(container)
                throw error
            }
        }
    }

    /// Declared volumes are given to it by the engine, and end with it.
    private func specification(_ folder: String, _ scratchFolder: String) -> ContainerSpecification {
        var specification = ContainerSpecification(image: image.identifier)
        specification.labels = [Self.label: scratchFolder]
        specification.network = "none"
        specification.environment = [
            "SWITCHYARD_DOMAIN=\(domain)", "SWITCHYARD_CERTIFICATE=/tls/site.pem",
        ]
        specification.mounts = [
            ContainerSpecification.Mount(source: folder, target: "/tls", isReadOnly: true)
        ]
        return specification
    }

    private func watch(
        _ container: String, _ engine: Engine, _ seconds: Int, _ progress: Progress
    ) async throws(EngineError) -> ([Finding], String?) {
        try await engine.startContainer(container)
        var warning: String?
        for second in 0..<seconds {
            progress("it runs without a network", Double(second) / Double(seconds))
            try? await Task.sleep(for: .seconds(1))
            if let state = try await engine.container(container), !state.isRunning {
                let pieces = try await engine.logs(of: container, lines: 3)
                let words = LogLine.lines(of: pieces, part: "").map(\.text).joined(separator: " | ")
                warning =
                    "it ended by itself with status \(state.exitCode)\(words.isEmpty ? "" : ": \(words)")"
                break
            }
        }
        let changes = try await engine.changes(of: container)
        return (Self.findings(changes, volumes: volumes), warning)
    }

    /// A certificate that nobody trusts, so that a server begins.
    private func makeCertificate(in folder: String) async throws(Refusal) {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Refusal(.unavailable, "\(folder) cannot be made: \(error.localizedDescription)")
        }
        try await Tool.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days", "2", "-subj", "/CN=\(domain)", "-addext", "subjectAltName=DNS:\(domain)", "-keyout",
                "key.pem", "-out", "certificate.pem",
            ], in: folder)
        var both = Data()
        for name in ["certificate.pem", "key.pem"] {
            both += FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
        }
        // Whoever it runs as has to read it, and it is worth nothing.
        guard
            FileManager.default.createFile(
                atPath: "\(folder)/site.pem", contents: both, attributes: [.posixPermissions: 0o644])
        else { throw Refusal(.unavailable, "\(folder)/site.pem cannot be written") }
    }

    /// What a process that was killed in between may have left.
    struct Remains {
        fileprivate var scratchFolder = ""
        /// Names of folders in it.
        fileprivate var folders: [String] = []
    }

    /// Looks what there is, before there is anything of this process.
    static func remains(scratchFolder: String) -> Remains {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: scratchFolder)) ?? []
        return Remains(scratchFolder: scratchFolder, folders: names.filter { $0.hasPrefix(folderPrefix) })
    }

    /// Removes it. What an audit of this process has made meanwhile has a folder that was not there before.
    static func clear(_ remains: Remains, _ engine: EngineLink) async {
        @Sendable func isNew(_ container: ContainerSummary) -> Bool {
            let folder = folderPrefix + container.name.dropFirst(namePrefix.count)
            return !remains.folders.contains(folder)
                && FileManager.default.fileExists(atPath: "\(remains.scratchFolder)/\(folder)")
        }
        try? await engine.use { (engine) throws(EngineError) in
            // An image may have such a label itself, and its containers are somebody's.
            for container in try await engine.containers(labelled: label, remains.scratchFolder)
            where container.name.hasPrefix(namePrefix) && !isNew(container) {
                try await engine.removeContainer(container.identifier)
            }
        }
        for folder in remains.folders {
            try? FileManager.default.removeItem(atPath: "\(remains.scratchFolder)/\(folder)")
        }
    }
}
