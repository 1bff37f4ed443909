import Foundation

/// One of the things in a tar archive.
struct TarMember: Sendable {
    /// What it is.
    enum Kind: Equatable, Sendable { case file, folder, link, otherName, fifo, device }

    var kind: Kind
    /// As it stands there: it may be anything.
    var path: [UInt8]
    /// For links and other names.
    var target: [UInt8]
    /// What the file holds when it is there, holes included.
    var byteCount: UInt64
}

/// Decides what of a tar archive may pass.
protocol TarVisitor: Sendable {
    /// Whether the content of files is shown.
    var wantsContent: Bool { get }
    /// The next member.
    mutating func begin(_ member: TarMember) throws(ArchiveRefusal)
    /// Bytes of its content, as it lies in the archive.
    mutating func take(_ content: ArraySlice<UInt8>) throws(ArchiveRefusal)
    /// There are no more.
    mutating func finish() throws(ArchiveRefusal)
}

/// Reads the headers of a tar archive that passes by: the formats ustar, pax (POSIX.1-2001) and GNU, without
/// what is not for archives of files. Whatever tar might read otherwise than this is refused.
struct TarReader<Visitor: TarVisitor>: StreamInspector {
    private static var blockBytes: Int { 512 }
    private static var extensionBytesMax: UInt64 { 8 << 20 }

    var visitor: Visitor
    private var state = State.header
    /// The header, or the extension, so far.
    private var gathered: [UInt8] = []
    /// What extensions say of the next member.
    private var extended = Extended()

    private enum State {
        case header
        /// So many bytes of an extension of this kind are left, and padding after them.
        case `extension`(UInt8, rest: UInt64, padding: UInt64)
        case content(rest: UInt64, padding: UInt64)
        /// After the block of zeros.
        case end
    }

    private struct Extended {
        var path: [UInt8]?
        /// Comes before the other one, whichever stands first.
        var sparsePath: [UInt8]?
        var target: [UInt8]?
        var byteCount: UInt64?
        var realByteCount: UInt64?
    }

    init(visitor: Visitor) { self.visitor = visitor }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(ArchiveRefusal) {
        var bytes = bytes
        while !bytes.isEmpty {
            switch state {
            case .end: return
            case .header:
                let part = bytes.prefix(Self.blockBytes - gathered.count)
                gathered += part
                bytes = bytes.dropFirst(part.count)
                if gathered.count == Self.blockBytes { try readHeader() }
            case .extension(let kind, let rest, let padding):
                let part = bytes.prefix(Int(clamping: rest))
                gathered += part
                bytes = bytes.dropFirst(part.count)
                let left = rest - UInt64(part.count)
                state = .extension(kind, rest: left, padding: padding)
                if left == 0 { try readExtension(kind, padding) }
            case .content(let rest, let padding):
                let part = bytes.prefix(Int(clamping: rest))
                if visitor.wantsContent, !part.isEmpty { try visitor.take(part) }
                bytes = bytes.dropFirst(part.count)
                let left = rest - UInt64(part.count)
                let skipped = left == 0 ? min(padding, UInt64(bytes.count)) : 0
                bytes = bytes.dropFirst(Int(skipped))
                state = .content(rest: left, padding: padding - skipped)
                if left == 0, padding == skipped { state = .header }
            }
        }
    }

    mutating func finish() throws(ArchiveRefusal) {
        guard case .end = state else { throw refusal("it ends in the middle") }
        try visitor.finish()
    }

    private func refusal(_ what: String) -> ArchiveRefusal {
        ArchiveRefusal(.invalid, "the archive is damaged or not a tar archive: \(what)")
    }

    /// What is left of the last block.
    private static func padding(after byteCount: UInt64) -> UInt64 {
        (UInt64(blockBytes) - byteCount % UInt64(blockBytes)) % UInt64(blockBytes)
    }

    // MARK: Headers

    private mutating func readHeader() throws(ArchiveRefusal) {
        let header = gathered
        gathered.removeAll(keepingCapacity: true)
        if header.allSatisfy({ $0 == 0 }) {
            state = .end
            return
        }
        guard let sum = number(header[148..<156]), sum == checksum(header) else {
            throw refusal("a header's sum is wrong")
        }
        guard var byteCount = number(header[124..<136]) else { throw refusal("a size is malformed") }
        let type = header[156]
        if "xgLK".utf8.contains(type) {
            guard byteCount <= Self.extensionBytesMax else { throw refusal("a header is too long") }
            state = .extension(type, rest: byteCount, padding: Self.padding(after: byteCount))
            if byteCount == 0 { state = .header }
            return
        }
        byteCount = extended.byteCount ?? byteCount
        var member = TarMember(
            kind: .file, path: extended.sparsePath ?? extended.path ?? path(header),
            target: extended.target ?? Array(header[157..<257].prefix { $0 != 0 }),
            byteCount: extended.realByteCount ?? byteCount)
        member.kind = try kind(type, member.path)
        if member.kind != .file {
            // tar skips no content of these, whatever they say.
            guard byteCount == 0 else { throw refusal("something that is no file has a content") }
            member.byteCount = 0
        }
        extended = Extended()
        try visitor.begin(member)
        let padding = Self.padding(after: byteCount)
        state = byteCount == 0 ? .header : .content(rest: byteCount, padding: padding)
    }

