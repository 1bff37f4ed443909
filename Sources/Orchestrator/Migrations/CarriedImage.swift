import Foundation
import YardKit

/// A file that a peer sends as an image. Engines believe what it says of itself: a name in it would take the
/// place of an image that is here. So it is taken only in the form in which engines write one image by its
/// identifier, and everything in it that could be a name is refused.
///
/// Engines differ in what they read (`manifest.json`, or `index.json` where there is an `oci-layout`), and
/// readers of tar in what they make of a strange header. Nothing strange is guessed at here: what an engine's
/// own writer does not write is refused.
package struct CarriedImage {
    private static let manifestName = "manifest.json"
    private static let indexName = "index.json"
    /// What engines read as JSON, at most.
    private static let documentBytesMax: UInt64 = 4 << 20
    private static let depthMax = 4
    /// By these annotations of a descriptor engines with the image store of containerd give names.
    private static let nameAnnotations: Set<String> = [
        "io.containerd.image.name", "org.opencontainers.image.ref.name",
    ]

    private let archive: ImageArchive

    /// Looks at the file, and refuses it if it has names, is several images, or is not of the form.
    package static func check(_ path: String) throws(Refusal) {
        let image = CarriedImage(archive: try ImageArchive(path: path))
        try image.checkManifest()
        try image.checkIndex()
    }

    private static let hasNames = Refusal(.invalid, "the image that was sent has names, or is several")
    fileprivate static let isStrange = Refusal(
        .invalid, "the image that was sent is not of the form that is taken")

    private func checkManifest() throws(Refusal) {
        // It would be read by old engines where there is no manifest, and has nothing but names.
        guard archive.entries["repositories"] == nil else { throw Self.hasNames }
        let manifest = try document(Self.manifestName)
        guard case .array(let images) = manifest else { throw Self.isStrange }
        guard images.count == 1 else { throw Self.hasNames }
        let members = try members(
            of: images[0], among: ["Config", "RepoTags", "Layers", "Parent", "LayerSources"])
        switch members["RepoTags"] {
        case nil, .null, .array([]): break
        default: throw Self.hasNames
        }
    }

    private func checkIndex() throws(Refusal) {
        // Older engines write none.
        guard archive.entries[Self.indexName] != nil else { return }
        let descriptors = try descriptors(of: try document(Self.indexName))
        guard descriptors.count == 1 else { throw Self.hasNames }
        try check(descriptors, depth: 0)
    }

    /// An index of images has an image for each platform, and what its builder attests.
    private func check(_ descriptors: [[String: JSONValue]], depth: Int) throws(Refusal) {
        for descriptor in descriptors {
            for annotation in descriptor["annotations"]?.members ?? []
            where Self.nameAnnotations.contains(annotation.name) {
                throw Self.hasNames
            }
            let mediaType = descriptor["mediaType"]?.text ?? ""
            guard mediaType.contains("index") || mediaType.contains("manifest.list") else { continue }
            guard depth < Self.depthMax, let digest = descriptor["digest"]?.text else { throw Self.isStrange }
            let name =
                "blobs/"
                + digest.split(separator: ":", omittingEmptySubsequences: false)
                .joined(separator: "/")
            // Of an image of several platforms those that are not here are not sent.
            guard archive.entries[name] != nil else { continue }
            try check(try self.descriptors(of: try document(name)), depth: depth + 1)
        }
    }

    private func descriptors(of index: JSONValue) throws(Refusal) -> [[String: JSONValue]] {
        let members = try members(
            of: index,
            among: ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"])
        guard case .array(let descriptors) = members["manifests"] else { throw Self.isStrange }
        var read: [[String: JSONValue]] = []
        for descriptor in descriptors {
            read.append(
                try self.members(
                    of: descriptor,
                    among: [
                        "mediaType", "digest", "size", "urls", "annotations", "data", "platform",
                        "artifactType",
                    ]))
        }
        return read
    }

    /// Engines take a member's name in any case, and of two the last one: so only known ones are taken, each
    /// once.
    private func members(
        of value: JSONValue, among known: Set<String>
    ) throws(Refusal) -> [String: JSONValue] {
        guard case .object(let members) = value else { throw Self.isStrange }
        var read: [String: JSONValue] = [:]
        for member in members {
            guard known.contains(member.name), read.updateValue(member.value, forKey: member.name) == nil
            else { throw Self.isStrange }
        }
        return read
    }

    private func document(_ name: String) throws(Refusal) -> JSONValue {
        guard let entry = archive.entries[name], entry.kind == .file,
            entry.byteCount <= Self.documentBytesMax,
            let value = try? JSONReader.read(try archive.content(of: entry))
        else { throw Self.isStrange }
        return value
    }
}

/// The members of a tar archive as engines write them: plain names, each once, without what readers of tar
/// take differently.
private struct ImageArchive {
    struct Entry {
        enum Kind { case file, folder, link }

        var kind: Kind
        /// Where its content begins.
        var offset: UInt64
        var byteCount: UInt64
    }

    private static let blockBytes = 512
    private static let entriesMax = 10_000
    private static let recordsBytesMax: UInt64 = 1 << 16

    private let handle: FileHandle
    private let fileBytes: UInt64
    private(set) var entries: [String: Entry] = [:]

    init(path: String) throws(Refusal) {
        guard let handle = FileHandle(forReadingAtPath: path), let end = try? handle.seekToEnd() else {
            throw Refusal(.unavailable, "\(path) cannot be read")
        }
        (self.handle, fileBytes) = (handle, end)
        try readEntries()
    }

    func content(of entry: Entry) throws(Refusal) -> [UInt8] {
        try bytes(at: entry.offset, Int(clamping: entry.byteCount))
    }

    private func bytes(at offset: UInt64, _ count: Int) throws(Refusal) -> [UInt8] {
        do {
            try handle.seek(toOffset: offset)
            let data = try handle.read(upToCount: count) ?? Data()
            if data.count == count { return Array(data) }
        } catch {
            throw Refusal(.unavailable, "the image that was sent cannot be read: \(error)")
        }
        throw CarriedImage.isStrange
    }

    private mutating func readEntries() throws(Refusal) {
        var (offset, statedBytes, hasRecords) = (UInt64(0), UInt64?.none, false)
        while true {
            let header = TarHeader(bytes: try bytes(at: offset, Self.blockBytes))
            offset += UInt64(Self.blockBytes)
            if header.isEnd { break }
            guard header.isPlain, let stated = header.byteCount else { throw CarriedImage.isStrange }
            let byteCount = header.type == UInt8(ascii: "x") ? stated : statedBytes ?? stated
            // So the sum below is far from its end.
            guard byteCount <= fileBytes else { throw CarriedImage.isStrange }
            switch header.type {
            case UInt8(ascii: "x"):
                guard !hasRecords, byteCount <= Self.recordsBytesMax else { throw CarriedImage.isStrange }
                statedBytes = try TarHeader.statedSize(try bytes(at: offset, Int(byteCount)))
                hasRecords = true
            case 0, UInt8(ascii: "0"), UInt8(ascii: "2"), UInt8(ascii: "5"):
                try add(header, offset, byteCount)
                (statedBytes, hasRecords) = (nil, false)
            default: throw CarriedImage.isStrange
            }
            let blocks = (byteCount + UInt64(Self.blockBytes) - 1) / UInt64(Self.blockBytes)
            offset += blocks * UInt64(Self.blockBytes)
        }
        // Whoever unpacks it would go through a link, and put one file in the place of another.
        guard !hasRecords, entries.keys.allSatisfy(isInFolders) else { throw CarriedImage.isStrange }
    }

    private func isInFolders(_ name: String) -> Bool {
        name.indices.allSatisfy { index in
            guard name[index] == "/", let above = entries[String(name[..<index])] else { return true }
            return above.kind == .folder
        }
    }

    private mutating func add(
        _ header: TarHeader, _ offset: UInt64, _ byteCount: UInt64
    ) throws(Refusal) {
        let kind: Entry.Kind =
            switch header.type {
            case UInt8(ascii: "5"): .folder
            case UInt8(ascii: "2"): .link
            default: .file
            }
        var name = header.name
        if kind == .folder, name.hasSuffix("/") { name.removeLast() }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        // An engine unpacks the compression that it takes the first bytes for; plain ones are that of none.
        let isPlain =
            name.utf8.allSatisfy { TarHeader.nameBytes.contains($0) }
            && parts.allSatisfy { !["", ".", ".."].contains($0) }
        guard isPlain, kind == .file || byteCount == 0, offset + byteCount <= fileBytes,
            entries.count < Self.entriesMax,
            entries.updateValue(
                Entry(kind: kind, offset: offset, byteCount: byteCount), forKey: name) == nil
        else { throw CarriedImage.isStrange }
    }
}

/// A header of a tar archive, of the formats ustar and GNU.
private struct TarHeader {
    static let nameBytes = Set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/".utf8)
    private static let ustar = Array("ustar\u{0}00".utf8)
    private static let gnu = Array("ustar  \u{0}".utf8)

    let bytes: [UInt8]

    /// Two blocks of zeros are the end, and readers that find one either end there, too, or refuse.
    var isEnd: Bool { bytes.allSatisfy { $0 == 0 } }
    var type: UInt8 { bytes[156] }
    var name: String { String(decoding: bytes[0..<100].prefix { $0 != 0 }, as: UTF8.self) }

    /// Whether all readers take it for the same: one of the known formats, with its sum, and no first part of
    /// a name elsewhere.
    var isPlain: Bool {
        let magic = Array(bytes[257..<265])
        let isKnown = magic == Self.gnu || (magic == Self.ustar && bytes[345] == 0)
        let sum = bytes.indices.reduce(UInt64(0)) {
            $0 + UInt64((148..<156).contains($1) ? UInt8(ascii: " ") : bytes[$1])
        }
        return isKnown && Self.number(bytes[148..<156]) == sum
    }

    /// As the header itself has it.
    var byteCount: UInt64? { Self.number(bytes[124..<136]) }

    /// Octal digits, then blanks and zeros, or for large ones a binary number behind a set bit (GNU).
    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
        if field.first == 0x80 {
            guard field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(7).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let digits = field.prefix { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
        guard !digits.isEmpty, field.dropFirst(digits.count).allSatisfy({ $0 == 0 || $0 == 32 }) else {
            return nil
        }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    /// What records of pax say of the next member's size; nil: nothing. Times are of no interest; names are
    /// never so long that they need a record.
    static func statedSize(_ records: [UInt8]) throws(Refusal) -> UInt64? {
        var (rest, size) = (records[...], UInt64?.none)
        while !rest.isEmpty {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let length = Int(String(decoding: digits, as: UTF8.self)), length > digits.count + 1,
                length <= rest.count, rest[rest.startIndex + digits.count] == UInt8(ascii: " "),
                rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
            else { throw CarriedImage.isStrange }
            let record = String(decoding: rest.prefix(length - 1).dropFirst(digits.count + 1), as: UTF8.self)
            rest = rest.dropFirst(length)
            let parts = record.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch parts[0] {
            case "mtime", "atime", "ctime", "uid", "gid", "uname", "gname": break
            case "size":
                guard size == nil, parts.count == 2, parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                    let number = UInt64(parts[1])
                else { throw CarriedImage.isStrange }
                size = number
            default: throw CarriedImage.isStrange
            }
        }
        return size
    }
}
