import Archive
import Foundation
import Linux
import Routes
import Runme
import Support
import Testing

/// The IndieHosters migration format 0.3, both ways.
@Suite struct MigrationArchiveTests {
    /// As the format's own text has it, but for the application that it describes.
    private static let known = """
        {
          "format": "https://indiehosters.net/spec/0.3",
          "application": "known",
          "version": "0.6.5",
          "database": { "engine": "mysql", "name": "known", "file": "dump.sql" },
          "uploads": "uploads/",
          "plugins": "plugins/"
        }

        """

    private static func application(_ description: MigrationDescription) -> MigrationServing {
        var serving = MigrationServing.Application(
            image: .named("known:0.6.5"), ports: Runme.Ports(tls: 443, http: 80),
            uploadsPath: "/var/www/uploads", pluginsPath: "/var/www/IdnoPlugins",
            databaseImage: .named("mysql:5"), password: "s3cret")
        serving.variables = [
            "DB_HOST": .databaseHost, "DB_NAME": .databaseName, "DB_USER": .databaseUser,
            "DB_PASSWORD": .databasePassword, "MODE": .text("production"),
        ]
        serving.owner = MigrationServing.Owner(user: 33, group: 33)
        return .application(serving)
    }

    private static func files(_ description: MigrationDescription) -> MigrationServing {
        var serving = MigrationServing.Files(
            image: .archive(path: "image.tar"), ports: Runme.Ports(tls: 8443), contentPath: "/srv/www")
        serving.owner = MigrationServing.Owner(user: 1000, group: 1000)
        return .files(serving)
    }

    private func knownArchive(_ folder: TemporaryFolder, at name: String = "in") throws -> String {
        try folder.write("\(name)/indiehosters.json", Self.known)
        try folder.write("\(name)/dump.sql", "CREATE TABLE t (a int);\n")
        try folder.write("\(name)/uploads/2014/12/photo.jpg", "a picture\n")
        try folder.write("\(name)/plugins/Extra/Main.php", "<?php\n")
        try folder.write("\(name)/TLS/example.org.pem", "certificate and key\n")
        return folder.path(name)
    }

    private func paths(_ folder: String) throws -> [String] {
        try manifest(of: folder).entries.dropFirst().map(\.path.description)
    }

