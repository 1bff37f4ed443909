import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// What becomes of sites when something ends that should not.
    @Suite(.serialized) struct CrashTests {
        /// Somebody who visits a site again and again.
        private struct Visitor {
            private let process: ChildProcess

            init(_ hoster: Hoster, _ domain: String) throws {
                process = try ChildProcess(
                    "python3",
                    [Repository.path("Tests/Programs/steady_visitor.py"), "\(hoster.port)", domain, "0.01"])
            }

            /// Ends; who was served, and what became of the others.
            func end() throws -> (served: Int, failures: [String]) {
                process.send(signal: SIGTERM)
                _ = try process.wait(seconds: 60)
                guard let line = process.output.split(separator: "\n").last,
                    let value = try? JSONReader.read(Array(line.utf8))
                else { throw ChildProcessError(description: process.errors) }
                return (
                    value["served"].integer ?? 0, value["failures"].elements.compactMap(\.text)
                )
            }
        }

        /// yardmaster is killed a hundred times while sites come and go; each time all becomes as it was
        /// wanted, nothing is left over, and a site that runs is served throughout.
        @Test func aKilledYardmasterLeavesNothingHalfDone() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try hoster.makeSite("steady.example")
            #expect(try hoster.yard("site", "add", "steady.example", "--start").succeeded)
            let visitors = try Visitor(hoster, "steady.example")
            let domain = "shaken.example"
            try hoster.makeSite(domain, rest: "snapshot: { exec: [/snapshot.sh] }")
            var random = SeededGenerator(seed: 20_261_123)
            var isThere = false
            var counts: [String: Int] = [:]
            for round in 0..<100 {
                let verbs = isThere ? ["start", "sleep", "wake", "restart", "stop", "remove"] : ["add"]
                let verb = verbs[Int.random(in: 0..<verbs.count, using: &random)]
                counts[verb, default: 0] += 1
                let arguments = verb == "add" ? ["site", "add", domain, "--start"] : ["site", verb, domain]
                let command = try ChildProcess(
                    Repository.path(".build/release/yard"), arguments,
                    environment: ["SWITCHYARD_YARDMASTER": hoster.interfacePath])
                Pause.milliseconds(UInt32.random(in: 0...450, using: &random))
                try hoster.endYardmaster()
                _ = try command.wait(seconds: 20)
                try hoster.startYardmaster()
                let settled = try await eventually(seconds: 30) { try await self.isSettled(hoster, domain) }
                #expect(settled, "round \(round), \(verb): \(hoster.site(domain).line) \(hoster.routes)")
                isThere = hoster.state(domain) != "none"
            }
            let (served, failures) = try visitors.end()
            #expect(failures.isEmpty, "\(failures.prefix(3))")
            #expect(served > 100)
            Measured.tell(
                "100 times killed during \(counts.sorted { $0.key < $1.key }); \(served) visits served")
            if isThere { #expect(try hoster.yard("site", "remove", domain).succeeded) }
            #expect(try await hoster.traces(of: domain).isEmpty && hoster.routes[domain] == nil)
        }

        /// Whether what there is is what is wanted: containers, network, route, journal.
        private func isSettled(_ hoster: Hoster, _ domain: String) async throws -> Bool {
            let journal = try hoster.client.ask(.get, "/v1/operations?domain=\(domain)&limit=1000")
            guard !journal["operations"].elements.contains(where: { $0["seconds"].isNull }) else {
                return false
            }
            let site = hoster.site(domain)
            let containers = try await hoster.withEngine { engine in
                try await engine.containers(labelled: DockerSite.Label.site, domain)
            }
            let route = hoster.routes[domain]
            let running = containers.count(where: \.isRunning)
            switch site["wish"].text {
            case nil:
                let traces = try await hoster.traces(of: domain)
                return traces.isEmpty && route == nil
            case "awake":
                guard site["state"].text == "awake", containers.count == 1 else { return false }
                return running == 1 && route?.contains(":443") == true
            case "asleep":
                return site["state"].text == "asleep" && running == 0 && route?.contains(" asleep ") == true
            case "stopped":
                return site["state"].text == "stopped" && running == 0 && route?.hasSuffix(" reject") == true
            default: return false
            }
        }

        /// A container that ends again and again is left alone for longer and longer; who comes meanwhile is
        /// told so in time; and when it is mended it serves.
        @Test func aSiteThatCrashesBacksOffAndAnswersInTime() async throws {
            try await Sites.prepare()
            let hoster = try Hoster(wakeTimeout: "2s")
            let domain = "crash.example"
            try hoster.makeSite(domain, container: "    env_file: env\n")
            try hoster.folder.write("sites/\(domain)/env", "CRASH=no database\n")
            let added = try hoster.yard("site", "add", domain, "--asleep")
            #expect(added.succeeded, "\(added.everything)")
            let started = try hoster.yard("site", "start", domain)
            #expect(
                started.ending == .status(1)
                    && started.errors.contains("its container ended with status 3: it crashes: no database"),
                "\(started.everything)")

            // Visitors wake it, it crashes, and they get an alert when they have waited long enough.
            for _ in 0..<4 {
                let begin = ContinuousClock.now
                let seen = try hoster.visit(domain)
                #expect(!seen.succeeded && seen.errors.contains("alert"), "\(seen.everything)")
                #expect(ContinuousClock.now - begin < .seconds(4))
            }
            let journal = try hoster.client.ask(.get, "/v1/operations?domain=\(domain)&limit=1000")
            let starts = journal["operations"].elements.count { $0["verb"].text == "visit" }
            // In eight seconds of asking once a second: at once, at once, after 1, 2 and 4 seconds.
            #expect((2...6).contains(starts), "\(starts)")
            #expect(hoster.site(domain)["failure"].text?.contains("it crashes") == true)

            try hoster.folder.write("sites/\(domain)/env", "COLOUR=green\n")
            // The variables were given when the container was made, so it is made anew.
            let restarted = try hoster.yard("site", "restart", domain)
            #expect(restarted.succeeded, "\(restarted.everything)")
            #expect(try hoster.visit(domain).succeeded)
        }

        /// A container that somebody kills is started again, and visitors wait meanwhile.
        @Test func aContainerThatIsKilledComesBackUnseen() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try hoster.makeSite("killed.example")
            #expect(try hoster.yard("site", "add", "killed.example", "--start").succeeded)
            for _ in 0..<3 {
                try await hoster.withEngine { engine in
                    try await engine.stopContainer("switchyard-killed.example", afterSeconds: 0)
                }
                #expect(try hoster.visit("killed.example").output == "from the image\n")
                Pause.milliseconds(300)
            }
        }

        /// The engine is restarted while a site is visited: it is served again without anybody's doing.
        @Test func sitesOutliveTheirEngine() async throws {
            try await Sites.prepare()
            let hoster = try Hoster(compare: "2s")
            let domain = "engine.example"
            try hoster.makeSite(domain)
            #expect(try hoster.yard("site", "add", domain, "--start").succeeded)
            let visitors = try Visitor(hoster, domain)
            Pause.milliseconds(500)
            guard try DockerEngine.restart(signal: SIGTERM, pauseSeconds: 1) else {
                _ = try visitors.end()
                return Measured.tell("SKIPPED a restart of the engine: it is this machine's own")
            }
            #expect(
                hoster.waits(for: "awake", of: domain, seconds: 30), "\(hoster.yardmaster.errors.suffix(600))"
            )
            let seen = try hoster.visit(domain)
            #expect(seen.output == "from the image\n", "\(seen.everything)")
            let (served, failures) = try visitors.end()
            Measured.tell("engine restarted: \(served) visits served, \(failures.count) not: \(failures)")
            #expect(served > 10)
            try await hoster.withEngine { engine in
                let containers = try await engine.containers(labelled: DockerSite.Label.site, domain)
                #expect(containers.count == 1)
            }
        }
    }
}

/// Random numbers that are the same in each run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
