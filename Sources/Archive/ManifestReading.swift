import Crypto
import Foundation
import Linux

/// Where a text is no manifest, and why.
package struct ManifestFault: Error, Equatable, Sendable {
    /// What is wrong.
    package enum Reason: Equatable, Sendable {
        /// It does not begin as a manifest does.
        case notAManifest
        /// A line is longer than one can be.
        case lineTooLong
        /// A word is not there, or is not what belongs there.
        case malformed(String)
        /// A path is not after the one before it.
        case outOfOrder
        /// It is in something that is not a folder, or is the second name of something that is not a file.
        case misplaced
        /// There is more of something than the limits allow.
        case tooMuch(String)
        /// It ends before its last line, or goes on after it.
        case incomplete
        /// The last line says something else of the others than they do.
        case altered
    }

    /// From 1.
    package var line: Int
    package var reason: Reason

    package init(line: Int, reason: Reason) {
        self.line = line
        self.reason = reason
    }

    /// One sentence.
    package var text: String {
        let words =
            switch reason {
            case .notAManifest: "this is not a manifest"
            case .lineTooLong: "the line is too long"
            case .malformed(let what): "\(what) is missing or malformed"
            case .outOfOrder: "the path is not in order"
            case .misplaced: "the path leads through something that is no folder, or to no file"
            case .tooMuch(let what): what
            case .incomplete: "the manifest is not complete"
            case .altered: "the manifest was altered"
            }
        return "line \(line) of the manifest: \(words)"
    }
}

/// Reads the text of a manifest as it comes in, whatever it is: it may be written by an enemy. What it takes
/// is exactly what ``ManifestWriter`` writes.
struct ManifestReading {
    private let limits: TreeLimits
    private var line: [UInt8] = []
    private var lineNumber = 1
    private var hasher = SHA256()
    private var entries: [TreeManifest.Entry] = []
    /// The folders that the last entry is in.
    private var folders: [TreePath] = []
    private var byteCount: UInt64 = 0
    private var total: ContentDigest?

    init(limits: TreeLimits) { self.limits = limits }

