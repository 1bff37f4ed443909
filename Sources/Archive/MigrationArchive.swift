import Foundation
import Linux
package import Runme

/// An archive in the IndieHosters migration format 0.3: a folder, or a tar file of it, with
/// ``MigrationDescription`` in its root.
package struct MigrationArchive: Sendable {
    /// A folder or a tar file.
    package let path: String
    /// What an archive may be at most.
    package var limits = TreeLimits()
    /// Hears what is done.
    package var progress: ArchiveProgress?

    package init(path: String, progress: ArchiveProgress? = nil) {
        self.path = path
        self.progress = progress
    }

    /// Makes a site's folder of the archive, at a path where nothing is; it appears there as a whole. The
    /// archive does not know its domain, nor with what it is served: that is decided when its description is
    /// known.
    package func restore(
        to folder: String, domain: String,
        serving: @Sendable (MigrationDescription) throws(ArchiveRefusal) -> MigrationServing
    ) async throws(ArchiveRefusal) -> Runme {
        let staging = try Staging(for: folder)
        defer { staging.remove() }

        let source = try await unpacked(in: staging)
        let manifest = try await look(at: source)
        let description = try description(source, manifest)
        try check(description, manifest)
        try staging.makeFolder("site", mode: 0o755)
        let copy = PartCopy(source: source, manifest: manifest, staging: staging, progress: progress)
        var runme: Runme
        switch (description.data, try serving(description)) {
        case (nil, .files(let serving)):
            runme = MigrationLayout.runme(domain, serving)
            try await copy.content(owner: serving.owner)
        case (let data?, .application(let serving)):
            runme = MigrationLayout.runme(domain, description.application, data, serving)
            try await copy.data(data, serving)
        case (nil, .application), (_?, .files):
            throw ArchiveRefusal(
                .invalid, "\(description.application) is not served in the way that was chosen for it")
        }
        if try copy.certificate(domain) { runme.certificatePath = "tls/\(domain).pem" }
        let text = Array(runme.text.utf8)
        guard try ManifestFile.parse(text) == runme else {
            throw ArchiveRefusal(.invalid, "what was chosen for \(domain) cannot be written in a runme")
        }
        try staging.write("site/\(ManifestFile.name)", text, mode: 0o755)
        try staging.place("site", at: folder)
        return runme
    }

    // MARK: The archive

    /// The folder that the archive is.
    private func unpacked(in staging: Staging) async throws(ArchiveRefusal) -> String {
        guard let facts = try? fileFacts(path) else { throw ArchiveRefusal(.missing, "there is no \(path)") }
        if facts.isFolder { return path }
        try staging.makeFolder("source")
        let folder = "\(staging.path)/source"
        _ = try await Relay(
            producer: try unpacker(), consumer: TarCommand.extractForeign(into: folder),
            inspector: TarReader(visitor: ForeignGuard(limits: limits))
        ).run()
        return folder
    }

    /// What makes tar of the file, by its first bytes.
    private func unpacker() throws(ArchiveRefusal) -> [String] {
        let first: [UInt8]
        do throws(Errno) {
            first = try firstBytes(path, count: 6)
        } catch {
            throw ArchiveRefusal(error, path, "read")
        }
        if first.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            return ["zstd", "--quiet", "--decompress", "--stdout", "--", path]
        }
        if first.starts(with: [0x1f, 0x8b]) { return ["gzip", "--decompress", "--stdout", "--", path] }
        if first.starts(with: Array("PK".utf8)) {
            throw ArchiveRefusal(.invalid, "\(path) is a zip file: unpack it, and import the folder")
        }
        return ["cat", "--", path]
    }

    /// Everything in it, which is nothing but files and folders.
    private func look(at source: String) async throws(ArchiveRefusal) -> TreeManifest {
        var scan = TreeScan(path: source)
        scan.limits = limits
        scan.progress = progress
        let manifest = try await scan.runAside().stillManifest()
        for entry in manifest.entries {
            switch entry.content {
            case .folder, .file, .same: continue
            case .link, .fifo:
                throw ArchiveRefusal(.invalid, "\(entry.path) is a link or a pipe, which 0.3 does not have")
            }
        }
        try ArchiveGuard.Policy(limits: limits).check(manifest)
        return manifest
    }

    private func description(
        _ source: String, _ manifest: TreeManifest
    ) throws(ArchiveRefusal) -> MigrationDescription {
        let name = MigrationDescription.fileName
        guard let path = TreePath(name), case .file? = manifest[path]?.content else {
            throw ArchiveRefusal(.missing, "\(self.path) has no \(name) in its root")
        }
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try readFile("\(source)/\(name)", bytesMax: 1 << 20)
        } catch {
            throw ArchiveRefusal(error, name, "read")
        }
        return try MigrationDescription.parse(bytes)
    }

    /// What it names is there.
    private func check(
        _ description: MigrationDescription, _ manifest: TreeManifest
    ) throws(ArchiveRefusal) {
        guard let data = description.data else { return }
        let file = MigrationDescription.fileName
        switch manifest[data.databaseFile]?.content {
        case .file, .same: break
        default:
            throw ArchiveRefusal(.missing, "\(file): database.file \(data.databaseFile) is not a file there")
        }
        let name = EscapedText.readable(data.databaseFile.name)
        guard MigrationLayout.dumpSuffixes.contains(where: name.hasSuffix) else {
            let suffixes = MigrationLayout.dumpSuffixes.joined(separator: " or ")
            throw ArchiveRefusal(
                .invalid, "\(file): database.file \(data.databaseFile) does not end in \(suffixes)")
        }
        for (field, path) in [("uploads", data.uploads), ("plugins", data.plugins)] {
            guard case .folder? = manifest[path]?.content else {
                throw ArchiveRefusal(.missing, "\(file): \(field) \(path) is not a folder there")
            }
        }
    }
}

