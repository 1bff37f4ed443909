import Routes
import Runme
import Testing

/// The manifest of a site: what is taken, and what is told of what is not.
@Suite struct RunmeParsingTests {
    private static let whole = """
        #!/usr/bin/env -S yard run
        runme: 1
        domain: Example.ORG
        aliases: [www.example.org, bücher.example]
        product: wordpress
        version: "6.1"
        start:
          docker:
            image: wordpress:6
            ports: { tls: 443, http: 80, proxy: v2 }
            volumes: { wp-content: /var/www/html/wp-content }
            env_file: env
            memory: 512MiB
            sidecars:
              db: { image: "mariadb:10", volumes: { db: /var/lib/mysql } }
              cache: { archive: images/cache.tar, memory: 64MiB }
        snapshot: { exec: [/snapshot.sh, --all], in: db }
        ready: { check: tcp, within: 90s }
        sleep: { after: 30m }
        tls: { certificate: tls/example.org.pem }
        backup: { every: 1h, to: [ "git@a.example:example.org.git", /srv/backup/example.org.git ] }
        mail: { forward: owner@example.net }

        """

    private func parse(_ text: String) throws(InvalidSource) -> (Runme, DiagnosticList) {
        try Runme.parse(SourceFile(path: "runme", text: text))
    }

    @Test("Everything that a runme can say is read")
    func everything() throws {
        let (runme, warnings) = try parse(Self.whole)
        var database = Runme.Container(image: .named("mariadb:10"))
        database.volumes = ["db": "/var/lib/mysql"]
        var cache = Runme.Container(image: .archive(path: "images/cache.tar"))
        cache.memoryBytes = 64 << 20
        var container = Runme.Container(image: .named("wordpress:6"))
        container.volumes = ["wp-content": "/var/www/html/wp-content"]
        container.environmentPath = "env"
        container.memoryBytes = 512 << 20
        var docker = Runme.Docker(
            container: container, ports: Runme.Ports(tls: 443, http: 80, proxy: .v2))
        docker.sidecars = ["db": database, "cache": cache]
        var expected = Runme(domain: "example.org", start: .docker(docker))
        expected.aliases = ["www.example.org", "xn--bcher-kva.example"]
        expected.product = "wordpress"
        expected.version = "6.1"
        expected.snapshot = Runme.Snapshot(arguments: ["/snapshot.sh", "--all"], sidecar: "db")
        expected.ready.check = .tcp
        expected.ready.withinMilliseconds = 90_000
        expected.sleepAfterMilliseconds = 1_800_000
        expected.certificatePath = "tls/example.org.pem"
        expected.backup = Runme.Backup(
            everyMilliseconds: 3_600_000,
            remotes: ["git@a.example:example.org.git", "/srv/backup/example.org.git"])
        expected.mailForward = "owner@example.net"
        #expect(runme == expected)
        #expect(warnings.rendered == "")
    }

    @Test("The other two kinds, and what holds when nothing is said")
    func kinds() throws {
        let head = "#!/usr/bin/env -S yard run\nrunme: 1\ndomain: a.example\nstart:\n"
        let (vagrant, _) = try parse(
            head + "  vagrant: { directory: vm, address: 192.168.56.10, ports: { tls: 443 } }\n"
                + "sleep: { after: never }\n"
        )
        let machine = Runme.Vagrant(
            directory: "vm", address: "192.168.56.10", ports: Runme.Ports(tls: 443))
        #expect(vagrant == Runme(domain: "a.example", start: .vagrant(machine)))
        let (command, _) = try parse(
            head + "  command:\n    exec: [./serve, --port, \"8443\"]\n    ports: { tls: 8443 }\n")
        let program = Runme.Command(
            arguments: ["./serve", "--port", "8443"], ports: Runme.Ports(tls: 8443))
        #expect(command == Runme(domain: "a.example", start: .command(program)))
        #expect(command.ready.check == .hello && command.ready.withinMilliseconds == 60_000)
        #expect(command.sleepAfterMilliseconds == nil)
    }

    @Test("Without its first line a runme is taken, with a warning")
    func firstLine() throws {
        let text = Self.whole.split(separator: "\n").dropFirst().joined(separator: "\n")
        let (_, warnings) = try parse(text)
        #expect(warnings.warningCount == 1)
        #expect(warnings.rendered.hasPrefix("runme:1:1: warning: `./runme` will not start the site\n"))
    }