    private func kind(_ type: UInt8, _ path: [UInt8]) throws(ArchiveRefusal) -> TarMember.Kind {
        switch type {
        // Before ustar, a slash at the end said that it is a folder.
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): return path.last == UInt8(ascii: "/") ? .folder : .file
        case UInt8(ascii: "1"): return .otherName
        case UInt8(ascii: "2"): return .link
        case UInt8(ascii: "3"), UInt8(ascii: "4"): return .device
        case UInt8(ascii: "5"): return .folder
        case UInt8(ascii: "6"): return .fifo
        default: throw refusal("it has a member of the unknown kind \(EscapedText.readable([type]))")
        }
    }

    private func path(_ header: [UInt8]) -> [UInt8] {
        let name = Array(header[0..<100].prefix { $0 != 0 })
        // GNU's own format has something else where ustar has the first part of the path.
        guard Array(header[257..<263]) == Array("ustar\0".utf8), header[345] != 0 else { return name }
        return header[345..<500].prefix { $0 != 0 } + [UInt8(ascii: "/")] + name
    }

    /// The sum of all bytes, with blanks for the sum itself.
    private func checksum(_ header: [UInt8]) -> UInt64 {
        header.indices.reduce(0) { $0 + UInt64((148..<156).contains($1) ? UInt8(ascii: " ") : header[$1]) }
    }

    /// Octal digits, or for large ones a binary number behind a set bit (GNU).
    private func number(_ field: ArraySlice<UInt8>) -> UInt64? {
        if field.first == 0x80 {
            guard field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(7).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: " ") && $0 != 0 }
        return digits.isEmpty ? 0 : UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    // MARK: Extensions

    private mutating func readExtension(_ kind: UInt8, _ padding: UInt64) throws(ArchiveRefusal) {
        let bytes = gathered
        gathered.removeAll(keepingCapacity: true)
        switch kind {
        case UInt8(ascii: "L"): extended.path = Array(bytes.prefix { $0 != 0 })
        case UInt8(ascii: "K"): extended.target = Array(bytes.prefix { $0 != 0 })
        default: try readRecords(bytes, areGlobal: kind == UInt8(ascii: "g"))
        }
        state = .content(rest: 0, padding: padding)
        if padding == 0 { state = .header }
    }

    /// Records of pax: `LENGTH KEY=VALUE` and a line feed; the length is that of the whole record.
    private mutating func readRecords(_ bytes: [UInt8], areGlobal: Bool) throws(ArchiveRefusal) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let blank = rest.firstIndex(of: UInt8(ascii: " ")),
                let length = Int(String(decoding: rest[..<blank], as: UTF8.self)),
                length > blank - rest.startIndex + 1, length <= rest.count,
                rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
            else { throw refusal("an extended header is malformed") }
            let record = rest[(blank + 1)..<(rest.startIndex + length - 1)]
            rest = rest.dropFirst(length)
            guard let sign = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw refusal("an extended header is malformed")
            }
            try read(String(decoding: record[..<sign], as: UTF8.self), record[(sign + 1)...], areGlobal)
        }
    }

    private mutating func read(
        _ key: String, _ value: ArraySlice<UInt8>, _ isGlobal: Bool
    ) throws(ArchiveRefusal) {
        let isOurs = ["path", "linkpath", "size"].contains(key) || key.hasPrefix("GNU.sparse.")
        guard isOurs else { return }
        // They would be about every member that follows.
        guard !isGlobal else { throw refusal("a global header says \(key)") }
        switch key {
        case "path": extended.path = Array(value)
        case "GNU.sparse.name": extended.sparsePath = Array(value)
        case "linkpath": extended.target = Array(value)
        case "size": extended.byteCount = try decimal(value)
        case "GNU.sparse.realsize": extended.realByteCount = try decimal(value)
        case "GNU.sparse.major", "GNU.sparse.minor": break
        // The older ways to store holes.
        default: throw refusal("it says \(EscapedText.readable(Array(key.utf8)))")
        }
    }

    private func decimal(_ value: ArraySlice<UInt8>) throws(ArchiveRefusal) -> UInt64 {
        guard let number = UInt64(String(decoding: value, as: UTF8.self)) else {
            throw refusal("a size is malformed")
        }
        return number
    }
}
