import Archive
import Foundation
import Linux
import Runme
import Support
import Testing

/// Export and import of a site's folder.
@Suite struct SiteArchiveTests {
    private func archive(_ folder: TemporaryFolder, _ name: String) -> SiteArchive {
        SiteArchive(path: folder.path(name))
    }

    /// Nothing but what was there: no staging folder, no half archive.
    private func names(in folder: TemporaryFolder) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    @Test(
        "A random site is the same after export and import", arguments: ["archive", "archive.tar.zst"],
        1...6 as ClosedRange<UInt64>)
    func roundTrip(name: String, seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        let site = folder.path("site")
        try RandomTree.make(in: site, seed: seed)
        let before = try manifest(of: site)
        let report = try await archive(folder, name).export(site)
        #expect(report.manifest == before)
        let (runme, _) = try await archive(folder, name).restore(to: folder.path("copy"))
        #expect(runme.domain == "example.org")
        let after = try manifest(of: folder.path("copy"))
        #expect(TreeManifest.differences(expected: before, found: after) == [])
        #expect(after.digest == before.digest)
        #expect(try names(in: folder) == [name, "copy", "site"].sorted())
        // Neither archive nor key is for others.
        let facts = try fileFacts(folder.path(name))
        #expect(facts.mode & 0o077 == 0)
    }

