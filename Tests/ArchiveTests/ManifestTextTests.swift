import Archive
import Foundation
import Support
import Testing

/// The text of a manifest: it is read back as it was written, and what is no manifest is refused.
@Suite struct ManifestTextTests {
    private static let digest = String(repeating: "0123456789abcdef", count: 4)
    /// One of each kind of line.
    private static let lines = [
        "folder 0755 0 0 .",
        "file 0644 33 33 12 1700000000123456789 \(digest) a user.b=c=\(digest) user.note=\(digest)",
        "folder 2755 0 33 dir trusted.x=\(digest)",
        "fifo 0600 0 0 dir/pipe",
        "same dir/second a",
        "link 0777 0 0 -5 latest ../else%20where",
        "file 0600 4294967295 0 0 0 \(digest) odd%ff%0a%25name",
    ]

    @Test("A text is read, and written again byte for byte")
    func roundTrip() throws {
        let text = sealed(Self.lines, byteCount: 12)
        let manifest = try TreeManifest.parse(text)
        #expect(manifest.text == text && manifest.byteCount == 12 && manifest.entries.count == 7)
        let last = try #require(manifest.entries.last)
        #expect(last.path.bytes == Array("odd".utf8) + [0xff, 0x0a, 0x25] + Array("name".utf8))
        #expect(manifest[TreePath("dir/second")!]?.content == .same(as: TreePath("a")!))
    }

    @Test("No prefix of a text is a manifest")
    func prefixes() {
        let text = sealed(Self.lines, byteCount: 12)
        for count in 0..<text.count {
            #expect(throws: ManifestFault.self) { try TreeManifest.parse(Array(text[..<count])) }
        }
    }

    @Test("A text with one bit turned is no manifest")
    func bitFlips() {
        let text = sealed(Self.lines, byteCount: 12)
        for index in text.indices {
            for bit in 0..<8 {
                var flipped = text
                flipped[index] ^= 1 << bit
                #expect(throws: ManifestFault.self) { try TreeManifest.parse(flipped) }
            }
        }
    }

