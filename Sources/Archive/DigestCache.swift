import Crypto
import Foundation
package import Linux
import Synchronization

/// What the files of one folder hold, as it was when they were read, so that only those that were changed
/// since are read again. A file is known by its number on its device; that it was not changed, by its size
/// and both its times: nobody can set the time of the last change back.
///
/// Two ways lead around that time, and ``TreeScan`` closes both before it adds anything. The clock that gives
/// it goes in steps, so two changes may have the same time: what was changed shortly before it was read is
/// not added. And a program that has mapped a file may write into a page that it wrote to before, and the
/// file keeps its time until the page was on the disk: so all pages are written to the disk first, and what
/// was changed after that is not added.
package final class DigestCache: Sendable {
    /// What was changed so shortly before is not taken for known: more than the steps of any file system's
    /// clock (FAT has 2 s, ext4 4 ms), and what a clock is set back by in passing.
    static let doubtNanoseconds: Int64 = 2_000_000_000
    private static let firstBytes = Array("switchyard-digests 1\n".utf8)
    private static let recordByteCount = 80
    private static let fileBytesMax = 1 << 30

    /// Which file it is.
    struct Key: Hashable, Sendable {
        var device: UInt64
        var inode: UInt64

        init(_ status: FileStatus) {
            device = status.device
            inode = status.inode
        }

        fileprivate init(device: UInt64, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    /// What it held, and what tells that it still does.
    struct Record: Sendable {
        var byteCount: UInt64
        var modified: Int64
        var changed: Int64
        /// Most have none, and to ask for them takes longer than all the rest.
        var hasAttributes: Bool
        var digest: ContentDigest

        init(_ status: FileStatus, hasAttributes: Bool, _ digest: ContentDigest) {
            self.hasAttributes = hasAttributes
            byteCount = status.byteCount
            modified = status.modified
            changed = status.changed
            self.digest = digest
        }

        fileprivate init(words: [UInt64]) {
            byteCount = words[0]
            modified = Int64(bitPattern: words[1])
            changed = Int64(bitPattern: words[2])
            hasAttributes = words[3] != 0
            digest = ContentDigest(words: (words[4], words[5], words[6], words[7]))
        }

        fileprivate var words: [UInt64] {
            [
                byteCount, UInt64(bitPattern: modified), UInt64(bitPattern: changed), hasAttributes ? 1 : 0,
                digest.words.0, digest.words.1, digest.words.2, digest.words.3,
            ]
        }

        func isOf(_ status: FileStatus) -> Bool {
            byteCount == status.byteCount && modified == status.modified && changed == status.changed
        }
    }

    private let records: Mutex<[Key: Record]>

    /// One that knows nothing.
    package init() { records = Mutex([:]) }

    /// What was saved; one that knows nothing, if there is no such file or it is not whole.
    package init(savedAt path: String) {
        let bytes = (try? readFile(path, bytesMax: Self.fileBytesMax)) ?? []
        records = Mutex(Self.decode(bytes) ?? [:])
    }

    /// Writes it to a file in one step.
    package func save(to path: String) throws(Errno) {
        try writeFileAtomically(path, Self.encode(all))
    }

    /// How many files it knows.
    package var count: Int { records.withLock { $0.count } }

    var all: [Key: Record] { records.withLock { $0 } }

    func replace(_ all: [Key: Record]) { records.withLock { $0 = all } }

    // MARK: The file

    private static func encode(_ records: [Key: Record]) -> [UInt8] {
        var bytes = firstBytes
        bytes.reserveCapacity(firstBytes.count + records.count * recordByteCount + 32)
        func append(_ word: UInt64) {
            for shift in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        for (key, record) in records {
            append(key.device)
            append(key.inode)
            record.words.forEach(append)
        }
        return bytes + SHA256.hash(data: bytes)
    }

    private static func decode(_ bytes: [UInt8]) -> [Key: Record]? {
        let count = bytes.count - firstBytes.count - 32
        guard count >= 0, count % recordByteCount == 0, bytes.starts(with: firstBytes),
            SHA256.hash(data: bytes.dropLast(32)).elementsEqual(bytes.suffix(32))
        else { return nil }
        func word(_ offset: Int) -> UInt64 {
            (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
        }
        var records: [Key: Record] = [:]
        records.reserveCapacity(count / recordByteCount)
        for offset in stride(from: firstBytes.count, to: bytes.count - 32, by: recordByteCount) {
            records[Key(device: word(offset), inode: word(offset + 8))] = Record(
                words: (2..<10).map { word(offset + 8 * $0) })
        }
        return records
    }
}
