import Foundation
import Linux
package import Runme

/// A site that is a program of this machine, in a session of its own: it goes on when yardmaster ends, and is
/// found again by the next one.
package struct CommandSite: SiteRunner {
    /// How long it has to end by itself.
    private static let stopSeconds = 10.0
    /// And how long the kernel has to end it: a process that waits for a disk is not ended before.
    private static let killSeconds = 10.0
    /// For a yardmaster that has none.
    private static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    private static let logBytesMax: UInt64 = 10 << 20

    let record: SiteRecord
    let runme: Runme
    let command: Runme.Command
    /// Where what the program writes is kept.
    let logFolder: String
    /// Told when the program has ended.
    let ended: @Sendable () -> Void

    package init(
        _ record: SiteRecord, _ runme: Runme, _ command: Runme.Command, logFolder: String,
        ended: @escaping @Sendable () -> Void
    ) {
        self.record = record
        self.runme = runme
        self.command = command
        self.logFolder = logFolder
        self.ended = ended
    }

    package var host: String { "127.0.0.1" }
    package var ports: Runme.Ports { command.ports }
    package var memoryBytes: UInt64 { 0 }
    private var logPath: String { "\(logFolder)/\(record.domain).log" }
    private var tokenPath: String { "\(logFolder)/\(record.domain).token" }
    private var processes: [SiteProcess] {
        SiteProcess.all(of: record.domain, SiteToken(path: tokenPath))
    }

    package func check(_ progress: Progress) async throws(Refusal) {
        _ = try FolderOwner(of: record.folder)
        try SiteFolder(path: record.folder).checkCertificate(of: runme)
        let program = command.arguments[0]
        let path =
            program.hasPrefix("/") ? program : program.contains("/") ? "\(record.folder)/\(program)" : nil
        if let path, !FileManager.default.isExecutableFile(atPath: path) {
            throw Refusal(.missing, "\(path) is not a program that can be run")
        }
        try await checkPorts()
    }

    /// Somebody else's server would pass for ours.
    private func checkPorts() async throws(Refusal) {
        guard processes.isEmpty else { return }
        for port in [command.ports.tls, command.ports.http].compactMap(\.self) {
            let address = HostPort("127.0.0.1", port)
            if await ReadyProbe.answers(address, name: record.domain, check: .tcp) {
                throw Refusal(.conflict, "another program answers on \(address)")
            }
        }
    }

    package func condition() async throws(Refusal) -> SiteCondition {
        let processes = processes
        guard let leader = processes.first(where: \.isLeader) else {
            return processes.isEmpty ? .stopped(isCurrent: true) : .halfStopped(isCurrent: true)
        }
        return .running(
            isCurrent: leader.revision == "\(record.revision)", isWhole: true,
            incarnation: "\(leader.identifier) \(leader.startTicks)")
    }

    package func make(_ progress: Progress) async throws(Refusal) {}

    package func start(_ progress: Progress) async throws(Refusal) {
        if !processes.isEmpty { try await stop() }
        try await checkPorts()
        let owner = try FolderOwner(of: record.folder)
        let token = SiteToken(user: owner.runningUser)
        try token.write(to: tokenPath)
        var environment = environment
        environment[SiteProcess.siteVariable] = record.domain
        environment[SiteProcess.revisionVariable] = "\(record.revision)"
        environment[SiteToken.variable] = token.secret
        if (try? FileManager.default.attributesOfItem(atPath: logPath)[.size] as? UInt64) ?? 0
            > Self.logBytesMax
        {
            try? renameFile(logPath, to: logPath + ".1")
        }
        let identifier: Int32
        do throws(Errno) {
            identifier = try SessionProcess.start(
                owner.running(command.arguments), environment: environment.map { "\($0.key)=\($0.value)" },
                folder: record.folder, outputPath: logPath)
        } catch {
            throw Refusal(.failed, "`\(command.arguments[0])` cannot be started: \(error)")
        }
        StartedPrograms.shared.noteStart(
            StartedPrograms.Program(identifier: identifier, revision: "\(record.revision)"),
            of: record.domain)
        watch(identifier)
    }

    /// What the site's programs find: yardmaster's own variables, which may be secrets, are not for them.
    private var environment: [String: String] {
        var environment = ProcessInfo.processInfo.environment.filter {
            $0.key == "PATH" || $0.key == "LANG" || $0.key.hasPrefix("LC_")
        }
        if environment["PATH"] == nil { environment["PATH"] = Self.searchPath }
        environment["HOME"] = record.folder
        return environment
    }

    private func watch(_ identifier: Int32) {
        let (ended, domain) = (ended, record.domain)
        try? startThread("command") {
            SessionProcess.wait(for: identifier)
            StartedPrograms.shared.noteEnd(identifier, SessionProcess.ending(of: identifier), of: domain)
            ended()
        }
    }

    package func stop() async throws(Refusal) {
        signal(SessionProcess.terminate)
        let limit = monotonicSeconds() + Self.stopSeconds
        while let process = processes.last {
            let now = monotonicSeconds()
            if now > limit + Self.killSeconds {
                throw Refusal(.failed, "the process \(process.identifier) of \(record.domain) does not end")
            }
            if now > limit { signal(SessionProcess.kill) }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// A group is sent it only where its leader is the site's: a process of the site may have been started in
    /// that of somebody else, such as a web server that runs programs of many users.
    private func signal(_ number: Int32) {
        let processes = processes
        let leaders = Set(processes.filter(\.isLeader).map(\.identifier))
        for leader in leaders { SessionProcess.signal(number, group: leader) }
        // One that has left the group is named by itself.
        for process in processes where number == SessionProcess.kill || !leaders.contains(process.session) {
            SessionProcess.signal(number, group: -process.identifier)
        }
    }

    package func snapshot() async throws(Refusal) {
        guard let snapshot = runme.snapshot else { return }
        let owner = try FolderOwner(of: record.folder)
        try await Tool.run(
            owner.running(snapshot.arguments), in: record.folder, environment: environment, inherits: false)
    }

    package func clear() async throws(Refusal) {
        try await stop()
        removeFile(logPath)
        removeFile(logPath + ".1")
        removeFile(tokenPath)
    }

    package func lastWords() async -> String? {
        let ending = StartedPrograms.shared.takeEnding(of: record.domain) ?? "has ended"
        let words = (try? await logs(of: nil, lines: 3).map(\.text).joined(separator: " | ")) ?? ""
        return "`\(command.arguments[0])` \(ending)\(words.isEmpty ? "" : ": \(words)")"
    }

    package func logs(of part: String?, lines: Int) async throws(Refusal) -> [LogLine] {
        try LogTail(path: logPath).lines(lines)
    }
}
