import EngineSupport
import Foundation
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Sites that go from one hoster to another as archives.
    @Suite(.serialized) struct ExchangeTests {
        // MARK: Our own format

        /// An archive that is packed and one that is a folder give the same digest at both hosters, and the
        /// site is served at the other one; while it writes, it is not exported.
        @Test(.enabled(if: MovingPair.isPossible)) func aSiteThatGoesByArchiveIsTheSame() throws {
            let pair = try MovingPair()
            let (domain, archives) = ("archived.example", try TemporaryFolder())
            try decorate(try pair.makeSite(domain, files: 300, bytesEach: 20_000))
            #expect(try pair.a.visit(domain, "write/1234").output.hasPrefix("10.199."))
            // It writes fifty times a second.
            for name in ["busy", "busy.tar.zst"] {
                let busy = try pair.a.yard("site", "export", domain, archives.path(name))
                let words = ["data/database changed while it was read", "it changed while it was exported"]
                #expect(isRefusal(busy, of: words), "\(busy.everything)")
            }
            #expect(try names(in: archives.path).isEmpty)

            #expect(try pair.a.yard("site", "stop", domain).succeeded)
            let packed = try pair.a.yard("site", "export", domain, archives.path("site.tar.zst"))
            let digest = try #require(self.digest(of: packed), "\(packed.everything)")
            let folder = try pair.a.yard("site", "export", domain, archives.path("site"), "--json")
            #expect(self.digest(of: folder) == digest, "\(folder.everything) \(packed.everything)")
            #expect(archives.read("site/manifest").hasSuffix(" \(digest)\n"))

            let there = "\(pair.b.folder)/sites"
            let first = try pair.b.yard("site", "import", archives.path("site.tar.zst"), "--json")
            #expect(self.digest(of: first) == digest, "\(first.everything)")
            try FileManager.default.removeItem(atPath: "\(there)/\(domain)")
            let second = try pair.b.yard("site", "import", archives.path("site"))
            #expect(self.digest(of: second) == digest, "\(second.everything)")
            #expect(second.output.hasPrefix("\(there)/\(domain) is there; next: yard site add \(domain)\n"))
            #expect(try names(in: there) == [domain])

            try pair.b.importImage(
                "moving:1", of: MovingPair.root.get(), command: ["/usr/bin/python3", "/site.py"])
            #expect(try pair.b.yard("site", "add", domain).succeeded)
            let again = try pair.b.yard("site", "export", domain, archives.path("again.tar.zst"))
            #expect(self.digest(of: again) == digest, "\(again.everything)")
            let started = try pair.b.yard("site", "start", domain)
            #expect(started.succeeded, "\(started.everything) \(pair.b.log.suffix(1500))")
            #expect(try pair.b.visit(domain).output == "5")
            #expect(try pair.a.visit(domain).errors.contains("unrecognized name"))
        }

        /// What a copy easily loses.
        private func decorate(_ site: String) throws {
            try shell(
                """
                cd data; mkdir -m 2775 shared; mkdir empty; mkfifo -m 600 queue
                echo one > one; chown 1000:1001 one; chmod 640 one; ln one other; ln -s one link
                setfattr -n user.note -v here one; setfacl -m u:33:r one
                truncate -s 64M sparse; printf end >> sparse; echo > 'a name, grüße'
                """, in: site)
        }

        /// Whatever is not as the manifest says is refused in one sentence, and nothing of it is left.
        @Test func aTamperedArchiveIsRefusedAndLeavesNothing() async throws {
            try await Sites.prepare()
            let (hoster, other) = (try Hoster(), try Hoster(engineSocket: "/nonexistent/docker.sock"))
            let domain = "tampered.example"
            let site = try hoster.makeSite(domain)
            try shell("mkdir data; echo page > data/page; head -c 300K /dev/urandom > data/other", in: site)
            #expect(try hoster.yard("site", "add", domain).succeeded)
            let archives = try TemporaryFolder()
            for name in ["good", "good.tar.zst"] {
                let exported = try hoster.yard("site", "export", domain, archives.path(name))
                #expect(exported.succeeded, "\(exported.everything)")
            }
            for (script, words) in Self.tampering {
                try shell("rm -rf bad*; \(Self.packing); \(script)", in: archives.path)
                let bad = try #require(try names(in: archives.path).first { $0.hasPrefix("bad") })
                let told = try other.yard("site", "import", archives.path(bad))
                #expect(isRefusal(told, of: [words]), "\(script): \(told.everything)")
                #expect(try names(in: other.folder.path("sites")).isEmpty, "\(script)")
            }
            #expect(!FileManager.default.fileExists(atPath: other.folder.path("escaped")))
            // The same way of packing, and nothing else changed.
            try shell("rm -rf bad*; \(Self.packing); pack good", in: archives.path)
            let taken = try other.yard("site", "import", archives.path("bad.tar.zst"))
            #expect(taken.succeeded, "\(taken.everything)")
        }

        /// `pack FOLDER [NAME OPTION...]` makes bad.tar.zst as an export does, with one more member.
        private static let packing = """
            pack() {
                (printf 'manifest\\0'; tar --zstd -tf good.tar.zst site | tr '\\n' '\\0'
                    [ $# = 1 ] || printf '%s\\0' "$2") > list
                folder=$1; shift; [ $# = 0 ] || shift
                tar -c --format=pax --numeric-owner --no-recursion --null --verbatim-files-from -C $folder \\
                    --files-from="$PWD/list" "$@" | zstd --quiet -o bad.tar.zst
            }
            flip() { printf X | dd of=$1/$2 bs=1 conv=notrunc status=none; touch -r good/$2 $1/$2; }
            """

        /// Scripts that make an archive called `bad`, or `bad.tar.zst`, of a good one; and what is said.
        private static let tampering = [
            (
                "cp -a good bad; flip bad site/data/page",
                "the archive is not what its manifest says: data/page differs in content"
            ),
            (
                "cp -a good bad; echo > bad/site/data/more",
                "the archive is not what its manifest says: data/more is there and should not be"
            ),
            (
                "cp -a good bad; rm bad/site/data/page",
                "the archive is not what its manifest says: data/page is missing"
            ),
            (
                "cp -a good bad; mknod bad/site/data/null c 1 3",
                "data/null is a device, which no site may have"
            ),
            (
                "cp -a good new; flip new site/data/page; pack new; rm -r new",
                "the archive is not what its manifest says: data/page differs in content"
            ),
            (
                "cp -a good new; echo > new/site/data/more; pack new site/data/more; rm -r new",
                "the archive has site/data/more, which its manifest does not list there"
            ),
            (
                "cp -a good new; echo > new/x; pack new x --transform='s,^x$,../escaped,'; rm -r new",
                "the archive has ../escaped, which its manifest does not list there"
            ),
            (
                "cp -a good new; echo > new/x; pack new x --transform='s,^x$,site/../../escaped,'; rm -r new",
                "the archive has site/../../escaped, which its manifest does not list there"
            ),
            (
                "cp -a good new; mknod new/site/null c 1 3; pack new site/null; rm -r new",
                "the archive has site/null, which its manifest does not list there"
            ),
            ("head -c 200K good.tar.zst > bad.tar.zst", "the archive is damaged"),
        ]

        // MARK: Format 0.3

        /// An archive that is nothing but files is served by a web server, and goes out as it came.
        @Test func aStaticArchiveOfTheIndieHostersIsServed() async throws {
            try await Sites.prepare()
            let (hoster, archives) = (try Hoster(), try TemporaryFolder())
            let domain = "static.example"
            defer { _ = try? hoster.yard("site", "remove", domain) }
            try archives.write(
                "old/indiehosters.json",
                #"{"format": "https://indiehosters.net/spec/0.3", "application": "static"}"#)
            try archives.write("old/static/www-content/index.html", "of 2014\n")
            try archives.write("old/static/www-content/css/main.css", "a {}\n")
            try archives.write("old/TLS/\(domain).pem", try KnownSite.certificate(for: domain))
            try shell("tar -czf old.tar.gz -C old .", in: archives.path)
            let imported = try hoster.yard(
                "site", "import", archives.path("old.tar.gz"), "--domain", domain, "--image", SiteImage.name,
                "--content", "/data/www")
            let digest = try #require(self.digest(of: imported), "\(imported.everything)")
            // It says what the next export of the folder says.
            #expect(try hoster.yard("site", "add", domain).succeeded)
            let own = try hoster.yard("site", "export", domain, archives.path("own.tar.zst"))
            #expect(self.digest(of: own) == digest, "\(own.everything)")
            let started = try hoster.yard("site", "start", domain)
            #expect(started.succeeded, "\(started.everything)")
            #expect(try hoster.visit(domain).output == "of 2014\n")

            #expect(try hoster.yard("site", "stop", domain).succeeded)
            let out = try hoster.yard(
                "site", "export", domain, archives.path("new"), "--format", "0.3", "--json")
            #expect(self.digest(of: out) == digest, "\(out.everything)")
            try expectTheSame(archives.path("old"), archives.path("new"))
        }

        /// The database of an application loads the dump of an archive, and what visitors see comes out of
        /// it; with a dump of now the site goes out again and to another hoster.
        @Test(.enabled(if: MovingPair.isPossible)) func anApplicationComesWithItsDatabase() throws {
            let (pair, archives) = (try MovingPair(), try TemporaryFolder())
            for hoster in [pair.a, pair.b] { try KnownSite.importImages(at: hoster) }
            let (domain, old) = (KnownSite.domain, try KnownSite.writeArchive(in: archives))
            try shell("tar -cf old.tar -C old .", in: archives.path)
            let here = try KnownSite.bring(archives.path("old.tar"), to: pair.a)
            #expect(digest(of: here.imported) != nil, "\(here.imported.everything)")
            #expect(here.started.succeeded, "\(here.started.everything) \(logs(pair.a))")
            #expect(try pair.a.visit(domain).output == "the first post\ngrüße\n")
            #expect(try pair.a.visit(domain, "uploads/2014/photo").output == "a picture\n")
            #expect(try pair.a.visit(domain, "plugins/Extra/Main.php").output == "<?php\n")
            let photo = "\(pair.a.folder)/sites/\(domain)/uploads/2014/photo"
            let attributes = try FileManager.default.attributesOfItem(atPath: photo)
            #expect(attributes[.ownerAccountID] as? Int == 33)

            #expect(try pair.a.visit(domain, "write/of%202026").output.hasSuffix("\nof 2026\n"))
            let dump = try KnownSite.dump(at: pair.a)
            #expect(dump.output.contains("of 2026"), "\(dump.everything)")
            try archives.write("now.sql", dump.output)
            #expect(try pair.a.yard("site", "stop", domain).succeeded)
            let stale = try pair.a.yard("site", "export", domain, archives.path("new"), "--format", "0.3")
            let words = "the database has been in use, and no dump of it was given"
            #expect(isRefusal(stale, of: [words]), "\(stale.everything)")
            let out = try pair.a.yard(
                "site", "export", domain, archives.path("new"), "--format", "0.3", "--dump",
                archives.path("now.sql"))
            #expect(out.succeeded, "\(out.everything)")
            #expect(archives.read("new/dump.sql") == dump.output)
            try expectTheSame(old, archives.path("new"), but: "dump.sql")

            let there = try KnownSite.bring(archives.path("new"), to: pair.b)
            #expect(there.started.succeeded, "\(there.started.everything) \(logs(pair.b))")
            #expect(try pair.b.visit(domain).output == "the first post\ngrüße\nof 2026\n")
            // A database that has its data does not load the dump again.
            #expect(try pair.b.visit(domain, "write/later").succeeded)
            #expect(try pair.b.yard("site", "restart", domain).succeeded)
            #expect(try pair.b.visit(domain).output == "the first post\ngrüße\nof 2026\nlater\n")
        }

        private func logs(_ hoster: MovingHoster) -> String {
            (try? hoster.docker("logs", "--tail", "20", "switchyard-\(KnownSite.domain)-db"))?.everything
                ?? ""
        }

        // MARK: Words

        /// The digest that a command has told: the last line, or a member of it.
        private func digest(of told: Finished) -> String? {
            guard told.succeeded, let line = told.output.split(separator: "\n").last else { return nil }
            let word =
                line.hasPrefix("{")
                ? (try? JSONReader.read(Array(line.utf8)))?["digest"].text ?? ""
                : line.hasPrefix("digest ") ? String(line.dropFirst(7)) : ""
            return word.count == 64 && word.allSatisfy(\.isHexDigit) ? word : nil
        }

        /// Whether it is one sentence that begins with some of the words.
        private func isRefusal(_ told: Finished, of words: [String]) -> Bool {
            told.ending == .status(1) && told.output.isEmpty
                && told.errors.count(where: { $0 == "\n" }) == 1
                && words.contains { told.errors.hasPrefix("yard: \($0)") }
        }

        private func names(in folder: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder)
        }

        private func shell(_ script: String, in folder: String) throws {
            let ran = try run("/bin/sh", ["-euc", script], folder: folder)
            try #require(ran.succeeded, "\(script): \(ran.everything)")
        }

        /// Two folders of 0.3 with the same files, and descriptions that mean the same: others may say more
        /// than we do.
        private func expectTheSame(_ old: String, _ new: String, but name: String = "-") throws {
            let file = "indiehosters.json"
            let compared = try run("diff", ["-r", "-x", file, "-x", name, old, new])
            #expect(compared.succeeded, "\(compared.everything)")
            let texts = try [old, new].map { try Data(contentsOf: URL(fileURLWithPath: "\($0)/\(file)")) }
            var meanings = try texts.map {
                try #require(JSONSerialization.jsonObject(with: $0) as? [String: Any])
            }
            meanings[0]["exported-by"] = nil
            #expect(meanings[0] as NSDictionary == meanings[1] as NSDictionary)
        }
    }
}