/// Lets files and folders pass that stay within the archive.
private struct ForeignGuard: TarVisitor {
    let limits: TreeLimits
    var count = 0
    var byteCount: UInt64 = 0

    init(limits: TreeLimits) { self.limits = limits }

    var wantsContent: Bool { false }

    mutating func begin(_ member: TarMember) throws(ArchiveRefusal) {
        let shown = EscapedText.readable(member.path)
        guard member.kind == .file || member.kind == .folder else {
            throw ArchiveRefusal(.invalid, "\(shown) is a link, a pipe or a device, which 0.3 does not have")
        }
        var plain = member.path[...]
        if plain.starts(with: Array("./".utf8)) { plain = plain.dropFirst(2) }
        if plain.last == UInt8(ascii: "/") { plain.removeLast() }
        if !plain.isEmpty, plain != OpenFolder.itself[...] {
            guard let path = TreePath(Array(plain)) else {
                throw ArchiveRefusal(.invalid, "\(shown) leads out of the archive")
            }
            if let objection = limits.objection(to: path) {
                throw ArchiveRefusal(.invalid, "\(shown): \(objection)")
            }
        }
        count += 1
        let (sum, isTooMuch) = byteCount.addingReportingOverflow(member.byteCount)
        byteCount = sum
        guard count <= limits.entryCountMax, !isTooMuch, sum <= limits.byteCountMax else {
            throw ArchiveRefusal(
                .invalid,
                "the archive has more than \(limits.entryCountMax) files or \(limits.byteCountMax) bytes")
        }
    }

    mutating func take(_ content: ArraySlice<UInt8>) throws(ArchiveRefusal) {}

    mutating func finish() throws(ArchiveRefusal) {}
}

extension FileFacts {
    /// Whether it is a folder.
    var isFolder: Bool { mode & 0o170000 == 0o040000 }
}

extension TarCommand {
    /// Makes in a new folder what comes in from somebody whose owners and rights mean nothing here.
    static func extractForeign(into folder: String) -> [String] {
        [
            "tar", "--extract", "--file=-", "--no-same-owner", "--no-same-permissions", "--keep-old-files",
            "--delay-directory-restore", "--directory=\(folder)",
        ]
    }
}

/// The first bytes of a file.
private func firstBytes(_ path: String, count: Int) throws(Errno) -> [UInt8] {
    let whole = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    let folder = try OpenFolder(path: whole.deletingLastPathComponent().path)
    var buffer = [UInt8](repeating: 0, count: count)
    let read = try folder.file(Array(whole.lastPathComponent.utf8)).read(into: &buffer)
    return Array(buffer[..<read])
}
