import Crypto
import Foundation
import Linux

/// Writes the text of a manifest: a line for each entry, of words with one blank between them, and a last
/// line with the digest of all others, so that a text that was cut off or changed is found out.
///
///     switchyard-manifest 1
///     folder 0755 0 0 .
///     file 0644 33 33 1234 1700000000123456789 e3b0…b855 wp-content/a%20b.txt user.note=9f86…0a08
///     same wp-content/c.txt wp-content/a%20b.txt
///     link 0777 0 0 1700000000123456789 latest releases/6
///     fifo 0600 0 0 queue
///     total 5 1234 5feb…57e9
///
/// Mode, user and group; for files the size, the time and the digest; the path; for links the target; the
/// attributes. Every manifest has one text.
struct ManifestWriter {
    static let firstLine = Array("switchyard-manifest 1\n".utf8)

    /// What was written and not taken yet.
    private(set) var pending: [UInt8]
    private(set) var byteCount: UInt64 = 0
    private var entryCount = 0
    private var hasher = SHA256()

    init() {
        pending = Self.firstLine
        hasher.update(data: Self.firstLine)
    }

    /// Of all lines so far.
    var digest: ContentDigest { ContentDigest(hasher.finalize()) }

    mutating func takePending() -> [UInt8] {
        let taken = pending
        pending.removeAll(keepingCapacity: true)
        return taken
    }

    mutating func append(_ entry: TreeManifest.Entry) {
        let start = pending.count
        Self.append(entry, to: &pending)
        hasher.update(data: pending[start...])
        entryCount += 1
        if case .file(let count, _, _) = entry.content { byteCount &+= count }
    }

    /// The last line.
    mutating func finish() {
        pending += Array("total \(entryCount) \(byteCount) \(digest)\n".utf8)
    }

    private static func append(_ entry: TreeManifest.Entry, to line: inout [UInt8]) {
        func word(_ text: String) {
            line += text.utf8
            line.append(UInt8(ascii: " "))
        }
        func rights(_ kind: String) {
            let octal = String(entry.mode, radix: 8)
            word(kind)
            word(String(repeating: "0", count: max(0, 4 - octal.count)) + octal)
            word("\(entry.user)")
            word("\(entry.group)")
        }
        switch entry.content {
        case .folder: rights("folder")
        case .fifo: rights("fifo")
        case .file(let byteCount, let modified, let digest):
            rights("file")
            word("\(byteCount)")
            word("\(modified)")
            line += digest.hexadecimal
            line.append(UInt8(ascii: " "))
        case .link(_, let modified):
            rights("link")
            word("\(modified)")
        case .same: word("same")
        }
        EscapedText.append(entry.path == .root ? OpenFolder.itself : entry.path.bytes, to: &line)
        switch entry.content {
        case .link(let target, _):
            line.append(UInt8(ascii: " "))
            EscapedText.append(target, to: &line)
        case .same(let first):
            line.append(UInt8(ascii: " "))
            EscapedText.append(first.bytes, to: &line)
        case .folder, .fifo, .file: break
        }
        for attribute in entry.attributes {
            line.append(UInt8(ascii: " "))
            EscapedText.append(attribute.name, to: &line)
            line.append(UInt8(ascii: "="))
            line += attribute.digest.hexadecimal
        }
        line.append(UInt8(ascii: "\n"))
    }
}
