import Foundation
import Linux

/// What the kernel tells of a process that runs (proc_pid_stat(5)).
struct ProcessFacts {
    var group: Int32
    /// The process that leads its session.
    var session: Int32
    /// In ticks since the machine was started: tells it from another one of the same number.
    var startTicks: UInt64

    /// nil: there is none of this number, or it has ended and nobody has asked how.
    init?(of process: Int32) {
        guard let stat = try? readToEnd("/proc/\(process)/stat", bytesMax: 4096) else { return nil }
        // The name is in parentheses and may have any byte in it.
        let text = String(decoding: stat, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // Fields 3 (state), 5 (group), 6 (session) and 22 (start time).
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let group = Int32(fields[2]),
            let session = Int32(fields[3]), let startTicks = UInt64(fields[19])
        else { return nil }
        (self.group, self.session, self.startTicks) = (group, session, startTicks)
    }

    /// The numbers of all processes, in their order.
    static var all: [Int32] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int32($0) }.sorted()
    }
}
