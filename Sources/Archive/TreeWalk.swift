import Foundation
import Linux

/// The way through a folder: everything but the content of files, in the order of a manifest.
///
/// Each folder is opened anew from the root, name by name, so that one descriptor is enough for any depth;
/// and it must be the folder that was seen before.
struct TreeWalk {
    /// What else a host keeps in attributes is its own: labels of its policy, and signatures made with its
    /// keys.
    private static let attributePrefixes = ["user.", "trusted.", "security.capability", "system.posix_acl_"]
    private static let noteCountMax = 20

    private let path: String
    private let exclusions: TreeScan.Exclusions
    private let limits: TreeLimits
    private let known: [DigestCache.Key: DigestCache.Record]

    /// In order. A file that is not known yet has an empty digest.
    private(set) var entries: [TreeManifest.Entry] = []
    /// Which entries are files that must be read.
    private(set) var unread: [(index: Int, status: FileStatus)] = []
    /// The others.
    private(set) var knownFiles: [FileStatus] = []
    private(set) var changed: [TreePath] = []
    private(set) var notes: [String] = []
    private(set) var rootStatus: FileStatus?
    /// What they hold together.
    private var byteCount: UInt64 = 0
    /// The first name of each file that has several.
    private var firstNames: [DigestCache.Key: TreePath] = [:]
    /// What was seen and not entered yet; the next one is the last.
    private var ahead: [Seen] = []

    private struct Seen {
        var entry: TreeManifest.Entry
        var status: FileStatus
    }

    init(
        path: String, exclusions: TreeScan.Exclusions, limits: TreeLimits,
        known: [DigestCache.Key: DigestCache.Record]
    ) {
        self.path = path
        self.exclusions = exclusions
        self.limits = limits
        self.known = known
    }

    /// Looks at the folder itself.
    mutating func begin(_ root: borrowing OpenFolder) throws(Errno) {
        let status = try root.status(of: OpenFolder.itself)
        rootStatus = status
        ahead = [Seen(entry: try entry(.root, .folder, status, root), status: status)]
    }

    /// Looks at all that is in it.
    mutating func finish(_ stop: StopSign?) throws(ArchiveRefusal) {
        while let seen = ahead.popLast() {
            try stop?.check()
            guard entries.count < limits.entryCountMax else {
                throw ArchiveRefusal(.invalid, "\(path) has more than \(limits.entryCountMax) files")
            }
            try enter(seen)
            guard case .folder = seen.entry.content else { continue }
            do throws(Errno) {
                let folder = try open(seen.entry.path)
                guard try folder.status(of: OpenFolder.itself).isSameFile(as: seen.status) else {
                    throw Errno.noEntry
                }
                try list(folder, at: seen.entry.path)
            } catch {
                try forgive(error, at: seen.entry.path)
            }
        }
    }

    /// Something that was there and is not now was removed meanwhile, or replaced by something else.
    private mutating func forgive(_ error: Errno, at path: TreePath) throws(ArchiveRefusal) {
        guard error == .noEntry || error.number == ENOTDIR || error.number == ELOOP else {
            throw ArchiveRefusal(error, "\(self.path)/\(path)", "looked at")
        }
        changed.append(path)
    }

    private func open(_ path: TreePath) throws(Errno) -> OpenFolder {
        var folder = try OpenFolder(path: self.path)
        for name in path.names { folder = try folder.folder(name) }
        return folder
    }

    private mutating func list(_ folder: borrowing OpenFolder, at path: TreePath) throws(Errno) {
        for name in try folder.names().reversed() {
            let inner = path.appending(name)
            if exclusions.paths.contains(inner) || exclusions.names.contains(name) {
                note("\(inner) was left out")
                continue
            }
            do throws(Errno) {
                let status = try folder.status(of: name)
                let content: TreeManifest.Content
                switch status.kind {
                case .folder: content = .folder
                case .file: content = file(status)
                case .link: content = .link(target: try folder.target(of: name), modified: status.modified)
                // A device is refused when its turn comes.
                case .fifo, .device: content = .fifo
                case .socket:
                    note("\(inner) is a socket, and was left out")
                    continue
                }
                ahead.append(Seen(entry: try entry(inner, content, status, folder), status: status))
            } catch {
                guard error == .noEntry else { throw error }
                changed.append(inner)
            }
        }
    }

    private func entry(
        _ path: TreePath, _ content: TreeManifest.Content, _ status: FileStatus,
        _ folder: borrowing OpenFolder
    ) throws(Errno) -> TreeManifest.Entry {
        var entry = TreeManifest.Entry(path: path, content: content)
        entry.mode = status.mode
        entry.user = status.user
        entry.group = status.group
        // The time of the last change is that of the attributes' too.
        if let record = record(of: status), !record.hasAttributes { return entry }
        let name = path.name
        for attribute in try folder.attributeNames(of: name) {
            let text = String(decoding: attribute, as: UTF8.self)
            guard Self.attributePrefixes.contains(where: text.hasPrefix) else { continue }
            let value = try folder.attribute(attribute, of: name)
            entry.attributes.append(
                TreeManifest.Attribute(name: attribute, digest: ContentDigest(of: value)))
        }
        return entry
    }

    private func file(_ status: FileStatus) -> TreeManifest.Content {
        .file(
            byteCount: status.byteCount, modified: status.modified,
            record(of: status)?.digest ?? ContentDigest(words: (0, 0, 0, 0)))
    }

    /// What is known of a file that was not changed since.
    private func record(of status: FileStatus) -> DigestCache.Record? {
        guard status.kind == .file, let record = known[DigestCache.Key(status)], record.isOf(status) else {
            return nil
        }
        return record
    }

    private mutating func enter(_ seen: Seen) throws(ArchiveRefusal) {
        let path = seen.entry.path
        if let objection = limits.objection(to: path) {
            throw ArchiveRefusal(.invalid, "\(path): \(objection)")
        }
        if seen.entry.attributes.count > limits.attributeCountMax {
            throw ArchiveRefusal(.invalid, "\(path) has too many extended attributes")
        }
        switch seen.status.kind {
        case .device: throw ArchiveRefusal(.invalid, "\(path) is a device, which no site may have")
        case .file: try enterFile(seen)
        case .folder, .link, .fifo, .socket: entries.append(seen.entry)
        }
    }

    private mutating func enterFile(_ seen: Seen) throws(ArchiveRefusal) {
        let key = DigestCache.Key(seen.status)
        if seen.status.linkCount > 1 {
            if let first = firstNames[key] {
                entries.append(TreeManifest.Entry(path: seen.entry.path, content: .same(as: first)))
                return
            }
            firstNames[key] = seen.entry.path
        }
        let (sum, isTooMuch) = byteCount.addingReportingOverflow(seen.status.byteCount)
        guard !isTooMuch, sum <= limits.byteCountMax else {
            throw ArchiveRefusal(.invalid, "the files of \(path) hold more than \(limits.byteCountMax) bytes")
        }
        byteCount = sum
        if record(of: seen.status) != nil {
            knownFiles.append(seen.status)
        } else {
            unread.append((entries.count, seen.status))
        }
        entries.append(seen.entry)
    }

    private mutating func note(_ sentence: String) {
        if notes.count < Self.noteCountMax {
            notes.append(sentence)
        } else if notes.count == Self.noteCountMax {
            notes.append("more was left out")
        }
    }
}

extension FileStatus {
    /// Whether it is another look at the same file.
    func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }
}
