import Foundation

/// A process of a site of the kind `command`. Which site it belongs to stands in its environment, so that it
/// is found again by a yardmaster that has not started it.
struct SiteProcess: Equatable {
    static let siteVariable = "SWITCHYARD_SITE"
    static let revisionVariable = "SWITCHYARD_REVISION"

    var identifier: Int32
    /// The process that leads its session; what we have started is its own leader.
    var session: Int32
    /// In ticks since the machine was started: tells it from another one of the same number.
    var startTicks: UInt64
    var revision: String

    var isLeader: Bool { session == identifier }

    /// All of a site, in the order of their numbers.
    static func all(of domain: String) -> [SiteProcess] {
        let started = StartedPrograms.shared.program(of: domain)
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int32($0) }.sorted().compactMap { read($0, domain, started) }
    }

    private static func read(
        _ identifier: Int32, _ domain: String, _ started: StartedPrograms.Program?
    ) -> SiteProcess? {
        let environment = FileManager.default.contents(atPath: "/proc/\(identifier)/environ") ?? Data()
        let lines = environment.split(separator: 0)
        var revision: String?
        if started?.identifier == identifier {
            // For a moment, while the kernel has it become another program, it shows no environment.
            revision = started?.revision
        } else {
            guard lines.contains(where: { $0.elementsEqual("\(siteVariable)=\(domain)".utf8) }) else {
                return nil
            }
            revision = lines.first { $0.starts(with: "\(revisionVariable)=".utf8) }
                .map { String(decoding: $0.dropFirst(revisionVariable.utf8.count + 1), as: UTF8.self) }
        }
        guard let stat = FileManager.default.contents(atPath: "/proc/\(identifier)/stat") else { return nil }
        // The name is in parentheses and may have any byte in it (proc(5)).
        let text = String(decoding: stat, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        // Fields 3 (state), 6 (session) and 22 (start time).
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let session = Int32(fields[3]),
            let startTicks = UInt64(fields[19])
        else { return nil }
        return SiteProcess(
            identifier: identifier, session: session, startTicks: startTicks, revision: revision ?? "")
    }
}
