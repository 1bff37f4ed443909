import Foundation
package import Orchestrator
package import Support

/// A real container engine for the tests: the machine's own where one runs, or one that is started here, with
/// all its data in a folder of its own, and ended with the process.
package enum DockerEngine {
    /// Its socket, or why there is none.
    package static let socket: Result<String, ChildProcessError> = start()

    /// Whether containers can run here; when they cannot, the tests are skipped, with a loud line.
    package static var isThere: Bool {
        guard case .failure(let reason) = socket else { return true }
        FileHandle.standardError.write(Data("SKIPPED: there is no container engine here: \(reason)\n".utf8))
        return false
    }

    /// A label that the containers of this run carry, and nobody else's.
    package static let label = "switchyard.test"

    /// Ends the engine that the tests have started, at once or in order, and starts it again; for tests of
    /// what becomes of sites meanwhile. False: it is the machine's own, which is let alone.
    package static func restart(signal: Int32, pauseSeconds: Double = 0) throws -> Bool {
        // SAFETY: see there; a suite that restarts the engine is serial.
        guard let own = unsafe OwnEngine.shared else { return false }
        try own.restart(signal: signal, pauseSeconds: pauseSeconds)
        return true
    }

    private static func start() -> Result<String, ChildProcessError> {
        if answers(Engine.defaultSocket) { return .success(Engine.defaultSocket) }
        do {
            let own = try OwnEngine()
            // SAFETY: see there.
            unsafe OwnEngine.shared = own
            return .success(own.socket)
        } catch {
            return .failure(ChildProcessError(description: "\(error)"))
        }
    }

    fileprivate static func answers(_ socket: String) -> Bool {
        guard let stream = try? StreamSocket(to: .unix(path: socket)) else { return false }
        try? stream.send("GET /_ping HTTP/1.0\r\n\r\n")
        return (try? stream.receive())?.starts(with: Array("HTTP/1.".utf8)) == true
    }
}

/// An engine that this process has started.
private final class OwnEngine {
    // SAFETY: written once, before the tests run side by side, and read by none.
    nonisolated(unsafe) static var shared: OwnEngine?

    let socket: String
    private let folder: TemporaryFolder
    private var process: ChildProcess
    /// Those that were ended; forgetting one would wait for its children.
    private var former: [ChildProcess] = []

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        socket = folder.path("docker.sock")
        process = try Self.start(folder, socket)
        // A test's process ends without a last word to anybody.
        // SAFETY: see above.
        atexit {
            unsafe OwnEngine.shared?.end()
            unsafe OwnEngine.shared = nil
        }
    }

    /// Without rules of its own: those of address translation would have the kernel track every connection of
    /// this machine, and the tables would be full in the midst of other tests. Networks are the tests' own.
    private static func start(_ folder: TemporaryFolder, _ socket: String) throws -> ChildProcess {
        let process = try ChildProcess(
            "dockerd",
            [
                "--data-root", folder.path("data"), "--exec-root", folder.path("exec"), "--pidfile",
                folder.path("pid"), "-H", "unix://\(socket)", "--containerd-namespace", "switchyard-test",
                "--iptables=false", "--ip6tables=false", "--bridge=none",
            ])
        let serves = Pause.until(seconds: 30) { DockerEngine.answers(socket) || !process.isRunning }
        guard serves, process.isRunning else {
            throw ChildProcessError(description: "dockerd does not serve: \(process.errors.suffix(800))")
        }
        return process
    }

    func restart(signal: Int32, pauseSeconds: Double) throws {
        process.send(signal: signal)
        // Its children may outlive it, and hold what its end is usually told by.
        let stat = "/proc/\(process.identifier)/stat"
        let isGone = Pause.until(seconds: 60) {
            (try? String(contentsOfFile: stat, encoding: .utf8))?.contains(") Z ") ?? true
        }
        guard isGone else { throw ChildProcessError(description: "dockerd does not end") }
        former.append(process)
        usleep(UInt32(pauseSeconds * 1e6))
        // One that was killed leaves it there, and the next one refuses.
        try? FileManager.default.removeItem(atPath: folder.path("pid"))
        process = try Self.start(folder, socket)
    }

    private func end() {
        process.send(signal: SIGTERM)
        _ = try? process.wait(seconds: 20)
    }
}

/// An image with a shell and nothing else, made of Debian's static busybox.
package enum TestImage {
    package static let name = "switchyard-test:shell"

    /// Makes it once.
    package static func make(_ engine: Engine) async throws {
        guard try await engine.image(name) == nil else { return }
        let folder = try TemporaryFolder()
        let busybox = ProgramPath.find("busybox") ?? "busybox"
        let script = """
            mkdir -p root/bin root/tmp root/data && cp '\(busybox)' root/bin/busybox
            for tool in sh cat echo sleep mkdir id wget nc kill; do ln -s busybox root/bin/$tool; done
            tar -cf root.tar -C root .
            """
        let made = try run("sh", ["-c", "cd '\(folder.path)' && \(script)"])
        guard made.succeeded else { throw ChildProcessError(description: made.everything) }
        try await engine.importImage(
            name, from: folder.path("root.tar"),
            changes: ["CMD [\"/bin/sleep\",\"1000\"]", "VOLUME /data", "EXPOSE 443", "USER 1000"])
    }
}

/// An image of a whole site: nginx with TLS, a volume at /data, a snapshot hook. See
/// Tests/Programs/site_root.sh.
package enum SiteImage {
    package static let name = "switchyard-test:site"

    /// Makes it once.
    package static func make(_ engine: Engine) async throws {
        guard try await engine.image(name) == nil else { return }
        let folder = try TemporaryFolder()
        let made = try run("sh", [Repository.path("Tests/Programs/site_root.sh"), folder.path])
        guard made.succeeded else { throw ChildProcessError(description: made.everything) }
        try await engine.importImage(
            name, from: folder.path("root.tar"),
            changes: ["CMD [\"/start.sh\"]", "VOLUME /data", "EXPOSE 443", "EXPOSE 80"])
    }
}