    /// One change to the whole runme, and the first line of what is told.
    private static let mistakes: [(change: (String, String), told: String)] = [
        (("runme: 1", "runme: 2"), "2:8: error: this reads format 1, and not `2`"),
        (("domain: Example.ORG\n", ""), "2:1: error: a runme needs `domain`"),
        (("Example.ORG", "192.0.2.1"), "3:9: error: the domain is not a host name: it is an IP address"),
        (
            ("Example.ORG", "a..b"),
            "3:9: error: the domain is not a host name: there is nothing between two dots"
        ),
        (("www.example.org,", "example.org,"), "4:11: error: `example.org` stands twice"),
        (
            ("aliases: [www.example.org, bücher.example]", "aliases: www.example.org"),
            "4:10: error: aliases is a list: [ … ]"
        ),
        (("product:", "produkt:"), "5:1: error: a runme has no `produkt`"),
        (
            ("  docker:", "  podman:"),
            "8:3: error: start has exactly one of `docker`, `vagrant` and `command`"
        ),
        (("    image: wordpress:6\n", ""), "9:5: error: docker needs exactly one of `image` and `archive`"),
        (("{ tls: 443, http: 80, proxy: v2 }", "{ http: 80 }"), "10:12: error: ports needs `tls`"),
        (("tls: 443,", "tls: 70000,"), "10:19: error: `70000` is not a port: 1 to 65535"),
        (("proxy: v2", "proxy: v3"), "10:41: error: there is no PROXY protocol `v3`: v1 or v2"),
        (
            ("wp-content: /var", "WP: /var"),
            "11:16: error: a volume's name has up to 63 letters a-z, digits and hyphens, and no hyphen"
        ),
        (
            ("wp-content: /var/www/html/wp-content", "a: ../b"),
            "11:19: error: where a volume is mounted is a plain path that begins with a slash"
        ),
        (
            ("wp-content: /var", "tls: /var"),
            "11:16: error: a volume cannot be called `tls`: the site's folder has something of that name"
        ),
        (("env_file: env", "env_file: ../env"), "12:15: error: env_file leads out of the site's folder"),
        (("env_file: env", "env_file: /etc/passwd"), "12:15: error: env_file leads out of the site's folder"),
        (("512MiB", "512"), "13:13: error: a unit is missing behind 512"),
        (("512MiB", "1KiB"), "13:13: error: `1KiB` is not in 6MiB…16777216MiB"),
        (("in: db", "in: dv"), "17:46: error: there is no sidecar `dv`"),
        (("check: tcp", "check: http"), "18:17: error: there is no check `http`"),
        (("90s", "90h"), "18:30: error: `90h` is not in 1s…1h"),
        (
            ("tls/example.org.pem", "tls/../../key.pem"),
            "20:21: error: certificate leads out of the site's folder"
        ),
        (
            ("\"git@a.example:example.org.git\"", "\"--upload-pack=x\""),
            "21:28: error: a remote does not begin with a hyphen"
        ),
        (("owner@example.net", "owner"), "22:18: error: `owner` is not a mail address"),
        (("version: \"6.1\"", "version: &v \"6.1\""), "6:10: error: a runme has no anchors and no aliases"),
        (("version: \"6.1\"", "version: [6]"), "6:10: error: the version is a text"),
        (("version: \"6.1\"", "version: \"6\\0\""), "6:10: error: the version has a control character"),
        (("mail:", "domain: b.example\nmail:"), "3:1: error: `domain` stands twice"),
        (("ports: {", "ports: ["), "did not find expected"),
        ((Self.whole, ""), "1:1: error: the file is empty"),
        ((Self.whole, "- a\n- b\n"), "1:1: error: a runme is a mapping of keys and values"),
    ]

    @Test("Each mistake is told with its place", arguments: Self.mistakes.indices)
    func eachMistakeIsTold(_ index: Int) throws {
        let (change, told) = Self.mistakes[index]
        let text = Self.whole.replacing(change.0, with: change.1, maxReplacements: 1)
        try #require(text != Self.whole)
        let error = #expect(throws: InvalidSource.self) { try parse(text) }
        let rendered = error?.diagnostics.rendered ?? ""
        #expect(rendered.split(separator: "\n").contains { $0.contains(told) }, "\(rendered)")
    }

    @Test("All mistakes are told at once, in their order, and an excerpt shows each")
    func several() {
        let text = Self.whole.replacing("512MiB", with: "lots").replacing("wordpress:6", with: "\"\"")
        let error = #expect(throws: InvalidSource.self) { try parse(text) }
        #expect(
            error?.diagnostics.rendered == """
                runme:9:12: error: an image is a text
                        image: ""
                               ^~
                runme:13:13: error: `lots` is not a size
                        memory: lots
                                ^~~~
                    hint: write 64KiB or 1MiB

                """)
    }

    @Test("No bytes whatever stop the process")
    func noise() {
        var random = SystemRandomNumberGenerator()
        let whole = Array(Self.whole.utf8)
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + 9))
                default:
                    bytes.insert(
                        contentsOf: whole[place % whole.count..<min(whole.count, place + 7)], at: place)
                }
            }
            do throws(InvalidSource) {
                _ = try Runme.parse(SourceFile(path: "runme", bytes: bytes))
            } catch {
                #expect(error.diagnostics.errorCount > 0)
            }
        }
    }
}
