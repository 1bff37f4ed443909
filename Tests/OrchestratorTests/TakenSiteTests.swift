import Foundation
import Migration
import Orchestrator
import Runme
import Support
import Testing

/// What is looked at once more before a site that has come is started, or removed.
struct TakenSiteTests {
    private static let runme = """
        #!/usr/bin/env -S yard run
        runme: 1
        domain: example.org
        aliases: [www.example.org]
        product: wordpress
        start:
          docker:
            image: wordpress:6
            ports: { tls: 443, http: 80, proxy: v2 }
            memory: 512MiB
            sidecars:
              db: { image: "mariadb:10", memory: 256MiB }
        tls: { certificate: tls/site.pem }

        """

    private static let offer = MigrationOffer(
        names: ["example.org", "www.example.org"], product: "wordpress", bytes: 1, files: 1,
        memoryBytes: 768 << 20, certificateFingerprint: "", certificateEndsSeconds: 0, image: nil)

    private func flaw(of text: String, against offer: MigrationOffer = offer) throws -> String? {
        let folder = try TemporaryFolder()
        try folder.write("runme", text)
        return try SiteFolder(path: folder.path).manifest().runme.flaw(against: offer)
    }

    /// The last copy may have brought another runme than that which was looked at with the certificate.
    @Test func aRunmeThatTheLastCopyHasChangedIsRefused() throws {
        #expect(try flaw(of: Self.runme) == nil)
        let other = "the runme is not the one that was offered"
        for (old, new) in [
            ("domain: example.org", "domain: example.net"), ("[www.example.org]", "[www.example.net]"),
            ("[www.example.org]", "[www.example.org, victim.example]"), ("aliases: [www.example.org]\n", ""),
            ("product: wordpress", "product: joomla"), ("product: wordpress\n", ""),
            ("memory: 512MiB", "memory: 513MiB"), ("memory: 256MiB", "memory: 16384GiB"),
        ] {
            let changed = Self.runme.replacingOccurrences(of: old, with: new)
            #expect(changed != Self.runme)
            #expect(try flaw(of: changed) == other, "\(new)")
        }
        // Less is no other site.
        let smaller = Self.runme.replacingOccurrences(of: "memory: 512MiB", with: "memory: 64MiB")
        #expect(try flaw(of: smaller) == nil)
    }

    @Test func whatWouldRunAsSomebodyHereOrNameImagesIsRefused() throws {
        let archived = Self.runme.replacingOccurrences(
            of: #"image: "mariadb:10""#, with: "archive: images/db.tar")
        #expect(try flaw(of: archived)?.hasPrefix("the site carries an image in its folder") == true)
        var offer = Self.offer
        offer.memoryBytes = 0
        let lines = Self.runme.split(separator: "\n", omittingEmptySubsequences: false)
        let command =
            lines.prefix { $0 != "start:" }.joined(separator: "\n")
            + "\nstart: { command: { exec: [./serve], ports: { tls: 8443 } } }\n"
            + "tls: { certificate: tls/site.pem }\n"
        #expect(try flaw(of: command, against: offer)?.contains("not one of containers") == true)
    }

    // MARK: The mark

    private func make(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    @Test func aFolderIsKnownAgainWhateverItIsCalled() throws {
        let folder = try TemporaryFolder()
        let mark = FolderMark(path: folder.path("mark"))
        try make(folder.path("staging"))
        #expect(!mark.isOn(folder.path("staging")))
        try mark.put(on: folder.path("staging"))
        #expect(mark.isOn(folder.path("staging")) && !mark.isOn(folder.path("site")))
        try FileManager.default.moveItem(atPath: folder.path("staging"), toPath: folder.path("site"))
        #expect(mark.isOn(folder.path("site")) && !mark.isOn(folder.path("staging")))
        // As an earlier process has left it.
        #expect(FolderMark(path: folder.path("mark")).isOn(folder.path("site")))
    }

    @Test func anotherFolderInItsPlaceIsNotIt() throws {
        let folder = try TemporaryFolder()
        let mark = FolderMark(path: folder.path("mark"))
        try make(folder.path("site"))
        try mark.put(on: folder.path("site"))
        try FileManager.default.moveItem(atPath: folder.path("site"), toPath: folder.path("aside"))
        try make(folder.path("site"))
        #expect(!mark.isOn(folder.path("site")))
        try folder.write("file", "")
        #expect(!mark.isOn(folder.path("file")) && !mark.isOn(folder.path))
        for text in ["", "1", "\n", String(repeating: "7", count: 100)] {
            try folder.write("mark", text)
            #expect(!mark.isOn(folder.path("site")) && !mark.isOn(folder.path("aside")), "\(text)")
        }
    }
}
