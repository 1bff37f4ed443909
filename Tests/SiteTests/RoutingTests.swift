import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// What others have, and what is not ours, is let alone, and does not stand in our way.
    @Suite(.serialized) struct ClashTests {
        /// Runs a container that yardmaster has not made, on a network of its own.
        private func start(
            _ name: String, _ labels: [String: String], network number: Int, _ engine: Engine
        ) async throws {
            try await TestImage.make(engine)
            let network = try #require(SiteNetwork.Pool("10.127.242.0/24"))[number]
            try await engine.createNetwork("\(name)-network", labels: [:], addresses: network)
            var container = ContainerSpecification(image: TestImage.name)
            container.network = "\(name)-network"
            container.labels = labels
            _ = try await engine.createContainer(name, container)
            try await engine.startContainer(name)
        }

        private func remove(_ name: String, _ engine: Engine) async throws {
            try await engine.removeContainer(name)
            try await engine.removeNetwork("\(name)-network")
        }

        /// What the edge has to say of its last reload.
        private func edgeFailure(_ hoster: Hoster) throws -> String? {
            try hoster.client.ask(.get, "/v1/status")["edge"]["failure"].text
        }

        // MARK: Routes

        /// One name of a container stands in another file, then the other one, too: the edge reloads
        /// throughout, and sites are started.
        @Test func aContainersNameThatStandsElsewhereIsLeftOut() async throws {
            try await Sites.prepare()
            let hoster = try Hoster(compare: "1s")
            let name = "switchyard-test-clash"
            let key = "container:\(name)"
            try await hoster.withEngine { engine in
                try await start(
                    name, ["switchyard.names": "other.example,fine.example"], network: 1, engine)
            }
            #expect(await eventually { hoster.routes[key]?.hasPrefix("fine.example 10.127.242.") == true })
            #expect(try edgeFailure(hoster) == nil)
            #expect(hoster.yardmaster.errors.contains("other.example has a route already: "))
            try hoster.makeSite("beside.example")
            let added = try hoster.yard("site", "add", "beside.example", "--start")
            #expect(added.succeeded, "\(added.everything)")

            try hoster.folder.write("routes.d/later.routes", "fine.example 127.0.0.1:9\n")
            // Before anybody has compared: the site comes first.
            let stopped = try hoster.yard("site", "stop", "beside.example")
            #expect(stopped.succeeded, "\(stopped.everything)")
            #expect(await eventually { hoster.routes[key] == nil })
            #expect(try edgeFailure(hoster) == nil)
            try await hoster.withEngine { try await remove(name, $0) }
        }

        /// What the edge refuses is told to whoever wanted it, and taken back.
        @Test func whatTheEdgeRefusesIsTakenBack() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "refused.example"
            try hoster.makeSite(domain)
            #expect(try hoster.yard("site", "add", domain).succeeded)
            try hoster.folder.write("routes.d/broken.routes", "\(domain) 127.0.0.1:9\n")
            let started = try hoster.yard("site", "start", domain)
            #expect(
                started.ending == .status(1) && started.errors.contains("the edge refuses the routes: ")
                    && started.errors.contains("stands twice"), "\(started.everything)")
            #expect(hoster.routes[domain] == "\(domain) reject")
            #expect(hoster.waits(for: "stopped", of: domain))
            #expect(try run("rm", [hoster.folder.path("routes.d/broken.routes")]).succeeded)
            let again = try hoster.yard("site", "start", domain)
            #expect(again.succeeded, "\(again.everything)")
            #expect(try hoster.visit(domain).output == "from the image\n")
        }

        /// Without the edge a name of another file is found all the same, and what was published is said not
        /// to have reached it.
        @Test func anEdgeThatIsAwayIsTold() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            hoster.edge.send(signal: SIGINT)
            try hoster.edge.wait(seconds: 20)
            try hoster.makeSite("taken.example", aliases: "aliases: [other.example]")
            let taken = try hoster.yard("site", "add", "taken.example")
            #expect(
                taken.ending == .status(1)
                    && taken.errors.contains("other.example has a route already: ")
                    && taken.errors.contains("other.routes:1 (the edge does not answer"),
                "\(taken.everything)")
            try hoster.makeSite("free.example")
            let free = try hoster.yard("site", "add", "free.example")
            #expect(
                free.succeeded && free.errors.contains("the edge was not told: "), "\(free.everything)")
            #expect(hoster.routes["free.example"] == "free.example reject")
            #expect(try edgeFailure(hoster)?.contains("the edge was not told of new routes") == true)
        }

        /// The edge is waited for, and that takes little.
        @Test func aChangeOfARouteIsQuick() async throws {
            let hoster = try Hoster()
            try hoster.makeSite("one.quick.example")
            #expect(try hoster.yard("site", "add", "one.quick.example").succeeded)
            var times: [Duration] = []
            for _ in 0..<10 {
                for verb in ["sleep", "stop"] {
                    let begin = ContinuousClock.now
                    _ = try hoster.client.ask(.post, "/v1/sites/one.quick.example/\(verb)")
                    times.append(ContinuousClock.now - begin)
                }
            }
            let middle = times.sorted()[times.count / 2]
            Measured.tell("a change of a route: p50 \(middle / .milliseconds(1)) ms")
            #expect(middle < .milliseconds(100))
        }

        // MARK: Containers

        /// Labels that anybody can write do not make a container ours.
        @Test func aContainerThatLooksLikeOursIsLetAlone() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "six.example"
            let names = ["switchyard-test-stranger", "switchyard-six.example-extra"]
            try await hoster.withEngine { engine in
                for (number, name) in names.enumerated() {
                    let labels = [
                        DockerSite.Label.site: domain, DockerSite.Label.part: "site",
                        DockerSite.Label.revision: "1", DockerSite.Label.yardmaster: "a guess",
                    ]
                    try await start(name, labels, network: 2 + number, engine)
                }
            }
            try hoster.makeSite(domain)
            for arguments in [["add", domain, "--start"], ["restart", domain], ["remove", domain]] {
                let ran = try run(
                    Repository.path(".build/release/yard"), ["site"] + arguments,
                    environment: ["SWITCHYARD_YARDMASTER": hoster.interfacePath])
                #expect(ran.succeeded, "\(arguments): \(ran.everything)")
                try await hoster.withEngine { engine in
                    for name in names {
                        let state = try await engine.container(name)
                        #expect(state?.isRunning == true, "\(arguments): \(name)")
                    }
                }
            }
            #expect(try await hoster.traces(of: domain).sorted() == names.sorted())
            try await hoster.withEngine { engine in
                for name in names { try await remove(name, engine) }
            }
        }

        // MARK: Others

        /// A second yardmaster does not begin, and takes nothing from the first one; the lock of one that was
        /// killed is free at once.
        @Test func aSecondYardmasterDoesNotBegin() throws {
            let hoster = try Hoster(engineSocket: "/nonexistent/docker.sock")
            for _ in 0..<3 {
                let second = try run(
                    Repository.path(".build/release/yardmaster"),
                    ["--config", hoster.folder.path("yardmaster.yaml")])
                #expect(
                    second.ending == .status(1)
                        && second.errors.contains(
                            "another yardmaster runs with \(hoster.folder.path("state/yardmaster.sqlite"))"),
                    "\(second.everything)")
                #expect(try hoster.yard("site", "list").succeeded)
                #expect(FileManager.default.fileExists(atPath: hoster.folder.path("run/wake.sock")))
                try hoster.endYardmaster()
                try hoster.startYardmaster()
            }
        }

        /// An engine that accepts and never answers holds up nobody who does not need it.
        @Test func aSilentEngineIsTold() throws {
            let folder = try TemporaryFolder()
            let path = folder.path("docker.sock")
            let listener = try StreamListener(.unix(path: path))
            defer { withExtendedLifetime(listener) {} }

            let begin = ContinuousClock.now
            let hoster = try Hoster(engineSocket: path)
            // It was asked for its status, and that asks the engine once.
            #expect(ContinuousClock.now - begin < .seconds(9))
            let words = "the container engine did not answer within 5 s"
            #expect(try hoster.client.ask(.get, "/v1/status")["engine"]["failure"].text == words)
            let listing = ContinuousClock.now
            #expect(try hoster.yard("site", "list").succeeded)
            #expect(ContinuousClock.now - listing < .seconds(2))
            try hoster.makeSite("silent.example")
            let added = try hoster.yard("site", "add", "silent.example")
            #expect(added.ending == .status(1) && added.errors.contains(words), "\(added.everything)")
            #expect(hoster.state("silent.example") == "none")
        }

        /// Who is asked to end does so while somebody waits for slow work.
        @Test func slowWorkDoesNotHoldUpTheEnd() throws {
            let folder = try TemporaryFolder()
            let listener = try StreamListener(.unix(path: folder.path("docker.sock")))
            defer { withExtendedLifetime(listener) {} }

            let hoster = try Hoster(engineSocket: folder.path("docker.sock"))
            try hoster.makeSite("slow.example")
            let command = try ChildProcess(
                Repository.path(".build/release/yard"), ["site", "add", "slow.example"],
                environment: ["SWITCHYARD_YARDMASTER": hoster.interfacePath])
            Pause.milliseconds(500)
            let begin = ContinuousClock.now
            hoster.yardmaster.send(signal: SIGTERM)
            #expect(try hoster.yardmaster.wait(seconds: 20) == .status(0))
            #expect(ContinuousClock.now - begin < .seconds(8))
            _ = try command.wait(seconds: 20)
        }
    }
}
