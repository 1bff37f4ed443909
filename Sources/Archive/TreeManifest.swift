import Crypto
import Foundation

/// What a folder holds, down to the last attribute, with a digest of everything: two folders with the same
/// manifest are the same site.
///
/// What another machine or another file system makes otherwise is not in it: the size of folders, how a file
/// lies on the disk, inode numbers, the time of the last access. The times of files and links are in it, to
/// the nanosecond: servers make `Last-Modified` and `ETag` of them, and rsync and tar carry them. Those of
/// folders are not: every temporary file changes them, and nobody is told of them.
package struct TreeManifest: Equatable, Sendable {
    /// One of the things in a folder, or the folder itself.
    package struct Entry: Equatable, Sendable {
        package var path: TreePath
        package var content: Content
        /// The twelve low bits; for another name of a file, which has what the file has, this and the
        /// following are zero and empty.
        package var mode: UInt32 = 0
        /// By number: names mean something else on every machine.
        package var user: UInt32 = 0
        package var group: UInt32 = 0
        /// In the order of their names.
        package var attributes: [Attribute] = []
    }

    /// What something is, and what is in it.
    package enum Content: Equatable, Sendable {
        case folder
        /// The time is in nanoseconds since 1970, here and below.
        case file(byteCount: UInt64, modified: Int64, ContentDigest)
        case link(target: [UInt8], modified: Int64)
        case fifo
        /// Another name (a hard link) of the file of that path, which comes before.
        case same(as: TreePath)
    }

    /// An extended attribute; POSIX access lists are some.
    package struct Attribute: Equatable, Sendable {
        package var name: [UInt8]
        /// Of its value.
        package var digest: ContentDigest
    }

    /// In the order of their paths: the root first, each folder before what is in it.
    package let entries: [Entry]
    /// Of all that the entries say.
    package let digest: ContentDigest
    /// What the files hold.
    package let byteCount: UInt64

    /// Takes entries that are in order.
    init(entries: [Entry]) {
        var writer = ManifestWriter()
        for entry in entries { writer.append(entry) }
        self.init(entries: entries, digest: writer.digest, byteCount: writer.byteCount)
    }

    init(entries: [Entry], digest: ContentDigest, byteCount: UInt64) {
        self.entries = entries
        self.digest = digest
        self.byteCount = byteCount
    }

    package static func == (left: TreeManifest, right: TreeManifest) -> Bool { left.digest == right.digest }

    /// What has this path.
    package subscript(path: TreePath) -> Entry? { Self.find(path, in: entries) }

    static func find(_ path: TreePath, in entries: [Entry]) -> Entry? {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].path < path { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].path == path ? entries[low] : nil
    }

    // MARK: Text

    /// The whole text.
    package var text: [UInt8] {
        var text: [UInt8] = []
        write { text += $0 }
        return text
    }

    /// The text in pieces of about 64 KiB.
    package func write<Failure: Error>(_ take: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
        var writer = ManifestWriter()
        for entry in entries {
            writer.append(entry)
            if writer.pending.count >= 65536 { try take(writer.takePending()) }
        }
        writer.finish()
        try take(writer.takePending())
    }

    /// Reads a text that is there as a whole.
    package static func parse(
        _ text: [UInt8], limits: TreeLimits = TreeLimits()
    ) throws(ManifestFault) -> TreeManifest {
        var reader = ManifestReading(limits: limits)
        try reader.take(text[...])
        return try reader.finish()
    }
}

/// What a folder or the text of a manifest may be at most.
package struct TreeLimits: Equatable, Sendable {
    /// Files, folders and links.
    package var entryCountMax = 2_000_000
    /// What the files hold, holes included.
    package var byteCountMax: UInt64 = 1 << 44
    /// Folders in folders.
    package var depthMax = 128
    /// The longest path: that of the kernel (PATH_MAX).
    package var pathBytesMax = 4096
    /// Extended attributes of one file.
    package var attributeCountMax = 100

    package init() {}

    /// The longest line: a link with a path and a target in which each byte is escaped, and attributes with
    /// the longest names (XATTR_NAME_MAX), each with a digest.
    var lineBytesMax: Int { 128 + 6 * pathBytesMax + attributeCountMax * (3 * 255 + 66) }

    /// Why something is not taken, in words; nil: it is.
    func objection(to path: TreePath) -> String? {
        if path.bytes.count > pathBytesMax { return "its path is longer than \(pathBytesMax) bytes" }
        if path.depth > depthMax { return "it is more than \(depthMax) folders deep" }
        return nil
    }
}
