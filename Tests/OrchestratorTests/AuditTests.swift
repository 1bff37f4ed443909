import Orchestrator
import Testing

/// What an audit makes of what the engine says a container has changed.
@Suite struct AuditTests {
    private func findings(_ changes: [(String, FileChange.Kind)], volumes: [String] = ["/data"]) -> [String] {
        Audit.findings(changes.map { FileChange(path: $0.0, kind: $0.1) }, volumes: volumes).map {
            "\($0.path) \($0.kind)\($0.isTemporary ? " temporary" : "")"
        }
    }

    @Test func foldersAreNamedOnlyForThemselves() {
        #expect(
            findings([
                ("/var", .modified), ("/var/lib", .modified), ("/var/lib/app", .added),
                ("/var/lib/app/state", .added), ("/var/lib-old", .added), ("/opt", .modified),
            ]) == ["/opt modified", "/var/lib-old added", "/var/lib/app/state added"])
    }

    @Test func volumesAndWhatTheEngineWritesAreLeftOut() {
        #expect(
            findings([
                ("/data", .added), ("/data/x", .added), ("/database", .added), ("/etc", .modified),
                ("/etc/hosts", .added), ("/etc/passwd", .modified), ("/tls", .added),
                ("/dev/console", .added),
            ]) == ["/database added", "/etc/passwd modified"])
    }

    @Test func whatNobodyMissesIsSaidToBeSo() {
        #expect(
            findings([
                ("/tmp", .modified), ("/tmp/a", .added), ("/run/x.pid", .added), ("/running", .added),
                ("/bin/sh", .deleted), ("/bin", .deleted),
            ]) == [
                "/bin deleted", "/bin/sh deleted", "/run/x.pid added temporary", "/running added",
                "/tmp/a added temporary",
            ])
    }
}
