/// Where something stands in a `SourceFile`: the line, and the bytes to underline in it.
package struct SourcePlace: Hashable, Sendable {
    /// Line number, from 1.
    package var line: Int

    /// Offset in bytes of the line's first byte in the file.
    package var lineStart: Int

    /// Offset in bytes of the first byte to underline, in the file.
    package var start: Int

    /// Offset in bytes behind the last byte to underline; may equal `start` when something is missing there.
    package var end: Int

    /// A place from its parts; all offsets are in bytes from the start of the file.
    package init(line: Int, lineStart: Int, start: Int, end: Int) {
        self.line = line
        self.lineStart = lineStart
        self.start = start
        self.end = end
    }
}
