import Foundation

/// A folder of its own for one test. It is removed, with all that is in it, when the last reference goes.
package final class TemporaryFolder: Sendable {
    /// The absolute path, without a slash at the end. Short, because a unix socket's path has 107 bytes at
    /// most.
    package let path: String

    /// Makes the folder under the system's folder for temporary files.
    package init() throws {
        let name = "switchyard-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Nothing can be done about a failure here; the system clears its temporary files on its own.
        _ = try? FileManager.default.removeItem(atPath: path)
    }

    /// The absolute path of a name inside the folder.
    package func path(_ name: String) -> String {
        path + "/" + name
    }

    /// Writes a file, with the folders on the way, and gives its absolute path. A file that is there already
    /// is replaced in one step, so that a reader sees the old text or the new, never half of one.
    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        try write(name, bytes: Array(text.utf8))
    }

    /// The same for bytes that are no text.
    @discardableResult
    package func write(_ name: String, bytes: [UInt8]) throws -> String {
        let file = path(name)
        let parent = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file), options: .atomic)
        return file
    }

    /// The text of a file in the folder; empty when there is no such file (yet).
    package func read(_ name: String) -> String {
        TextFile.read(path(name)) ?? ""
    }
}

/// Reading whole text files.
package enum TextFile {
    /// The text; nil when the file cannot be read. Bytes that are not UTF-8 are replaced, not refused.
    package static func read(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
