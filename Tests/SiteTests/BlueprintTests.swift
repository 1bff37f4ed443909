import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Runmes that are made of what images declare.
    @Suite(.serialized) struct BlueprintTests {
        /// Makes an image of the site's by a Dockerfile.
        private func build(_ hoster: Hoster, _ name: String, _ lines: String) async throws {
            try hoster.folder.write("\(name)/Dockerfile", "FROM \(SiteImage.name)\n\(lines)\n")
            let context = hoster.folder.path("\(name).tar")
            #expect(try run("tar", ["-cf", context, "-C", hoster.folder.path(name), "."]).succeeded)
            try await hoster.withEngine { try await $0.buildImage("switchyard-test:\(name)", from: context) }
        }

        @Test func anImageThatDeclaresMuchGivesARunmeThatStarts() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try await build(
                hoster, "declared",
                """
                VOLUME /var/lib/app
                HEALTHCHECK --interval=5s --retries=4 --start-period=70s CMD ["/bin/busybox", "true"]
                USER 65534
                """)
            let domain = "blue.example"
            let printed = try hoster.yard("blueprint", "switchyard-test:declared", "--domain", domain)
            #expect(printed.succeeded && printed.errors.isEmpty, "\(printed.everything)")
            let lines = printed.output.split(separator: "\n").map(String.init)
            for line in [
                "#!/usr/bin/env -S yard run", "domain: blue.example", "    image: switchyard-test:declared",
                "    ports: { tls: 443, http: 80 }", "      app: /var/lib/app", "      data: /data",
                "ready: { check: hello, within: 90s }", "tls: { certificate: tls/blue.example.pem }",
            ] {
                #expect(lines.contains(line), "\(line) in \(printed.output)")
            }
            #expect(printed.output.contains("It runs as the user \"65534\""))

            try hoster.makeCertificate(domain)
            let folder = hoster.folder.path("sites/\(domain)")
            try FileManager.default.moveItem(
                atPath: folder + "/tls/site.pem", toPath: folder + "/tls/\(domain).pem")
            #expect(try run("chmod", ["644", folder + "/tls/\(domain).pem"]).succeeded)
            try hoster.folder.write("sites/\(domain)/runme", printed.output)
            let added = try hoster.yard("site", "add", domain, "--start")
            #expect(added.succeeded, "\(added.everything)")
            #expect(try hoster.visit(domain).output == "from the image\n")
            #expect(try hoster.yard("site", "remove", domain).succeeded)
        }

        @Test func anAuditNamesWhatIsWrittenOutsideOfTheVolumes() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try await build(hoster, "writes", "ENV WRITE=/var/lib/app/state\nENV CRASH=")
            let audited = try hoster.yard("blueprint", "switchyard-test:writes", "--audit", "--seconds", "3")
            #expect(audited.succeeded && audited.output.hasPrefix("#!/usr/bin/env"), "\(audited.everything)")
            #expect(
                audited.errors.contains(
                    "written outside of its volumes: /var/lib/app/state (added; no volume)\n"),
                "\(audited.errors)")
            #expect(audited.errors.contains("/tmp/nginx.conf (added; a place for what nobody misses)"))
            #expect(!audited.errors.contains("/data"))

            let scripted = try hoster.yard(
                "blueprint", "switchyard-test:writes", "--audit", "--seconds", "2", "--json")
            let line = try #require(scripted.output.split(separator: "\n").last)
            let written = try JSONReader.read(Array(line.utf8))["written"].elements
            #expect(written.contains { $0["path"].text == "/var/lib/app/state" })

            try await build(hoster, "ends", "ENV CRASH=\"no database\"")
            let ended = try hoster.yard("blueprint", "switchyard-test:ends", "--audit")
            #expect(
                ended.errors.contains("it ended by itself with status 3: it crashes: no database"),
                "\(ended.everything)")
            let scratch = hoster.folder.path("state/scratch")
            let containers = try await hoster.withEngine { engine in
                try await engine.containers(labelled: "switchyard.audit", scratch)
            }
            #expect(containers.isEmpty)
            let left = try FileManager.default.contentsOfDirectory(atPath: scratch)
            #expect(left.isEmpty)
        }

        @Test func whatCannotBeASiteIsRefused() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            try await hoster.withEngine { try await TestImage.make($0) }
            let missing = try hoster.yard("blueprint", "none/such:1")
            #expect(
                missing.errors
                    == "yard: there is no image none/such:1 here: get it first (docker pull none/such:1)\n")
            let domain = try hoster.yard("blueprint", SiteImage.name, "--domain", "no host\nname")
            #expect(
                domain.ending == .status(1)
                    && domain.errors.contains("runme:4:9: error: the domain has a control character"),
                "\(domain.everything)")
            let port = try hoster.yard("blueprint", SiteImage.name, "--tls", "70000")
            #expect(port.ending == .status(2))
            let odd = try hoster.yard("blueprint", SiteImage.name, "--tls", "9443")
            #expect(odd.output.contains("ports: { tls: 9443, http: 80 }"))
        }
    }
}
