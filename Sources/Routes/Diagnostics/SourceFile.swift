/// The text of one configuration or routes file, as the caller has read it.
///
/// The bytes are held as an array and not as a mapping of the file: a file that is truncated while it is
/// being parsed must not kill the process.
package struct SourceFile: Sendable {
    /// The path as diagnostics print it; nothing is opened by it.
    package var path: String

    /// The whole content. Need not be valid UTF-8 and need not end in a line feed.
    package var bytes: [UInt8]

    /// Wraps text that was read from `path`.
    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    /// Wraps a string; for tests and small generated files.
    package init(path: String, text: String) {
        self.path = path
        self.bytes = Array(text.utf8)
    }

    /// Resolves a path that stands in this file: absolute ones stay, others are relative to this file's
    /// folder.
    package func resolve(_ other: String) -> String {
        if other.utf8.first == UInt8(ascii: "/") { return other }
        guard let slash = path.lastIndex(of: "/") else { return other }
        return path[...slash] + other
    }
}
