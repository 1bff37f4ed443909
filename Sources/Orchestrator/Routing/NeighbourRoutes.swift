import Foundation
import Linux

/// The files of routes beside ours. Which of them the edge reads is its configuration's to say; for an edge
/// that cannot be asked they are the best guess, and they tell of changes that it has not read yet.
package struct NeighbourRoutes: Equatable, Sendable {
    /// One of them, as it was last changed.
    private struct File: Hashable, Sendable {
        var path: String
        var modified: Date?
        var byteCount: Int?
    }

    private let files: [File]

    /// Looks which there are. Two of these are equal while nobody has changed any.
    package init(of path: String) {
        let own = URL(fileURLWithPath: path)
        let keys: [URLResourceKey] = [.contentModificationDateKey, .fileSizeKey]
        let found = try? FileManager.default.contentsOfDirectory(
            at: own.deletingLastPathComponent(), includingPropertiesForKeys: keys)
        let others = (found ?? []).filter {
            $0.pathExtension == "routes" && $0.lastPathComponent != own.lastPathComponent
        }
        files = others.map(\.path).sorted().map { path in
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            return File(
                path: path, modified: attributes?[.modificationDate] as? Date,
                byteCount: attributes?[.size] as? Int)
        }
    }

    /// The first place of each name that stands in one of them, as `file:line`.
    package func places(of names: Set<String>) -> [String: String] {
        var places: [String: String] = [:]
        for file in files {
            guard let bytes = try? readFile(file.path, bytesMax: 256 << 20) else { continue }
            let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() {
                for name in Self.names(line) where names.contains(name) && places[name] == nil {
                    places[name] = "\(file.path):\(index + 1)"
                }
            }
        }
        return places
    }

    /// The names in front of a line, as they are compared.
    private static func names(_ line: ArraySlice<UInt8>) -> [String] {
        let blanks = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        let words = line.split(maxSplits: 1) { blanks.contains($0) }
        guard let first = words.first, first.first != UInt8(ascii: "#") else { return [] }
        return first.split(separator: UInt8(ascii: ",")).map { name in
            let text = String(decoding: name, as: UTF8.self).lowercased()
            return text.hasSuffix(".") ? String(text.dropLast()) : text
        }
    }
}
