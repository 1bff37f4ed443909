import Foundation
package import Runme

/// A site in a virtual machine (or whatever else Vagrant makes of it), which answers at an address that its
/// Vagrantfile gives it.
package struct VagrantSite: SiteRunner {
    private static let secondsMax = 1800.0

    let record: SiteRecord
    let runme: Runme
    let vagrant: Runme.Vagrant

    package init(_ record: SiteRecord, _ runme: Runme, _ vagrant: Runme.Vagrant) {
        self.record = record
        self.runme = runme
        self.vagrant = vagrant
    }

    package var tlsAddress: HostPort { HostPort(vagrant.address, vagrant.ports.tls) }
    package var route: SiteRoute {
        .target(
            tlsAddress.description, http: vagrant.ports.http.map { HostPort(vagrant.address, $0).description }
        )
    }
    package var memoryBytes: UInt64 { 0 }

    private var directory: String {
        get throws(Refusal) { try SiteFolder(path: record.folder).existingPath(vagrant.directory) }
    }

    @discardableResult
    private func run(_ arguments: String...) async throws(Refusal) -> String {
        let owner = try FolderOwner(of: record.folder)
        // Vagrant keeps its own state in a home, which a daemon need not have.
        let home = ProcessInfo.processInfo.environment["HOME"] ?? record.folder
        return try await Tool.run(
            owner.running(["vagrant"] + arguments), in: try directory,
            environment: ["HOME": owner.userNumber == 0 ? home : record.folder, "VAGRANT_NO_COLOR": "1"],
            seconds: Self.secondsMax)
    }

    package func check(_ progress: Progress) async throws(Refusal) {
        guard FileManager.default.fileExists(atPath: try directory + "/Vagrantfile") else {
            throw Refusal(.missing, "there is no Vagrantfile in \(try directory)")
        }
        try await run("--version")
    }

    /// `TIME,MACHINE,state,running` is the line of `vagrant status --machine-readable` that counts.
    package func condition() async throws(Refusal) -> SiteCondition {
        let states = try await run("status", "--machine-readable").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            return fields.count > 3 && fields[2] == "state" ? String(fields[3]) : nil
        }
        if states.isEmpty || states.allSatisfy({ $0 == "not_created" }) { return .absent }
        let running = states.count { $0 == "running" }
        if running == 0 { return .stopped(isCurrent: true) }
        guard running == states.count else { return .halfStopped(isCurrent: true) }
        let revision = (try? String(contentsOfFile: try markPath, encoding: .utf8)) ?? "\(record.revision)"
        return .running(
            isCurrent: revision == "\(record.revision)", isWhole: true, incarnation: "revision \(revision)")
    }

    package func make(_ progress: Progress) async throws(Refusal) { try await start(progress) }

    package func start(_ progress: Progress) async throws(Refusal) {
        progress("vagrant up")
        try await run("up")
        do {
            try "\(record.revision)".write(toFile: try markPath, atomically: true, encoding: .utf8)
        } catch {
            throw Refusal(.unavailable, "\(try markPath) cannot be written: \(error.localizedDescription)")
        }
    }

    /// Says for which revision the machine was started; beside what Vagrant keeps of it.
    private var markPath: String {
        get throws(Refusal) { try directory + "/.vagrant/switchyard-revision" }
    }

    package func stop() async throws(Refusal) { try await run("halt") }

    package func snapshot() async throws(Refusal) {
        guard let snapshot = runme.snapshot else { return }
        let owner = try FolderOwner(of: record.folder)
        try await Tool.run(owner.running(snapshot.arguments), in: record.folder)
    }

    /// The machine is stopped and stays: its disk may have data that is nowhere else.
    package func clear() async throws(Refusal) {
        if case .running = try await condition() { try await run("halt") }
    }

    package func lastWords() async -> String? { "its machine does not run any more" }

    package func logs(of part: String?, lines: Int) async throws(Refusal) -> [LogLine] {
        throw Refusal(.invalid, "what a machine of Vagrant writes stays in it: vagrant ssh")
    }
}
