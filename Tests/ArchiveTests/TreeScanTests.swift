import Archive
import Foundation
import Linux
import Support
import Testing

/// Looking at a folder, and comparing two.
@Suite struct TreeScanTests {
    /// A folder with some of everything.
    private func tree() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("t/a/one.txt", "one\n")
        try folder.write("t/a/two.txt", "two\n")
        try folder.write("t/b/three.txt", "three\n")
        try shell(
            """
            ln t/a/two.txt t/a/two-again.txt; ln -s ../a/one.txt t/b/link; mkfifo t/b/pipe; mkdir t/empty
            setfattr -n user.note -v hello t/a/one.txt; setfacl -m u:1001:r t/b/three.txt
            """, in: folder.path)
        return folder
    }

    @Test(
        "Each change is one difference, and the sentence says where and what",
        arguments: [
            ("printf 'ONE\\n' > a/one.txt", "a/one.txt differs in content"),
            ("printf x >> b/three.txt", "b/three.txt differs in content"),
            ("touch -d 2001-01-01 a/one.txt", "a/one.txt differs in time"),
            ("touch c", "c is there and should not be"),
            ("mkdir -p c/d; touch c/d/e", "c is there and should not be"),
            ("rm a/one.txt", "a/one.txt is missing"), ("rm -r a", "a is missing"),
            ("chmod 600 a/one.txt", "a/one.txt differs in mode"), ("chmod 1755 b", "b differs in mode"),
            ("chown 7 a/one.txt", "a/one.txt differs in owner"),
            ("chgrp 7 empty", "empty differs in owner"), ("chown -h 7 b/link", "b/link differs in owner"),
            ("setfattr -n user.note -v other a/one.txt", "a/one.txt differs in attribute user.note"),
            ("setfattr -x user.note a/one.txt", "a/one.txt differs in attribute user.note"),
            ("setfattr -n trusted.t -v 1 empty", "empty differs in attribute trusted.t"),
            (
                "setfacl -m u:1002:r b/three.txt",
                "b/three.txt differs in attribute system.posix_acl_access"
            ),
            ("setfacl -d -m u:1002:r empty", "empty differs in attribute system.posix_acl_default"),
            ("ln -sfn ../a/two.txt b/link", "b/link differs in target"),
            ("rm b/pipe; mkdir b/pipe", "b/pipe differs in kind"),
            ("chmod 600 a/two.txt", "a/two-again.txt differs in mode"),
            ("chmod 700 .", "the folder itself differs in mode"),
            (
                "cp -p a/two.txt new; mv new a/two.txt", "a/two.txt differs in set of names"
            ),
        ])
    func oneDifference(change: String, sentence: String) throws {
        let folder = try tree()
        let before = try manifest(of: folder.path("t"))
        #expect(try manifest(of: folder.path("t")).digest == before.digest)
        try shell(change, in: folder.path("t"))
        let after = try manifest(of: folder.path("t"))
        #expect(after.digest != before.digest)
        let differences = TreeManifest.differences(expected: before, found: after)
        #expect(differences.map(\.description) == [sentence])
    }

    @Test("What another file system makes otherwise is no difference")
    func copies() throws {
        let folder = try tree()
        let before = try manifest(of: folder.path("t"))
        try shell("cp -a t copy; rm -f copy/x; touch copy/x; rm copy/x", in: folder.path)
        #expect(try manifest(of: folder.path("copy")) == before)
    }

    @Test("The differences that are told are the first ones")
    func firstDifferences() throws {
        let folder = try tree()
        let before = try manifest(of: folder.path("t"))
        try shell("chmod 600 a/*; rm b/pipe; touch z; chmod 700 empty", in: folder.path("t"))
        let after = try manifest(of: folder.path("t"))
        let paths = TreeManifest.differences(expected: before, found: after, countMax: 3).map(
            \.path.description)
        #expect(paths == ["a/one.txt", "a/two-again.txt", "b/pipe"])
        #expect(TreeManifest.differences(expected: before, found: after).map(\.path.description).last == "z")
    }

    @Test("A random tree's manifest is written and read back", arguments: 1...8 as ClosedRange<UInt64>)
    func randomTrees(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        try RandomTree.make(in: folder.path("t"), seed: seed)
        let found = try manifest(of: folder.path("t"))
        let read = try TreeManifest.parse(found.text)
        #expect(read.entries == found.entries && read.digest == found.digest)
    }

    @Test("A device is refused, a socket left out with a word, and what is excluded too")
    func specialFiles() throws {
        let folder = try tree()
        let before = try manifest(of: folder.path("t"))
        try shell(
            """
            python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("t/s")'
            mkdir t/lost+found t/a/scratch; touch t/lost+found/x
            """, in: folder.path)
        var scan = TreeScan(path: folder.path("t"))
        scan.exclusions.names = [Array("scratch".utf8)]
        let report = try scan.run()
        #expect(report.manifest == before)
        #expect(
            report.notes.sorted() == [
                "a/scratch was left out", "lost+found was left out", "s is a socket, and was left out",
            ])
        try shell("mknod t/a/null c 1 3", in: folder.path)
        #expect(throws: ArchiveRefusal(.invalid, "a/null is a device, which no site may have")) {
            try scan.run()
        }
    }

    @Test("Links are not followed, and a folder that becomes one is not entered")
    func links() throws {
        let folder = try tree()
        try shell("ln -s / t/root; ln -s .. t/up; ln -s t/loop t/loop", in: folder.path)
        let found = try manifest(of: folder.path("t"))
        #expect(found.entries.count { $0.path.isWithin(TreePath("root")!) } == 1)
        #expect(found[TreePath("up")!]?.content != nil)
    }

    @Test("A file that changes while it is read is told")
    func changingFiles() throws {
        let folder = try TemporaryFolder()
        try folder.write("t/still", "still\n")
        try shell("truncate -s 300M t/moving", in: folder.path)
        let stop = StopSign()
        let path = folder.path("t/moving")
        try startThread("writer") {
            let handle = FileHandle(forWritingAtPath: path)
            while !stop.isSet {
                try? handle?.seek(toOffset: 5)
                try? handle?.write(contentsOf: Data([1]))
                sleepMicroseconds(2000)
            }
        }
        defer { stop.set() }
        let report = try TreeScan(path: folder.path("t")).run()
        #expect(report.manifest == nil && report.changed == [TreePath("moving")!])
        #expect(throws: ArchiveRefusal(.conflict, "moving changed while it was read")) {
            try report.stillManifest()
        }
    }

    @Test("A folder in which files come and go is looked at to its end")
    func busyFolders() async throws {
        let folder = try TemporaryFolder()
        try shell("mkdir -p t/d{1..20}; for d in t/d*; do seq 200 > $d/keep; done", in: folder.path)
        let stop = StopSign()
        let path = folder.path("t")
        try startThread("changer") {
            var turn = 0
            while !stop.isSet {
                turn += 1
                let place = "\(path)/d\(turn % 20 + 1)/new\(turn % 7)"
                if turn % 3 == 0 {
                    try? FileManager.default.removeItem(atPath: place)
                } else {
                    try? FileManager.default.createDirectory(
                        atPath: place + "/in/ner", withIntermediateDirectories: true)
                    _ = FileManager.default.createFile(atPath: place + "/in/file", contents: Data([1]))
                }
            }
        }
        defer { stop.set() }
        for _ in 0..<50 { _ = try await TreeScan(path: path).runAside() }
    }

    @Test("Many folders take few descriptors, and a scan can be ended")
    func descriptors() throws {
        let folder = try TemporaryFolder()
        let deep = (0..<100).map { "d\($0)" }.joined(separator: "/")
        try shell("mkdir -p t/\(deep); touch t/\(deep)/file", in: folder.path)
        func open() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        }
        let before = try open()
        #expect(try manifest(of: folder.path("t")).entries.count == 102)
        // Other tests run beside this one and have files open as well.
        #expect(try open() < before + 60)
        let stop = StopSign()
        stop.set()
        #expect(throws: ArchiveRefusal(.failed, "it was ended before it was done")) {
            try TreeScan(path: folder.path("t")).run(stop: stop)
        }
        var scan = TreeScan(path: folder.path("t"))
        scan.limits.depthMax = 50
        #expect(throws: ArchiveRefusal.self) { try scan.run() }
        scan.limits = TreeLimits()
        scan.limits.entryCountMax = 100
        #expect(throws: ArchiveRefusal.self) { try scan.run() }
    }
}
