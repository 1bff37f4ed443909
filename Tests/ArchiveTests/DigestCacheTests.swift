import Archive
import Foundation
import Linux
import Support
import Testing

/// What is not read again, and what is.
@Suite struct DigestCacheTests {
    /// A folder whose files were changed long enough ago that a cache takes them.
    private func oldTree() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for index in 0..<20 { try folder.write("t/d\(index % 3)/f\(index)", "content \(index)\n") }
        try shell("setfattr -n user.note -v hello t/d0/f0; ln t/d0/f0 t/d0/again", in: folder.path)
        sleepMicroseconds(2_200_000)
        return folder
    }

    @Test("A second look reads only what was changed, whatever its size and its time say")
    func changesAreRead() throws {
        let folder = try oldTree()
        let scan = TreeScan(path: folder.path("t"))
        let cache = DigestCache()
        let first = try scan.run(cache: cache)
        #expect(first.readByteCount > 0 && cache.count == 20)
        let second = try scan.run(cache: cache)
        #expect(second.readByteCount == 0 && second.manifest == first.manifest)

        // The same size and the same time.
        try shell(
            "touch -r t/d1/f1 stamp; printf 'CONTENT 1\\n' > t/d1/f1; touch -r stamp t/d1/f1", in: folder.path
        )
        let third = try scan.run(cache: cache)
        #expect(third.readByteCount == 10)
        #expect(third.manifest == (try manifest(of: folder.path("t"))))
        let differences = TreeManifest.differences(
            expected: try first.stillManifest(), found: try third.stillManifest())
        #expect(differences.map(\.description) == ["d1/f1 differs in content"])

        // An attribute of a file that had none.
        try shell("setfattr -n user.new -v 1 t/d2/f2", in: folder.path)
        #expect(try scan.run(cache: cache).manifest == (try manifest(of: folder.path("t"))))
    }

    @Test("What was changed just before it was read is not known afterwards")
    func recentChanges() throws {
        let folder = try TemporaryFolder()
        try folder.write("t/f", "old\n")
        let scan = TreeScan(path: folder.path("t"))
        let cache = DigestCache()
        _ = try scan.run(cache: cache)
        #expect(cache.count == 0)
        // Within the same step of the clock it would look the same.
        try folder.write("t/f", "new\n")
        #expect(try scan.run(cache: cache).readByteCount == 4)
    }

    @Test("A page that a program has mapped and written before is known to be changed")
    func mappedFiles() throws {
        let folder = try TemporaryFolder()
        try folder.write("t/f", String(repeating: "x", count: 4096))
        // It writes twice to the same page, and waits each time until it is told.
        let script = """
            import mmap, sys, time
            f = open(sys.argv[1], "r+b"); m = mmap.mmap(f.fileno(), 4096)
            m[0:1] = b"1"; open(sys.argv[1] + "-1", "w").close()
            import os
            while not os.path.exists(sys.argv[2]): time.sleep(0.01)
            m[0:1] = b"2"; open(sys.argv[1] + "-2", "w").close()
            time.sleep(60)
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", script, folder.path("t/f"), folder.path("go")]
        try process.run()
        defer { process.terminate() }
        func wait(for name: String) {
            while !FileManager.default.fileExists(atPath: folder.path(name)) { sleepMicroseconds(10_000) }
        }
        wait(for: "t/f-1")
        sleepMicroseconds(2_200_000)
        let scan = TreeScan(path: folder.path("t"))
        let cache = DigestCache()
        _ = try scan.run(cache: cache)
        #expect(cache.count == 2)
        try folder.write("go", "")
        wait(for: "t/f-2")
        #expect(try scan.run(cache: cache).manifest == (try manifest(of: folder.path("t"))))
    }

    @Test("A cache is saved and loaded, and a damaged one knows nothing")
    func saving() throws {
        let folder = try oldTree()
        let scan = TreeScan(path: folder.path("t"))
        let cache = DigestCache()
        let first = try scan.run(cache: cache)
        let path = folder.path("cache")
        try cache.save(to: path)
        let loaded = DigestCache(savedAt: path)
        #expect(loaded.count == 20)
        let second = try scan.run(cache: loaded, learning: false)
        #expect(second.readByteCount == 0 && second.manifest == first.manifest)

        let bytes = try readFile(path)
        for index in stride(from: 0, to: bytes.count, by: 7) {
            var damaged = bytes
            damaged[index] ^= 1
            try folder.write("damaged", bytes: damaged)
            #expect(DigestCache(savedAt: folder.path("damaged")).count == 0)
        }
        try folder.write("damaged", bytes: Array(bytes.dropLast()))
        #expect(DigestCache(savedAt: folder.path("damaged")).count == 0)
        #expect(DigestCache(savedAt: folder.path("none")).count == 0)
    }

    @Test("Without learning nothing is added, and a removed file is forgotten")
    func learning() throws {
        let folder = try oldTree()
        let scan = TreeScan(path: folder.path("t"))
        let cache = DigestCache()
        _ = try scan.run(cache: cache, learning: false)
        #expect(cache.count == 0)
        _ = try scan.run(cache: cache)
        try shell("rm -r t/d1", in: folder.path)
        _ = try scan.run(cache: cache)
        #expect(cache.count == 13)
    }
}
