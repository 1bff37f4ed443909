import Crypto
import Foundation
import Linux
import Synchronization

/// Reads the files that a walk has found, on several threads, and makes their digests.
///
/// The threads take the files in the order of their paths, so that each mostly stays in one folder, and the
/// disk is read much as it was written.
struct FileReading {
    /// Large enough that calls cost nothing, small enough for the processor's own memory.
    private static let bufferBytes = 1 << 18

    private let path: String
    private let threadCount: Int
    private let progress: ArchiveProgress?
    private let stop: StopSign?
    private let root: FileStatus?
    private let files: [(index: Int, status: FileStatus)]
    private let paths: [TreePath]
    private let byteCount: UInt64

    init(scan: TreeScan, walk: TreeWalk, stop: StopSign?) {
        path = scan.path
        threadCount = scan.threadCount
        progress = scan.progress
        self.stop = stop
        root = walk.rootStatus
        files = walk.unread
        paths = walk.unread.map { walk.entries[$0.index].path }
        byteCount = walk.unread.reduce(0) { $0 + $1.status.byteCount }
    }

    /// By the index of its entry, the digest of each file that was not changed.
    func run() throws(ArchiveRefusal) -> [Int: ContentDigest] {
        guard !files.isEmpty else { return [:] }
        let outcome = Mutex(Outcome())
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: min(threadCount, files.count)) { _ in
            do throws(ArchiveRefusal) {
                try readFiles(next, outcome)
            } catch {
                outcome.withLock { $0.refusal = error }
            }
        }
        return try outcome.withLock { (outcome) throws(ArchiveRefusal) in
            if let refusal = outcome.refusal { throw refusal }
            return outcome.digests
        }
    }

    private struct Outcome {
        var digests: [Int: ContentDigest] = [:]
        var readByteCount: UInt64 = 0
        var refusal: ArchiveRefusal?
    }

    private func readFiles(
        _ next: borrowing Atomic<Int>, _ outcome: borrowing Mutex<Outcome>
    ) throws(ArchiveRefusal) {
        var buffer = [UInt8](repeating: 0, count: Self.bufferBytes)
        var folder: OpenFolder?
        var folderPath: TreePath?
        while true {
            let turn = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard turn < files.count else { return }
            do throws(Errno) {
                let parent = paths[turn].parent
                if folderPath != parent {
                    folderPath = nil
                    folder = try open(parent ?? .root)
                    folderPath = parent
                }
                guard let file = try folder?.file(paths[turn].name) else { continue }
                let digest = try digest(file, files[turn].status, &buffer)
                tell(turn, digest, outcome)
            } catch {
                // Something else is there by now; then there is no digest, which says so.
                guard [ENOENT, ENOTDIR, ELOOP, ENXIO].contains(error.number) else {
                    throw ArchiveRefusal(error, "\(path)/\(paths[turn])", "read")
                }
            }
            try stop?.check()
        }
    }

    private func open(_ path: TreePath) throws(Errno) -> OpenFolder {
        var folder = try OpenFolder(path: self.path)
        guard let root, try folder.status(of: OpenFolder.itself).isSameFile(as: root) else {
            throw Errno.noEntry
        }
        for name in path.names { folder = try folder.folder(name) }
        return folder
    }

    /// Nil when the file is not, or does not stay, as the walk has seen it.
    private func digest(
        _ file: borrowing OpenFile, _ status: FileStatus, _ buffer: inout [UInt8]
    ) throws(Errno) -> ContentDigest? {
        guard try file.status() == status else { return nil }
        var hasher = SHA256()
        var rest = status.byteCount
        while stop?.isSet != true {
            let count = try file.read(into: &buffer)
            if count == 0 { break }
            guard count <= rest else { return nil }
            rest -= UInt64(count)
            hasher.update(data: buffer[..<count])
        }
        guard rest == 0, try file.status() == status else { return nil }
        return ContentDigest(hasher.finalize())
    }

    private func tell(_ turn: Int, _ digest: ContentDigest?, _ outcome: borrowing Mutex<Outcome>) {
        let read = outcome.withLock { outcome in
            outcome.digests[files[turn].index] = digest
            outcome.readByteCount += files[turn].status.byteCount
            return outcome.readByteCount
        }
        if turn % 64 == 0 || files[turn].status.byteCount >= 1 << 24 {
            progress?("the files are read", byteCount == 0 ? 1 : Double(read) / Double(byteCount))
        }
    }
}
