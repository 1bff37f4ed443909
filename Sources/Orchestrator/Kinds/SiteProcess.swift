import Linux

/// A process of a site of the kind `command`. Which site it belongs to stands in its environment, with the
/// site's ``SiteToken``, so that it is found again by a yardmaster that has not started it.
struct SiteProcess: Equatable {
    static let siteVariable = "SWITCHYARD_SITE"
    static let revisionVariable = "SWITCHYARD_REVISION"
    /// The kernel's own limit for arguments and environment is a multiple; what is behind is the user's loss.
    private static let environmentBytesMax = 1 << 21

    var identifier: Int32
    /// The process that leads its session; what we have started is its own leader.
    var session: Int32
    /// In ticks since the machine was started: tells it from another one of the same number.
    var startTicks: UInt64
    var revision: String

    var isLeader: Bool { session == identifier }

    /// All of a site, in the order of their numbers.
    static func all(of domain: String, _ token: SiteToken?) -> [SiteProcess] {
        let started = StartedPrograms.shared.program(of: domain)
        guard token != nil || started != nil else { return [] }
        let numbers = ProcessFacts.all
        var revisions: [Int32: String] = [:]
        for number in numbers {
            // For a moment, while the kernel has it become another program, it shows no environment.
            revisions[number] =
                started?.identifier == number
                ? started?.revision : token.flatMap { revision(of: number, domain, $0) }
        }
        let own = revisions.compactMap { read($0.key, revision: $0.value) }
        // Nobody enters a session from outside: what is in one that our own leads descends from it, whatever
        // user it has become and whatever it has done to its environment.
        let sessions = Set(own.filter(\.isLeader).map(\.session))
        let others =
            sessions.isEmpty
            ? []
            : numbers.filter { revisions[$0] == nil }.compactMap { read($0, revision: "") }.filter {
                sessions.contains($0.session)
            }
        return (own + others).sorted { $0.identifier < $1.identifier }
    }

    /// The site's revision that a process was started for; nil: it is not the site's, whatever it says.
    private static func revision(of process: Int32, _ domain: String, _ token: SiteToken) -> String? {
        guard user(of: process) == token.user,
            let bytes = try? readToEnd("/proc/\(process)/environ", bytesMax: environmentBytesMax)
        else { return nil }
        let lines = bytes.split(separator: 0)
        func has(_ variable: String, _ value: String) -> Bool {
            lines.contains { $0.elementsEqual("\(variable)=\(value)".utf8) }
        }
        guard has(siteVariable, domain), has(SiteToken.variable, token.secret) else { return nil }
        return lines.first { $0.starts(with: "\(revisionVariable)=".utf8) }
            .map { String(decoding: $0.dropFirst(revisionVariable.utf8.count + 1), as: UTF8.self) } ?? ""
    }

    /// Who has started it (the real user): the owner of its folder in /proc may be root instead.
    private static func user(of process: Int32) -> UInt32? {
        guard let bytes = try? readToEnd("/proc/\(process)/status", bytesMax: 4096) else { return nil }
        let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Uid:".utf8) }
        return line.flatMap {
            String(decoding: $0, as: UTF8.self).split(whereSeparator: \.isWhitespace).dropFirst().first
        }.flatMap { UInt32($0) }
    }

    private static func read(_ identifier: Int32, revision: String) -> SiteProcess? {
        ProcessFacts(of: identifier).map {
            SiteProcess(
                identifier: identifier, session: $0.session, startTicks: $0.startTicks, revision: revision)
        }
    }
}
