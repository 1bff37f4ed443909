import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing

/// Podman as the engine, in namespaces of its own and with all its data in a folder of its own: what it does
/// to networks, mounts and the rules of the kernel is seen by nobody else and ends with the reference.
private final class PodmanEngine {
    /// Where Debian and others have its networks' program. The older one, which is in its place otherwise,
    /// gives no container an address outside of the range for all.
    private static let networkPrograms = ["/usr/lib/podman/netavark", "/usr/libexec/podman/netavark"]
    private static let namespaces = [
        "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
    ]

    /// Some of what it writes has a fixed place.
    private static let script = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && exec \"$@\""

    let socket: String
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Whether it is here and can run; when not, the tests are skipped, with a loud line.
    static var isThere: Bool {
        guard let reason = missing else { return true }
        Measured.tell("SKIPPED: Podman as the engine: \(reason)")
        return false
    }

    private static var missing: String? {
        if ProgramPath.find("podman") == nil { return "there is no podman here" }
        if !networkPrograms.contains(where: FileManager.default.isExecutableFile) {
            return "there is no netavark here"
        }
        if getuid() != 0 { return "only root can start it like this" }
        let tried = try? run("unshare", namespaces + ["true"])
        return tried?.succeeded == true ? nil : "there are no namespaces here: \(tried?.errors ?? "")"
    }

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        socket = folder.path("podman.sock")
        // Its own limits are higher than what root may give where it is confined.
        let settings = try folder.write(
            "containers.conf",
            """
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            [network]
            network_backend = "netavark"

            """)
        let arguments = [
            "podman", "--root", folder.path("root"), "--runroot", folder.path("run"), "--tmpdir",
            folder.path("tmp"), "--network-config-dir", folder.path("networks"), "--storage-driver", "vfs",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file", "system", "service", "--time=0",
            "unix://\(socket)",
        ]
        process = try ChildProcess(
            "unshare",
            Self.namespaces + ["sh", "-c", Self.script, "sh"] + arguments,
            environment: ["CONTAINERS_CONF": settings, "TMPDIR": folder.path])
        let (process, socket) = (process, socket)
        let serves = Pause.until(seconds: 30) {
            FileManager.default.fileExists(atPath: socket) || !process.isRunning
        }
        guard serves, process.isRunning else {
            throw ChildProcessError(description: "podman does not serve: \(process.errors.suffix(800))")
        }
    }

    deinit {
        process.end()
        // These are outside of all namespaces; one that another Podman uses cannot be removed.
        _ = try? run(
            "sh",
            [
                "-c",
                """
                for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
                    rmdir $folder/libpod_parent/conmon $folder/libpod_parent 2>/dev/null
                done
                """,
            ])
    }
}

