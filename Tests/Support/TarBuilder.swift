import Foundation

/// Writes a tar archive as an enemy does: nothing is checked.
package struct TarBuilder {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// A member with a header of ustar.
    package mutating func add(
        _ path: String, type: Character = "0", content: [UInt8] = [], size: Int? = nil, target: String = "",
        mode: Int = 0o644
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
        }
        func octal(_ number: Int, digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(path, at: 0)
        put(octal(mode, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size ?? content.count, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put(String(type), at: 156)
        put(target, at: 157)
        put("ustar", at: 257)
        put("00", at: 263)
        put("        ", at: 148)
        put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + "\0 ", at: 148)
        bytes += header + content
        bytes += [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    /// The folder of a site, and another member.
    package static func site(
        _ path: String? = nil, type: Character = "0", content: [UInt8] = [], target: String = ""
    ) -> TarBuilder {
        var tar = TarBuilder()
        tar.add("site", type: "5")
        if let path { tar.add(path, type: type, content: content, target: target) }
        return tar
    }

    /// The same with one more.
    package func adding(
        _ path: String, type: Character = "0", content: [UInt8] = [], size: Int? = nil
    ) -> TarBuilder {
        var tar = self
        tar.add(path, type: type, content: content, size: size)
        return tar
    }

    /// A folder with records of pax about it.
    package static func records(_ key: String, _ value: String, type: Character = "x") -> TarBuilder {
        var tar = TarBuilder()
        tar.addRecords([(key, value)], type: type)
        tar.add("site", type: "5")
        return tar
    }

    /// Before all others.
    package func after(_ first: TarBuilder) -> TarBuilder {
        var tar = first
        tar.bytes += bytes
        return tar
    }

    /// Records of pax about the next member.
    package mutating func addRecords(_ records: [(key: String, value: String)], type: Character = "x") {
        var text = ""
        for (key, value) in records {
            let rest = " \(key)=\(value)\n"
            // The length counts its own digits.
            var length = rest.utf8.count + 1
            while "\(length)".utf8.count + rest.utf8.count != length { length += 1 }
            text += "\(length)\(rest)"
        }
        add("./PaxHeaders/x", type: type, content: Array(text.utf8))
    }

    /// With the end.
    package func write(to path: String) throws {
        try Data(bytes + [UInt8](repeating: 0, count: 1024)).write(to: URL(fileURLWithPath: path))
    }
}
