import Foundation
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Sites that move to another hoster and back.
    @Suite(.serialized, .enabled(if: MovingPair.isPossible)) struct MovingTests {
        private func numbers(_ hoster: MovingHoster, _ domain: String) throws -> Set<Substring> {
            let path = "\(hoster.folder)/sites/\(domain)/data/writes"
            return Set(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n"))
        }

        /// A large site with a file that is written all the time moves there and back while it is visited: no
        /// visit fails, nothing that was acknowledged is lost, nobody waits for longer than promised.
        @Test func aLargeSiteMovesThereAndBackAndNobodyNotices() throws {
            let pair = try MovingPair()
            let domain = "moving.example"
            try pair.makeSite(domain, files: 20_000, bytesEach: 53_687)
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 100)
            Pause.milliseconds(1000)
            let dry = try pair.a.yard("migrate", domain, "--to", "b.example", "--dry-run")
            #expect(
                dry.output.hasPrefix(
                    "moving.example goes to b.example: a pause of at most 5.0 s, no write lost"),
                "\(dry.everything)")
            let there = try pair.a.yard("migrate", domain, "--to", "b.example", seconds: 300)
            #expect(
                there.succeeded, "\(there.everything) \(pair.a.log.suffix(2000)) \(pair.b.log.suffix(2000))")
            Pause.milliseconds(2000)
            let back = try pair.b.yard("migrate", domain, "--to", "a.example", seconds: 300)
            #expect(
                back.succeeded, "\(back.everything) \(pair.b.log.suffix(2000)) \(pair.a.log.suffix(2000))")
            Pause.milliseconds(2000)
            let (seen, acknowledged) = try visitors.end()
            Measured.tell("moved there and back: \(there.output)\(back.output)\(seen.line)")
            #expect(seen["failed"].integer == 0, "\(seen.line)")
            #expect((seen["longest"].double ?? 100) <= 5)
            #expect(acknowledged.count > 1000)
            #expect(acknowledged.subtracting(try numbers(pair.a, domain)).isEmpty)
            // The site has seen the visitor's own address, wherever it was.
            #expect(seen["seen"].members.map(\.name) == ["10.199.1.1"], "\(seen.line)")
            #expect(pair.a.state(domain) == "awake" && pair.b.state(domain) == "moved")
            let finished = try pair.b.yard("migrations", "finish", "--force", domain)
            #expect(finished.succeeded, "\(finished.everything)")
            #expect(Pause.until(seconds: 10) { pair.b.state(domain) == "none" })
            #expect(Pause.until(seconds: 10) { pair.a.leftovers.isEmpty && pair.b.leftovers.isEmpty })
        }

        /// What would not go well is refused before the switch, in one sentence, and the site runs where it
        /// was.
        @Test func whatWouldNotGoWellIsRefusedAndTheSiteRunsOn() throws {
            let pair = try MovingPair()
            let domain = "staying.example"
            try pair.makeSite(domain, files: 200, bytesEach: 50_000)
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 20)
            func refused(_ words: String, _ migrate: () throws -> Finished) throws {
                let ran = try migrate()
                let isTold = words.split(separator: "|").contains { ran.errors.contains($0) }
                #expect(ran.ending == .status(1) && isTold, "\(words): \(ran.everything)")
                #expect(Pause.until(seconds: 10) { pair.a.state(domain) == "awake" })
                #expect(
                    Pause.until(seconds: 20) {
                        pair.a.migration(domain, "giving")["state"].text != "recalling"
                    })
            }
            try refused("there is no peer c.example") {
                try pair.a.yard("migrate", domain, "--to", "c.example")
            }
            try refused("cannot be promised") {
                try pair.a.yard("migrate", domain, "--to", "b.example", "--max-pause", "600ms")
            }
            // Another image is called so there.
            #expect(
                try run(
                    "docker",
                    ["-H", "unix://\(pair.b.engineSocket)", "import", "/dev/null", "moving:1"]
                ).succeeded)
            try refused("another image is called moving:1 here") {
                try pair.a.yard("migrate", domain, "--to", "b.example")
            }
            #expect(try run("docker", ["-H", "unix://\(pair.b.engineSocket)", "rmi", "moving:1"]).succeeded)
            // A full disk there.
            let sites = "\(pair.b.folder)/sites"
            #expect(try run("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", sites]).succeeded)
            try refused("the disk has 1") { try pair.a.yard("migrate", domain, "--to", "b.example") }
            #expect(try run("umount", ["-l", sites]).succeeded)
            // Somebody changes a file there between the copy and the comparison.
            let tamperer = try ChildProcess(
                "sh",
                [
                    "-c",
                    "while :; do for f in \(sites)/.incoming/*/*/site/data/files/7/7; do "
                        + "[ -f \"$f\" ] && printf x >> \"$f\"; done; sleep 0.02; done",
                ])
            try refused("is not equal to the data here|files/7/7 changed while it was read") {
                try pair.a.yard("migrate", domain, "--to", "b.example")
            }
            tamperer.send(signal: SIGKILL)
            let (seen, acknowledged) = try visitors.end()
            #expect(seen["failed"].integer == 0, "\(seen.line)")
            #expect(acknowledged.subtracting(try numbers(pair.a, domain)).isEmpty)
            #expect(Pause.until(seconds: 30) { pair.b.leftovers.isEmpty }, "\(pair.b.leftovers)")
            #expect(pair.b.state(domain) == "none")
        }

        /// Either yardmaster and rsync are killed, and the link is cut, at random moments of migrations there
        /// and back; each goes on by itself to one of its ends, no visit fails, and nothing that was
        /// acknowledged is lost.
        @Test func whateverDiesIsMadeGood() throws {
            let pair = try MovingPair()
            let domain = "shaken.example"
            try pair.makeSite(domain, files: 300, bytesEach: 20_000)
            let runs = ProcessInfo.processInfo.environment["SWITCHYARD_KILLS"].flatMap { Int($0) } ?? 40
            var random = SeededGenerator(seed: 20_261_128)
            var outcomes: [String: Int] = [:]
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 20)
            var (here, there) = (pair.a, pair.b)
            var begun = 0
            var notBegun = 0
            while begun < runs, notBegun < runs {
                let harm = MovingHarm.allCases[begun % MovingHarm.allCases.count]
                let state = try migrate(domain, here, there, begun) {
                    Pause.milliseconds(UInt32.random(in: 200...5000, using: &random))
                    let pause = UInt32.random(in: 0...800, using: &random)
                    try harm.happen(to: here, and: there, pauseMilliseconds: pause)
                }
                outcomes["\(harm.rawValue) \(state ?? "not begun")", default: 0] += 1
                if state == nil { notBegun += 1 } else { begun += 1 }
                if state == "forwarding" { swap(&here, &there) }
            }
            #expect(begun == runs, "\(outcomes)")
            Pause.milliseconds(1000)
            let (seen, acknowledged) = try visitors.end()
            Measured.tell("harmed \(runs) times: \(outcomes); \(seen.line)")
            #expect(seen["failed"].integer == 0, "\(seen.line)")
            #expect(acknowledged.subtracting(try numbers(here, domain)).isEmpty)
            #expect(Set(seen["seen"].members.map(\.name)) == ["10.199.1.1"])
        }

        /// Either edge is killed while the site moves: whoever was connected to it notices that, as ever; the
        /// migration does not, and nothing that was acknowledged is lost.
        @Test func aKilledEdgeLosesNoWrite() throws {
            let pair = try MovingPair()
            let domain = "edgeless.example"
            try pair.makeSite(domain, files: 300, bytesEach: 20_000)
            var random = SeededGenerator(seed: 20_261_129)
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 20)
            var (here, there) = (pair.a, pair.b)
            for round in 0..<4 {
                let victim = round % 2 == 0 ? pair.a : pair.b
                let state = try migrate(domain, here, there, round) {
                    Pause.milliseconds(UInt32.random(in: 1000...5000, using: &random))
                    try victim.killEdge()
                    Pause.milliseconds(300)
                    try victim.startEdge()
                }
                if state == "forwarding" { swap(&here, &there) }
            }
            Pause.milliseconds(1000)
            let (seen, acknowledged) = try visitors.end()
            Measured.tell("edges killed 4 times: \(seen.line)")
            #expect(acknowledged.count > 100)
            #expect(acknowledged.subtracting(try numbers(here, domain)).isEmpty)
        }

        /// One migration during which something happens.
        /// - Returns: the state in which it has ended; nil, if it has not begun: whoever asks while the peer
        ///   is away is refused, and his site stays where it is.
        private func migrate(
            _ domain: String, _ here: MovingHoster, _ there: MovingHoster, _ round: Int,
            while harm: () throws -> Void
        ) throws -> String? {
            let before = try here.identifierOfGiving(domain)
            let command = try ChildProcess(
                Repository.path(".build/release/yard"),
                ["migrate", domain, "--to", there.name, "--max-pause", "20s"],
                environment: ["SWITCHYARD_YARDMASTER": "\(here.folder)/run/api.sock"])
            try harm()
            var hasBegun = false
            var report = JSONValue.null
            let isSettled = Pause.until(seconds: 60) {
                // Looked at before the list: what it has begun is then in it.
                let wasRunning = command.isRunning
                guard let now = try? here.identifierOfGiving(domain) else { return false }
                hasBegun = now != before
                guard hasBegun else { return !wasRunning }
                report = here.migration(domain, "giving")
                return ["forwarding", "reverted"].contains(report["state"].text)
            }
            #expect(
                isSettled,
                """
                round \(round): \(report.line) \(command.output)\(command.errors)
                \(here.log.suffix(1500))
                \(there.log.suffix(1500))
                """)
            let ending = try command.wait(seconds: 60)
            let state = hasBegun ? report["state"].text : nil
            if !hasBegun {
                #expect(ending != .status(0), "\(command.output)\(command.errors)")
                Measured.tell("round \(round) did not begin: \(command.errors)")
            }
            let owner = state == "forwarding" ? there : here
            #expect(Pause.until(seconds: 20) { owner.state(domain) == "awake" })
            return state
        }
    }
}
