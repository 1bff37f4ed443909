import EngineSupport
import Foundation
import Orchestrator
import Support
import YardKit

/// A machine of a hoster: the real edge and the real yardmaster, on sockets and ports of their own, with the
/// tests' container engine. What it has made ends with the reference.
final class Hoster {
    let folder: TemporaryFolder
    let edge: ChildProcess
    private(set) var yardmaster: ChildProcess
    let port: UInt16
    let engineSocket: String
    var routesPath: String { folder.path("routes.d/yardmaster.routes") }
    var interfacePath: String { folder.path("run/api.sock") }
    private var domains: [String] = []
    private let environment: [String: String]

    private static func binary(_ name: String) -> String { Repository.path(".build/release/\(name)") }

    /// `wakeTimeout`: how long the edge lets sessions wait.
    init(
        limits: String = "{}", compare: String = "30s", wakeTimeout: String = "20s",
        engineSocket: String? = nil, environment: [String: String] = [:]
    ) throws {
        self.environment = environment
        folder = try TemporaryFolder()
        port = try FreePort.any()
        self.engineSocket = try engineSocket ?? DockerEngine.socket.get()
        try folder.write("routes.d/other.routes", "other.example 127.0.0.1:9\n")
        try folder.write(
            "switchyard.conf",
            """
            listen tls 127.0.0.1:\(port)
            routes routes.d/*.routes
            control \(folder.path("control.sock"))
            pidfile \(folder.path("edge.pid"))
            limit per-source=10000 parked-per-source=4096
            timeout wake=\(wakeTimeout)
            """)
        try folder.write(
            "yardmaster.yaml",
            """
            sites: \(folder.path("sites"))
            state: \(folder.path("state/yardmaster.sqlite"))
            api: \(folder.path("run/api.sock"))
            wake: \(folder.path("run/wake.sock"))
            engine: \(self.engineSocket)
            networks: 10.\(UInt8.random(in: 128...250)).\(UInt8.random(in: 0...7) * 32).0/19
            edge:
              routes: \(folder.path("routes.d/yardmaster.routes"))
              pidfile: \(folder.path("edge.pid"))
              control: \(folder.path("control.sock"))
            limits: \(limits)
            compare: \(compare)
            """)
        edge = try ChildProcess(Self.binary("switchyard"), ["--config", folder.path("switchyard.conf")])
        try edge.waitForErrorLine { $0.contains(" info ready ") }
        yardmaster = try Self.startYardmaster(folder, environment)
    }

    deinit {
        for domain in domains { _ = try? yard("site", "remove", domain) }
    }

    // MARK: yardmaster

    private static func startYardmaster(
        _ folder: TemporaryFolder, _ environment: [String: String]
    ) throws -> ChildProcess {
        let process = try ChildProcess(
            binary("yardmaster"), ["--config", folder.path("yardmaster.yaml"), "--log-level", "debug"],
            environment: environment)
        let path = folder.path("run/api.sock")
        // The interface answers last of all.
        guard Pause.until(seconds: 20, { (try? YardmasterClient(path: path).ask(.get, "/v1/status")) != nil })
        else { throw ChildProcessError(description: "yardmaster does not serve: \(process.errors)") }
        return process
    }

    /// Ends yardmaster, with a signal that it cannot hear if nothing else is said.
    func endYardmaster(signal: Int32 = SIGKILL) throws {
        yardmaster.send(signal: signal)
        try yardmaster.wait(seconds: 20)
    }

    /// Starts it again.
    func startYardmaster() throws { yardmaster = try Self.startYardmaster(folder, environment) }

    var client: YardmasterClient { YardmasterClient(path: interfacePath) }

    /// Runs the operator's command.
    @discardableResult
    func yard(_ arguments: String..., seconds: Double = 60) throws -> Finished {
        try run(
            Self.binary("yard"), arguments, seconds: seconds,
            environment: [
                "SWITCHYARD_YARDMASTER": interfacePath, "SWITCHYARD_CONTROL": folder.path("control.sock"),
            ])
    }

    // MARK: Sites

    /// Writes a site's folder with a certificate and a runme; gives its path.
    /// - Parameters:
    ///   - container: lines within `docker:` beside image and ports, each indented by four blanks.
    ///   - rest: lines behind `start`.
    @discardableResult
    func makeSite(
        _ domain: String, container: String = "    volumes: { data: /data }\n", rest: String = "",
        image: String = "image: \(SiteImage.name)", sleepAfter: String = "never", aliases: String = ""
    ) throws -> String {
        let path = "sites/\(domain)"
        try makeCertificate(domain)
        try folder.write(
            "\(path)/runme",
            """
            #!/usr/bin/env -S yard run
            runme: 1
            domain: \(domain)
            \(aliases)
            start:
              docker:
                \(image)
                ports: { tls: 443, http: 80 }
            \(container)
            ready: { check: hello, within: 20s }
            sleep: { after: \(sleepAfter) }
            tls: { certificate: tls/site.pem }
            \(rest)
            """)
        domains.append(domain)
        return folder.path(path)
    }

    /// A certificate with its key, as a site has it.
    func makeCertificate(_ domain: String) throws {
        let own = try TemporaryFolder()
        let certificate = try TestCertificate(for: domain, in: own)
        let both =
            try String(contentsOfFile: certificate.certificatePath, encoding: .utf8)
            + String(contentsOfFile: certificate.keyPath, encoding: .utf8)
        try folder.write("sites/\(domain)/tls/site.pem", both)
    }

    /// What yardmaster says of a site.
    func site(_ domain: String) -> JSONValue { (try? client.ask(.get, "/v1/sites/\(domain)")) ?? .null }

    /// Its state in one word.
    func state(_ domain: String) -> String { site(domain)["state"].text ?? "none" }

    /// Waits for a state; whether it came.
    func waits(for state: String, of domain: String, seconds: Double = 15) -> Bool {
        Pause.until(seconds: seconds) { self.state(domain) == state }
    }

    /// Asks a site through the edge, as a browser would: its page, or what curl says.
    func visit(_ domain: String, seconds: Double = 25) throws -> Finished {
        try run(
            "curl",
            [
                "--silent", "--show-error", "--insecure", "--max-time", "\(seconds)", "--resolve",
                "\(domain):\(port):127.0.0.1", "https://\(domain):\(port)/",
            ], seconds: seconds + 10)
    }

    /// The lines of yardmaster's routes.
    var routes: [String: String] {
        RoutesText.lines(of: (try? String(contentsOfFile: routesPath, encoding: .utf8)) ?? "")
    }

    // MARK: The engine's side

    /// Does something with the engine.
    func withEngine<Value>(_ body: (Engine) async throws -> Value) async throws -> Value {
        let engine = try await Engine(socket: engineSocket)
        do {
            let value = try await body(engine)
            await engine.shutDown()
            return value
        } catch {
            await engine.shutDown()
            throw error
        }
    }

    /// The names of containers and networks of a site.
    func traces(of domain: String) async throws -> [String] {
        try await withEngine { engine in
            try await engine.containers(labelled: DockerSite.Label.site, domain).map(\.name)
                + engine.networks(labelled: DockerSite.Label.site, domain)
        }
    }
}

/// Whether sites can be run here at all; and their image, made once.
enum Sites {
    static func prepare() async throws {
        let engine = try await Engine(socket: try DockerEngine.socket.get())
        do {
            try await SiteImage.make(engine)
        } catch {
            await engine.shutDown()
            throw error
        }
        await engine.shutDown()
    }
}