    @Test("Of 100,000 mutated texts with a digest that fits, those that are taken are written the same way")
    func mutations() {
        var numbers = SeededNumbers(seed: 6)
        let alphabet = Array("0127 af./%=-~\u{7f}folderlinksame\t".utf8) + [0, 0xff, 0x0d]
        var taken = 0
        for _ in 0..<100_000 {
            var lines = Self.lines.map { Array($0.utf8) }
            let line = Int.random(in: lines.indices, using: &numbers)
            for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                let index = Int.random(in: lines[line].indices, using: &numbers)
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: lines[line].remove(at: index)
                case 1: lines[line].insert(alphabet.randomElement(using: &numbers)!, at: index)
                case 2: lines.swapAt(line, Int.random(in: lines.indices, using: &numbers))
                default: lines[line][index] = alphabet.randomElement(using: &numbers)!
                }
                if lines[line].isEmpty { break }
            }
            let body = Array("switchyard-manifest 1\n".utf8) + lines.flatMap { $0 + [10] }
            let text = body + Array("total 7 12 \(ContentDigest(of: body))\n".utf8)
            guard let manifest = try? TreeManifest.parse(text) else { continue }
            taken += 1
            #expect(manifest.text == text)
        }
        // Most have another mode or name; a test that takes none would prove nothing.
        #expect(taken > 1000)
    }

    @Test(
        "A line that no folder gives is refused",
        arguments: [
            ("folder 0755 0 0 /etc", "the path"), ("folder 0755 0 0 a/../b", "the path"),
            ("folder 0755 0 0 a//b", "the path"), ("folder 0755 0 0 ./a", "the path"),
            ("folder 0755 0 0 a%00", "the path"), ("folder 0755 0 0 a%2f..%2fb", "the path"),
            ("folder 0755 0 0 %61", "the path"), ("folder 0755 0 0 a%FF", "the path"),
            ("folder 0755 0 0  a", "the path"), ("folder 0755 0 0 ", "the path"),
            ("folder 755 0 0 a", "the mode"), ("folder 0788 0 0 a", "the mode"),
            ("folder 0755 00 0 a", "the owner"), ("folder 0755 +1 0 a", "the owner"),
            ("folder 0755 4294967296 0 a", "the owner"), ("folder 0755 0 -1 a", "the owner"),
            ("device 0600 0 0 a", "the kind"), ("", "the kind"), ("folder 0755 0 0 .", "not in order"),
            ("folder 0755 0 0 a/b", "no folder"), ("same a b", "no file"), ("same a .", "the file"),
            ("same a ../b", "the file"), ("fifo 0600 0 0 a b", "an attribute"),
            ("link 0777 0 0 0 a", "the target"), ("link 0777 0 0 0 a ", "the target"),
            ("link 0777 0 0 0 a b%00", "the target"), ("link 0777 0 0 1.5 a b", "the time"),
            ("file 0644 0 0 18446744073709551616 0 \(digest) a", "the size"),
            ("file 0644 0 0 0 0 \(digest.uppercased()) a", "digest"),
            ("file 0644 0 0 0 0 \(digest)0 a", "digest"),
            ("fifo 0600 0 0 a user.b=\(digest) user.a=\(digest)", "an attribute"),
            ("fifo 0600 0 0 a user.b=\(digest) user.b=\(digest)", "an attribute"),
            ("fifo 0600 0 0 a =\(digest)", "an attribute"),
            ("file 0644 0 0 17592186044417 0 \(digest) a", "hold more than"),
        ])
    func hostileLines(line: String, words: String) {
        do throws(ManifestFault) {
            _ = try TreeManifest.parse(sealed([Self.lines[0], line]))
            Issue.record("it was taken: \(line)")
        } catch {
            #expect(error.line == 3 && error.text.contains(words), "\(error.text)")
        }
    }

    @Test("What is in something else than a folder is refused")
    func throughLinks() {
        for line in ["link 0777 0 0 0 a /etc", "fifo 0600 0 0 a", "file 0644 0 0 0 0 \(Self.digest) a"] {
            #expect(throws: ManifestFault(line: 4, reason: .misplaced)) {
                try TreeManifest.parse(sealed([Self.lines[0], line, "folder 0755 0 0 a/b"]))
            }
        }
        #expect(throws: ManifestFault(line: 2, reason: .misplaced)) {
            try TreeManifest.parse(sealed(["file 0644 0 0 0 0 \(Self.digest) ."]))
        }
    }

    @Test("A text beyond the limits is refused before it fills the memory")
    func limits() {
        var limits = TreeLimits()
        limits.entryCountMax = 3
        limits.depthMax = 2
        limits.pathBytesMax = 20
        func fault(_ text: [UInt8]) -> ManifestFault? {
            do throws(ManifestFault) {
                _ = try TreeManifest.parse(text, limits: limits)
                return nil
            } catch {
                return error
            }
        }
        let folder = "folder 0755 0 0 "
        #expect(fault(sealed(["\(folder).", "\(folder)a", "\(folder)b"])) == nil)
        #expect(fault(sealed(["\(folder).", "\(folder)a", "\(folder)b", "\(folder)c"]))?.line == 5)
        #expect(fault(sealed(["\(folder).", "\(folder)a", "\(folder)a/b", "\(folder)a/b/c"]))?.line == 5)
        #expect(fault(sealed(["\(folder).", folder + String(repeating: "x", count: 21)]))?.line == 3)
        // No line break ever comes.
        let endless =
            Array("switchyard-manifest 1\n".utf8) + Array(repeating: UInt8(ascii: "x"), count: 1 << 20)
        #expect(fault(endless) == ManifestFault(line: 2, reason: .lineTooLong))
    }

    @Test("Nothing may come after the last line")
    func trailing() {
        let text = sealed([Self.lines[0]])
        for rest in ["x", "\n", "folder 0755 0 0 a\n", "total 1 0 \(Self.digest)\n"] {
            #expect(throws: ManifestFault.self) { try TreeManifest.parse(text + Array(rest.utf8)) }
        }
    }
}
