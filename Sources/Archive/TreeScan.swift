import Crypto
import Foundation
import Linux
import Synchronization

/// Looks at all that is in a folder, and makes a manifest of it.
///
/// It may run while others change the folder: it never leaves the folder, and what was changed meanwhile is
/// told. It has a few descriptors open and a buffer for each thread, however large the folder is.
package struct TreeScan: Sendable {
    /// What is not looked at, with all that is in it.
    package struct Exclusions: Sendable {
        /// Paths from the folder.
        package var paths: Set<TreePath>
        /// Names at any place.
        package var names: Set<[UInt8]>

        /// What a file system puts into its root is not the site's.
        package init(paths: Set<TreePath> = [TreePath("lost+found")!], names: Set<[UInt8]> = []) {
            self.paths = paths
            self.names = names
        }
    }

    /// The folder.
    package var path: String
    package var exclusions = Exclusions()
    package var limits = TreeLimits()
    /// How many files are read at a time.
    package var threadCount = 2
    /// Hears how much was read.
    package var progress: ArchiveProgress?

    package init(path: String) { self.path = path }

    /// Looks at it. With a cache, only what that does not know is read. The cache learns the rest, if it may:
    /// for that, changes of the whole file system are first written to the disk, which in the pause of a
    /// migration is better left. A cache belongs to one folder.
    package func run(
        cache: DigestCache? = nil, learning: Bool = true, stop: StopSign? = nil
    ) throws(ArchiveRefusal) -> TreeReport {
        let started = Int64(clamping: realtimeNanoseconds())
        let known = cache?.all ?? [:]
        var walk: TreeWalk
        do throws(Errno) {
            let root = try OpenFolder(path: path)
            if cache != nil, learning { try root.synchronise() }
            walk = TreeWalk(path: path, exclusions: exclusions, limits: limits, known: known)
            try walk.begin(root)
        } catch {
            throw ArchiveRefusal(error, path, "looked at")
        }
        try walk.finish(stop)
        let reading = FileReading(scan: self, walk: walk, stop: stop)
        let digests = try reading.run()
        if let cache, learning {
            cache.replace(records(walk, digests, known: known, before: started))
        }
        return report(walk, digests)
    }

    /// The same on a thread of its own, because it takes long and waits for the disk. It ends early when the
    /// task is cancelled.
    package func runAside(
        cache: DigestCache? = nil, learning: Bool = true
    ) async throws(ArchiveRefusal) -> TreeReport {
        let stop = StopSign()
        let result: Result<TreeReport, ArchiveRefusal> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                do throws(Errno) {
                    try startThread("scan") {
                        continuation.resume(
                            returning: Result { () throws(ArchiveRefusal) in
                                try run(cache: cache, learning: learning, stop: stop)
                            })
                    }
                } catch {
                    continuation.resume(returning: .failure(ArchiveRefusal(error, "a thread", "started")))
                }
            }
        } onCancel: {
            stop.set()
        }
        return try result.get()
    }

    private func records(
        _ walk: TreeWalk, _ digests: [Int: ContentDigest], known: [DigestCache.Key: DigestCache.Record],
        before: Int64
    ) -> [DigestCache.Key: DigestCache.Record] {
        var records: [DigestCache.Key: DigestCache.Record] = [:]
        for status in walk.knownFiles {
            let key = DigestCache.Key(status)
            records[key] = known[key]
        }
        for (index, status) in walk.unread {
            guard let digest = digests[index],
                max(status.changed, status.modified) <= before - DigestCache.doubtNanoseconds
            else { continue }
            records[DigestCache.Key(status)] = DigestCache.Record(
                status, hasAttributes: !walk.entries[index].attributes.isEmpty, digest)
        }
        return records
    }

    private func report(_ walk: TreeWalk, _ digests: [Int: ContentDigest]) -> TreeReport {
        var entries = walk.entries
        var changed = walk.changed
        var readByteCount: UInt64 = 0
        for (index, status) in walk.unread {
            guard let digest = digests[index] else {
                changed.append(entries[index].path)
                continue
            }
            readByteCount += status.byteCount
            entries[index].content = .file(
                byteCount: status.byteCount, modified: status.modified, digest)
        }
        return TreeReport(
            manifest: changed.isEmpty ? TreeManifest(entries: entries) : nil, changed: changed.sorted(),
            notes: walk.notes, readByteCount: readByteCount)
    }
}

/// What was found in a folder.
package struct TreeReport: Sendable {
    /// Nil when something was changed while it was looked at: then there is no moment for which it is true.
    package var manifest: TreeManifest?
    /// What was.
    package var changed: [TreePath]
    /// What was left out, a sentence each, and no more than a few.
    package var notes: [String]
    /// How much was read; the rest was known.
    package var readByteCount: UInt64

    /// The manifest of a folder that nobody changes.
    package func stillManifest() throws(ArchiveRefusal) -> TreeManifest {
        guard let manifest else {
            let others = changed.count > 1 ? " and \(changed.count - 1) more" : ""
            throw ArchiveRefusal(.conflict, "\(changed[0])\(others) changed while it was read")
        }
        return manifest
    }
}

/// Tells work on another thread to end.
package final class StopSign: Sendable {
    private let flag = Atomic(false)

    package init() {}

    /// Whether it shall end.
    package var isSet: Bool { flag.load(ordering: .relaxed) }

    /// Let it end.
    package func set() { flag.store(true, ordering: .relaxed) }

    func check() throws(ArchiveRefusal) {
        if isSet { throw ArchiveRefusal(.failed, "it was ended before it was done") }
    }
}