    /// Takes the next bytes.
    mutating func take(_ bytes: ArraySlice<UInt8>) throws(ManifestFault) {
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard line.count + (end - rest.startIndex) <= limits.lineBytesMax else {
                throw fault(.lineTooLong)
            }
            line += rest[rest.startIndex...end]
            rest = rest[(end + 1)...]
            try readLine()
            line.removeAll(keepingCapacity: true)
            lineNumber += 1
        }
        guard line.count + rest.count <= limits.lineBytesMax else { throw fault(.lineTooLong) }
        line += rest
    }

    /// The manifest, when all bytes were taken.
    func finish() throws(ManifestFault) -> TreeManifest {
        guard let total, line.isEmpty else { throw fault(.incomplete) }
        return TreeManifest(entries: entries, digest: total, byteCount: byteCount)
    }

    private func fault(_ reason: ManifestFault.Reason) -> ManifestFault {
        ManifestFault(line: lineNumber, reason: reason)
    }

    // MARK: Lines

    private mutating func readLine() throws(ManifestFault) {
        if lineNumber == 1 {
            guard line == ManifestWriter.firstLine else { throw fault(.notAManifest) }
            hasher.update(data: line)
            return
        }
        guard total == nil else { throw fault(.incomplete) }
        var words = Words(line: line.dropLast())
        let kind = words.next()
        if kind == Array("total".utf8)[...] { return try readTotal(&words) }
        let entry = try readEntry(kind, &words)
        guard words.isAtEnd else { throw fault(.malformed("the end")) }
        try place(entry)
        entries.append(entry)
        hasher.update(data: line)
    }

    private mutating func readTotal(_ words: inout Words) throws(ManifestFault) {
        guard let count: UInt64 = words.number(), let bytes: UInt64 = words.number(),
            let digest = words.digest(), words.isAtEnd
        else { throw fault(.malformed("the total")) }
        let found = ContentDigest(hasher.finalize())
        guard !entries.isEmpty, count == UInt64(entries.count), bytes == byteCount, digest == found else {
            throw fault(.altered)
        }
        total = digest
    }

    private func readEntry(
        _ kind: ArraySlice<UInt8>?, _ words: inout Words
    ) throws(ManifestFault) -> TreeManifest.Entry {
        let kind = kind.map { String(decoding: $0, as: UTF8.self) } ?? ""
        if kind == "same" {
            let path = try self.path(&words)
            guard let word = words.text(), let first = TreePath(word) else {
                throw fault(.malformed("the file"))
            }
            return TreeManifest.Entry(path: path, content: .same(as: first))
        }
        guard ["folder", "file", "link", "fifo"].contains(kind) else { throw fault(.malformed("the kind")) }
        guard let mode = words.mode() else { throw fault(.malformed("the mode")) }
        guard let user: UInt32 = words.number(), let group: UInt32 = words.number() else {
            throw fault(.malformed("the owner"))
        }
        let path: TreePath
        let content: TreeManifest.Content
        switch kind {
        case "file":
            guard let byteCount: UInt64 = words.number(), let modified: Int64 = words.number(),
                let digest = words.digest()
            else { throw fault(.malformed("the size, the time or the digest")) }
            path = try self.path(&words)
            content = .file(byteCount: byteCount, modified: modified, digest)
        case "link":
            guard let modified: Int64 = words.number() else { throw fault(.malformed("the time")) }
            path = try self.path(&words)
            guard let target = words.text(), !target.isEmpty, target.count < limits.pathBytesMax,
                !target.contains(0)
            else { throw fault(.malformed("the target")) }
            content = .link(target: target, modified: modified)
        default:
            path = try self.path(&words)
            content = kind == "fifo" ? .fifo : .folder
        }
        return TreeManifest.Entry(
            path: path, content: content, mode: mode, user: user, group: group,
            attributes: try attributes(&words))
    }

    private func path(_ words: inout Words) throws(ManifestFault) -> TreePath {
        guard let word = words.text(),
            let path = word == OpenFolder.itself ? TreePath.root : TreePath(word)
        else { throw fault(.malformed("the path")) }
        if let objection = limits.objection(to: path) { throw fault(.tooMuch(objection)) }
        return path
    }

    private func attributes(_ words: inout Words) throws(ManifestFault) -> [TreeManifest.Attribute] {
        var attributes: [TreeManifest.Attribute] = []
        while let word = words.next() {
            // A digest has no such sign, a name may.
            guard let sign = word.lastIndex(of: UInt8(ascii: "=")),
                let name = EscapedText.decode(word[..<sign]), !name.isEmpty, !name.contains(0),
                let digest = ContentDigest(hexadecimal: word[(sign + 1)...]),
                attributes.last.map({ $0.name.lexicographicallyPrecedes(name) }) ?? true
            else { throw fault(.malformed("an attribute")) }
            attributes.append(TreeManifest.Attribute(name: name, digest: digest))
            if attributes.count > limits.attributeCountMax { throw fault(.tooMuch("too many attributes")) }
        }
        return attributes
    }

    // MARK: Places

    /// Whether it may come here: what it is in is a folder, which came before.
    private mutating func place(_ entry: TreeManifest.Entry) throws(ManifestFault) {
        guard entries.count < limits.entryCountMax else {
            throw fault(.tooMuch("there are more than \(limits.entryCountMax) files"))
        }
        if let last = entries.last {
            guard last.path < entry.path else { throw fault(.outOfOrder) }
            let parent = entry.path.parent
            while let folder = folders.last, folder != parent { folders.removeLast() }
            guard !folders.isEmpty else { throw fault(.misplaced) }
        } else {
            guard entry.path == .root, case .folder = entry.content else { throw fault(.misplaced) }
        }
        switch entry.content {
        case .folder: folders.append(entry.path)
        case .file(let count, _, _):
            let (sum, isTooMuch) = byteCount.addingReportingOverflow(count)
            guard !isTooMuch, sum <= limits.byteCountMax else {
                throw fault(.tooMuch("the files hold more than \(limits.byteCountMax) bytes"))
            }
            byteCount = sum
        case .same(let first):
            guard case .file? = TreeManifest.find(first, in: entries)?.content else {
                throw fault(.misplaced)
            }
        case .link, .fifo: break
        }
    }
}

/// The words of a line, with exactly one blank between two.
private struct Words {
    private var rest: ArraySlice<UInt8>?

    init(line: ArraySlice<UInt8>) { rest = line }

    var isAtEnd: Bool { rest == nil }

    /// Nil at the end of the line.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let line = rest else { return nil }
        let end = line.firstIndex(of: UInt8(ascii: " "))
        rest = end.map { line[($0 + 1)...] }
        return line[..<(end ?? line.endIndex)]
    }

    mutating func text() -> [UInt8]? {
        next().flatMap { $0.isEmpty ? nil : EscapedText.decode($0) }
    }

    /// In the one spelling that a number has.
    mutating func number<Number: FixedWidthInteger>() -> Number? {
        guard let word = next(), word.count <= 20 else { return nil }
        let text = String(decoding: word, as: UTF8.self)
        guard let number = Number(text), String(number) == text else { return nil }
        return number
    }

    mutating func mode() -> UInt32? {
        guard let word = next(), word.count == 4,
            word.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) })
        else { return nil }
        return word.reduce(0) { $0 << 3 | UInt32($1 - UInt8(ascii: "0")) }
    }

    mutating func digest() -> ContentDigest? { next().flatMap { ContentDigest(hexadecimal: $0) } }
}
