import Foundation
import Support

/// Two servers of DNS outside both hosters, by bind9: a primary that takes updates (RFC 2136) for `example`,
/// and a resolver that remembers what the primary has said for as long as it may. They end with the
/// reference.
final class TestNameServers {
    static let isPossible = ["named", "dig", "nsupdate", "tsig-keygen"].allSatisfy {
        ProgramPath.find($0) != nil
    }

    /// Where they answer, for both hosters.
    let primary = "10.199.1.1:5353"
    let resolver = "10.199.1.1:5354"
    /// The key that the primary wants of who updates it.
    let keyPath: String
    private let folder: TemporaryFolder
    private var processes: [ChildProcess] = []

    /// `zone`: records of the zone `example`.
    init(zone: String, ttlSeconds: Int) throws {
        folder = try TemporaryFolder()
        keyPath = folder.path("key")
        let key = try run("tsig-keygen", ["switchyard"])
        guard key.succeeded else { throw ChildProcessError(description: key.everything) }
        try write("key", key.output)
        try write(
            "zone",
            """
            $TTL \(ttlSeconds)
            @ SOA ns.example. root.example. 1 60 60 60 1
            @ NS ns.example.
            ns A 10.199.1.1
            \(zone)

            """)
        try start(
            "primary", port: 5353, "recursion no;",
            """
            include "\(keyPath)";
            zone "example" { type primary; file "\(folder.path("zone"))"; allow-update { key switchyard; }; };
            """)
        try start(
            "resolver", port: 5354,
            "recursion yes; allow-recursion { any; }; dnssec-validation no; forward only; "
                + "forwarders { 10.199.1.1 port 5353; };", "")
    }

    deinit {
        for process in processes {
            process.send(signal: SIGKILL)
            _ = try? process.wait(seconds: 10)
        }
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path(name)))
    }

    private func start(_ name: String, port: Int, _ options: String, _ rest: String) throws {
        try write(
            "\(name).conf",
            """
            options {
                directory "\(folder.path)"; pid-file "\(folder.path(name)).pid";
                session-keyfile "\(folder.path(name)).session"; listen-on-v6 { none; };
                listen-on port \(port) { 10.199.1.1; }; \(options)
            };
            controls { };
            \(rest)

            """)
        let process = try ChildProcess("named", ["-c", folder.path("\(name).conf"), "-g", "-u", "root"])
        processes.append(process)
        try process.waitForErrorLine { $0.contains("running") }
    }

    /// The addresses that one of them says a name has.
    func addresses(_ name: String, at server: String) throws -> [String] {
        let parts = server.split(separator: ":")
        let ran = try run(
            "dig", ["@\(parts[0])", "-p", "\(parts[1])", "+short", "+time=2", "\(name).", "A"])
        return ran.output.split(separator: "\n").map(String.init)
    }
}
