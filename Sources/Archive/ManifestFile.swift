import Linux
import Routes
import Runme

/// The runme of a site's folder.
enum ManifestFile {
    static let name = "runme"
    private static let bytesMax = 1 << 20

    /// What it says; the first mistake is told.
    static func runme(in folder: String) throws(ArchiveRefusal) -> Runme {
        let bytes: [UInt8]
        do throws(Errno) {
            // A link might lead to what only root may read, and its text into a message.
            guard try OpenFolder(path: folder).status(of: Array(name.utf8)).kind == .file else {
                throw Errno.invalidArgument
            }
            bytes = try readFile("\(folder)/\(name)", bytesMax: bytesMax)
        } catch {
            throw ArchiveRefusal(.missing, "\(folder) has no runme that can be read: \(error)")
        }
        return try parse(bytes)
    }

    static func parse(_ bytes: [UInt8]) throws(ArchiveRefusal) -> Runme {
        do throws(InvalidSource) {
            return try Runme.parse(SourceFile(path: name, bytes: bytes)).0
        } catch {
            let first = error.diagnostics.kept.first { $0.severity == .error }
            throw ArchiveRefusal(
                .invalid, first.map { "\($0.path):\($0.line):\($0.column): \($0.message)" } ?? "a bad runme")
        }
    }
}

/// Symbolic links of a site lead to something in it. Volumes are left alone: their links are followed in a
/// container, where the folder is somewhere else and `/dev/stdout` or `/etc/alternatives` means its own.
struct LinkRule {
    private let volumes: [TreePath]

    init(volumesOf runme: Runme) {
        guard case .docker(let docker) = runme.start else {
            volumes = []
            return
        }
        let containers = [docker.container] + docker.sidecars.values
        volumes = containers.flatMap { $0.volumes.keys.compactMap { TreePath($0) } }
    }

    func check(_ manifest: TreeManifest) throws(ArchiveRefusal) {
        for entry in manifest.entries {
            guard case .link(let target, _) = entry.content, !isInVolume(entry.path) else { continue }
            guard isInside(target, from: entry.path) else {
                let target = EscapedText.readable(target)
                throw ArchiveRefusal(.invalid, "the link \(entry.path) leads out of the site, to \(target)")
            }
        }
    }

    /// A volume that is a link itself is not spared.
    private func isInVolume(_ path: TreePath) -> Bool {
        volumes.contains { path != $0 && path.isWithin($0) }
    }

    /// Only up and then only down: `..` behind a name would depend on where that leads. So each way through
    /// several links stays inside as well.
    private func isInside(_ target: [UInt8], from link: TreePath) -> Bool {
        let slash = UInt8(ascii: "/")
        guard target.first != slash, var folder = link.parent else { return false }
        var names = target.split(separator: slash).map(Array.init).filter { $0 != [0x2e] }[...]
        while names.first == [0x2e, 0x2e] {
            guard let parent = folder.parent else { return false }
            folder = parent
            names.removeFirst()
        }
        guard !names.contains([0x2e, 0x2e]) else { return false }
        return !isInVolume(names.reduce(folder) { $0.appending($1) })
    }
}
