import Foundation
import Linux
import Routes
package import Runme

/// A site outside of a hoster: a folder, or a file `.tar.zst`, with
///
///     manifest    what must be in `site`, with digests
///     site/       the site's folder: runme, data, certificate
///
/// In a packed one the manifest comes first and the rest in its order.
package struct SiteArchive: Sendable {
    static let manifestName = "manifest"
    static let siteName = "site"
    /// What a packed archive is called.
    package static let packedSuffix = ".tar.zst"
    /// Where certificates and their keys are in a site's folder.
    package static let certificateFolder = TreePath("tls")!

    /// A folder or a packed file.
    package let path: String
    /// Hears what is done.
    package var progress: ArchiveProgress?

    package init(path: String, progress: ArchiveProgress? = nil) {
        self.path = path
        self.progress = progress
    }

    // MARK: Export

    /// What an export takes along.
    package struct ExportOptions: Sendable {
        /// Without it, the folder `tls` is left out.
        package var includesKey = true
        package var exclusions = TreeScan.Exclusions()
        package var limits = TreeLimits()

        package init() {}
    }

    /// Makes the archive of a site that does not run, or whose data is consistent on the disk: a file that is
    /// changed meanwhile ends it.
    package func export(
        _ folder: String, _ options: ExportOptions = ExportOptions()
    ) async throws(ArchiveRefusal) -> TreeReport {
        _ = try ManifestFile.runme(in: folder)
        let inside = URL(fileURLWithPath: path).deletingLastPathComponent().resolvingSymlinksInPath().path
        let real = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
        guard inside != real, !inside.hasPrefix(real + "/") else {
            throw ArchiveRefusal(.invalid, "\(path) would be in the site itself")
        }
        var scan = TreeScan(path: folder)
        scan.exclusions = options.exclusions
        scan.limits = options.limits
        scan.progress = progress
        if !options.includesKey { scan.exclusions.paths.insert(Self.certificateFolder) }
        let staging = try Staging(for: path)
        defer { staging.remove() }

        let cache = DigestCache()
        let report = try await scan.runAside(cache: cache)
        let manifest = try report.stillManifest()
        try await pack(folder, manifest, in: staging)
        scan.progress = nil
        let after = try await scan.runAside(cache: cache, learning: false).stillManifest()
        if let difference = TreeManifest.differences(expected: manifest, found: after).first {
            throw ArchiveRefusal(.conflict, "it changed while it was exported: \(difference)")
        }
        try staging.place("archive", at: path)
        return report
    }

    private func pack(
        _ folder: String, _ manifest: TreeManifest, in staging: Staging
    ) async throws(ArchiveRefusal) {
        var list: [UInt8] = []
        for entry in manifest.entries {
            list += OpenFolder.itself
            if entry.path != .root { list += [UInt8(ascii: "/")] + entry.path.bytes }
            list.append(0)
        }
        try staging.write("list", list)
        try staging.write(Self.manifestName, manifest.text)
        let archive = "\(staging.path)/archive"
        let consumer: [String]
        if path.hasSuffix(Self.packedSuffix) {
            consumer = ["zstd", "--quiet", "--threads=0", "-o", archive, "-"]
        } else {
            try staging.makeFolder("archive")
            consumer = TarCommand.extract(into: archive)
        }
        // `.` becomes `site` in paths and other names, but not where a symbolic link leads (S).
        let producer = TarCommand.create([
            "--transform=s,^\\.,\(Self.siteName),S", "--directory=\(staging.path)", Self.manifestName,
            "--directory=\(folder)", "--null", "--verbatim-files-from", "--files-from=\(staging.path)/list",
        ])
        _ = try await Relay(
            producer: producer, consumer: consumer,
            inspector: PassedBytes(
                total: manifest.byteCount, what: "the archive is written", progress: progress)
        ).run()
        if path.hasSuffix(Self.packedSuffix) { try staging.close("archive") }
    }

    // MARK: Import

    /// What an import takes.
    package struct ImportOptions: Sendable {
        package var limits = TreeLimits()
        /// Files with set-user, set-group or capabilities.
        package var allowsPrivilegedFiles = false

        package init() {}
    }

    /// Makes a site's folder of the archive, at a path where nothing is. It appears there as a whole, and
    /// only if everything in it is as the manifest says.
    package func restore(
        to folder: String, _ options: ImportOptions = ImportOptions()
    ) async throws(ArchiveRefusal) -> (runme: Runme, manifest: TreeManifest) {
        let staging = try Staging(for: folder)
        defer { staging.remove() }

        let policy = ArchiveGuard.Policy(
            limits: options.limits, allowsPrivilegedFiles: options.allowsPrivilegedFiles)
        let unpacked = try await Relay(
            producer: try await producer(policy, staging),
            consumer: TarCommand.extract(into: staging.path),
            inspector: TarReader(visitor: ArchiveGuard(policy: policy, progress: progress))
        ).run()
        guard let manifest = unpacked.visitor.manifest else {
            preconditionFailure("the guard has a manifest when everything has passed")
        }
        var scan = TreeScan(path: "\(staging.path)/\(Self.siteName)")
        scan.exclusions = TreeScan.Exclusions(paths: [])
        scan.limits = options.limits
        scan.progress = progress
        let found = try await scan.runAside().stillManifest()
        try Self.compare(manifest, found)
        let runme = try ManifestFile.runme(in: scan.path)
        try LinkRule(volumesOf: runme).check(manifest)
        try staging.place(Self.siteName, at: folder)
        return (runme, manifest)
    }

    private static func compare(
        _ manifest: TreeManifest, _ found: TreeManifest
    ) throws(ArchiveRefusal) {
        let differences = TreeManifest.differences(expected: manifest, found: found, countMax: 2)
        guard let first = differences.first else { return }
        throw ArchiveRefusal(
            .invalid,
            "the archive is not what its manifest says: \(first)\(differences.count > 1 ? ", and more" : "")")
    }

    /// What writes the archive as tar.
    private func producer(
        _ policy: ArchiveGuard.Policy, _ staging: Staging
    ) async throws(ArchiveRefusal) -> [String] {
        guard let facts = try? fileFacts(path) else { throw ArchiveRefusal(.missing, "there is no \(path)") }
        guard facts.isFolder else {
            return ["zstd", "--quiet", "--decompress", "--stdout", "--", path]
        }
        let text: [UInt8]
        do throws(Errno) {
            text = try readFile("\(path)/\(Self.manifestName)", bytesMax: 1 << 30)
        } catch {
            throw ArchiveRefusal(error, "\(path)/\(Self.manifestName)", "read")
        }
        let manifest: TreeManifest
        do throws(ManifestFault) {
            manifest = try TreeManifest.parse(text, limits: policy.limits)
        } catch {
            throw ArchiveRefusal(.invalid, error.text)
        }
        // What is there and not listed would be left behind without a word.
        var scan = TreeScan(path: "\(path)/\(Self.siteName)")
        scan.exclusions = TreeScan.Exclusions(paths: [])
        scan.limits = policy.limits
        try Self.compare(manifest, try await scan.runAside().stillManifest())
        var list = Array("\(Self.manifestName)\0".utf8)
        for entry in manifest.entries { list += ArchiveGuard.place(of: entry.path) + [0] }
        try staging.write("list", list)
        return TarCommand.create([
            "--directory=\(path)", "--null", "--verbatim-files-from", "--files-from=\(staging.path)/list",
        ])
    }
}

