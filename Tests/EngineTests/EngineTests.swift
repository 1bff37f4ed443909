import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing

/// The client of the container engine, against a real one.
@Suite(.serialized, .enabled(if: DockerEngine.isThere)) struct EngineTests {
    /// Runs the body, and removes what carries this run's label, whatever happens.
    private func withEngine(_ body: (Engine, String) async throws -> Void) async throws {
        let engine = try await Engine(socket: try DockerEngine.socket.get())
        let mark = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        do {
            try await TestImage.make(engine)
            // What is started is in a network of this test's own: the engine may have none.
            try await engine.createNetwork(
                "switchyard-test-\(mark)", labels: [DockerEngine.label: mark])
            try await body(engine, mark)
            try await clear(engine, mark)
        } catch {
            try? await clear(engine, mark)
            await engine.shutDown()
            throw error
        }
        await engine.shutDown()
    }

    private func clear(_ engine: Engine, _ mark: String) async throws {
        for container in try await engine.containers(labelled: DockerEngine.label, mark) {
            try await engine.removeContainer(container.identifier)
        }
        for network in try await engine.networks(labelled: DockerEngine.label, mark) {
            try await engine.removeNetwork(network)
        }
    }

    private func specification(_ mark: String, _ command: String...) -> ContainerSpecification {
        var specification = ContainerSpecification(image: TestImage.name)
        specification.labels = [DockerEngine.label: mark]
        specification.command = command
        specification.network = "switchyard-test-\(mark)"
        return specification
    }

    /// Waits until a container has ended.
    private func waitForEnd(_ engine: Engine, _ name: String) async throws -> ContainerState {
        for _ in 0..<500 {
            let state = try #require(try await engine.container(name))
            if !state.isRunning { return state }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ChildProcessError(description: "\(name) does not end")
    }

    @Test func aContainerLivesAndDies() async throws {
        try await withEngine { engine, mark in
            let name = "switchyard-test-\(mark)"
            #expect(try await engine.container(name) == nil)
            let identifier = try await engine.createContainer(name, specification(mark, "/bin/sleep", "1000"))
            var state = try #require(try await engine.container(name))
            #expect(state.identifier == identifier && state.name == name && !state.isRunning)
            #expect(state.labels[DockerEngine.label] == mark)
            try await engine.startContainer(name)
            try await engine.startContainer(name)
            state = try #require(try await engine.container(identifier))
            #expect(
                state.isRunning && state.addresses.values.allSatisfy { $0.contains(".") }
                    && !state.addresses.isEmpty)
            #expect(
                try await engine.containers(labelled: DockerEngine.label, mark).map(\.identifier) == [
                    identifier
                ])

            await #expect(throws: EngineError.self) {
                try await engine.createContainer(name, specification(mark, "/bin/sleep", "1"))
            }
            try await engine.stopContainer(name, afterSeconds: 0)
            try await engine.stopContainer(name, afterSeconds: 0)
            #expect(try await engine.container(name)?.isRunning == false)
            try await engine.removeContainer(name)
            try await engine.removeContainer(name)
            #expect(try await engine.container(name) == nil)
        }
    }

    @Test func whatItWritesAndHowItEndsIsSeen() async throws {
        try await withEngine { engine, mark in
            let name = "switchyard-test-\(mark)"
            var wanted = specification(
                mark, "/bin/sh", "-c", "echo out $WORD; echo err >&2; cat /given/file; exit 7")
            let folder = try TemporaryFolder()
            try folder.write("file", "from the host\n")
            wanted.environment = ["WORD=a b"]
            wanted.mounts = [ContainerSpecification.Mount(source: folder.path, target: "/given")]
            wanted.memoryBytes = 64 << 20
            _ = try await engine.createContainer(name, wanted)
            try await engine.startContainer(name)
            #expect(try await waitForEnd(engine, name).exitCode == 7)
            let pieces = try await engine.logs(of: name, lines: 10)
            func text(_ stream: LogPiece.Stream) -> String {
                String(decoding: pieces.filter { $0.stream == stream }.flatMap(\.bytes), as: UTF8.self)
            }
            #expect(text(.output) == "out a b\nfrom the host\n")
            #expect(text(.error) == "err\n")
        }
    }

    @Test func containersOfOneNetworkFindEachOther() async throws {
        try await withEngine { engine, mark in
            let network = "switchyard-test-\(mark)"
            try await engine.createNetwork(network, labels: [DockerEngine.label: mark])
            let serve = "while true; do echo hello | /bin/nc -l -p 7000; done"
            var server = specification(mark, "/bin/sh", "-c", serve)
            server.network = network
            server.networkAliases = ["db"]
            _ = try await engine.createContainer("\(network)-server", server)
            try await engine.startContainer("\(network)-server")
            #expect(try await engine.container("\(network)-server")?.addresses.keys.sorted() == [network])
            var client = specification(
                mark, "/bin/sh", "-c",
                "for i in 1 2 3 4 5 6 7 8 9; do /bin/nc db 7000 </dev/null && exit 0; sleep 1; done; exit 1")
            client.network = network
            _ = try await engine.createContainer("\(network)-client", client)
            try await engine.startContainer("\(network)-client")
            #expect(try await waitForEnd(engine, "\(network)-client").exitCode == 0)
            let said = try await engine.logs(of: "\(network)-client", lines: 10).filter {
                $0.stream == .output
            }
            #expect(String(decoding: said.flatMap(\.bytes), as: UTF8.self) == "hello\n")
            try await clear(engine, mark)
            try await engine.removeNetwork(network)
            try await engine.removeNetwork(network)
        }
    }

    @Test func eventsTellWhatHappens() async throws {
        try await withEngine { engine, mark in
            let name = "switchyard-test-\(mark)"
            let events = try engine.events(labelled: "\(DockerEngine.label)=\(mark)")
            let reader = Task {
                var actions: [String] = []
                for try await event in events where event.attributes["name"] == name {
                    actions.append(event.action)
                    if event.action == "die" { return (actions, event.attributes["exitCode"]) }
                }
                return (actions, nil)
            }
            // The stream is there a moment after it was asked for.
            try await Task.sleep(for: .milliseconds(300))
            _ = try await engine.createContainer(name, specification(mark, "/bin/sh", "-c", "exit 3"))
            try await engine.startContainer(name)
            _ = try await waitForEnd(engine, name)
            let limit = Task {
                try await Task.sleep(for: .seconds(10))
                reader.cancel()
            }
            let (actions, exitCode) = try await reader.value
            limit.cancel()
            #expect(actions == ["create", "start", "die"] && exitCode == "3")
        }
    }

    @Test func anImageSaysWhatItDeclares() async throws {
        try await withEngine { engine, _ in
            let image = try #require(try await engine.image(TestImage.name))
            #expect(image.volumes == ["/data"] && image.ports == ["443/tcp"] && image.user == "1000")
            #expect(image.startMilliseconds == nil)
            #expect(try await engine.image("switchyard-test:nothing") == nil)
            try await engine.removeImage("switchyard-test:nothing")
        }
    }

    @Test func refusalsAreTheEnginesOwnWords() async throws {
        try await withEngine { engine, mark in
            let folder = try TemporaryFolder()
            let garbage = try folder.write("garbage.tar", "this is no image")
            for (what, word) in [
                ("image", "No such image"), ("mount", "does not exist"), ("load", "tar file"),
                ("file", "cannot be read"),
            ] {
                do throws(EngineError) {
                    switch what {
                    case "image":
                        _ = try await engine.createContainer(
                            "switchyard-test-\(mark)", ContainerSpecification(image: "none:such"))
                    case "mount":
                        var wanted = specification(mark, "/bin/sleep", "1")
                        wanted.mounts = [
                            ContainerSpecification.Mount(source: folder.path("none"), target: "/x")
                        ]
                        _ = try await engine.createContainer("switchyard-test-\(mark)", wanted)
                    case "load": try await engine.loadImages(from: garbage)
                    default: try await engine.loadImages(from: folder.path("none.tar"))
                    }
                    Issue.record("\(what) was not refused")
                } catch {
                    #expect(error.text.contains(word) && !error.text.contains("\n"), "\(what): \(error.text)")
                }
            }
        }
        do throws(EngineError) {
            _ = try await Engine(socket: "/nonexistent/docker.sock")
            Issue.record("nobody is there")
        } catch {
            #expect(
                error.text.hasPrefix("no container engine answers on /nonexistent/docker.sock: "),
                "\(error.text)")
        }
    }
}
