import Archive
import Foundation
import Linux
import Runme

/// Takes sites out of this hoster as archives, and lets archives in. Nothing is half done: what could not be
/// finished leaves nothing.
struct SiteExchange: Sendable {
    /// The forms of an archive.
    enum Format: String, CaseIterable, Sendable {
        /// A folder or a `.tar.zst`, with a manifest of digests.
        case switchyard
        /// The IndieHosters' migration format, version 0.3.
        case indieHosters = "0.3"
    }

    let sitesPath: String

    /// What was found in a site's folder, for whoever compares it with another hoster's.
    struct Content: Sendable {
        /// Folders and links are counted, too.
        let files: Int
        let bytes: UInt64
        /// Of the manifest: that of an archive is told by whoever makes it and by whoever makes a site of it.
        let digest: String

        init(_ manifest: TreeManifest) {
            files = manifest.entries.count
            bytes = manifest.byteCount
            digest = manifest.digest.description
        }
    }

    // MARK: Out

    /// Makes an archive of a site's folder. In format 0.3, which has no manifest, what is told is told of the
    /// folder.
    func export(
        _ folder: String, to path: String, _ format: Format, includesKey: Bool, dump: String?,
        _ progress: Progress
    ) async throws(Refusal) -> Content {
        do throws(ArchiveRefusal) {
            switch format {
            case .switchyard:
                var options = SiteArchive.ExportOptions()
                options.includesKey = includesKey
                let archive = SiteArchive(path: path) { text, fraction in progress(text, fraction) }
                return Content(try await archive.export(folder, options).stillManifest())
            case .indieHosters:
                var options = MigrationArchive.ExportOptions()
                options.includesKey = includesKey
                options.dump = dump
                let archive = MigrationArchive(path: path) { text, fraction in progress(text, fraction) }
                return Content(try await archive.export(folder, options).manifest)
            }
        } catch {
            throw Refusal(error)
        }
    }

    // MARK: In

    /// How an archive that does not say so is served.
    struct Serving: Sendable {
        var domain: String
        var image: String
        var ports: Runme.Ports
        /// Where a static site's files are mounted.
        var contentPath: String?
        var uploadsPath: String?
        var pluginsPath: String?
        var databaseImage: String?
        /// As whom the image's program works, who may have to write to the files.
        var owner = MigrationServing.Owner()
        var variables: [String: MigrationServing.Variable] = [:]
    }

    /// Makes a site's folder of an archive; it is not known yet. `serving`: for format 0.3, which does not
    /// say it.
    func `import`(
        _ path: String, serving: Serving?, _ progress: Progress
    ) async throws(Refusal) -> (runme: Runme, folder: String, content: Content) {
        let mark = String(randomBits(), radix: 16)
        let temporary = "\(sitesPath)/\(Staging.prefix)import-\(mark)"
        if let serving, FileManager.default.fileExists(atPath: "\(sitesPath)/\(serving.domain)") {
            throw Refusal(.conflict, "there is a folder \(sitesPath)/\(serving.domain) already")
        }
        do throws(ArchiveRefusal) {
            let (runme, manifest) = try await unpack(path, to: temporary, serving) { text, fraction in
                progress(text, fraction)
            }
            let folder = "\(sitesPath)/\(runme.domain)"
            guard !FileManager.default.fileExists(atPath: folder) else {
                throw ArchiveRefusal(.conflict, "there is a folder \(folder) already")
            }
            do throws(Errno) {
                try renameFile(temporary, to: folder)
            } catch {
                throw ArchiveRefusal(error, folder, "made")
            }
            return (runme, folder, Content(manifest))
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw Refusal(error)
        }
    }

    private func unpack(
        _ path: String, to folder: String, _ serving: Serving?, _ report: @escaping ArchiveProgress
    ) async throws(ArchiveRefusal) -> (Runme, TreeManifest) {
        guard let serving else {
            return try await SiteArchive(path: path, progress: report).restore(to: folder)
        }
        let runme = try await MigrationArchive(path: path, progress: report).restore(
            to: folder, domain: serving.domain
        ) { (description) throws(ArchiveRefusal) in try serving.decide(description) }
        return (runme, try await TreeScan(path: folder).runAside().stillManifest())
    }
}

extension SiteExchange.Serving {
    /// What the archive's description and the operator's choice make together.
    fileprivate func decide(
        _ description: MigrationDescription
    ) throws(ArchiveRefusal) -> MigrationServing {
        func wanted(_ value: String?, _ option: String) throws(ArchiveRefusal) -> String {
            guard let value else {
                throw ArchiveRefusal(.invalid, "\(description.application) needs \(option)")
            }
            return value
        }
        guard description.data != nil else {
            var files = MigrationServing.Files(
                image: .named(image), ports: ports, contentPath: try wanted(contentPath, "--content"))
            files.owner = owner
            return .files(files)
        }
        let password = [randomBits(), randomBits()].map { String($0, radix: 36) }.joined()
        var application = MigrationServing.Application(
            image: .named(image), ports: ports, uploadsPath: try wanted(uploadsPath, "--uploads"),
            pluginsPath: try wanted(pluginsPath, "--plugins"),
            databaseImage: .named(try wanted(databaseImage, "--database-image")), password: password)
        application.variables = variables
        application.owner = owner
        return .application(application)
    }
}

extension Refusal {
    init(_ refusal: ArchiveRefusal) {
        let kind: Kind =
            switch refusal.kind {
            case .invalid: .invalid
            case .missing: .missing
            case .conflict: .conflict
            case .failed: .failed
            }
        self.init(kind, refusal.text)
    }
}
