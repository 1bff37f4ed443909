import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Sites that are programs or machines, and containers that others have started.
    @Suite(.serialized) struct KindTests {
        /// Writes a site that is a program: openssl's server with a page.
        private func makeCommandSite(_ hoster: Hoster, _ domain: String, port: UInt16) throws {
            try hoster.makeCertificate(domain)
            try hoster.folder.write("sites/\(domain)/page", "from the program\n")
            try hoster.folder.write(
                "sites/\(domain)/runme",
                """
                #!/usr/bin/env -S yard run
                runme: 1
                domain: \(domain)
                start:
                  command:
                    exec: [openssl, s_server, -accept, "127.0.0.1:\(port)", -cert, tls/site.pem,
                      -key, tls/site.pem, -WWW, -quiet]
                    ports: { tls: \(port) }
                snapshot: { exec: [/bin/sh, -c, "echo done >> snapshots"] }
                """)
        }

        private func page(_ hoster: Hoster, _ domain: String) throws -> String {
            try run(
                "curl",
                [
                    "--silent", "--show-error", "--insecure", "--max-time", "20", "--resolve",
                    "\(domain):\(hoster.port):127.0.0.1", "https://\(domain):\(hoster.port)/page",
                ]
            ).output
        }

        /// The process that leads the site's session.
        private func process(of domain: String) throws -> Int32? {
            let found = try run("pgrep", ["-f", "s_server.*sites/none|s_server.*"]).output
            return found.split(separator: "\n").compactMap { Int32($0) }.first { identifier in
                let environment =
                    FileManager.default.contents(atPath: "/proc/\(identifier)/environ") ?? Data()
                return environment.split(separator: 0).contains {
                    $0.elementsEqual("SWITCHYARD_SITE=\(domain)".utf8)
                }
            }
        }

        /// A program is started again when it ends, outlives yardmaster, is found again by the next one, and
        /// ends with its site.
        @Test func aProgramIsSupervised() throws {
            let hoster = try Hoster(compare: "3s", engineSocket: "/nonexistent/docker.sock")
            let domain = "program.example"
            try makeCommandSite(hoster, domain, port: try FreePort.any())
            let added = try hoster.yard("site", "add", domain, "--start")
            #expect(added.succeeded, "\(added.everything)")
            #expect(try page(hoster, domain) == "from the program\n")
            let first = try #require(try process(of: domain))

            kill(first, SIGKILL)
            // Who comes in the moment before its end is noticed finds nobody.
            #expect(
                Pause.until(seconds: 10, everyMilliseconds: 200) {
                    (try? page(hoster, domain)) == "from the program\n"
                })
            let second = try #require(try process(of: domain))
            #expect(second != first)

            try hoster.endYardmaster()
            #expect(try page(hoster, domain) == "from the program\n")
            try hoster.startYardmaster()
            #expect(hoster.waits(for: "awake", of: domain))
            #expect(try process(of: domain) == second)
            // One that it has not started itself is missed, too, when it ends; the comparison sees it.
            kill(second, SIGKILL)
            #expect(
                Pause.until(seconds: 40, everyMilliseconds: 200) {
                    (try? page(hoster, domain)) == "from the program\n"
                })

            let slept = try hoster.yard("site", "sleep", domain)
            #expect(slept.succeeded, "\(slept.everything)")
            #expect(try process(of: domain) == nil)
            #expect(FileManager.default.fileExists(atPath: hoster.folder.path("sites/\(domain)/snapshots")))
            #expect(try page(hoster, domain) == "from the program\n")
            #expect(try hoster.yard("site", "remove", domain).succeeded)
            #expect(try process(of: domain) == nil && hoster.routes[domain] == nil)
        }

        /// A port is one site's, and not one that another program listens on.
        @Test func aPortThatIsTakenIsTold() throws {
            let hoster = try Hoster(engineSocket: "/nonexistent/docker.sock")
            let port = try FreePort.any()
            try makeCommandSite(hoster, "a.port.example", port: port)
            try makeCommandSite(hoster, "b.port.example", port: port)
            #expect(try hoster.yard("site", "add", "a.port.example").succeeded)
            let clash = try hoster.yard("site", "add", "b.port.example")
            #expect(
                clash.errors == "yard: the port \(port) is one of the site a.port.example\n",
                "\(clash.everything)")
            let listener = try StreamListener(.ipv4(port: port))
            let started = try hoster.yard("site", "start", "a.port.example")
            #expect(
                started.errors == "yard: another program answers on 127.0.0.1:\(port)\n",
                "\(started.everything)")
            #expect(hoster.state("a.port.example") == "stopped")
            withExtendedLifetime(listener) {}
        }

        /// Containers with labels get routes, and lose them when they end; a site's name stays the site's.
        @Test func aContainerWithLabelsGetsARoute() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try hoster.makeSite("own.example")
            #expect(try hoster.yard("site", "add", "own.example").succeeded)
            try await hoster.withEngine { engine in
                let network = try #require(SiteNetwork.Pool("10.127.241.0/24"))[1]
                try await engine.createNetwork("switchyard-test-labels", labels: [:], addresses: network)
                var container = ContainerSpecification(image: SiteImage.name)
                container.network = "switchyard-test-labels"
                container.labels = [
                    "switchyard.names": "Labelled.example, *.labelled.example,own.example",
                    "switchyard.port": "443",
                ]
                container.environment = ["SWITCHYARD_CERTIFICATE=/tls/site.pem"]
                container.mounts = [
                    ContainerSpecification.Mount(
                        source: hoster.folder.path("sites/own.example/tls"), target: "/tls")
                ]
                _ = try await engine.createContainer("switchyard-test-labelled", container)
                try await engine.startContainer("switchyard-test-labelled")
            }
            let key = "container:switchyard-test-labelled"
            let isThere = await eventually { hoster.routes[key] != nil }
            #expect(isThere)
            #expect(hoster.routes[key]?.hasPrefix("labelled.example,*.labelled.example 10.127.241.") == true)
            let isServed = try await eventually {
                try hoster.visit("x.labelled.example").output == "from the image\n"
            }
            #expect(isServed)
            try await hoster.withEngine { engine in
                try await engine.removeContainer("switchyard-test-labelled")
                try await engine.removeNetwork("switchyard-test-labels")
            }
            let isGone = await eventually { hoster.routes[key] == nil }
            #expect(isGone)
        }
    }

    /// Many sites on one machine.
    @Suite(.serialized) struct ManyTests {
        /// Five hundred sites, a few of them awake: what yardmaster needs for them, and how long it takes to
        /// look at all and to publish one change.
        @Test func fiveHundredSitesCostLittle() async throws {
            try await Sites.prepare()
            let hoster = try Hoster(compare: "1s")
            let certificate = try TemporaryFolder()
            _ = certificate
            let client = hoster.client
            try hoster.makeSite("s0.many.example")
            for index in 1..<500 {
                let domain = "s\(index).many.example"
                try hoster.folder.write("sites/\(domain)/runme", runme(domain))
            }
            let begin = ContinuousClock.now
            for index in 0..<500 {
                _ = try client.ask(
                    .post, "/v1/sites",
                    .object(["folder": .string("s\(index).many.example"), "wish": .string("asleep")]))
            }
            let added = (ContinuousClock.now - begin) / .milliseconds(500)
            for index in 0..<3 {
                let domain = "s\(index).many.example"
                if index > 0 {
                    try hoster.makeCertificate(domain)
                }
                let woken = try hoster.yard("site", "wake", domain)
                #expect(woken.succeeded, "\(woken.everything)")
            }
            Pause.milliseconds(2500)
            let status = try client.ask(.get, "/v1/status")
            #expect(status["sites"].integer == 500 && status["states"]["asleep"].integer == 497)
            let comparison = try #require(status["comparison_seconds"].double)
            #expect(comparison < 2)

            // From the request to the line in the file: a site that does not run, so nothing else is done.
            var changes: [Double] = []
            for _ in 0..<10 {
                for wish in ["stop", "sleep"] {
                    let start = ContinuousClock.now
                    _ = try client.ask(.post, "/v1/sites/s499.many.example/\(wish)")
                    changes.append((ContinuousClock.now - start) / .milliseconds(1))
                }
            }
            let change = changes.sorted()[changes.count / 2]
            #expect(change < 100)
            let resident = try memory(of: hoster.yardmaster.identifier)
            #expect(resident <= 100)
            Measured.tell(
                "500 sites: \(resident) MiB, compared in \(comparison) s, a change in \(change) ms, "
                    + "added in \(added) ms"
            )
            #expect(try hoster.visit("s2.many.example").output == "from the image\n")
            for index in 0..<3 { _ = try hoster.yard("site", "remove", "s\(index).many.example") }
        }

        private func runme(_ domain: String) -> String {
            """
            #!/usr/bin/env -S yard run
            runme: 1
            domain: \(domain)
            start:
              docker:
                image: \(SiteImage.name)
                ports: { tls: 443, http: 80 }
                volumes: { data: /data }
            sleep: { after: 1h }
            tls: { certificate: tls/site.pem }
            """
        }

        /// MiB of a process that are in memory.
        private func memory(of identifier: Int32) throws -> Double {
            let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
            let kilobytes = try #require(line.split(separator: " ").dropFirst().first.flatMap { Double($0) })
            return (kilobytes / 1024).rounded()
        }
    }
}