    @Test("An application with a database becomes a site whose database loads the dump at its first start")
    func application() async throws {
        let folder = try TemporaryFolder()
        let archive = MigrationArchive(path: try knownArchive(folder))
        let site = folder.path("example.org")
        let runme = try await archive.restore(to: site, domain: "example.org", serving: Self.application)
        #expect(
            try paths(site) == [
                "database", "database.env", "dump", "dump/dump.sql", "env", "plugins", "plugins/Extra",
                "plugins/Extra/Main.php", "runme", "tls", "tls/example.org.pem", "uploads", "uploads/2014",
                "uploads/2014/12", "uploads/2014/12/photo.jpg",
            ])
        guard case .docker(let docker) = runme.start else {
            Issue.record("it is not a site of docker")
            return
        }
        #expect(runme.product == "known" && runme.version == "0.6.5")
        #expect(runme.certificatePath == "tls/example.org.pem")
        #expect(
            docker.container.volumes == ["uploads": "/var/www/uploads", "plugins": "/var/www/IdnoPlugins"])
        #expect(
            docker.sidecars["db"]?.volumes
                == ["database": "/var/lib/mysql", "dump": "/docker-entrypoint-initdb.d"])
        #expect(
            folder.read("example.org/env")
                == "DB_HOST=db\nDB_NAME=known\nDB_PASSWORD=s3cret\nDB_USER=site\nMODE=production\n")
        #expect(
            folder.read("example.org/database.env")
                == "MYSQL_DATABASE=known\nMYSQL_USER=site\nMYSQL_PASSWORD=s3cret\n"
                + "MYSQL_RANDOM_ROOT_PASSWORD=yes\n")
        let photo = try manifest(of: site)[TreePath("uploads/2014/12/photo.jpg")!]
        #expect(photo?.user == 33 && photo?.group == 33)
        for secret in ["env", "database.env", "tls/example.org.pem"] {
            #expect(try fileFacts("\(site)/\(secret)").mode & 0o777 == 0o600)
        }
        #expect(try fileFacts("\(site)/runme").mode & 0o777 == 0o755)
    }

    @Test(
        "The database's image is told by its own variables, and its user may read the dump",
        arguments: [
            (
                "mysql", "/var/lib/mysql",
                "MYSQL_DATABASE=known\nMYSQL_USER=site\nMYSQL_PASSWORD=s3cret\n"
                    + "MYSQL_RANDOM_ROOT_PASSWORD=yes\n"
            ),
            (
                "mariadb", "/var/lib/mysql",
                "MARIADB_DATABASE=known\nMARIADB_USER=site\nMARIADB_PASSWORD=s3cret\n"
                    + "MARIADB_RANDOM_ROOT_PASSWORD=yes\n"
            ),
            (
                "postgres", "/var/lib/postgresql/data",
                "POSTGRES_DB=known\nPOSTGRES_USER=site\nPOSTGRES_PASSWORD=s3cret\n"
                    + "PGDATA=/var/lib/postgresql/data\n"
            ),
        ])
    func databases(engine: String, dataPath: String, environment: String) async throws {
        let folder = try TemporaryFolder()
        let archive = MigrationArchive(path: try knownArchive(folder))
        try folder.write(
            "in/indiehosters.json", Self.known.replacingOccurrences(of: "mysql", with: engine))
        // As somebody makes it who is careful.
        try shell("chmod 600 in/dump.sql; chmod 700 in", in: folder.path)
        let site = folder.path("a")
        let runme = try await archive.restore(to: site, domain: "example.org", serving: Self.application)
        guard case .docker(let docker) = runme.start else {
            Issue.record("it is not a site of docker")
            return
        }
        #expect(docker.sidecars["db"]?.volumes["database"] == dataPath)
        #expect(folder.read("a/database.env") == environment)
        #expect(try fileFacts("\(site)/dump").mode & 0o777 == 0o755)
        #expect(try fileFacts("\(site)/dump/dump.sql").mode & 0o777 == 0o644)
    }

    @Test("Files become a site that serves them, wherever the archive has them")
    func staticSites() async throws {
        let folder = try TemporaryFolder()
        let json = "{\"format\": \"https://indiehosters.net/spec/0.3\", \"application\": \"static\"}"
        // Where 0.2.2 had them, and as "the rest of the folder".
        for (name, place) in [("old", "static/www-content/"), ("new", "")] {
            try folder.write("\(name)/indiehosters.json", json)
            try folder.write("\(name)/TLS/example.org.pem", "certificate and key\n")
            try folder.write("\(name)/\(place)index.html", "hello\n")
            try folder.write("\(name)/\(place)css/main.css", "a {}\n")
            let site = folder.path("site-\(name)")
            let runme = try await MigrationArchive(path: folder.path(name)).restore(
                to: site, domain: "example.org", serving: Self.files)
            #expect(
                try paths(site) == [
                    "runme", "tls", "tls/example.org.pem", "www", "www/css", "www/css/main.css",
                    "www/index.html",
                ])
            #expect(runme.product == "static" && runme.certificatePath == "tls/example.org.pem")
            #expect(try manifest(of: site)[TreePath("www/index.html")!]?.user == 1000)
        }
    }

    @Test(
        "A site goes out as 0.3 and comes in again unchanged",
        arguments: ["out", "out.tar", "out.tar.gz", "out.tar.zst"])
    func roundTrip(name: String) async throws {
        let folder = try TemporaryFolder()
        let site = folder.path("a")
        _ = try await MigrationArchive(path: try knownArchive(folder)).restore(
            to: site, domain: "example.org", serving: Self.application)
        let out = MigrationArchive(path: folder.path(name))
        let description = try await out.export(site).description
        #expect(try MigrationDescription.parse(Array(Self.known.utf8)) == description)
        if name == "out" {
            #expect(try paths(folder.path("out")) == (try paths(folder.path("in"))))
            #expect(
                try MigrationDescription.parse(try readFile(folder.path("out/indiehosters.json")))
                    == description)
        }
        _ = try await out.restore(to: folder.path("b"), domain: "example.org", serving: Self.application)
        let differences = TreeManifest.differences(
            expected: try manifest(of: site), found: try manifest(of: folder.path("b")))
        // What is written anew, is so at another time.
        let texts = ["database.env", "env", "runme", "tls/example.org.pem"]
        #expect(differences.map(\.description) == texts.map { "\($0) differs in time" })
    }

    @Test("A static site goes out as 0.3 and comes in again unchanged")
    func staticRoundTrip() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try folder.write("site/runme", SiteText.runme + "product: static\n")
        let out = MigrationArchive(path: folder.path("out.tar.gz"))
        #expect(
            try await out.export(site).description
                == MigrationDescription(application: "static", data: nil))
        _ = try await out.restore(to: folder.path("b"), domain: "example.org", serving: Self.files)
        #expect(
            folder.read("b/www/index.html") == "hello\n" && folder.read("b/tls/example.org.pem") == "key\n")
        var options = MigrationArchive.ExportOptions()
        options.includesKey = false
        _ = try await MigrationArchive(path: folder.path("bare")).export(site, options)
        #expect(try !paths(folder.path("bare")).contains { $0.hasPrefix("TLS") })
    }

    @Test("A site that is written to while it goes out as 0.3 is refused, and no archive is left")
    func writtenMeanwhile() async throws {
        let folder = try TemporaryFolder()
        let site = try SiteText.write(to: folder)
        try folder.write("site/runme", SiteText.runme + "product: static\n")
        let path = try folder.write("site/www/now", "")
        let writer = Task.detached {
            let file = try #require(FileHandle(forWritingAtPath: path))
            while !Task.isCancelled { try file.write(contentsOf: [UInt8(ascii: "x")]) }
        }
        for name in ["out", "out.tar.gz"] {
            let told = await refusal {
                _ = try await MigrationArchive(path: folder.path(name)).export(site)
            }
            #expect(told?.kind == .conflict && told?.text.contains("www/now") == true, "\(told?.text ?? "")")
        }
        writer.cancel()
        try await writer.value
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["site"])
    }

    @Test("A database that was in use goes out only with a dump of now")
    func dumps() async throws {
        let folder = try TemporaryFolder()
        let site = folder.path("a")
        _ = try await MigrationArchive(path: try knownArchive(folder)).restore(
            to: site, domain: "example.org", serving: Self.application)
        try folder.write("a/database/ibdata1", "in use")
        let out = MigrationArchive(path: folder.path("out"))
        let told = await refusal { _ = try await out.export(site) }
        #expect(told?.text == "the database has been in use, and no dump of it was given")
        var options = MigrationArchive.ExportOptions()
        options.dump = try folder.write("now.sql", "of now\n")
        _ = try await out.export(site, options)
        #expect(folder.read("out/dump.sql") == "of now\n")
        #expect(try paths(folder.path("out")).contains { $0.hasPrefix("database") } == false)
    }

    @Test(
        "A description that is not one is refused with file, place and field",
        arguments: [
            (
                "0.3\"", "0.4\"",
                "indiehosters.json:2:13: format `https://indiehosters.net/spec/0.4` is not known"
            ),
            ("\"format\"", "\"formal\"", "indiehosters.json needs `format`"),
            ("\"application\"", "\"x\"", "needs `application`"),
            ("\"known\",", "\"a/b\",", "application has up"),
            ("\"version\"", "\"x\"", "needs `version`"), ("\"database\"", "\"x\"", "needs `database`"),
            ("mysql", "mongodb", "indiehosters.json:5:27: database.engine `mongodb` is none"),
            ("mysql", "oracle", "database.engine `oracle`"),
            ("\"engine\"", "\"x\"", "database needs `engine`"),
            ("\"name\"", "\"x\"", "database needs `name`"), ("\"file\"", "\"x\"", "database needs `file`"),
            ("name\": \"known", "name\": \"a\\nb", "database.name"),
            ("\"uploads\"", "\"x\"", "needs `uploads`"),
            ("\"plugins\"", "\"x\"", "needs `plugins`"), ("\"uploads/\"", "\"../up\"", "uploads leads out"),
            ("\"uploads/\"", "\"/etc\"", "uploads leads out"),
            ("\"uploads/\"", "\"a/../b\"", "uploads leads out"),
            ("\"uploads/\"", "[]", "uploads is a text"),
            ("\"dump.sql\"", "\"/etc/passwd\"", "database.file leads out"),
            ("{ \"engine\"", "[ \"engine\"", "is not JSON"), ("\n}", "", "is not JSON"),
            ("\"dump.sql\"", "\"uploads\"", "database.file uploads is not a file there"),
            ("\"dump.sql\"", "\"none.sql\"", "database.file none.sql is not a file there"),
            ("\"dump.sql\"", "\"plugins/Extra/Main.php\"", "does not end in .sql or .sql.gz"),
            ("\"uploads/\"", "\"none\"", "uploads none is not a folder there"),
            ("\"plugins/\"", "\"dump.sql\"", "plugins dump.sql is not a folder there"),
        ])
    func descriptions(old: String, new: String, words: String) async throws {
        let folder = try TemporaryFolder()
        let archive = MigrationArchive(path: try knownArchive(folder))
        let text = Self.known.replacingOccurrences(of: old, with: new)
        try #require(text != Self.known)
        try folder.write("in/indiehosters.json", text)
        let told = await refusal {
            _ = try await archive.restore(
                to: folder.path("a"), domain: "example.org", serving: Self.application)
        }
        #expect(told?.text.contains(words) == true, "\(told?.text ?? "it was taken")")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["in"])
    }

    @Test("A description with other addresses of the same version, and with more fields, is read")
    func lenientDescriptions() throws {
        for address in ["http://indiehosters.net/spec/0.3", "https://indiehosters.net/spec/0.3/"] {
            let text = "{\"format\": \"\(address)\", \"application\": \"static\", \"more\": {\"a\": [1]}}"
            #expect(try MigrationDescription.parse(Array(text.utf8)).application == "static")
        }
        let exact = try MigrationDescription.parse(Array(Self.known.utf8))
        #expect(try MigrationDescription.parse(Array(exact.text.utf8)) == exact && exact.text == Self.known)
    }

    @Test("An enemy's tar file is refused, and nothing is left")
    func hostileArchives() async throws {
        let folder = try TemporaryFolder()
        for (words, build) in [
            ("leads out of the archive", { $0.add("/tmp/switchyard-escape", content: [1]) }),
            ("leads out of the archive", { $0.add("../switchyard-escape", content: [1]) }),
            ("leads out of the archive", { $0.add("uploads/../../switchyard-escape", content: [1]) }),
            ("which 0.3 does not have", { $0.add("uploads", type: "2", target: "/tmp") }),
            ("which 0.3 does not have", { $0.add("dump.sql", type: "1", target: "/etc/passwd") }),
            ("which 0.3 does not have", { $0.add("null", type: "3") }),
            ("has no indiehosters.json", { $0.add("a", content: [1]) }),
            ("more than 100 files", { tar in for index in 0...100 { tar.add("a\(index)") } }),
            ("1000000 bytes", { $0.add("a", content: [UInt8](repeating: 0, count: 1_000_001)) }),
            ("a header's sum is wrong", { $0.add("a", content: [UInt8](repeating: 7, count: 512), size: 0) }),
        ] as [(String, (inout TarBuilder) -> Void)] {
            var tar = TarBuilder()
            build(&tar)
            try tar.write(to: folder.path("bad.tar"))
            var archive = MigrationArchive(path: folder.path("bad.tar"))
            archive.limits.entryCountMax = 100
            archive.limits.byteCountMax = 1_000_000
            let told = await refusal {
                _ = try await archive.restore(
                    to: folder.path("a"), domain: "example.org", serving: Self.files)
            }
            #expect(told?.text.contains(words) == true, "\(words): \(told?.text ?? "it was taken")")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["bad.tar"])
        }
        #expect(!FileManager.default.fileExists(atPath: "/tmp/switchyard-escape"))
    }

    @Test("What tars of other kinds say is understood", arguments: ["gnu", "ustar", "pax", "oldgnu", "v7"])
    func tarFormats(format: String) async throws {
        let folder = try TemporaryFolder()
        _ = try knownArchive(folder)
        // Longer than a plain header has room for; v7 has no way to say it.
        let name =
            format == "v7"
            ? "short" : (0..<3).map { String(repeating: "\($0)", count: 45) }.joined(separator: "/")
        try folder.write("in/uploads/\(name)", "deep\n")
        try shell("tar -c --format=\(format) -C in -f in.tar .", in: folder.path)
        _ = try await MigrationArchive(path: folder.path("in.tar")).restore(
            to: folder.path("a"), domain: "example.org", serving: Self.application)
        #expect(folder.read("a/uploads/\(name)") == "deep\n")
    }

    @Test("Links in a folder of 0.3, and an unfit runme, are refused")
    func folderRefusals() async throws {
        let folder = try TemporaryFolder()
        let archive = MigrationArchive(path: try knownArchive(folder))
        let domain = await refusal {
            _ = try await archive.restore(
                to: folder.path("a"), domain: "no domain", serving: Self.application)
        }
        #expect(domain?.text.contains("the domain is not a host name") == true)
        let serving = await refusal {
            _ = try await archive.restore(to: folder.path("a"), domain: "example.org", serving: Self.files)
        }
        #expect(serving?.text == "known is not served in the way that was chosen for it")
        try shell("ln -s /etc in/uploads/etc", in: folder.path)
        let link = await refusal {
            _ = try await archive.restore(
                to: folder.path("a"), domain: "example.org", serving: Self.application)
        }
        #expect(link?.text == "uploads/etc is a link or a pipe, which 0.3 does not have")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["in"])
    }
}

