import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Sites that sleep, and who wakes them.
    @Suite(.serialized) struct WakeTests {
        /// Who visits at once, as a program of many connections tells it.
        private func visitors(
            _ hoster: Hoster, _ domain: String, count: Int, seconds: Int = 25
        ) throws -> JSONValue {
            let program = Repository.path("Tests/Programs/visitors.py")
            let ran = try run(
                "python3", [program, "\(hoster.port)", domain, "\(count)", "\(seconds)"], seconds: 60)
            guard let line = ran.output.split(separator: "\n").last,
                let value = try? JSONReader.read(Array(line.utf8))
            else { throw ChildProcessError(description: ran.everything) }
            return value
        }

        private func starts(_ hoster: Hoster, _ domain: String) throws -> Int {
            let journal = try hoster.client.ask(.get, "/v1/operations?domain=\(domain)&limit=1000")
            return journal["operations"].elements.count { $0["verb"].text == "visit" }
        }

        /// Two hundred visitors at once are all served, by one start; names that nobody has wake nobody.
        @Test func manyVisitorsWakeASiteOnceAndStrangersDoNot() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try hoster.makeSite("crowd.example", aliases: "aliases: [www.crowd.example]")
            try hoster.makeSite("other.crowd.example")
            #expect(try hoster.yard("site", "add", "crowd.example", "--asleep").succeeded)
            #expect(try hoster.yard("site", "add", "other.crowd.example", "--asleep").succeeded)
            for stranger in ["nobody.example", "x.crowd.example"] {
                let seen = try visitors(hoster, stranger, count: 5, seconds: 5)
                #expect(seen["ok"].integer == 0)
            }
            // Nor do bytes on the wake socket that are no message, or name nobody.
            let socket = try StreamSocket(to: .unix(path: hoster.folder.path("run/wake.sock")))
            try socket.send("wake nobody.example\nwake crowd.example\n")
            let other = try StreamSocket(to: .unix(path: hoster.folder.path("run/wake.sock")))
            try other.send(String(repeating: "x", count: 5000))
            #expect(
                hoster.state("crowd.example") == "asleep" && hoster.state("other.crowd.example") == "asleep")
            #expect(try await hoster.traces(of: "crowd.example").isEmpty)

            let seen = try visitors(hoster, "www.crowd.example", count: 200)
            #expect(seen["ok"].integer == 200, "\(seen.line)")
            #expect(try starts(hoster, "crowd.example") == 1)
            #expect(
                hoster.state("crowd.example") == "awake" && hoster.state("other.crowd.example") == "asleep")
            try await hoster.withEngine { engine in
                let containers = try await engine.containers(labelled: DockerSite.Label.site, "crowd.example")
                #expect(containers.count == 1)
            }
        }

        /// A connection keeps a site awake though nothing is said on it; without one it sleeps after its
        /// time, its data consistent, and wakes again.
        @Test func aSilentConnectionKeepsASiteAwakeAndSilenceDoesNot() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "silent.example"
            let path = try hoster.makeSite(
                domain, rest: "snapshot: { exec: [/snapshot.sh] }", sleepAfter: "2s")
            #expect(try hoster.yard("site", "add", domain, "--start").succeeded)
            // It keeps its half open, and says nothing after the handshake.
            let client = try ChildProcess(
                "openssl",
                ["s_client", "-connect", "127.0.0.1:\(hoster.port)", "-servername", domain, "-quiet"],
                keepsInputOpen: true)
            #expect(Pause.until(seconds: 5) { hoster.site(domain)["sessions"].integer == 1 })
            Pause.milliseconds(6000)
            #expect(client.isRunning && hoster.state(domain) == "awake")
            #expect(!FileManager.default.fileExists(atPath: path + "/data/snapshots"))

            client.end()
            let begin = ContinuousClock.now
            #expect(hoster.waits(for: "asleep", of: domain))
            #expect(ContinuousClock.now - begin > .milliseconds(1000))
            #expect(hoster.routes[domain]?.hasPrefix("\(domain) asleep wake=unix:") == true)
            #expect(try String(contentsOfFile: path + "/data/snapshots", encoding: .utf8) == "x\n")
            #expect(try hoster.visit(domain).output == "from the image\n")
            #expect(hoster.waits(for: "asleep", of: domain))
            #expect(try String(contentsOfFile: path + "/data/snapshots", encoding: .utf8) == "xx\n")
        }

        /// A snapshot that fails leaves the site awake, and says why.
        @Test func aSiteWhoseSnapshotFailsStaysAwake() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "unsafe.example"
            try hoster.makeSite(
                domain, container: "    env_file: env\n", rest: "snapshot: { exec: [/snapshot.sh] }")
            try hoster.folder.write("sites/\(domain)/env", "SNAPSHOT_FAILS=1\n")
            #expect(try hoster.yard("site", "add", domain, "--start").succeeded)
            let slept = try hoster.yard("site", "sleep", domain)
            #expect(
                slept.ending == .status(1)
                    && slept.errors.contains("snapshot ended with status 5: the database does not answer"),
                "\(slept.everything)")
            #expect(hoster.waits(for: "awake", of: domain))
            #expect(try hoster.visit(domain).succeeded)
        }

        /// What waking costs beside what the engine and the site need themselves.
        @Test func wakingCostsLittleMoreThanStarting() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "quick.example"
            try hoster.makeSite(domain)
            #expect(try hoster.yard("site", "add", domain, "--start").succeeded)
            #expect(try hoster.yard("site", "sleep", domain).succeeded)
            var wakes: [Double] = []
            var plain: [Double] = []
            try await hoster.withEngine { engine in
                let address = try await makeTwin(engine, hoster, domain)
                for _ in 0..<20 {
                    // Another container of the same kind, by the engine alone; ready when a handshake is
                    // finished with it.
                    let begin = ContinuousClock.now
                    try await engine.startContainer("switchyard-test-twin")
                    var isReady = false
                    while !isReady, ContinuousClock.now - begin < .seconds(20) {
                        isReady = try handshake(address, domain) != nil
                    }
                    plain.append(milliseconds(ContinuousClock.now - begin))
                    try await engine.stopContainer("switchyard-test-twin", afterSeconds: 5)

                    // The edge tells of a name once a second at most.
                    Pause.milliseconds(1000)
                    let seen = try #require(try handshake("127.0.0.1:\(hoster.port)", domain, seconds: 20))
                    wakes.append(seen)
                    #expect(try hoster.yard("site", "sleep", domain).succeeded)
                }
            }
            try await hoster.withEngine { engine in
                try await engine.removeContainer("switchyard-test-twin")
                try await engine.removeNetwork("switchyard-test-twin")
            }
            let (wake, start) = (median(wakes), median(plain))
            Measured.tell(
                "waking: p50 \(wake) ms; engine and handshake alone: \(start) ms; more by \(wake - start)"
            )
            #expect(wake - start <= 50)
        }

        /// A container as a site's is, on a network as a site's is, that yardmaster knows nothing of. Its
        /// address.
        private func makeTwin(_ engine: Engine, _ hoster: Hoster, _ domain: String) async throws -> String {
            let network = try #require(SiteNetwork.Pool("10.127.240.0/24"))[3]
            try await engine.createNetwork("switchyard-test-twin", labels: [:], addresses: network)
            var twin = ContainerSpecification(image: SiteImage.name)
            twin.network = "switchyard-test-twin"
            twin.address = network.address
            twin.environment = ["SWITCHYARD_CERTIFICATE=/tls/site.pem"]
            let folder = hoster.folder.path("sites/\(domain)")
            twin.mounts = [
                ContainerSpecification.Mount(source: folder + "/tls", target: "/tls"),
                ContainerSpecification.Mount(source: folder + "/data", target: "/data"),
            ]
            _ = try await engine.createContainer("switchyard-test-twin", twin)
            return "\(network.address):443"
        }

        /// Milliseconds of a whole handshake by curl; nil when it fails.
        private func handshake(_ address: String, _ domain: String, seconds: Int = 1) throws -> Double? {
            let port = address.split(separator: ":").last ?? ""
            let host = address.dropLast(port.count + 1)
            let ran = try run(
                "curl",
                [
                    "--silent", "--insecure", "--output", "/dev/null", "--max-time", "\(seconds)",
                    "--write-out",
                    "%{time_appconnect}", "--resolve", "\(domain):\(port):\(host)",
                    "https://\(domain):\(port)/",
                ])
            return ran.succeeded ? Double(ran.output).map { $0 * 1000 } : nil
        }

        private func milliseconds(_ duration: Duration) -> Double { duration / .milliseconds(1) }
        private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

        /// When there is room for one, the longest idle makes room for who is visited.
        @Test func theLongestIdleMakesRoom() async throws {
            try await Sites.prepare()
            let hoster = try Hoster(limits: "{ running: 2 }")
            for domain in ["a.room.example", "b.room.example", "c.room.example"] {
                try hoster.makeSite(domain, sleepAfter: "1h")
                #expect(try hoster.yard("site", "add", domain, "--asleep").succeeded)
            }
            #expect(try hoster.visit("a.room.example").succeeded)
            Pause.milliseconds(1500)
            #expect(try hoster.visit("b.room.example").succeeded)
            Pause.milliseconds(2500)
            let seen = try hoster.visit("c.room.example")
            #expect(seen.output == "from the image\n", "\(seen.everything)")
            #expect(hoster.waits(for: "asleep", of: "a.room.example"))
            #expect(hoster.state("b.room.example") == "awake" && hoster.state("c.room.example") == "awake")
        }
    }
}