/// Tells how much of something has passed.
struct PassedBytes: StreamInspector {
    let total: UInt64
    let what: String
    let progress: ArchiveProgress?
    var count: UInt64 = 0

    init(total: UInt64, what: String, progress: ArchiveProgress?) {
        self.total = total
        self.what = what
        self.progress = progress
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(ArchiveRefusal) {
        let before = count >> 24
        count += UInt64(bytes.count)
        // Headers pass as well: more than the files hold.
        if count >> 24 > before { progress?(what, min(1, Double(count) / Double(max(1, total)))) }
    }

    mutating func finish() throws(ArchiveRefusal) { progress?(what, 1) }
}

/// The command lines of GNU tar.
enum TarCommand {
    /// Writes what the arguments name to its output, with everything that a manifest knows. pax is the format
    /// that has room for it; the times that are no part of it are left out.
    static func create(_ arguments: [String]) -> [String] {
        [
            "tar", "--create", "--file=-", "--format=pax", "--pax-option=delete=atime,delete=ctime",
            "--sparse", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--no-recursion",
        ] + arguments
    }

    /// Makes in a new folder what comes in.
    static func extract(into folder: String) -> [String] {
        [
            "tar", "--extract", "--file=-", "--preserve-permissions", "--same-owner", "--numeric-owner",
            "--xattrs", "--xattrs-include=*", "--acls", "--keep-old-files", "--delay-directory-restore",
            "--directory=\(folder)",
        ]
    }
}
