import Foundation
import Orchestrator
import Support
import Testing

/// What the owner of a site's folder puts into it leads nowhere else, and nobody waits for it.
struct SiteFolderTests {
    private func refusal(_ body: () throws(Refusal) -> Void) -> Refusal? {
        do throws(Refusal) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func link(_ folder: TemporaryFolder, _ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(name), withDestinationPath: target)
    }

    @Test func noLinkIsOnAPath() throws {
        let folder = try TemporaryFolder()
        try folder.write("data/file", "")
        try link(folder, "inside", to: "data")
        try link(folder, "outside", to: "/etc")
        try link(folder, "nowhere", to: "/nonexistent")
        let site = SiteFolder(path: folder.path)
        for good in ["data", "data/file", "new", "data/new/deep"] {
            #expect(try site.innerPath(good) == folder.path(good))
        }
        for bad in ["inside", "inside/file", "outside", "outside/passwd", "outside/new", "nowhere"] {
            let words = "\(folder.path(bad)) is a symbolic link, or is reached by one"
            #expect(refusal { () throws(Refusal) in _ = try site.innerPath(bad) }?.text == words)
            #expect(refusal { () throws(Refusal) in _ = try site.existingPath(bad) }?.text == words)
        }
        #expect(try site.existingPath("data/file") == folder.path("data/file"))
        for missing in ["new", "data/new/deep", "data/file/deep"] {
            let found = refusal { () throws(Refusal) in _ = try site.existingPath(missing) }
            #expect(found == Refusal(.missing, "there is no \(folder.path(missing))"))
        }
    }

    /// A folder that was replaced by a link is not that folder any more.
    @Test func theFolderItselfIsNoLink() throws {
        let folder = try TemporaryFolder()
        try folder.write("site/data/file", "")
        try link(folder, "other", to: "site")
        let site = SiteFolder(path: folder.path("other"))
        #expect(refusal { () throws(Refusal) in _ = try site.existingPath("data") }?.kind == .invalid)
    }

    @Test func aRunmeIsAPlainFileOfSomeSize() throws {
        let folder = try TemporaryFolder()
        let site = SiteFolder(path: folder.path)
        func expect(_ words: String) {
            let found = refusal { () throws(Refusal) in _ = try site.manifest() }
            #expect(found?.text == "\(folder.path("runme")) \(words)")
        }
        expect("cannot be read: there is no such file")
        for (make, words) in [
            (["mkfifo"], "cannot be read: it is not a file"),
            (["mkdir"], "cannot be read: it is not a file"),
            (["ln", "-s", "/etc/hostname"], "is a symbolic link, or is reached by one"),
            (["truncate", "-s", "2M"], "is longer than a runme can be"),
        ] {
            let made = try run(make[0], make.dropFirst() + [folder.path("runme")])
            #expect(made.succeeded, "\(made.everything)")
            expect(words)
            try FileManager.default.removeItem(atPath: folder.path("runme"))
        }
    }
}
