import Foundation
import Support

/// The files of the working tree: those that git tracks or would track. Where there is no git, those outside
/// the folders that builds make.
struct SourceTree {
    /// Relative to the root, sorted.
    let paths: [String]

    init() throws {
        let listed = try? run(
            "git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], folder: Repository.root)
        let found: [String]
        if let listed, listed.succeeded {
            found = listed.output.split(separator: "\0").map(String.init)
        } else {
            found = Self.walk()
        }
        // git lists a file that was removed and not yet committed.
        paths = Set(found).filter { FileManager.default.fileExists(atPath: Repository.path($0)) }.sorted()
    }

    private static func walk() -> [String] {
        let made = [".build", ".git/", ".demo/", "Benchmarks/bin/", "Benchmarks/out/"]
        let all = FileManager.default.enumerator(atPath: Repository.root)?.compactMap { $0 as? String } ?? []
        return all.filter { path in
            var isFolder: ObjCBool = false
            return unsafe FileManager.default.fileExists(
                atPath: Repository.path(path), isDirectory: &isFolder)
                && !isFolder.boolValue && !made.contains { path.hasPrefix($0) }
        }
    }

    /// The text of a file; nil for one that is no text, such as a recorded hello.
    func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: Repository.path(path)) else { return nil }
        return String(bytes: data, encoding: .utf8)
    }

    var swiftSources: [SwiftSource] {
        paths.filter { $0.hasSuffix(".swift") }.compactMap { path in
            text(path).map { SwiftSource(path: path, text: $0) }
        }
    }

    /// Files whose lines are for reading: sources and scripts, but not recordings, golden files, licences.
    var readable: [(path: String, text: String)] {
        let endings = [".swift", ".c", ".h", ".py", ".sh"]
        return paths.compactMap { path in
            let isScript = path.hasPrefix("scripts/") || path.hasPrefix(".ci/") || path == "Makefile"
            guard isScript || endings.contains(where: path.hasSuffix) else { return nil }
            return text(path).map { (path, $0) }
        }
    }

    var markdown: [(path: String, text: String)] {
        paths.filter { $0.hasSuffix(".md") }.compactMap { path in text(path).map { (path, $0) } }
    }

    /// Every file that is text.
    var texts: [(path: String, text: String)] {
        paths.compactMap { path in text(path).map { (path, $0) } }
    }
}
