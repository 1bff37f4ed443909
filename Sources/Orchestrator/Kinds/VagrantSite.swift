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

    package var host: String { vagrant.address }
    package var ports: Runme.Ports { vagrant.ports }
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
            seconds: Self.secondsMax, explanation: Self.reason)
    }

    /// What Vagrant says of a failure is long and begins with the reason. Where its output is for programs,
    /// it is in there, in a line of its own; where it has run a program, the words of that one count.
    static let reason: Tool.Explanation = { output, errors in
        let exits = output.split(separator: "\n").filter { $0.contains(",error-exit,") }
        let told = exits.last?.split(separator: ",", maxSplits: 4, omittingEmptySubsequences: false).last
            .map { String($0).replacing("\\n", with: "\n").replacing("%!(VAGRANT_COMMA)", with: ",") }
        let text = told ?? errors
        let words = text.firstRange(of: "\nStderr: ").map { text[$0.upperBound...] } ?? text[...]
        var lines: [Substring] = []
        for line in words.split(separator: "\n", omittingEmptySubsequences: false) {
            if !line.isEmpty {
                lines.append(line)
            } else if let last = lines.last, !last.hasSuffix(":") {
                // Advice follows. Behind a colon it would have been the reason.
                break
            }
        }
        return lines.prefix(8).map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    }

    /// Vagrant would look for it in the folders above, too, and find that of somebody else.
    private var hasMachines: Bool {
        FileManager.default.fileExists(atPath: "\(record.folder)/\(vagrant.directory)/Vagrantfile")
    }

    package func check(_ progress: Progress) async throws(Refusal) {
        let directory = try directory
        guard hasMachines else { throw Refusal(.missing, "there is no Vagrantfile in \(directory)") }
        // Reads it, and sees that what is to run the machine is there.
        try await run("validate")
    }

    /// What `vagrant status` says of all machines under a key: its lines are `TIME,MACHINE,KEY,VALUE`.
    private static func values(of key: String, in status: String) -> [String] {
        status.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            return fields.count > 3 && fields[2] == key ? String(fields[3]) : nil
        }
    }

    package func condition() async throws(Refusal) -> SiteCondition {
        guard hasMachines else { return .absent }
        let states = Self.values(of: "state", in: try await run("status", "--machine-readable"))
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

    /// A container is removed, like those of other sites. A machine is stopped and stays: its disk may have
    /// data that is nowhere else.
    package func clear() async throws(Refusal) {
        guard hasMachines else { return }
        let providers = Self.values(of: "provider-name", in: try await run("status", "--machine-readable"))
        let areContainers = !providers.isEmpty && providers.allSatisfy { $0 == "docker" }
        if areContainers { try await run("destroy", "--force") } else { try await run("halt") }
    }

    package func lastWords() async -> String? { "its machine does not run any more" }

    package func logs(of part: String?, lines: Int) async throws(Refusal) -> [LogLine] {
        throw Refusal(.invalid, "what a machine of Vagrant writes stays in it: vagrant ssh")
    }
}
