import Linux

/// Copies parts of a migration archive into the folder of a site that is being made.
struct PartCopy: Sendable {
    let source: String
    let manifest: TreeManifest
    let staging: Staging
    let progress: ArchiveProgress?

    /// The files of a `static` site.
    func content(owner: MigrationServing.Owner) async throws(ArchiveRefusal) {
        if case .folder? = manifest[MigrationLayout.archivedContent]?.content {
            return try await folder(MigrationLayout.archivedContent, as: MigrationLayout.content, owner)
        }
        let description = TreePath(MigrationDescription.fileName)
        try await folder(.root, as: MigrationLayout.content, owner) { path in
            path != description && !path.isWithin(MigrationLayout.archivedCertificates)
        }
    }

    /// What an application with a database has.
    func data(
        _ data: MigrationDescription.ApplicationData, _ serving: MigrationServing.Application
    ) async throws(ArchiveRefusal) {
        try await folder(data.uploads, as: MigrationLayout.uploads, serving.owner)
        try await folder(data.plugins, as: MigrationLayout.plugins, serving.owner)
        // The image gives it to its own user.
        try staging.makeFolder("site/\(MigrationLayout.database)", mode: 0o755)
        try await folder(
            data.databaseFile.parent ?? .root, as: MigrationLayout.dump, MigrationServing.Owner(),
            rights: ["--mode=a+rX"]
        ) { $0 == data.databaseFile }
        try write(MigrationLayout.environment, MigrationLayout.environmentLines(data, serving))
        try write(
            MigrationLayout.databaseEnvironment,
            data.engine.environment(
                name: data.databaseName, user: MigrationLayout.databaseUser, password: serving.password))
    }

    private func write(_ name: String, _ lines: [String]) throws(ArchiveRefusal) {
        try staging.write("site/\(name)", Array(lines.map { $0 + "\n" }.joined().utf8))
    }

    /// False: there is none.
    func certificate(_ domain: String) throws(ArchiveRefusal) -> Bool {
        let path = MigrationLayout.archivedCertificate(domain)
        guard case .file? = manifest[path]?.content else { return false }
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try readFile(
                "\(source)/\(String(decoding: path.bytes, as: UTF8.self))", bytesMax: 1 << 20)
        } catch {
            throw ArchiveRefusal(error, "\(path)", "read")
        }
        try staging.makeFolder("site/tls", mode: 0o755)
        try staging.write("site/tls/\(domain).pem", bytes)
        return true
    }

    /// A folder of the archive, or of what is in it only what is wanted, as a folder of the site. All of it
    /// gets the owner, and other rights than it has if tar is told so.
    func folder(
        _ folder: TreePath, as name: String, _ owner: MigrationServing.Owner, rights: [String] = [],
        where isWanted: (TreePath) -> Bool = { _ in true }
    ) async throws(ArchiveRefusal) {
        var list: [UInt8] = []
        var byteCount: UInt64 = 0
        for entry in manifest.entries where entry.path.isWithin(folder) {
            guard entry.path == folder || isWanted(entry.path) else { continue }
            if case .file(let count, _, _) = entry.content { byteCount += count }
            let prefix = folder == .root ? 0 : folder.bytes.count + 1
            list += OpenFolder.itself
            if entry.path != folder { list += [UInt8(ascii: "/")] + entry.path.bytes.dropFirst(prefix) }
            list.append(0)
        }
        try staging.write("list-\(name)", list)
        try staging.makeFolder("site/\(name)", mode: 0o755)
        let from = folder == .root ? source : "\(source)/\(String(decoding: folder.bytes, as: UTF8.self))"
        _ = try await Relay(
            producer: TarCommand.create(
                rights + [
                    "--owner=:\(owner.user)", "--group=:\(owner.group)", "--directory=\(from)", "--null",
                    "--verbatim-files-from", "--files-from=\(staging.path)/list-\(name)",
                ]),
            consumer: TarCommand.extract(into: "\(staging.path)/site/\(name)"),
            inspector: PassedBytes(total: byteCount, what: "\(name) is copied", progress: progress)
        ).run()
    }
}
