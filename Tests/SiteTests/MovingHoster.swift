import EngineSupport
import Foundation
import Support
import YardKit

/// Two hosters on this machine, each in a network namespace of its own with an edge, a yardmaster and a
/// container engine, and a place outside from which both can be visited. All of it ends with the reference.
final class MovingPair {
    let a: MovingHoster
    let b: MovingHoster
    private let folder: TemporaryFolder
    private let names: [String]

    /// Whether such a pair can be made here; when it cannot, tests are skipped, with a loud line.
    static var isPossible: Bool {
        let missing = ["ip", "nsenter", "rsync", "dockerd"].filter { ProgramPath.find($0) == nil }
        let probe = try? run("ip", ["netns", "add", "yard-probe"])
        _ = try? run("ip", ["netns", "del", "yard-probe"])
        if missing.isEmpty, probe?.succeeded == true { return true }
        Measured.tell("SKIPPED: migrations: there is no \(missing) here, or no network namespace")
        return false
    }

    init() throws {
        folder = try TemporaryFolder()
        let mark = String(ProcessInfo.processInfo.processIdentifier % 10_000)
        names = ["yard-a\(mark)", "yard-b\(mark)"]
        try Self.makeNetworks(names, mark)
        a = try MovingHoster("a.example", number: 1, namespace: names[0], folder: folder.path("a"))
        b = try MovingHoster("b.example", number: 2, namespace: names[1], folder: folder.path("b"))
        for hoster in [a, b] { try hoster.start() }
        let invited = try a.yard("peer", "invite", "b.example")
        let accepted = try b.yard("peer", "accept", String(invited.output.split(separator: "\n").last ?? ""))
        guard accepted.output == "a.example is a peer now\n" else {
            throw ChildProcessError(description: invited.everything + accepted.everything)
        }
    }

    deinit {
        a.end()
        b.end()
        for name in names { _ = try? run("ip", ["netns", "del", name]) }
    }

    /// 10.199.1.0/24 and 10.199.2.0/24 lead from outside to each, 10.199.3.0/24 between them.
    private static func makeNetworks(_ names: [String], _ mark: String) throws {
        func ip(_ words: String) throws {
            let ran = try run("ip", words.split(separator: " ").map(String.init))
            guard ran.succeeded else {
                throw ChildProcessError(description: "ip \(words): \(ran.everything)")
            }
        }
        for (index, name) in names.enumerated() {
            let (number, outside) = (index + 1, "yard\(mark)o\(index)")
            try ip("netns add \(name)")
            try ip("-n \(name) link set lo up")
            try ip("link add \(outside) type veth peer name out netns \(name)")
            try ip("addr add 10.199.\(number).1/24 dev \(outside)")
            try ip("link set \(outside) up")
            try ip("-n \(name) addr add 10.199.\(number).2/24 dev out")
            try ip("-n \(name) link set out up")
        }
        try ip("-n \(names[0]) link add peer type veth peer name peer netns \(names[1])")
        for (index, name) in names.enumerated() {
            try ip("-n \(name) addr add 10.199.3.\(index + 1)/24 dev peer")
            try ip("-n \(name) link set peer up")
        }
    }

    /// The root of a site that writes.
    static let root = Result {
        try ImageRoot.make("python_root.sh", [Repository.path("Tests/Programs/moving_site.py")])
    }

    /// A site, at `a` if nothing else is said, with its certificate and as many files more; it serves when
    /// this returns. `more`: further lines of its runme.
    @discardableResult
    func makeSite(
        _ domain: String, at hoster: MovingHoster? = nil, files: Int = 0, bytesEach: Int = 0, days: Int = 2,
        more: String = ""
    ) throws -> String {
        let hoster = hoster ?? a
        try hoster.importImage("moving:1", of: Self.root.get(), command: ["/usr/bin/python3", "/site.py"])
        let path = "\(hoster.folder)/sites/\(domain)"
        let script = """
            set -e; mkdir -p "$1/tls" "$1/data/files"; cd "$1"; echo PROXY=1 > env
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days \(days) \
                -subj /CN=\(domain) -addext subjectAltName=DNS:\(domain) \
                -keyout tls/key -out tls/certificate 2>/dev/null
            cat tls/key tls/certificate > tls/site.pem; rm tls/key tls/certificate
            /usr/bin/python3 - \(files) \(bytesEach) <<'END'
            import os, sys
            count, size = int(sys.argv[1]), int(sys.argv[2])
            for number in range(count):
                folder = f"data/files/{number % 100}"
                os.makedirs(folder, exist_ok=True)
                with open(f"{folder}/{number}", "wb") as file: file.write(os.urandom(size))
                if number % 97 == 0: os.chown(f"{folder}/{number}", 1000 + number % 7, 1000)
                if number % 101 == 0: os.setxattr(f"{folder}/{number}", "user.note", b"here")
            END
            """
        let made = try run("sh", ["-c", script, "sh", path], seconds: 200)
        guard made.succeeded else { throw ChildProcessError(description: made.everything) }
        let runme = """
            #!/usr/bin/env -S yard run
            runme: 1
            domain: \(domain)
            start:
              docker:
                image: moving:1
                ports: { tls: 443, http: 80, proxy: v2 }
                volumes: { data: /data }
                env_file: env
            ready: { check: hello, within: 20s }
            sleep: { after: never }
            tls: { certificate: tls/site.pem }
            \(more)

            """
        try Data(runme.utf8).write(to: URL(fileURLWithPath: path + "/runme"))
        let added = try hoster.yard("site", "add", domain, "--start")
        guard added.succeeded else { throw ChildProcessError(description: added.everything + hoster.log) }
        return path
    }
}

