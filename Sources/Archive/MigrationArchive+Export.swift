import Foundation
import Linux
import Runme

extension MigrationArchive {
    /// What an export takes along.
    package struct ExportOptions: Sendable {
        /// Without it, the certificate is left out.
        package var includesKey = true
        /// A dump of the database as it is now; without one, only a site whose database was never started can
        /// be exported.
        package var dump: String?

        package init() {}
    }

    /// Makes the archive of a site: a folder, or a file that is packed as its name says (`.tar`, `.tar.gz`,
    /// `.tar.zst`). It must be laid out as ``restore(to:domain:serving:)`` does. The manifest is that of the
    /// folder, which nobody has changed meanwhile.
    package func export(
        _ folder: String, _ options: ExportOptions = ExportOptions()
    ) async throws(ArchiveRefusal) -> (description: MigrationDescription, manifest: TreeManifest) {
        let runme = try ManifestFile.runme(in: folder)
        guard case .docker(let docker) = runme.start, let application = runme.product else {
            throw ArchiveRefusal(
                .invalid, "\(runme.domain) is not a site of docker with a product, as 0.3 wants it")
        }
        let staging = try Staging(for: path)
        defer { staging.remove() }

        let cache = DigestCache()
        let manifest = try await TreeScan(path: folder).runAside(cache: cache).stillManifest()
        try staging.makeFolder("archive", mode: 0o755)
        let collector = PartCollector(
            folder: folder, manifest: manifest, docker: docker, archive: "\(staging.path)/archive",
            options: options)
        let description: MigrationDescription
        if application == MigrationDescription.staticApplication {
            description = try await collector.content()
        } else {
            guard let version = runme.version else {
                throw ArchiveRefusal(
                    .invalid, "the runme of \(runme.domain) names no version, as 0.3 wants it")
            }
            description = try await collector.data(application, version)
        }
        if options.includesKey, let certificate = runme.certificatePath {
            try await collector.certificate(certificate, runme.domain)
        }
        try staging.write(
            "archive/\(MigrationDescription.fileName)", Array(description.text.utf8), mode: 0o644)
        let made = try await packed(in: staging)
        let after = try await TreeScan(path: folder).runAside(cache: cache, learning: false).stillManifest()
        if let difference = TreeManifest.differences(expected: manifest, found: after).first {
            throw ArchiveRefusal(.conflict, "it changed while it was exported: \(difference)")
        }
        try staging.place(made, at: path)
        return (description, manifest)
    }

    /// What in the staging folder is the archive.
    private func packed(in staging: Staging) async throws(ArchiveRefusal) -> String {
        guard let suffix = [".tar", ".tar.gz", ".tgz", ".tar.zst"].first(where: path.hasSuffix) else {
            return "archive"
        }
        let words = await Tool.run([
            "tar", "--create", "--auto-compress", "--file=\(staging.path)/packed\(suffix)", "--format=pax",
            "--pax-option=delete=atime,delete=ctime", "--sort=name", "--numeric-owner",
            "--directory=\(staging.path)/archive", ".",
        ])
        if let words { throw ArchiveRefusal(.failed, words) }
        return "packed\(suffix)"
    }
}

/// Takes the parts of a migration archive out of a site's folder.
private struct PartCollector {
    let folder: String
    let manifest: TreeManifest
    let docker: Runme.Docker
    let archive: String
    let options: MigrationArchive.ExportOptions

    func content() async throws(ArchiveRefusal) -> MigrationDescription {
        try require(docker.container, MigrationLayout.content)
        try await copy(
            try inner(MigrationLayout.content),
            to: String(decoding: MigrationLayout.archivedContent.bytes, as: UTF8.self))
        return MigrationDescription(application: MigrationDescription.staticApplication, data: nil)
    }