/// The text of a runme.
@Suite struct RunmeTextTests {
    @Test("Every runme that can be read is written and read again")
    func roundTrip() throws {
        var container = Runme.Container(image: .named("web\"\\:1 #x"))
        container.volumes = ["www": "/srv/w w", "data": "/srv/{data}"]
        container.environmentPath = "env's"
        container.memoryBytes = (6 << 20) + 1
        var docker = Runme.Docker(container: container, ports: Runme.Ports(tls: 443, http: 80))
        var sidecar = Runme.Container(image: .archive(path: "images/db.tar"))
        sidecar.memoryBytes = 1 << 30
        docker.sidecars = ["db": sidecar]
        var first = Runme(domain: "example.org", start: .docker(docker))
        first.aliases = ["www.example.org", "xn--bcher-kva.example"]
        first.product = "yes"
        first.version = "1.10"
        first.snapshot = Runme.Snapshot(arguments: ["/s", "- x: y", "ü, [z]"], sidecar: "db")
        first.ready.check = .tcp
        first.ready.withinMilliseconds = 61_001
        first.sleepAfterMilliseconds = 1500
        first.certificatePath = "tls/example.org.pem"
        first.backup = Runme.Backup(everyMilliseconds: 3_600_000, remotes: ["git@a.example:b.git"])
        first.mailForward = "owner@example.net"
        let vagrant = Runme(
            domain: "a.example",
            start: .vagrant(
                Runme.Vagrant(directory: "v m", address: "192.168.56.10", ports: Runme.Ports(tls: 443))))
        let command = Runme(
            domain: "a.example",
            start: .command(Runme.Command(arguments: ["./serve", "null", "~"], ports: Runme.Ports(tls: 1))))
        for runme in [first, vagrant, command] {
            #expect(try parsed(runme.text) == runme, "\(runme.text)")
        }
    }
}

private func parsed(_ text: String) throws -> Runme {
    try Runme.parse(SourceFile(path: "runme", text: text)).0
}
