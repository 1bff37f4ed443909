import Archive
import Foundation
import Support
import Testing

/// Runs a script; its commands make what Foundation cannot: attributes, pipes, owners.
func shell(_ script: String, in folder: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-euc", script]
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "the script failed: \(script)")
}

func manifest(of folder: String) throws(ArchiveRefusal) -> TreeManifest {
    try TreeScan(path: folder).run().stillManifest()
}

/// The text of a manifest with these lines, and a last line that fits.
func sealed(_ lines: [String], byteCount: Int = 0) -> [UInt8] {
    let text = Array((["switchyard-manifest 1"] + lines).map { $0 + "\n" }.joined().utf8)
    return text + Array("total \(lines.count) \(byteCount) \(ContentDigest(of: text))\n".utf8)
}

/// What was thrown; nil: nothing.
func refusal(_ body: () async throws -> Void) async -> ArchiveRefusal? {
    do {
        try await body()
        return nil
    } catch {
        return error as? ArchiveRefusal
    }
}

/// Numbers that are the same for the same seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// A tree of everything that a site may have, the same for the same seed.
struct RandomTree {
    private var numbers: SeededNumbers
    private var script: [String] = []
    private var count = 0
    private var files: [String] = []

    private static let names = [
        "plain", "with blank", "-dash", "umläut", "per%cent", "new\nline", "quote'd", "tab\tbed",
        "back\\slash",
        ".hidden", "equal=sign", "*", "star[1]", "~tilde", "#hash",
    ]

    /// A site of docker with a volume `www`, which has the rest.
    static func make(in folder: String, seed: UInt64) throws {
        var tree = RandomTree(numbers: SeededNumbers(seed: seed))
        try FileManager.default.createDirectory(
            atPath: folder + "/www", withIntermediateDirectories: true)
        try Data(SiteText.runme.utf8).write(to: URL(fileURLWithPath: folder + "/runme"))
        try FileManager.default.createDirectory(atPath: folder + "/tls", withIntermediateDirectories: true)
        try Data("key\n".utf8).write(to: URL(fileURLWithPath: folder + "/tls/example.org.pem"))
        for _ in 0..<3 { tree.fill("www", depth: 0) }
        // A name that is no text in any encoding.
        tree.script.append("touch $'www/\\xff\\xfe'; chmod 600 tls/example.org.pem; chmod 755 runme")
        try shell(tree.script.joined(separator: "\n"), in: folder)
    }

    private mutating func fill(_ folder: String, depth: Int) {
        for _ in 0..<Int.random(in: 1...6, using: &numbers) {
            count += 1
            let path = "\(folder)/\(Self.names.randomElement(using: &numbers)!)\(count)"
            let word = "'" + path.replacingOccurrences(of: "'", with: "'\\''") + "'"
            switch Int.random(in: 0..<12, using: &numbers) {
            case 0: script.append("mkfifo \(word)")
            case 1: script.append("ln -s /etc/'nowhere at all' \(word)")
            case 2: script.append("truncate -s 3M \(word); printf end >> \(word)")
            case 3 where !files.isEmpty:
                script.append("ln \(files.randomElement(using: &numbers)!) \(word)")
                continue
            case 4...6 where depth < 4:
                script.append("mkdir \(word)")
                fill(path, depth: depth + 1)
                script.append("chmod \(["2755", "1777", "700"].randomElement(using: &numbers)!) \(word)")
                if Bool.random(using: &numbers) { script.append("setfacl -d -m u:1001:rx \(word)") }
                continue
            case 7:
                script.append(": > \(word)")
                files.append(word)
            default:
                let size = Int.random(in: 1...70_000, using: &numbers)
                script.append("head -c \(size) /dev/zero | tr '\\0' '\(count % 10)' > \(word)")
                files.append(word)
                if Bool.random(using: &numbers) {
                    script.append("setfattr -n user.note -v $'a\\nb=\(count)' \(word)")
                }
                if Bool.random(using: &numbers) { script.append("setfacl -m u:1001:rw,g:1002:r \(word)") }
                if Bool.random(using: &numbers) { script.append("chmod 0\(400 + count % 8) \(word)") }
            }
            script.append("chown -h \(count % 5 * 1000):\(count % 3 * 33) \(word)")
            script.append("touch -h -d '2015-03-0\(1 + count % 9) 12:00:00.\(count)23' \(word)")
        }
    }

    private init(numbers: SeededNumbers) { self.numbers = numbers }
}

enum SiteText {
    static let runme = """
        #!/usr/bin/env -S yard run
        runme: 1
        domain: example.org
        start:
          docker:
            image: web:1
            ports: { tls: 443 }
            volumes: { www: /srv/www }
        tls: { certificate: tls/example.org.pem }

        """

    /// The least that is a site.
    static func write(to folder: TemporaryFolder, at name: String = "site") throws -> String {
        try folder.write("\(name)/runme", runme)
        try folder.write("\(name)/www/index.html", "hello\n")
        try folder.write("\(name)/tls/example.org.pem", "key\n")
        return folder.path(name)
    }
}