    func data(_ application: String, _ version: String) async throws(ArchiveRefusal) -> MigrationDescription {
        for name in [MigrationLayout.uploads, MigrationLayout.plugins] {
            try require(docker.container, name)
            try await copy(try inner(name), to: name)
        }
        let (engine, database) = try engineAndName()
        let dump = if let dump = options.dump { dump } else { try originalDump() }
        let name = dump.hasSuffix(".gz") ? "dump.sql.gz" : "dump.sql"
        try await copy(dump, to: name)
        guard let file = TreePath(name), let uploads = TreePath(MigrationLayout.uploads),
            let plugins = TreePath(MigrationLayout.plugins)
        else { preconditionFailure("these are plain paths") }
        return MigrationDescription(
            application: application,
            data: MigrationDescription.ApplicationData(
                version: version, engine: engine, databaseName: database, databaseFile: file,
                uploads: uploads, plugins: plugins))
    }

    func certificate(_ path: String, _ domain: String) async throws(ArchiveRefusal) {
        let place = MigrationLayout.archivedCertificate(domain)
        try await copy(try inner(path), to: String(decoding: place.bytes, as: UTF8.self))
    }

    private func require(_ container: Runme.Container, _ volume: String) throws(ArchiveRefusal) {
        if container.volumes[volume] == nil {
            throw ArchiveRefusal(.invalid, "the site has no volume \(volume), whose content 0.3 wants")
        }
    }

    /// The sidecar's own variables tell them.
    private func engineAndName() throws(ArchiveRefusal) -> (DatabaseEngine, String) {
        let sidecar = docker.sidecars[MigrationLayout.databasePart]
        guard let path = sidecar?.environmentPath else {
            throw ArchiveRefusal(
                .invalid, "the site has no sidecar \(MigrationLayout.databasePart) with an env file")
        }
        let whole = try inner(path)
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try readFile(whole, bytesMax: 1 << 20)
        } catch {
            throw ArchiveRefusal(error, whole, "read")
        }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            for engine in DatabaseEngine.allCases where line.hasPrefix("\(engine.nameVariable)=") {
                return (engine, String(line.dropFirst(engine.nameVariable.utf8.count + 1)))
            }
        }
        throw ArchiveRefusal(.invalid, "\(path) does not name the database")
    }

    /// What came with an import and was not loaded yet: afterwards the database has changed.
    private func originalDump() throws(ArchiveRefusal) -> String {
        let names = manifest.entries.filter { $0.path.parent == TreePath(MigrationLayout.dump) }.map(\.path)
        let isUnused = !manifest.entries.contains { $0.path.parent == TreePath(MigrationLayout.database) }
        guard isUnused, names.count == 1 else {
            throw ArchiveRefusal(.missing, "the database has been in use, and no dump of it was given")
        }
        return try inner(String(decoding: names[0].bytes, as: UTF8.self))
    }

    /// A file or a folder of the site, without links in it or on the way to it: 0.3 has none.
    private func inner(_ path: String) throws(ArchiveRefusal) -> String {
        guard let place = TreePath(path), manifest[place] != nil else {
            throw ArchiveRefusal(.missing, "there is no \(folder)/\(path)")
        }
        for entry in manifest.entries where entry.path.isWithin(place) {
            switch entry.content {
            case .folder, .file, .same: continue
            case .link, .fifo:
                throw ArchiveRefusal(.invalid, "\(entry.path) is a link or a pipe, which 0.3 does not have")
            }
        }
        return "\(folder)/\(path)"
    }

    private func copy(_ from: String, to name: String) async throws(ArchiveRefusal) {
        let target = URL(fileURLWithPath: "\(archive)/\(name)")
        do {
            try FileManager.default.createDirectory(
                at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        } catch {
            throw ArchiveRefusal(.failed, "\(target.path) cannot be made: \(error.localizedDescription)")
        }
        let words = await Tool.run([
            "cp", "--recursive", "--preserve=timestamps,mode", "--no-target-directory", "--", from,
            target.path,
        ])
        if let words { throw ArchiveRefusal(.failed, words) }
    }
}