/// The client of the container engine, against Podman, which speaks nearly the same.
@Suite(.serialized, .enabled(if: PodmanEngine.isThere)) struct PodmanTests {
    private static let mark = "podman"
    private static let name = "switchyard-test-podman"

    /// Runs the body with a Podman that has the image and a network, and removes what was made.
    private func withEngine(_ body: (Engine, SiteNetwork) async throws -> Void) async throws {
        let podman = try PodmanEngine()
        let engine = try await Engine(socket: podman.socket)
        let network = try #require(SiteNetwork.Pool("10.127.243.0/24"))[4]
        do {
            try await TestImage.make(engine)
            try await engine.createNetwork(
                Self.name, labels: [DockerEngine.label: Self.mark], addresses: network)
            try await body(engine, network)
            try await clear(engine)
        } catch {
            try? await clear(engine)
            await engine.shutDown()
            throw error
        }
        await engine.shutDown()
        withExtendedLifetime(podman) {}
    }

    private func clear(_ engine: Engine) async throws {
        for container in try await engine.containers(labelled: DockerEngine.label, Self.mark) {
            try await engine.removeContainer(container.identifier)
        }
        for network in try await engine.networks(labelled: DockerEngine.label, Self.mark) {
            try await engine.removeNetwork(network)
        }
    }

    private func specification(_ command: String...) -> ContainerSpecification {
        var specification = ContainerSpecification(image: TestImage.name)
        specification.labels = [DockerEngine.label: Self.mark]
        specification.command = command
        specification.network = Self.name
        return specification
    }

    private func text(_ pieces: [LogPiece], _ stream: LogPiece.Stream) -> String {
        String(decoding: pieces.filter { $0.stream == stream }.flatMap(\.bytes), as: UTF8.self)
    }

    /// All that a site is made of: a network with addresses, a container at a fixed one, what it says, a
    /// program in it, another one that is found by its name, and the end of all.
    @Test func whatASiteNeedsIsThere() async throws {
        try await withEngine { engine, network in
            try await engine.ping()
            // One that is there will do.
            try await engine.createNetwork(
                Self.name, labels: [DockerEngine.label: Self.mark], addresses: network)
            #expect(try await engine.networks(labelled: DockerEngine.label) == [Self.name])

            let folder = try TemporaryFolder()
            try folder.write("file", "from the host\n")
            var wanted = specification(
                "/bin/sh", "-c", "echo out $WORD; echo err >&2; cat /given/file; exec sleep 1000")
            wanted.environment = ["WORD=a b"]
            wanted.mounts = [
                ContainerSpecification.Mount(source: folder.path, target: "/given", isReadOnly: true)
            ]
            wanted.memoryBytes = 64 << 20
            wanted.address = network.address
            let name = Self.name
            let identifier = try await engine.createContainer(name, wanted)
            #expect(try await engine.container(name)?.isRunning == false)
            try await engine.startContainer(name)
            try await engine.startContainer(name)
            let state = try #require(try await engine.container(name))
            #expect(state.identifier == identifier && state.name == name && state.isRunning)
            #expect(state.labels[DockerEngine.label] == Self.mark)
            #expect(state.addresses == [name: network.address])
            let listed = try await engine.containers(labelled: DockerEngine.label, Self.mark)
            #expect(listed.map(\.name) == [name] && listed.map(\.isRunning) == [true])
            #expect(listed.map(\.addresses) == [[name: network.address]])

            var said: [LogPiece] = []
            for _ in 0..<250 where !text(said, .output).contains("host") {
                try await Task.sleep(for: .milliseconds(20))
                said = try await engine.logs(of: name, lines: 10)
            }
            #expect(text(said, .output) == "out a b\nfrom the host\n" && text(said, .error) == "err\n")
            let (status, output) = try await engine.execute(
                ["/bin/sh", "-c", "echo o; echo e >&2; exit 5"], in: name, seconds: 20)
            #expect(status == 5 && text(output, .output) == "o\n" && text(output, .error) == "e\n")

            var other = specification(
                "/bin/sh", "-c", "while true; do echo hello | /bin/nc -l -p 7000; done")
            other.networkAliases = ["db"]
            _ = try await engine.createContainer("\(name)-db", other)
            try await engine.startContainer("\(name)-db")
            let look = "for i in 1 2 3 4 5 6 7 8 9; do nc db 7000 </dev/null && exit 0; sleep 1; done; exit 1"
            let (found, heard) = try await engine.execute(["/bin/sh", "-c", look], in: name, seconds: 30)
            #expect(found == 0 && text(heard, .output) == "hello\n")

            for container in [name, "\(name)-db"] {
                try await engine.stopContainer(container, afterSeconds: 0)
                try await engine.stopContainer(container, afterSeconds: 0)
                #expect(try await engine.container(container)?.isRunning == false)
            }
            // It has the same address again.
            try await engine.startContainer(name)
            #expect(try await engine.container(name)?.addresses == [name: network.address])
            for container in [name, "\(name)-db"] {
                try await engine.removeContainer(container)
                try await engine.removeContainer(container)
                #expect(try await engine.container(container) == nil)
            }
            try await engine.removeNetwork(name)
            try await engine.removeNetwork(name)
            #expect(try await engine.networks(labelled: DockerEngine.label).isEmpty)
        }
    }

    @Test func eventsTellWhatHappens() async throws {
        try await withEngine { engine, _ in
            let name = Self.name
            let events = try engine.events(labelled: "\(DockerEngine.label)=\(Self.mark)")
            let reader = Task {
                var actions: [String] = []
                var exitCode: String?
                for try await event in events where event.attributes["name"] == name {
                    // Podman tells of more steps than these.
                    guard ["create", "start", "die", "destroy"].contains(event.action) else { continue }
                    actions.append(event.action)
                    if event.action == "die" { exitCode = event.attributes["exitCode"] }
                    if event.action == "destroy" { break }
                }
                return (actions, exitCode)
            }
            // The stream is there a moment after it was asked for.
            try await Task.sleep(for: .seconds(1))
            _ = try await engine.createContainer(name, specification("/bin/sh", "-c", "exit 3"))
            try await engine.startContainer(name)
            for _ in 0..<250 where try await engine.container(name)?.isRunning == true {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try await engine.container(name)?.exitCode == 3)
            try await engine.removeContainer(name)
            let limit = Task {
                try await Task.sleep(for: .seconds(10))
                reader.cancel()
            }
            let (actions, exitCode) = try await reader.value
            limit.cancel()
            #expect(actions == ["create", "start", "die", "destroy"] && exitCode == "3")
        }
    }

    @Test func imagesAreReadSavedLoadedAndBuilt() async throws {
        try await withEngine { engine, _ in
            let image = try #require(try await engine.image(TestImage.name))
            #expect(image.volumes == ["/data"] && image.ports == ["443/tcp"] && image.user == "1000")

            let folder = try TemporaryFolder()
            try await engine.saveImage(TestImage.name, to: folder.path("image.tar"))
            try await engine.removeImage(TestImage.name)
            try await engine.removeImage(TestImage.name)
            #expect(try await engine.image(TestImage.name) == nil)
            let loaded = try await engine.loadImages(from: folder.path("image.tar"))
            #expect(loaded.count == 1 && loaded.allSatisfy { $0.hasSuffix(TestImage.name) })
            let name = try #require(loaded.first)
            try await engine.tagImage(name, as: "switchyard-test-podman:site-1")
            #expect(try await engine.image("switchyard-test-podman:site-1")?.identifier == image.identifier)

            try folder.write("context/Dockerfile", "FROM \(TestImage.name)\nEXPOSE 80\n")
            let packed = try run("tar", ["-cf", "context.tar", "-C", "context", "."], folder: folder.path)
            #expect(packed.succeeded, "\(packed.everything)")
            try await engine.buildImage("switchyard-test-podman:built", from: folder.path("context.tar"))
            #expect(try await engine.image("switchyard-test-podman:built")?.ports == ["443/tcp", "80/tcp"])

            // As a volume's first content is fetched: from a container without a network, which never runs.
            var seed = specification("-")
            seed.image = image.identifier
            seed.network = "none"
            let container = try await engine.createContainer("\(Self.name)-seed", seed)
            #expect(try await engine.copy("/bin/.", from: container, to: folder.path("bin.tar")))
            #expect(
                try await engine.copy("/nothing/.", from: container, to: folder.path("none.tar")) == false)
            let listed = try run("tar", ["-tf", folder.path("bin.tar")])
            #expect(listed.output.contains("busybox"))
        }
    }

    @Test func refusalsAreTheEnginesOwnWords() async throws {
        try await withEngine { engine, _ in
            let folder = try TemporaryFolder()
            let garbage = try folder.write("garbage.tar", "this is no image")
            _ = try await engine.createContainer(Self.name, specification("/bin/sleep", "1"))
            for (what, word) in [
                ("image", "no such image"), ("name", "already in use"), ("load", "does not match"),
            ] {
                do throws(EngineError) {
                    switch what {
                    case "image":
                        _ = try await engine.createContainer(
                            "\(Self.name)-none", ContainerSpecification(image: "none:such"))
                    case "name":
                        _ = try await engine.createContainer(Self.name, specification("/bin/sleep", "1"))
                    default: try await engine.loadImages(from: garbage)
                    }
                    Issue.record("\(what) was not refused")
                } catch {
                    #expect(error.text.contains(word) && !error.text.contains("\n"), "\(what): \(error.text)")
                    #expect(error.isConflict == (what == "name") && error.isMissing == (what == "image"))
                }
            }
        }
    }
}