    @Test("Times of folders and holes of files come along")
    func folderTimesAndHoles() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell(
            "truncate -s 200M site/www/hole; touch -d '2001-02-03 04:05:06.7' site/www", in: folder.path)
        _ = try await archive(folder, "a.tar.zst").export(site)
        _ = try await archive(folder, "a.tar.zst").restore(to: folder.path("copy"))
        try shell(
            """
            [ "$(stat -c %Y copy/www)" = "$(stat -c %Y site/www)" ]
            [ "$(du -k copy/www/hole | cut -f1)" -lt 1000 ]
            """, in: folder.path)
    }

    @Test("Without the key, the certificate's folder is left out")
    func withoutKey() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        var options = SiteArchive.ExportOptions()
        options.includesKey = false
        _ = try await archive(folder, "a").export(site, options)
        _ = try await archive(folder, "a").restore(to: folder.path("copy"))
        #expect(try names(in: folder) == ["a", "copy", "site"])
        let copied = try manifest(of: folder.path("copy"))
        #expect(
            copied.entries.map(\.path.description) == ["the folder itself", "runme", "www", "www/index.html"])
    }

    @Test("Progress ends at the whole")
    func progress() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("head -c 40M /dev/urandom > site/www/large", in: folder.path)
        let heard = Heard()
        let archive = SiteArchive(path: folder.path("a.tar.zst")) { text, fraction in
            heard.note(text, fraction)
        }
        _ = try await archive.export(site)
        _ = try await archive.restore(to: folder.path("copy"))
        #expect(heard.texts == ["the files are read", "the archive is written", "the archive is unpacked"])
        #expect(heard.fractions.allSatisfy { (0...1).contains($0) })
    }

    @Test("What cannot be exported is refused, and nothing is left")
    func exportRefusals() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try folder.write("taken", "")
        for (path, words) in [
            ("taken", "is there already"), ("site/inside", "in the site itself"),
            ("site/www/inside.tar.zst", "in the site itself"), ("none/a", "cannot be made"),
        ] {
            let told = await refusal { _ = try await archive(folder, path).export(site) }
            #expect(told?.text.contains(words) == true, "\(path): \(told?.text ?? "it was made")")
        }
        try shell("mknod site/www/null c 1 3", in: folder.path)
        let device = await refusal { _ = try await archive(folder, "a").export(site) }
        #expect(device?.text == "www/null is a device, which no site may have")
        try shell("rm site/www/null; echo 'domain: x y' > site/runme", in: folder.path)
        let runme = await refusal { _ = try await archive(folder, "a").export(site) }
        #expect(runme?.text.hasPrefix("runme:1:") == true)
        #expect(try names(in: folder) == ["site", "taken"])
    }

    @Test("An archive that was tampered with is refused, and nothing is left", arguments: [false, true])
    func tampering(isPacked: Bool) async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        _ = try await archive(folder, "good").export(site)
        for (change, words) in [
            ("printf 'HELLO\\n' > site/www/index.html", "www/index.html differs in content"),
            ("chmod 4755 site/www/index.html", "www/index.html differs in mode"),
            ("chown 1000 site/www", "www differs in owner"),
            ("setfattr -n user.x -v y site/runme", "runme differs in attribute user.x"),
            ("rm site/www/index.html", "www/index.html"), ("touch site/extra", "extra"),
            ("rm -r site/www; ln -s /etc site/www", "www"), ("rm site/runme; mkdir site/runme", "runme"),
            ("sed -i s/0644/0600/ manifest", "the manifest was altered"),
            ("sed -i 3d manifest", "the manifest was altered"), ("truncate -s -1 manifest", "not complete"),
            ("rm manifest", "manifest"), ("rm -r site", "site"),
        ] {
            try shell("rm -rf bad; cp -a good bad; cd bad; \(change)", in: folder.path)
            if isPacked {
                // As an enemy packs it: in the right order, whatever is there.
                try shell(
                    """
                    cd bad; { ls -d manifest; find site | LC_ALL=C sort; } > ../list || true
                    tar -c --format=pax --xattrs --no-recursion -T ../list | zstd -q -f -o ../bad.tar.zst
                    """, in: folder.path)
            }
            let told = await refusal {
                _ = try await archive(folder, isPacked ? "bad.tar.zst" : "bad").restore(
                    to: folder.path("copy"))
            }
            #expect(told?.text.contains(words) == true, "\(change): \(told?.text ?? "it was taken")")
            #expect(try !names(in: folder).contains { $0 == "copy" || $0.hasPrefix(".") })
        }
    }

    /// A packed archive with this manifest, and then what the enemy adds.
    private func hostile(
        _ folder: TemporaryFolder, lines: [String], byteCount: Int = 0, _ members: TarBuilder
    ) async throws -> ArchiveRefusal? {
        var tar = TarBuilder()
        tar.add("manifest", content: sealed(lines, byteCount: byteCount))
        try members.after(tar).write(to: folder.path("bad.tar"))
        try shell("zstd -q -f bad.tar -o bad.tar.zst; rm bad.tar", in: folder.path)
        let told = await refusal {
            _ = try await archive(folder, "bad.tar.zst").restore(to: folder.path("copy"))
        }
        #expect(try names(in: folder) == ["bad.tar.zst"])
        #expect(!FileManager.default.fileExists(atPath: "/tmp/switchyard-escape"))
        return told
    }

    @Test("An enemy's archive writes nothing anywhere")
    func hostileArchives() async throws {
        let folder = try TemporaryFolder()
        let root = "folder 0755 0 0 ."
        let digest = "\(ContentDigest(of: Array("x".utf8)))"
        let file = "file 0644 0 0 1 0 \(digest) a"
        let empty = TarBuilder()
        for (lines, words, members) in [
            ([root], "tmp/switchyard-escape", empty.adding("/tmp/switchyard-escape", content: [1])),
            ([root], "../escape", .site("site/../escape", content: [1])),
            ([root], "site/b", .site("site/b", content: [1])),
            ([root], "site/null", .site("site/null", type: "3")),
            ([root], "other", empty.adding("other", type: "5")),
            ([root, file], "site/a", .site("site/a", type: "2", target: "/etc")),
            ([root, file], "site/a", .site("site/a", type: "1", target: "/etc/passwd")),
            // More than it says, and twice the same.
            ([root, file], "site/a", .site("site/a", content: [1, 2])),
            ([root, file], "site/a", .site("site/a", content: [120]).adding("site/a", content: [121])),
            ([root, file], "a is not in the archive", .site()),
            ([root], "unknown kind", empty.adding("site", type: "V")),
            ([root], "a global header says path", .records("path", "/tmp/x", type: "g")),
            ([root], "tmp/switchyard-escape", .records("path", "/tmp/switchyard-escape")),
            ([root], "GNU.sparse.map", .records("GNU.sparse.map", "0,1")),
            ([root], "too long", empty.adding("x", type: "x", size: 1 << 24)),
            ([root], "malformed", empty.adding("x", type: "x", content: Array("99 a=b\n".utf8))),
            ([root], "no site", empty),
        ] as [([String], String, TarBuilder)] {
            let told = try await hostile(folder, lines: lines, byteCount: lines.count - 1, members)
            #expect(told?.text.contains(words) == true, "\(words): \(told?.text ?? "it was taken")")
        }
    }

    @Test("A manifest that is itself an attack is refused by its first line that is one")
    func hostileManifests() async throws {
        let folder = try TemporaryFolder()
        let digest = "\(ContentDigest(of: []))"
        for (line, words) in [
            ("folder 0755 0 0 ../escape", "the path"),
            ("file 4755 0 0 0 0 \(digest) su", "the rights of another user"),
            ("file 0755 0 0 0 0 \(digest) ping security.capability=\(digest)", "the rights of another user"),
            ("file 0644 0 0 9999999999999999 0 \(digest) bomb", "hold more than"),
        ] {
            let told = try await hostile(folder, lines: ["folder 0755 0 0 .", line], .site())
            #expect(told?.text.contains(words) == true, "\(line): \(told?.text ?? "it was taken")")
        }
        var tar = TarBuilder()
        tar.add("site", type: "5")
        try tar.write(to: folder.path("bad.tar"))
        try shell("zstd -q -f bad.tar -o bad.tar.zst; rm bad.tar", in: folder.path)
        let told = await refusal {
            _ = try await archive(folder, "bad.tar.zst").restore(to: folder.path("copy"))
        }
        #expect(told?.text == "the archive does not begin with its manifest")
    }

    @Test("An archive beyond the limits is refused before it is unpacked")
    func limits() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("truncate -s 1G site/www/bomb", in: folder.path)
        _ = try await archive(folder, "a.tar.zst").export(site)
        var options = SiteArchive.ImportOptions()
        options.limits.byteCountMax = 1 << 20
        let large = await refusal {
            _ = try await archive(folder, "a.tar.zst").restore(to: folder.path("copy"), options)
        }
        #expect(large?.text.contains("hold more than 1048576 bytes") == true)
        options.limits = TreeLimits()
        options.limits.entryCountMax = 4
        let many = await refusal {
            _ = try await archive(folder, "a.tar.zst").restore(to: folder.path("copy"), options)
        }
        #expect(many?.text.contains("more than 4 files") == true)
        #expect(try names(in: folder) == ["a.tar.zst", "site"])
    }

    @Test("Programs with other rights come along only when that is asked for")
    func privilegedFiles() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("cp /bin/true site/www/su; chown 7:7 site/www/su; chmod 6755 site/www/su", in: folder.path)
        _ = try await archive(folder, "a").export(site)
        let told = await refusal { _ = try await archive(folder, "a").restore(to: folder.path("copy")) }
        #expect(told?.text == "www/su is a program with the rights of another user, which is not taken")
        var options = SiteArchive.ImportOptions()
        options.allowsPrivilegedFiles = true
        _ = try await archive(folder, "a").restore(to: folder.path("copy"), options)
        #expect(try manifest(of: folder.path("copy")) == (try manifest(of: site)))
    }

    @Test(
        "A link that leads out of the site is refused, but in a volume, where a container follows it",
        arguments: [
            ("www/log", "/dev/stdout", true), ("www/up", "../../..", true), ("link", "www", true),
            ("link", "./tls/./x", true), ("tls/link", "../runme", true), ("link", "nowhere", true),
            ("link", "/etc", false), ("link", "..", false), ("tls/link", "../../x", false),
            ("tls/link", "../tls/../../x", false), ("link", "tls/../..", false), ("link", "www/log", false),
        ])
    func links(path: String, target: String, isTaken: Bool) async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("ln -s \(target) site/\(path)", in: folder.path)
        _ = try await archive(folder, "a").export(site)
        let told = await refusal { _ = try await archive(folder, "a").restore(to: folder.path("copy")) }
        let sentence = "the link \(path) leads out of the site, to \(target)"
        #expect(told == (isTaken ? nil : ArchiveRefusal(.invalid, sentence)))
        #expect(try names(in: folder) == (isTaken ? ["a", "copy", "site"] : ["a", "site"]))
    }

    @Test("What is cut off is refused, what is damaged is not taken for whole, and nothing is left")
    func damage() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("head -c 300K /dev/urandom > site/www/large", in: folder.path)
        _ = try await archive(folder, "a.tar.zst").export(site)
        let bytes = try readFile(folder.path("a.tar.zst"))
        for count in [0, 1, 10, 500, bytes.count / 2, bytes.count - 1] {
            try folder.write("bad.tar.zst", bytes: Array(bytes[..<count]))
            let told = await refusal {
                _ = try await archive(folder, "bad.tar.zst").restore(to: folder.path("copy"))
            }
            #expect(told != nil, "\(count) bytes were taken")
        }
        for index in stride(from: 0, to: bytes.count, by: bytes.count / 25) {
            var damaged = bytes
            damaged[index] ^= 0x10
            try folder.write("bad.tar.zst", bytes: damaged)
            let told = await refusal {
                _ = try await archive(folder, "bad.tar.zst").restore(to: folder.path("copy"))
            }
            // A few bits of zstd mean nothing.
            if told == nil {
                #expect(try manifest(of: folder.path("copy")) == (try manifest(of: site)))
                try shell("rm -r copy", in: folder.path)
            }
        }
        #expect(try names(in: folder) == ["a.tar.zst", "bad.tar.zst", "site"])
    }

    @Test("A full disk is told, and nothing is left")
    func fullDisk() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("head -c 8M /dev/urandom > site/www/large", in: folder.path)
        _ = try await archive(folder, "a.tar.zst").export(site)
        try shell("mkdir small; mount -t tmpfs -o size=4m tmpfs small", in: folder.path)
        defer { try? shell("umount small", in: folder.path) }
        let read = await refusal {
            _ = try await archive(folder, "a.tar.zst").restore(to: folder.path("small/s"))
        }
        #expect(read?.text.contains("the disk is full") == true, "\(read?.text ?? "it was taken")")
        let written = await refusal { _ = try await archive(folder, "small/a.tar.zst").export(site) }
        #expect(written?.text.contains("the disk is full") == true, "\(written?.text ?? "it was made")")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("small")) == [])
    }

    @Test("An export that is cancelled ends soon, and nothing is left", arguments: [5, 100, 300, 600, 1000])
    func cancelling(afterMilliseconds: Int) async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try shell("head -c 700M /dev/zero > site/www/large", in: folder.path)
        for name in ["a", "a.tar.zst"] {
            let archive = archive(folder, name)
            let task = Task { try await archive.export(site) }
            try await Task.sleep(for: .milliseconds(afterMilliseconds))
            task.cancel()
            let result = await task.result
            let isThere = FileManager.default.fileExists(atPath: folder.path(name))
            #expect((try? result.get()) != nil || !isThere)
            #expect(try !names(in: folder).contains { $0.hasPrefix(".") })
        }
    }

    @Test("What a crash has left is found and removed")
    func leftovers() throws {
        let folder = try TemporaryFolder()
        try folder.write(".yard-archive-abc/site/x", "")
        try folder.write("example.org/runme", "")
        try Staging.removeLeftovers(in: folder.path)
        #expect(try names(in: folder) == ["example.org"])
    }
}

/// What a progress callback was told.
private final class Heard: @unchecked Sendable {
    // SAFETY: the lock is held for each access.
    private let lock = NSLock()
    private var all: [(text: String, fraction: Double?)] = []

    func note(_ text: String, _ fraction: Double?) { lock.withLock { all.append((text, fraction)) } }

    /// Each once, in the order in which they were first heard.
    var texts: [String] {
        lock.withLock { all.reduce(into: []) { if !$0.contains($1.text) { $0.append($1.text) } } }
    }
    var fractions: [Double] { lock.withLock { all.compactMap(\.fraction) } }
}