/// One of them.
final class MovingHoster {
    let name: String
    let folder: String
    private let number: Int
    let namespace: String
    private var engine: ChildProcess?
    private var edge: ChildProcess?
    private(set) var yardmaster: ChildProcess?

    var engineSocket: String { "\(folder)/docker.sock" }
    /// Where its edge is from outside, and its yardmaster too for peers that a test plays.
    var address: String { "10.199.\(number).2" }
    /// Where a test is for it.
    var testAddress: String { "10.199.\(number).1" }
    /// What yardmaster has said.
    var log: String { yardmaster?.errors ?? "" }

    fileprivate init(_ name: String, number: Int, namespace: String, folder: String) throws {
        (self.name, self.number, self.namespace, self.folder) = (name, number, namespace, folder)
        for part in ["sites", "run", "routes.d", "state"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        let own = "10.199.3.\(number)"
        try write(
            "switchyard.conf",
            """
            listen tls 0.0.0.0:443
            listen tls \(own):8443 accept-proxy=10.199.3.0/24
            listen http 0.0.0.0:80
            routes routes.d/*.routes
            control \(folder)/control.sock
            pidfile \(folder)/edge.pid
            limit per-source=20000 parked=8000 parked-per-source=8000
            timeout held=60s wake=60s

            """)
        try write("routes.d/other.routes", "other.example reject\n")
        try writeConfiguration("")
    }

    /// `more`: what follows the lines that all tests need; with two blanks in front it belongs to `peers:`.
    private func writeConfiguration(_ more: String) throws {
        let own = "10.199.3.\(number)"
        try write(
            "yardmaster.yaml",
            """
            sites: \(folder)/sites
            state: \(folder)/state/yardmaster.sqlite
            api: \(folder)/run/api.sock
            wake: \(folder)/run/wake.sock
            engine: \(engineSocket)
            networks: 10.20\(number).0.0/16
            edge:
              routes: \(folder)/routes.d/yardmaster.routes
              pidfile: \(folder)/edge.pid
              control: \(folder)/control.sock
            peers:
              name: \(name)
              listen: ["\(own):7443", "\(address):7443"]
              address: "\(own):7443"
              forward: "\(own):8443"
              forward_http: "\(own):80"
              addresses: ["\(address)"]
            \(more)

            """)
    }

    private func write(_ file: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(file)"))
    }

    private func inside(_ program: String, _ arguments: [String]) throws -> ChildProcess {
        guard let path = ProgramPath.find(program) else {
            throw ChildProcessError(description: "there is no \(program)")
        }
        return try ChildProcess("nsenter", ["--net=/run/netns/\(namespace)", path] + arguments)
    }

    fileprivate func start() throws {
        engine = try inside(
            "dockerd",
            [
                "--data-root", "\(folder)/data", "--exec-root", "\(folder)/exec", "--pidfile",
                "\(folder)/dockerd.pid", "-H", "unix://\(engineSocket)", "--containerd-namespace", namespace,
                "--iptables=false", "--ip6tables=false", "--bridge=none",
            ])
        try startEdge()
        guard Pause.until(seconds: 30, { FileManager.default.fileExists(atPath: engineSocket) }) else {
            throw ChildProcessError(
                description: "dockerd does not serve: \(engine?.errors.suffix(500) ?? "")")
        }
        try startYardmaster()
    }

    /// Starts it, and waits until it serves.
    func startEdge() throws {
        edge = try inside(
            Repository.path(".build/release/switchyard"), ["--config", "\(folder)/switchyard.conf"])
        try edge?.waitForErrorLine { $0.contains(" info ready ") }
    }

    /// Kills it.
    func killEdge() throws {
        edge?.send(signal: SIGKILL)
        _ = try edge?.wait(seconds: 20)
    }

    /// Starts it, and waits until it answers.
    func startYardmaster() throws {
        yardmaster = try inside(
            Repository.path(".build/release/yardmaster"),
            ["--config", "\(folder)/yardmaster.yaml", "--log-level", "debug"])
        let client = client
        guard Pause.until(seconds: 20, { (try? client.ask(.get, "/v1/status")) != nil }) else {
            throw ChildProcessError(description: "yardmaster does not serve: \(log.suffix(800))")
        }
    }

    /// Starts it anew with another configuration.
    func restartYardmaster(_ more: String) throws {
        try killYardmaster()
        try writeConfiguration(more)
        try startYardmaster()
    }

    /// Kills it.
    func killYardmaster() throws {
        yardmaster?.send(signal: SIGKILL)
        _ = try yardmaster?.wait(seconds: 20)
    }

    fileprivate func end() {
        for process in [yardmaster, edge] {
            process?.send(signal: SIGKILL)
            _ = try? process?.wait(seconds: 10)
        }
        // Containers end with their engine's children.
        _ = try? run(
            "sh",
            [
                "-c",
                "docker -H unix://\(engineSocket) ps -q | xargs -r docker -H unix://\(engineSocket) kill",
            ])
        engine?.send(signal: SIGTERM)
        _ = try? engine?.wait(seconds: 20)
    }

    /// Gives its engine an image.
    func importImage(_ name: String, of root: String, command: [String]) throws {
        let words = command.map { "\"\($0)\"" }.joined(separator: ",")
        let imported = try docker("import", "--change", "CMD [\(words)]", root, name)
        guard imported.succeeded else { throw ChildProcessError(description: imported.everything) }
    }

    /// Asks its engine.
    func docker(_ arguments: String...) throws -> Finished {
        try run("docker", ["-H", "unix://\(engineSocket)"] + arguments, seconds: 120)
    }

    /// What a site answers to somebody outside, through the edge; or what curl says.
    func visit(_ domain: String, _ path: String = "") throws -> Finished {
        try run(
            "curl",
            [
                "--silent", "--show-error", "--insecure", "--max-time", "30", "--resolve",
                "\(domain):443:\(address)", "https://\(domain)/\(path)",
            ])
    }

    var client: YardmasterClient { YardmasterClient(path: "\(folder)/run/api.sock") }

    /// Runs the operator's command.
    func yard(_ arguments: String..., seconds: Double = 120) throws -> Finished {
        try run(
            Repository.path(".build/release/yard"), arguments, seconds: seconds,
            environment: ["SWITCHYARD_YARDMASTER": "\(folder)/run/api.sock"])
    }

    /// The same on a thread of its own: those of tasks are few, and a peer that the test plays needs them.
    func yardAside(_ arguments: String..., seconds: Double = 120) async throws -> Finished {
        let path = "\(folder)/run/api.sock"
        return try await withCheckedThrowingContinuation { continuation in
            Thread {
                continuation.resume(
                    with: Result {
                        try run(
                            Repository.path(".build/release/yard"), arguments, seconds: seconds,
                            environment: ["SWITCHYARD_YARDMASTER": path])
                    })
            }.start()
        }
    }

    /// What it says of the migration of a site, in one of the roles.
    func migration(_ domain: String, _ role: String) -> JSONValue {
        let all = (try? client.ask(.get, "/v1/migrations")["migrations"].elements) ?? []
        return all.first { $0["site"].text == domain && $0["role"].text == role } ?? .null
    }

    /// Which migration has given, or gives, a site away; empty, if none has.
    /// - Throws: if the yardmaster cannot be asked.
    func identifierOfGiving(_ domain: String) throws -> String {
        try client.ask(.get, "/v1/migrations")["migrations"].elements.first {
            $0["site"].text == domain && $0["role"].text == "giving"
        }?["migration"].text ?? ""
    }

    /// How a site is.
    func state(_ domain: String) -> String {
        (try? client.ask(.get, "/v1/sites/\(domain)"))?["state"].text ?? "none"
    }

    /// What lies where nothing of a migration should be left.
    var leftovers: [String] { names(in: "sites/.incoming") }
    /// The same of what is made to be sent.
    var scratch: [String] { names(in: "state/scratch").filter { $0.hasPrefix("migration-") } }

    private func names(in path: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(path)")) ?? []
    }
}

/// Visitors from outside who write.
final class MovingVisitors {
    private let process: ChildProcess
    private let folder: TemporaryFolder

    init(_ hoster: MovingHoster, _ domain: String, perSecond: Int) throws {
        folder = try TemporaryFolder()
        process = try ChildProcess(
            "/usr/bin/python3",
            [
                Repository.path("Tests/Programs/moving_visitors.py"), hoster.address, "443", domain,
                "\(perSecond)", folder.path("numbers"),
            ])
    }

    /// What they have seen, and the numbers that were acknowledged.
    func end() throws -> (seen: JSONValue, numbers: Set<Substring>) {
        process.send(signal: SIGTERM)
        _ = try process.wait(seconds: 90)
        guard let line = process.output.split(separator: "\n").last,
            let seen = try? JSONReader.read(Array(line.utf8))
        else { throw ChildProcessError(description: process.errors) }
        let numbers = try String(contentsOfFile: folder.path("numbers"), encoding: .utf8)
        return (seen, Set(numbers.split(separator: "\n")))
    }
}
