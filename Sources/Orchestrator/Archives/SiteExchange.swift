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

    // MARK: Out

    /// Makes an archive of a site's folder; how many files and bytes are in it.
    func export(
        _ folder: String, to path: String, _ format: Format, includesKey: Bool, dump: String?,
        _ progress: Progress
    ) async throws(Refusal) -> (files: Int, bytes: UInt64) {
        do throws(ArchiveRefusal) {
            switch format {
            case .switchyard:
                var options = SiteArchive.ExportOptions()
                options.includesKey = includesKey
                let archive = SiteArchive(path: path) { text, fraction in progress(text, fraction) }
                let manifest = try await archive.export(folder, options).stillManifest()
                return (manifest.entries.count, manifest.byteCount)
            case .indieHosters:
                var options = MigrationArchive.ExportOptions()
                options.includesKey = includesKey
                options.dump = dump
                let archive = MigrationArchive(path: path) { text, fraction in progress(text, fraction) }
                _ = try await archive.export(folder, options)
                let manifest = try await TreeScan(path: folder).runAside().stillManifest()
                return (manifest.entries.count, manifest.byteCount)
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
        var variables: [String: MigrationServing.Variable] = [:]
    }

    /// Makes a site's folder of an archive; it is not known yet. `serving`: for format 0.3, which does not
    /// say it.
    func `import`(
        _ path: String, serving: Serving?, _ progress: Progress
    ) async throws(Refusal) -> (runme: Runme, folder: String) {
        let report: ArchiveProgress = { text, fraction in progress(text, fraction) }
        let mark = String(randomBits(), radix: 16)
        let temporary = "\(sitesPath)/\(Staging.prefix)import-\(mark)"
        do throws(ArchiveRefusal) {
            let runme: Runme
            if let serving {
                runme = try await MigrationArchive(path: path, progress: report).restore(
                    to: temporary, domain: serving.domain
                ) { (description) throws(ArchiveRefusal) in try serving.decide(description) }
            } else {
                runme = try await SiteArchive(path: path, progress: report).restore(to: temporary).runme
            }
            let folder = "\(sitesPath)/\(runme.domain)"
            guard !FileManager.default.fileExists(atPath: folder) else {
                try? FileManager.default.removeItem(atPath: temporary)
                throw ArchiveRefusal(.conflict, "there is a folder \(folder) already")
            }
            do throws(Errno) {
                try renameFile(temporary, to: folder)
            } catch {
                throw ArchiveRefusal(error, folder, "made")
            }
            return (runme, folder)
        } catch {
            throw Refusal(error)
        }
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
            return .files(
                MigrationServing.Files(
                    image: .named(image), ports: ports, contentPath: try wanted(contentPath, "--content")))
        }
        let password = [randomBits(), randomBits()].map { String($0, radix: 36) }.joined()
        var application = MigrationServing.Application(
            image: .named(image), ports: ports, uploadsPath: try wanted(uploadsPath, "--uploads"),
            pluginsPath: try wanted(pluginsPath, "--plugins"),
            databaseImage: .named(try wanted(databaseImage, "--database-image")), password: password)
        application.variables = variables
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
