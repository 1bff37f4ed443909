import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

/// Suites that share one engine run one after the other.
@Suite(.serialized, .enabled(if: DockerEngine.isThere)) enum SitesOfThisMachine {}

extension SitesOfThisMachine {
    /// What an operator does with a site.
    @Suite(.serialized) struct LifeTests {
        @Test func aSiteIsAddedStartedStoppedAndLeavesNothing() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "life.example"
            let path = try hoster.makeSite(domain)

            let added = try hoster.yard("site", "add", domain)
            #expect(added.succeeded && added.output == "life.example is stopped\n", "\(added.everything)")
            #expect(hoster.routes[domain] == "life.example reject")
            #expect(try hoster.visit(domain).errors.contains("unrecognized name"))
            #expect(try await hoster.traces(of: domain).isEmpty)

            let started = try hoster.yard("site", "start", domain)
            #expect(started.succeeded && started.output == "life.example is awake\n", "\(started.everything)")
            #expect(try hoster.visit(domain).output == "from the image\n")
            // The volume has begun with what the image has there, and is the site's own now.
            try hoster.folder.write("sites/\(domain)/data/www/index.html", "changed\n")
            #expect(try hoster.visit(domain).output == "changed\n")

            let before = try await hoster.traces(of: domain)
            #expect(before.sorted() == ["switchyard-life.example", "switchyard-life.example"])
            let restarted = try hoster.yard("site", "restart", domain)
            #expect(restarted.succeeded, "\(restarted.everything)")
            #expect(try hoster.visit(domain).output == "changed\n")

            let stopped = try hoster.yard("site", "stop", domain)
            #expect(stopped.output == "life.example is stopped\n", "\(stopped.everything)")
            #expect(try hoster.visit(domain).errors.contains("unrecognized name"))

            let removed = try hoster.yard("site", "remove", domain)
            #expect(removed.output == "life.example is removed; its folder stays\n", "\(removed.everything)")
            #expect(try await hoster.traces(of: domain).isEmpty)
            #expect(hoster.routes.isEmpty)
            #expect(FileManager.default.fileExists(atPath: path + "/data/www/index.html"))
            let journal = try hoster.yard("site", "journal", domain, "--json").output
            #expect(journal.split(separator: "\n").count == 5, "\(journal)")
        }

        /// `./runme` makes a site known and starts it; the second time it is known.
        @Test func aRunmeStartsItsSite() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let path = try hoster.makeSite("runme.example")
            #expect(try run("chmod", ["755", path + "/runme"]).succeeded)
            for _ in 0..<2 {
                let ran = try run(
                    "\(path)/runme", [], folder: path,
                    environment: [
                        "PATH": "\(Repository.path(".build/release")):/usr/bin:/bin",
                        "SWITCHYARD_YARDMASTER": hoster.interfacePath,
                    ])
                #expect(ran.succeeded && ran.output == "runme.example is awake\n", "\(ran.everything)")
            }
            #expect(try hoster.visit("runme.example").output == "from the image\n")
        }

        /// Sidecars are found by their names, and what serves sees its variables, its memory limit and no
        /// other site's network.
        @Test func aSiteHasSidecarsVariablesAndALimit() async throws {
            try await Sites.prepare()
            try await hosterWithShellImage()
            let hoster = try Hoster()
            let domain = "parts.example"
            try hoster.makeSite(
                domain,
                container: """
                        volumes: { data: /data }
                        env_file: env
                        memory: 64MiB
                        sidecars:
                          db: { image: "\(TestImage.name)" }
                    """)
            try hoster.folder.write("sites/\(domain)/env", "# words\nCOLOUR=light blue\n\n")
            let started = try hoster.yard("site", "add", domain, "--start")
            #expect(started.succeeded, "\(started.everything)")
            #expect(hoster.site(domain)["memory_bytes"].integer == 64 << 20)
            try await hoster.withEngine { engine in
                let (status, said) = try await engine.execute(
                    ["/bin/sh", "-c", "echo $COLOUR $SWITCHYARD_DOMAIN"], in: "switchyard-\(domain)",
                    seconds: 10)
                #expect(status == 0)
                #expect(
                    String(decoding: said.flatMap(\.bytes), as: UTF8.self) == "light blue parts.example\n")
                let sidecar = try #require(try await engine.container("switchyard-\(domain)-db"))
                #expect(sidecar.isRunning && Array(sidecar.addresses.keys) == ["switchyard-\(domain)"])
                // A sidecar that ends is started again; what serves goes on.
                try await engine.stopContainer("switchyard-\(domain)-db", afterSeconds: 0)
            }
            #expect(
                try await eventually {
                    try await hoster.withEngine { engine in
                        try await engine.container("switchyard-\(domain)-db")?.isRunning == true
                    }
                })
            let logs = try hoster.yard("site", "logs", domain, "--part", "nothing")
            #expect(
                logs.errors.contains("parts.example has no part nothing; it has db, site"),
                "\(logs.everything)")
        }

        private func hosterWithShellImage() async throws {
            let engine = try await Engine(socket: try DockerEngine.socket.get())
            try await TestImage.make(engine)
            await engine.shutDown()
        }

        /// An image that is carried in the site's folder is loaded, with progress; one with a Dockerfile is
        /// built.
        @Test func anImageCanBeCarried() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let path = try hoster.makeSite("carried.example", image: "archive: image.tar")
            let file = path + "/image.tar"
            try await hoster.withEngine { try await $0.saveImage(SiteImage.name, to: file) }
            let added = try hoster.yard("site", "add", "carried.example", "--start", "--json")
            #expect(
                added.succeeded && added.output.contains("\"progress\":\"the image is loaded\""),
                "\(added.everything)")
            #expect(try hoster.visit("carried.example").output == "from the image\n")

            let other = try hoster.makeSite("built.example", image: "archive: context.tar")
            try hoster.folder.write("context/Dockerfile", "FROM \(SiteImage.name)\nENV COLOUR=green\n")
            let context = hoster.folder.path("context")
            #expect(try run("tar", ["-cf", other + "/context.tar", "-C", context, "."]).succeeded)
            let built = try hoster.yard("site", "add", "built.example", "--start")
            #expect(built.succeeded, "\(built.everything)")
            try await hoster.withEngine { engine in
                let (_, said) = try await engine.execute(
                    ["/bin/sh", "-c", "echo $COLOUR"], in: "switchyard-built.example", seconds: 10)
                #expect(String(decoding: said.flatMap(\.bytes), as: UTF8.self) == "green\n")
            }
        }
    }
}

/// Asks again and again, for some seconds.
func eventually(seconds: Double = 15, _ body: () async throws -> Bool) async rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await body() { return true }
        try? await Task.sleep(for: .milliseconds(50))
    }
    return false
}
