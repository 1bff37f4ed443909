import Glibc

/// A pipe for text that another part of the same thread writes to a descriptor.
package final class TextPipe {
    private let readEnd: Int32
    /// Where to write; what was written is to be read before it is more than a pipe holds.
    package let writeEnd: Int32

    package init() {
        var ends: [Int32] = [-1, -1]
        let result = unsafe pipe(&ends)
        precondition(result == 0, "a pipe can be made")
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// What was written since the last call; there must be something.
    package func read() -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe Glibc.read(readEnd, &bytes, bytes.count)
        precondition(count > 0, "there is something in the pipe")
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
