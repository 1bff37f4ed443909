import Foundation
import Orchestrator
import Support
import Testing

/// A real container engine for the tests: the machine's own where one runs, or one that is started here, with
/// all its data in a folder of its own, and ended with the process.
enum DockerEngine {
    /// Its socket, or why there is none.
    static let socket: Result<String, ChildProcessError> = start()

    /// Whether containers can run here; when they cannot, the tests are skipped, with a loud line.
    static var isThere: Bool {
        guard case .failure(let reason) = socket else { return true }
        FileHandle.standardError.write(Data("SKIPPED: there is no container engine here: \(reason)\n".utf8))
        return false
    }

    /// A label that the containers of this run carry, and nobody else's.
    static let label = "switchyard.test"

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
    private let process: ChildProcess

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        socket = folder.path("docker.sock")
        process = try ChildProcess(
            "dockerd",
            [
                "--data-root", folder.path("data"), "--exec-root", folder.path("exec"), "--pidfile",
                folder.path("pid"), "-H", "unix://\(socket)", "--containerd-namespace", "switchyard-test",
            ])
        let socket = socket
        let serves = Pause.until(seconds: 30) { DockerEngine.answers(socket) || !process.isRunning }
        guard serves, process.isRunning else {
            throw ChildProcessError(description: "dockerd does not serve: \(process.errors.suffix(800))")
        }
        // A test's process ends without a last word to anybody.
        // SAFETY: see above.
        atexit {
            unsafe OwnEngine.shared?.end()
            unsafe OwnEngine.shared = nil
        }
    }

    private func end() {
        process.send(signal: SIGTERM)
        _ = try? process.wait(seconds: 20)
    }
}

/// An image with a shell and nothing else, made of Debian's static busybox.
enum TestImage {
    static let name = "switchyard-test:shell"

    /// Makes it once.
    static func make(_ engine: Engine) async throws {
        guard try await engine.image(name) == nil else { return }
        let folder = try TemporaryFolder()
        let busybox = try #require(ProgramPath.find("busybox"))
        let script = """
            mkdir -p root/bin root/tmp root/data && cp '\(busybox)' root/bin/busybox
            for tool in sh cat echo sleep mkdir id wget nc kill; do ln -s busybox root/bin/$tool; done
            tar -cf root.tar -C root .
            """
        let made = try run("sh", ["-c", "cd '\(folder.path)' && \(script)"])
        try #require(made.succeeded, "\(made.everything)")
        try await engine.importImage(
            name, from: folder.path("root.tar"),
            changes: ["CMD [\"/bin/sleep\",\"1000\"]", "VOLUME /data", "EXPOSE 443", "USER 1000"])
    }
}
