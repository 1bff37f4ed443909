import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// What cannot be done is told in one sentence, and everything is as it was.
    @Suite(.serialized) struct RefusalTests {
        /// All that yardmaster knows and has published.
        private func everything(_ hoster: Hoster) throws -> String {
            let sites = try hoster.client.ask(.get, "/v1/sites")["sites"].elements.map { site in
                [site["domain"], site["state"], site["wish"], site["revision"], site["aliases"]].map(\.line)
            }
            return "\(sites) \(hoster.routes)"
        }

        private func expectRefusal(
            _ hoster: Hoster, _ arguments: [String], _ words: String, status: Int32 = 1
        ) throws {
            let before = try everything(hoster)
            let ran = try run(
                Repository.path(".build/release/yard"), arguments,
                environment: ["SWITCHYARD_YARDMASTER": hoster.interfacePath])
            #expect(
                ran.ending == .status(status) && ran.errors.contains(words) && ran.output.isEmpty,
                "\(arguments): \(ran.everything)")
            #expect(try everything(hoster) == before, "\(arguments)")
        }

        @Test func mistakesOfAnOperatorChangeNothing() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let path = try hoster.makeSite("good.example", aliases: "aliases: [also.example]")
            #expect(try hoster.yard("site", "add", "good.example", "--start").succeeded)

            try expectRefusal(hoster, ["site", "add", "none.example"], "none.example/runme cannot be read")
            try expectRefusal(
                hoster, ["site", "add", "good.example"], "there is a site good.example already")
            try expectRefusal(hoster, ["site", "start", "none.example"], "there is no site none.example")
            try expectRefusal(hoster, ["site", "show", "../../etc"], "there is no site ../../etc")
            try expectRefusal(
                hoster, ["site", "logs", "good.example", "--lines", "0"], "1 to 10000", status: 2)

            // A mistake in a runme, with its place.
            try hoster.folder.write("sites/bad.example/runme", "runme: 1\ndomain: bad.example\nstart: {}\n")
            try expectRefusal(
                hoster, ["site", "add", "bad.example"],
                "runme:3:8: error: start has exactly one of `docker`, `vagrant` and `command`")
            // A name that is somebody's: another site's, or one of another file of routes.
            try hoster.makeSite("taken.example", aliases: "aliases: [also.example]")
            try expectRefusal(
                hoster, ["site", "add", "taken.example"],
                "the name also.example is one of the site good.example")
            try hoster.makeSite("routed.example", aliases: "aliases: [other.example]")
            try expectRefusal(
                hoster, ["site", "add", "routed.example"], "other.example has a route already: ")

            // A runme that has become wrong, or that of another site, is not taken; what runs goes on.
            let text = try String(contentsOfFile: path + "/runme", encoding: .utf8)
            for (wrong, words) in [
                (text.replacing("ports:", with: "port:"), "docker has no `port`"),
                (text.replacing("domain: good", with: "domain: bad"), "is that of bad.example now"),
                (text.replacing(SiteImage.name, with: "none/such:1"), "there is no image none/such:1 here"),
                (text.replacing("  docker:", with: "  docker:\n    env_file: none"), "there is no "),
            ] {
                try hoster.folder.write("sites/good.example/runme", wrong)
                try expectRefusal(hoster, ["site", "restart", "good.example"], words)
            }
            #expect(try hoster.visit("good.example").succeeded)
        }

        /// A site whose image is missing is known, and stays stopped.
        @Test func aMissingImageLeavesASiteStopped() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try hoster.makeSite("image.example", image: "image: none/such:1")
            let added = try hoster.yard("site", "add", "image.example", "--start")
            #expect(added.ending == .status(1) && added.errors.contains("there is no image none/such:1 here"))
            #expect(hoster.state("image.example") == "stopped")
            try expectRefusal(
                hoster, ["site", "start", "image.example"], "there is no image none/such:1 here")
            try expectRefusal(
                hoster, ["site", "wake", "image.example"], "there is no image none/such:1 here")
            #expect(try await hoster.traces(of: "image.example").isEmpty)
        }

        /// A command that the image does not have is the engine's refusal: the site is as it was.
        @Test func aContainerThatCannotBeStartedLeavesTheSiteStopped() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            // A file in the place of a folder cannot be mounted on one.
            try hoster.makeSite("mount.example", container: "    volumes: { data: /bin/busybox }\n")
            #expect(try hoster.yard("site", "add", "mount.example").succeeded)
            let started = try hoster.yard("site", "start", "mount.example")
            #expect(started.ending == .status(1), "\(started.everything)")
            #expect(hoster.waits(for: "stopped", of: "mount.example"))
            #expect(hoster.routes["mount.example"] == "mount.example reject")
        }

        @Test func anEngineThatIsAwayIsTold() async throws {
            let hoster = try Hoster(engineSocket: "/nonexistent/docker.sock")
            try hoster.makeSite("away.example")
            let words = "no container engine answers on /nonexistent/docker.sock: there is no such socket"
            try expectRefusal(hoster, ["site", "add", "away.example"], words)
            let status = try hoster.client.ask(.get, "/v1/status")
            #expect(status["engine"]["failure"].text == words)
        }

        /// On a full disk nothing is half done: neither the state nor the routes can be written.
        @Test func aFullDiskIsTold() async throws {
            let hoster = try Hoster()
            try hoster.makeSite("full.example")
            try hoster.makeSite("before.example")
            #expect(try hoster.yard("site", "add", "before.example").succeeded)
            // A file system of 64 KiB over the folder of routes, full.
            let routes = hoster.folder.path("routes.d")
            let mounted = try run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", routes])
            guard mounted.succeeded else { return Measured.tell("SKIPPED a full disk: no right to mount") }
            defer { _ = try? run("umount", ["-l", routes]) }
            _ = try run("dd", ["if=/dev/zero", "of=\(routes)/filler", "bs=1k", "count=100"])
            let added = try hoster.yard("site", "add", "full.example")
            #expect(
                added.ending == .status(1)
                    && added.errors.contains("cannot be written: No space left on device"),
                "\(added.everything)")
            #expect(hoster.state("full.example") == "none" && hoster.state("before.example") == "stopped")
            #expect(try run("rm", ["\(routes)/filler"]).succeeded)
            let again = try hoster.yard("site", "add", "full.example")
            #expect(again.succeeded, "\(again.everything)")
        }
    }
}
