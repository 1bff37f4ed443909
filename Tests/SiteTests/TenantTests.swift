import EngineSupport
import Foundation
import Orchestrator
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Whoever has a site's folder has no more of the machine than that.
    @Suite(.serialized) struct TenantTests {
        private static let away = "/nonexistent/docker.sock"

        /// Writes a site that is a program, which tells who it is and what it finds in its environment.
        private func makeCommandSite(_ hoster: Hoster, _ domain: String, rest: String = "") throws -> String {
            let port = try FreePort.any()
            try hoster.makeCertificate(domain)
            try hoster.folder.write(
                "sites/\(domain)/serve",
                """
                id -u > who
                env > variables
                set -- -cert tls/site.pem -key tls/site.pem -WWW -quiet
                exec openssl s_server -accept 127.0.0.1:\(port) "$@"

                """)
            try hoster.folder.write(
                "sites/\(domain)/runme",
                """
                #!/usr/bin/env -S yard run
                runme: 1
                domain: \(domain)
                start:
                  command:
                    exec: [/bin/sh, serve]
                    ports: { tls: \(port) }
                \(rest)
                """)
            return hoster.folder.path("sites/\(domain)")
        }

        private func shell(_ script: String, in folder: String) throws {
            let ran = try run("/bin/sh", ["-ec", "cd '\(folder)'; \(script)"])
            #expect(ran.succeeded, "\(script): \(ran.everything)")
        }

        private func expectRefusal(
            _ hoster: Hoster, _ verb: String, _ name: String, _ words: String
        ) throws {
            let ran = try hoster.yard("site", verb, name)
            #expect(ran.ending == .status(1) && ran.errors.contains(words), "\(verb): \(ran.everything)")
        }

        /// Only root can give a folder away.
        private var mayGiveAway: Bool {
            if geteuid() != 0 { Measured.tell("SKIPPED folders of other users: no right to make some") }
            return geteuid() == 0
        }

        // MARK: Files

        /// What lies in the place of a runme stops nobody else, and tells nothing of other files.
        @Test func aRunmeIsAFile() throws {
            let hoster = try Hoster(engineSocket: Self.away)
            let domain = "fifo.example"
            let folder = try makeCommandSite(hoster, domain)
            #expect(try hoster.yard("site", "add", domain).succeeded)
            #expect(hoster.site(domain)["runme_changed"].line == "false")

            try shell("mv runme runme.good; mkfifo runme", in: folder)
            let list = try hoster.yard("site", "list", seconds: 10)
            #expect(list.succeeded && list.output.contains(domain), "\(list.everything)")
            #expect(hoster.site(domain)["runme_changed"].line == "true")
            try expectRefusal(hoster, "start", domain, "runme cannot be read: it is not a file")

            let secret = try hoster.folder.write("secret", "hidden: words\n")
            try shell("rm runme; ln -s '\(secret)' runme", in: folder)
            let started = try hoster.yard("site", "start", domain)
            #expect(started.ending == .status(1) && started.errors.contains("is a symbolic link"))
            #expect(!started.everything.contains("hidden"), "\(started.everything)")

            try shell("mv runme.good runme", in: folder)
            #expect(hoster.site(domain)["runme_changed"].line == "false")
            #expect(try hoster.yard("site", "remove", domain).succeeded)
        }

        /// A certificate that is named is there and is one, before anything is started.
        @Test func aCertificateIsSeenToBeforeAStart() throws {
            let hoster = try Hoster(engineSocket: Self.away)
            let domain = "certificate.example"
            let folder = try makeCommandSite(hoster, domain, rest: "tls: { certificate: tls/site.pem }")
            #expect(try hoster.yard("site", "add", domain).succeeded)
            for (script, words) in [
                ("mv tls/site.pem good", "tls/site.pem cannot be read: there is no such file"),
                ("echo nothing > tls/site.pem", "tls/site.pem has no certificate"),
                ("rm tls/site.pem; mkfifo tls/site.pem", "tls/site.pem cannot be read: it is not a file"),
                ("rm tls/site.pem; ln -s ../good tls/site.pem", "tls/site.pem is a symbolic link"),
            ] {
                try shell(script, in: folder)
                try expectRefusal(hoster, "start", domain, words)
            }
            try shell("rm tls/site.pem; mv good tls/site.pem", in: folder)
            let started = try hoster.yard("site", "start", domain)
            #expect(started.succeeded, "\(started.everything)")
            #expect(try hoster.yard("site", "remove", domain).succeeded)
        }

        // MARK: Containers

        /// A link in the place of a volume is found at each start, also one that stays inside.
        @Test func aVolumeIsNoLink() async throws {
            try await Sites.prepare()
            let hoster = try Hoster()
            let domain = "volume.example"
            let folder = try hoster.makeSite(domain)
            try shell("mkdir other; ln -s other data", in: folder)
            #expect(try hoster.yard("site", "add", domain).succeeded)
            try expectRefusal(hoster, "start", domain, "\(folder)/data is a symbolic link")

            try shell("rm data", in: folder)
            let started = try hoster.yard("site", "start", domain)
            #expect(started.succeeded, "\(started.everything)")
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/.switchyard-seed"))

            #expect(try hoster.yard("site", "stop", domain).succeeded)
            try shell("mv data data.x; ln -s / data", in: folder)
            try expectRefusal(hoster, "start", domain, "\(folder)/data is a symbolic link")
            #expect(hoster.waits(for: "stopped", of: domain))
            try shell("rm data; mv data.x data; mv tls tls.x; ln -s tls.x tls", in: folder)
            try expectRefusal(hoster, "start", domain, "is a symbolic link")
            try shell("rm tls; mv tls.x tls", in: folder)
            #expect(try hoster.yard("site", "start", domain).succeeded)
            #expect(try hoster.visit(domain).succeeded)
        }

        // MARK: Programs

        /// A folder behind a link is that folder: its program runs as its owner, with nothing that
        /// yardmaster has in its environment.
        @Test func aProgramRunsAsTheOwnerOfItsFolder() throws {
            guard mayGiveAway else { return }
            let hoster = try Hoster(engineSocket: Self.away, environment: ["PRIVATE_WORD": "secret"])
            let domain = "link.example"
            _ = try makeCommandSite(hoster, domain)
            try shell(
                """
                mkdir homes; mv sites/\(domain) homes/site; ln -s ../homes/site sites/\(domain)
                chown -R nobody: homes/site
                """, in: hoster.folder.path)
            let folder = hoster.folder.path("homes/site")
            let added = try hoster.yard("site", "add", domain, "--start")
            #expect(added.succeeded, "\(added.everything)")
            #expect(hoster.site(domain)["folder"].text == folder)
            #expect(hoster.folder.read("homes/site/who") == (try run("id", ["-u", "nobody"]).output))
            let variables = hoster.folder.read("homes/site/variables").split(separator: "\n")
            #expect(variables.contains("HOME=\(folder)") && variables.contains("SWITCHYARD_SITE=\(domain)"))
            #expect(!variables.contains { $0.hasPrefix("PRIVATE_WORD=") }, "\(variables)")

            // Who may write decides what is run: that is the owner alone.
            try shell("chmod g+w .", in: folder)
            try expectRefusal(
                hoster, "restart", domain,
                "\(folder) can be written by others than its owner: chmod go-w \(folder)")
            // What root's name is on may have been moved there by whoever has the folder around it.
            try shell("chmod g-w .; chown root .; chown nobody ..", in: folder)
            try expectRefusal(
                hoster, "restart", domain, "\(folder) is root's and lies in a folder of somebody else")
            // And a link that comes later is not followed.
            try shell("chown root .; mv site old; ln -s old site", in: hoster.folder.path("homes"))
            try expectRefusal(hoster, "restart", domain, "is a symbolic link")
            #expect(hoster.state(domain) == "awake")
            #expect(try hoster.yard("site", "remove", domain).succeeded)
        }

        /// A process that says it is of a site is believed only with the secret of the site's start.
        @Test func anotherProcessDoesNotPassForASites() throws {
            let hoster = try Hoster(engineSocket: Self.away)
            let domain = "impostor.example"
            let folder = try makeCommandSite(hoster, domain)
            let claims = ["SWITCHYARD_SITE": domain, "SWITCHYARD_REVISION": "1", "SWITCHYARD_TOKEN": "0-0"]
            let impostor = try ChildProcess("sleep", ["1000"], environment: claims)
            let added = try hoster.yard("site", "add", domain, "--start")
            #expect(added.succeeded, "\(added.everything)")

            let token = hoster.folder.path("state/logs/\(domain).token")
            let attributes = try FileManager.default.attributesOfItem(atPath: token)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            // The next yardmaster finds the program by the secret.
            try hoster.endYardmaster()
            try hoster.startYardmaster()
            #expect(hoster.waits(for: "awake", of: domain))

            if mayGiveAway {
                // Somebody who has learnt the secret and is another user.
                let line = try #require(
                    hoster.folder.read("sites/\(domain)/variables").split(separator: "\n")
                        .first { $0.hasPrefix("SWITCHYARD_TOKEN=") })
                var known = claims
                known["SWITCHYARD_TOKEN"] = String(line.dropFirst("SWITCHYARD_TOKEN=".count))
                let other = try ChildProcess(
                    "setpriv", ["--reuid=nobody", "--clear-groups", "sleep", "1000"], environment: known)
                // Until it has become that user, it is root's.
                Pause.milliseconds(300)
                #expect(try hoster.yard("site", "stop", domain).succeeded)
                #expect(other.isRunning)
            } else {
                #expect(try hoster.yard("site", "stop", domain).succeeded)
            }
            #expect(hoster.state(domain) == "stopped" && impostor.isRunning)
            #expect(try hoster.yard("site", "remove", domain).succeeded)
            #expect(!FileManager.default.fileExists(atPath: token) && impostor.isRunning)
            #expect(FileManager.default.fileExists(atPath: folder))
        }
    }
}
