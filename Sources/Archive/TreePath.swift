import Linux

/// The path of something in a folder, relative to it. It has any bytes but NUL: Linux knows no encoding.
package struct TreePath: Hashable, Sendable {
    /// The folder itself.
    package static let root = TreePath(bytes: [])
    private static let slash = UInt8(ascii: "/")

    /// Names with a slash between them; empty for the folder itself.
    package let bytes: [UInt8]

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// A path of names as they are in folders; nil for one that leads elsewhere or has two spellings: with an
    /// empty name, `.` or `..`, or a NUL.
    package init?(_ bytes: [UInt8]) {
        let names = bytes.split(separator: Self.slash, omittingEmptySubsequences: false)
        guard names.allSatisfy({ !$0.isEmpty && $0 != [0x2e] && $0 != [0x2e, 0x2e] && !$0.contains(0) })
        else { return nil }
        self.bytes = bytes
    }

    /// The same for a text.
    package init?(_ text: String) { self.init(Array(text.utf8)) }

    /// The path of something in this folder, by its name.
    package func appending(_ name: [UInt8]) -> TreePath {
        TreePath(bytes: bytes.isEmpty ? name : bytes + [Self.slash] + name)
    }

    /// The names on the way.
    package var names: [[UInt8]] { bytes.split(separator: Self.slash).map(Array.init) }

    /// How many names it has.
    package var depth: Int { bytes.isEmpty ? 0 : bytes.count { $0 == Self.slash } + 1 }

    /// The folder that it is in; nil for the root.
    package var parent: TreePath? {
        guard !bytes.isEmpty else { return nil }
        return TreePath(bytes: bytes.lastIndex(of: Self.slash).map { Array(bytes[..<$0]) } ?? [])
    }

    /// What it is called in its folder; the root calls itself `.`.
    package var name: [UInt8] {
        guard !bytes.isEmpty else { return OpenFolder.itself }
        return bytes.lastIndex(of: Self.slash).map { Array(bytes[($0 + 1)...]) } ?? bytes
    }

    /// Whether it is that folder or something in it.
    package func isWithin(_ folder: TreePath) -> Bool {
        folder.bytes.isEmpty || bytes == folder.bytes
            || (bytes.starts(with: folder.bytes) && bytes[folder.bytes.count] == Self.slash)
    }
}

extension TreePath: Comparable {
    /// A folder comes before what is in it, and that before the folder's next neighbour: the order of a walk.
    /// So the slash comes before every other byte (NUL is in no name).
    package static func < (left: TreePath, right: TreePath) -> Bool {
        let count = min(left.bytes.count, right.bytes.count)
        for index in 0..<count where left.bytes[index] != right.bytes[index] {
            return weight(left.bytes[index]) < weight(right.bytes[index])
        }
        return left.bytes.count < right.bytes.count
    }

    private static func weight(_ byte: UInt8) -> UInt8 { byte == slash ? 0 : byte }
}

extension TreePath: CustomStringConvertible {
    /// For a sentence: as a person wrote it, if a terminal can show that.
    package var description: String { bytes.isEmpty ? "the folder itself" : EscapedText.readable(bytes) }
}

/// Bytes as a word of a text: a blank, a control byte, what is not ASCII and `%` itself are written `%xx`.
/// Each word has one spelling.
enum EscapedText {
    private static let digits = Array("0123456789abcdef".utf8)
    private static let sign = UInt8(ascii: "%")

    private static func isPlain(_ byte: UInt8) -> Bool { (0x21...0x7e).contains(byte) && byte != sign }

    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        for byte in bytes {
            if isPlain(byte) {
                text.append(byte)
            } else {
                text += [sign, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    /// The bytes of a word; nil for a word that ``append(_:to:)`` would not write.
    static func decode(_ word: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(word.count)
        var index = word.startIndex
        while index < word.endIndex {
            if word[index] == sign {
                guard word.endIndex - index >= 3, let high = digits.firstIndex(of: word[index + 1]),
                    let low = digits.firstIndex(of: word[index + 2])
                else { return nil }
                let byte = UInt8(high << 4 | low)
                guard !isPlain(byte) else { return nil }
                bytes.append(byte)
                index += 3
            } else {
                guard isPlain(word[index]) else { return nil }
                bytes.append(word[index])
                index += 1
            }
        }
        return bytes
    }

    /// For a person: as it is where that is text without surprises, else escaped.
    static func readable(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), text.unicodeScalars.allSatisfy(isVisible) {
            return text
        }
        var text: [UInt8] = []
        append(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Not what moves the cursor or turns the text around.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        ![.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
    }
}
