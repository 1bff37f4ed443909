import Foundation
import Migration
import Peers
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Peers who send something else than a site to the hoster who takes it.
    @Suite(.serialized, .enabled(if: MovingPair.isPossible)) struct LyingCopyTests {
        private let challenge = String(repeating: "7", count: 32)

        /// Whatever a hostile rsync sends stays in the folder that it is let into.
        @Test func aCopyDoesNotLeadOutOfItsFolder() async throws {
            let scene = try await LyingScene()
            let (origin, hoster) = (scene.origin, scene.hoster)
            try scene.makeImage()
            let outside = try TemporaryFolder()
            let folder = origin.folder.path("site")
            let hosterFiles = try Self.listing(hoster.folder + "/sites/own.example/tls")
            try await origin.advance()
            // A link that leads out first, then a file behind it, by a client that follows such links.
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/out", withDestinationPath: outside.path)
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/up", withDestinationPath: "../../../../own.example/tls")
            try await origin.copy(pass: 1)
            for link in ["out", "up"] {
                try FileManager.default.removeItem(atPath: "\(folder)/\(link)")
                try origin.folder.write("site/\(link)/planted", "by a rogue")
            }
            let target = "rsync://peer/site/"
            let attempts: [[String]] = [
                ["-aK", folder + "/", target],
                ["-aK", "--no-implied-dirs", "--relative", folder + "/./out/planted", target],
                ["-a", folder + "/out/planted", target + "../../../../planted"],
                ["-a", folder + "/out/planted", target + outside.path + "/planted"],
                [
                    "-a", "--backup", "--backup-dir=\(outside.path)", "--suffix=.planted", folder + "/",
                    target,
                ],
                ["-a", "--temp-dir=\(outside.path)", folder + "/", target],
                ["-a", "--partial-dir=\(outside.path)", folder + "/", target],
                ["-a", "-M--log-file=\(outside.path)/log", folder + "/", target],
                ["-a", folder + "/", "rsync://peer/etc/"],
                ["-a", "rsync://peer/site/", folder + ".back/"],
            ]
            var pass = 1
            for attempt in attempts {
                pass += 1
                #expect(try await origin.ask(.copy(pass: pass)) == .done, "\(attempt)")
                _ = await refusal { () throws(PeerError) in try await origin.copy(pass: pass, attempt) }
                #expect(try Self.listing(outside.path).isEmpty, "\(attempt)")
                #expect(
                    try Self.listing(hoster.folder + "/sites/own.example/tls") == hosterFiles, "\(attempt)")
                #expect(!FileManager.default.fileExists(atPath: folder + ".back/runme"), "\(attempt)")
            }
            #expect(try Self.listing(hoster.folder + "/sites/.incoming") == ["given.example"])
            try await scene.expectNothingLeft("copies")
            try scene.expectOwnSiteServed()
        }

        private static func listing(_ path: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        }

        /// A site may have no device: it is refused by rsync, or in the end.
        @Test func devicesAreRefused() async throws {
            let scene = try await LyingScene()
            let origin = scene.origin
            try scene.makeImage()
            let folder = origin.folder.path("site")
            #expect(try run("mknod", [folder + "/memory", "c", "1", "1"]).succeeded)
            for (index, options) in [["-a", "--devices"], ["-a", "--write-devices"], ["-aD", "--super"]]
                .enumerated()
            {
                try await origin.advance()
                let told = await refusal { () throws(PeerError) in
                    try await origin.copy(pass: 1, options + [folder + "/", "rsync://peer/site/"])
                }
                let staged = "\(scene.hoster.folder)/sites/.incoming/given.example"
                let found = try run("find", [staged, "-type", "c", "-o", "-type", "b"])
                #expect(found.output.isEmpty, "\(options): \(found.output)")
                #expect(!told.isEmpty, "\(options)")
                try await scene.expectNothingLeft("devices \(index)")
            }
            try scene.expectOwnSiteServed()
        }

        /// More than this hoster takes of one site is refused, though less was offered.
        @Test func aCopyOfMoreThanIsTakenIsRefused() async throws {
            let scene = try await LyingScene(terms: "  site_size: 1MiB")
            let origin = scene.origin
            try scene.makeImage()
            try origin.folder.write("site/data/large", bytes: Array(repeating: 7, count: 3 << 20))
            try await origin.advance()
            try await origin.copy(pass: 1)
            let told = try await origin.refusal(of: .compare(challenge: challenge))
            #expect(told.contains("hold more than 1048576 bytes"), "\(told)")
            try await scene.expectNothingLeft("large")
            try scene.expectOwnSiteServed()
        }

        /// An image's file may bring the image that was offered, and no names.
        @Test func anImageThatBringsNamesOrIsAnotherOneIsRefused() async throws {
            let scene = try await LyingScene()
            let (origin, hoster) = (scene.origin, scene.hoster)
            try scene.makeImage()
            let image = try #require(origin.offer.image)
            let own = try hoster.docker("image", "inspect", "--format", "{{.Id}}", "moving:1").output
            let files = try Self.imageFiles(image, hoster, in: origin.folder)
            #expect(try hoster.docker("rmi", "rogue:1").succeeded)
            let other = "rogue:1@sha256:" + String(repeating: "3", count: 64)
            let cases: [(sentence: String, offered: String, sent: String, file: String)] = [
                ("this image was not offered", image, other, "plain"),
                ("this image was not offered", image, "moving:1@" + image.split(separator: "@")[1], "plain"),
                ("has names, or is several", image, image, "named"),
                ("has names, or is several", image, image, "tagged"),
                ("has names, or is several", image, image, "several"),
                ("is not of the form that is taken", image, image, "folded"),
                ("is not of the form that is taken", image, image, "doubled"),
                ("has names, or is several", image, image, "indexed"),
                ("is not of the form that is taken", image, image, "twice"),
                ("is not of the form that is taken", image, image, "dotted"),
                ("is not of the form that is taken", image, image, "linked"),
                ("is not of the form that is taken", image, image, "renamed"),
                ("is not of the form that is taken", image, image, "garbage"),
                ("is another one than rogue:1", other, other, "plain"),
            ]
            for (sentence, offered, sent, file) in cases {
                origin.offer.image = offered
                #expect(try await origin.ask(.offer(origin.offer)) == .done)
                #expect(try await origin.ask(.certificate) == .missing)
                try await origin.sendCertificate()
                #expect(try await origin.ask(.certificate) == .done)
                #expect(try await origin.ask(.image) == .missing, "\(file)")
                let told = await refusal { () throws(PeerError) in
                    try await origin.sendImage(files + "/\(file).tar", as: sent)
                }
                #expect(!told.isEmpty && told.contains(sentence), "\(file): \(told)")
                let now = try hoster.docker("image", "inspect", "--format", "{{.Id}}", "moving:1").output
                #expect(now == own, "\(file)")
                try await scene.expectNothingLeft(file)
            }
            try scene.expectOwnSiteServed()
        }

        /// Files as an engine and as a liar write them; the folder that they are in.
        private static func imageFiles(
            _ image: String, _ hoster: MovingHoster, in folder: TemporaryFolder
        ) throws -> String {
            let path = folder.path("images")
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let identifier = String(image.split(separator: "@")[1])
            for (file, name) in [("plain", identifier), ("named", "rogue:1")] {
                let saved = try hoster.docker("save", "-o", "\(path)/\(file).tar", name)
                guard saved.succeeded else { throw ChildProcessError(description: saved.everything) }
            }
            let script = """
                import io, json, sys, tarfile
                plain = tarfile.open("plain.tar")
                members = [(m, plain.extractfile(m).read() if m.isfile() else b"") for m in plain]
                manifest = json.loads(dict((m.name, b) for m, b in members)["manifest.json"])
                stolen = json.dumps([manifest[0] | {"RepoTags": ["moving:1"]}]).encode()
                def write(name, more, change=lambda name, data: data):
                    with tarfile.open(name, "w") as file:
                        for member, data in members:
                            data = change(member.name, data)
                            member.size = len(data)
                            file.addfile(member, io.BytesIO(data))
                        for entry, data, target in more:
                            info = tarfile.TarInfo(entry)
                            info.size = len(data)
                            if target: info.type, info.linkname = tarfile.SYMTYPE, target
                            file.addfile(info, io.BytesIO(data))
                def rewrite(name, text):
                    write(name, [], lambda n, d: text.encode() if n == "manifest.json" else d)
                rewrite("several.tar", json.dumps(manifest + json.loads(stolen)))
                rewrite("tagged.tar", stolen.decode())
                # An engine takes the one for the other, and the last of two.
                rewrite("folded.tar", json.dumps([manifest[0] | {"repotags": ["moving:1"]}]))
                rewrite("doubled.tar", json.dumps(manifest)[:-2] + ', "RepoTags": ["moving:1"]}]')
                named = {"annotations": {"io.containerd.image.name": "docker.io/library/moving:1"}}
                write("indexed.tar", [("index.json", json.dumps({"manifests": [named]}).encode(), None)])
                write("twice.tar", [("manifest.json", stolen, None)])
                write("dotted.tar", [("./manifest.json", stolen, None)])
                # What lies behind a link to the folder itself is the same file under another name.
                write("linked.tar", [("d", b"", "."), ("d/manifest.json", stolen, None)])
                # tar gives the name to all that follows, an engine to none.
                header = tarfile.TarInfo.create_pax_global_header({"path": "x"})
                tail = io.BytesIO()
                with tarfile.open(fileobj=tail, mode="w") as file:
                    info = tarfile.TarInfo("manifest.json")
                    info.size = len(stolen)
                    file.addfile(info, io.BytesIO(stolen))
                body = open("plain.tar", "rb").read()
                end = max(m.offset_data + (m.size + 511) // 512 * 512 for m, _ in members)
                open("renamed.tar", "wb").write(body[:end] + header + tail.getvalue())
                open("garbage.tar", "wb").write(b"x" * 5000)
                """
            let made = try run("/usr/bin/python3", ["-c", script], folder: path)
            guard made.succeeded else { throw ChildProcessError(description: made.everything) }
            return path
        }

        /// With a grant the site is started only if it is what was offered and stays in its folder.
        @Test func aGrantedSiteThatIsAnotherOneIsNotStarted() async throws {
            let scene = try await LyingScene()
            let origin = scene.origin
            try scene.makeImage()
            let site = origin.site
            let command = "command: { exec: [/bin/sh, -c, 'touch /tmp/rogue'], ports: { tls: 443 } }"
            let cases: [(sentence: String, change: (TemporaryFolder) throws -> Void)] = [
                ("symbolic link", { try Self.link($0, "data", to: "/etc") }),
                ("symbolic link", { try Self.link($0, "data", to: "../own.example/data") }),
                ("symbolic link", { try Self.link($0, "tls", to: "../own.example/tls") }),
                ("symbolic link", { try Self.link($0, "runme", to: "../own.example/runme") }),
                (
                    "not the one that was offered",
                    {
                        try $0.write(
                            "site/runme", LyingOrigin.runme(of: site, more: "aliases: [own.example]"))
                    }
                ),
                (
                    "is not one of containers",
                    { try $0.write("site/runme", LyingOrigin.runme(of: site, start: command)) }
                ),
                (
                    "the runme wants another image than was offered",
                    {
                        let start = "docker: { image: 'moving:1', ports: { tls: 443 } }"
                        try $0.write("site/runme", LyingOrigin.runme(of: site, start: start))
                    }
                ),
                ("there is no", { try FileManager.default.removeItem(atPath: $0.path("site/runme")) }),
            ]
            for (index, (sentence, change)) in cases.enumerated() {
                let folder = origin.folder
                try? FileManager.default.removeItem(atPath: folder.path("site"))
                try folder.write("site/runme", LyingOrigin.runme(of: site))
                try folder.write("site/tls/site.pem", origin.certificate.pem)
                try folder.write("site/data/file", "data")
                try await origin.advance()
                try change(folder)
                try await origin.copy(pass: 1)
                guard case .manifest(let digest) = try await origin.ask(.compare(challenge: challenge)) else {
                    Issue.record("\(sentence): there is no digest")
                    continue
                }
                let told = try await origin.refusal(of: .grant(digest: digest))
                #expect(told.contains(sentence), "\(index), \(sentence): \(told)")
                try await scene.expectNothingLeft("\(index), \(sentence)")
            }
            #expect(!FileManager.default.fileExists(atPath: "/tmp/rogue"))
            try scene.expectOwnSiteServed()
        }

        private static func link(_ folder: TemporaryFolder, _ name: String, to target: String) throws {
            let path = folder.path("site/\(name)")
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
        }
    }
}
