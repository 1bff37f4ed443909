import Routes
import Testing
import Wire

@Suite struct RouteGrammarTests {
    @Test func `Names of one line lead to one route`() throws {
        let image = try compile("example.org,www.example.org 172.17.0.2:443\n").image
        #expect(image.find("example.org").kind == .exact)
        #expect(image.find("example.org").routeIndex == image.find("www.example.org").routeIndex)
        #expect(image.find("example.net") == .none)
        #expect(try image.targets("example.org").map { image.text($0.address) } == ["172.17.0.2:443"])
    }

    @Test func `Upper case and one trailing dot are normalised`() throws {
        let image = try compile("Example.ORG. 172.17.0.2:443\n*.Example.NET 172.17.0.2:443").image
        #expect(image.find("example.org").kind == .exact)
        #expect(image.find("a.example.net").kind == .wildcard)
    }

    @Test func `Targets carry weights, drains and backups`() throws {
        let image = try compile("a.org 10.0.0.5:443@98,10.0.0.6:443@0,[2001:db8::7]:8443,10.0.0.9:1@backup")
            .image
        let route = try image.route("a.org")
        #expect(route.action == .targets)
        #expect(route.totalWeight == 99)
        #expect(route.backupCount == 1)
        let targets = try image.targets("a.org")
        #expect(targets.map(\.weight) == [98, 0, 1, 1])
        #expect(targets.map(\.isDrained) == [false, true, false, false])
        #expect(targets.map(\.isBackup) == [false, false, false, true])
        #expect(image.text(targets[2].address) == "[2001:db8::7]:8443")
    }

    @Test func `A unix path may hold the characters that mean something elsewhere`() throws {
        let image = try compile("a.org unix:/run/a@b#c.sock,unix:/run/d@3,unix:/run/e@backup").image
        let targets = try image.targets("a.org")
        #expect(
            targets.map { image.text($0.address) } == ["unix:/run/a@b#c.sock", "unix:/run/d", "unix:/run/e"])
        #expect(targets.map(\.weight) == [1, 3, 1])
        #expect(targets[2].isBackup)
    }

    @Test(arguments: [
        ("held", Route.Action.held), ("reject", .reject), ("reset", .reset), ("asleep wake=unix:/w", .asleep),
    ])
    func `A word instead of targets says what else is to be done`(text: String, action: Route.Action) throws {
        let image = try compile("a.org " + text).image
        let route = try image.route("a.org")
        #expect(route.action == action)
        #expect(route.targetCount == 0)
    }

    @Test func `All options are read`() throws {
        let image = try compile(
            """
            a.org 10.0.0.1:1 balance=least check=hello:250ms acme=127.0.0.1:10443 proxy=v2 http=10.0.0.1:80 \
            max=200 idle=10m drain=30s
            b.org [::1]:1 balance=source check=tcp proxy=v1 http=all:[::1]:80 drain=0s
            c.org asleep wake=unix:/run/wake.sock http=unix:/run/http.sock acme=unix:/run/acme.sock
            d.org 10.0.0.1:1 balance=weighted
            """
        ).image
        let a = try image.options("a.org")
        #expect(try image.route("a.org").balance == .least)
        #expect(a.check == .hello(intervalMilliseconds: 250))
        #expect(a.acme.map(image.text) == "127.0.0.1:10443")
        #expect(a.proxyHeader == .version2)
        #expect(a.http == .challenges(.ip(IPEndpoint(address: .v4(0x0A00_0001), port: 80))))
        #expect(a.sessionsMax == 200)
        #expect(a.idleMilliseconds == 600_000)
        #expect(a.drainMilliseconds == 30_000)
        #expect(a.wake == nil)

        let b = try image.options("b.org")
        #expect(try image.route("b.org").balance == .source)
        #expect(b.check == .tcp(intervalMilliseconds: 5_000))
        #expect(b.proxyHeader == .version1)
        #expect(b.http == .everything(.ip(IPEndpoint(address: .v6(high: 0, low: 1), port: 80))))
        #expect(b.drainMilliseconds == 0)

        let c = try image.options("c.org")
        #expect(c.wake.map(image.text) == "unix:/run/wake.sock")
        #expect(c.acme.map(image.text) == "unix:/run/acme.sock")
        guard case .challenges(let http) = c.http else { return #expect(Bool(false), "http is forwarded") }
        #expect(image.text(http) == "unix:/run/http.sock")

        #expect(try image.options("d.org") == RouteOptions())
        #expect(try image.route("d.org").balance == .weighted)
    }

    @Test func `A route knows its file and line`() throws {
        let files = [
            SourceFile(path: "one.routes", text: "# first\n\na.org held"),
            SourceFile(path: "two.routes", text: "b.org held\nc.org held\n"),
        ]
        let image = try RouteCompiler.compile(files, seed: testSeed).image
        let places = try ["a.org", "c.org"].map {
            RouteImage.source(of: try image.route($0), in: image.span.rawBytes)
        }
        #expect(places == ["one.routes:3", "two.routes:2"])
    }

    @Test(arguments: [
        "a.org\theld\n", "a.org held", "a.org held\r\n", "\u{FEFF}a.org held\n", "  a.org   held  # why\n",
        "\n\n# comment\n\t\na.org held #\n", "a.org held #comment without a blank\n",
        "# caf\u{E9}\r\na.org held\r\n",
    ])
    func `Blanks, comments, line endings and a byte order mark do not matter`(text: String) throws {
        let compiled = try compile(text)
        #expect(compiled.image.find("a.org").kind == .exact)
        #expect(compiled.warnings.rendered == "")
    }

    @Test func `A comment need not be UTF-8`() throws {
        let image = try compile(bytes: Array("a.org held # caf".utf8) + [0xE9, 0x00, 0x0A]).image
        #expect(image.find("a.org").kind == .exact)
    }

    @Test func `Files without routes make an empty table`() throws {
        #expect(try compile("").routeCount == 0)
        #expect(try compile("\n# nothing\n").image.find("a.org") == .none)
        #expect(try RouteCompiler.compile([], seed: testSeed).nameCount == 0)
        #expect(RouteCompiler.empty(seed: testSeed).find("a.org") == .none)
    }

    @Test func `Names beyond ASCII become A-labels, with a warning`() throws {
        let compiled = try compile("B\u{DC}cher.example,*.\u{FC}nicode.example held\n")
        #expect(compiled.image.find("xn--bcher-kva.example").kind == .exact)
        #expect(compiled.image.find("a.xn--nicode-2ya.example").kind == .wildcard)
        #expect(compiled.warnings.warningCount == 2)
    }

    @Test(arguments: [
        "e\u{301}.example", "\u{1F600}.example", "\u{FF41}.example", "a\u{3002}example", "\u{301}a.example",
        "x-.\u{FC}-.example", "ab--\u{FC}.example", "a\u{200D}b.example", "\u{2126}\u{1100}\u{1161}.example",
    ])
    func `Names that IDNA would change or refuse are refused`(name: String) {
        #expect(diagnostics(name + " held").contains("error: "))
    }

    @Test func `Sixty-four targets are allowed and sixty-five are not`() throws {
        let targets = (1...65).map { "10.0.0.\($0):443" }
        let image = try compile("a.org " + targets.prefix(64).joined(separator: ",")).image
        #expect(try image.route("a.org").targetCount == 64)
        #expect(
            diagnostics("a.org " + targets.joined(separator: ",")).contains(
                "65 targets in one route, more than 64"))
    }

    @Test(arguments: [
        "a_b.example held", "-a.example held", "localhost held", "*.org held",
        "\(String(repeating: "a", count: 63)).org held",
        "a.org 255.255.255.255:65535", "a.org [::ffff:10.0.0.1]:1", "a.org [1:2:3:4:5:6:7:8]:1",
        "a.org [1::]:1",
        "a.org [1:2:3:4:5:6:7::]:1", "a.org [::2:3:4:5:6:7:8]:1", "a.org [64:ff9b::1.2.3.4]:1",
    ])
    func `Unusual but right lines are accepted`(line: String) throws {
        #expect(try compile(line).routeCount == 1)
    }

    @Test(arguments: [
        "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:0443", "10.0.0.256:1", "10.0.0:1",
        "10.0.0.01:1", "10.0.0.1.2:1", "10..0.1:1", "::1:443", "[::1]", "[::1]:", "[::1:443", "[:::1]:1",
        "[1::2::3]:1",
        "[1:2:3:4:5:6:7:8:9]:1", "[1:2:3:4:5:6:7]:1", "[12345::]:1", "[::1%eth0]:1", "[10.0.0.1]:1", "[]:1",
        ":443",
        "[1:2:3:4:5:6:7:1.2.3.4]:1", "[::1.2.3]:1", "[1:]:1", "[:1]:1", "[1:2:3:4:5:6:7:8::]:1",
        "*:443", "backend:443", "backend.local:443", "backend", "0.0.0.0:443", "[::]:443", "unix:",
        "unix:run/a",
        "unix:@a", "unix:/" + String(repeating: "a", count: 107), "10.0.0.1:1@", "10.0.0.1:1@65536",
        "10.0.0.1:1@-1",
        "10.0.0.1:1@back", "10.0.0.1:1,", ",10.0.0.1:1", "10.0.0.1:1,,10.0.0.2:1", "10.0.0.1:1,held", "hold",
        "10.0.0.1:1;10.0.0.2:1", "10.0.0.1:443#c", "tcp://10.0.0.1:1", "asleep",
    ])
    func `Wrong targets are refused with a place in the line`(target: String) {
        let text = diagnostics("a.org \(target)\n")
        #expect(text.hasPrefix("t:1:"))
        #expect(text.contains(": error: "))
        #expect(text.contains("^"))
    }

    @Test(
        arguments: [
            "", "a.org", "a..org held", ".org held", "*a.org held", "a.*.org held", "*. held", "** held",
            "1.2.3.4 held",
            "a.org,,b.org held", "a.org, b.org held", "a.org:443 held", "a/b held", "https://a.org held",
            "\(String(repeating: "a", count: 64)).org held", "a=b held",
            "\(String(repeating: "abcdefg.", count: 32))org held",
            "*.\(String(repeating: "abcdefg.", count: 31))orgs held",
        ].dropFirst())
    func `Wrong names are refused`(line: String) {
        #expect(diagnostics(line).contains(": error: "))
    }

    @Test(arguments: [
        "balance=random", "balance", "balance=", "check=http", "check=tcp:5", "check=hello:1ms", "proxy=v3",
        "max=0",
        "max=many", "idle=1", "idle=0s", "drain=25h", "http=all", "http=backend:80", "acme=10.0.0.1",
        "colour=red",
        "=x", "maxx=3", "10.0.0.2:443", "max=1 max=2", "idle=5d", "wake=unix:/w", "drain=1m30s",
    ])
    func `Wrong options are refused`(option: String) {
        #expect(diagnostics("a.org 10.0.0.1:1 \(option)").contains(": error: "))
    }

    @Test(arguments: [
        "held max=1", "reject acme=10.0.0.1:1", "asleep wake=10.0.0.1:1", "reset balance=least",
    ])
    func `Options without effect are refused`(rest: String) {
        #expect(diagnostics("a.org " + rest).contains(": error: "))
    }

    @Test func `All errors are reported, up to a hundred, and the others counted`() throws {
        let lines = (0..<130).map { "a\($0).org nowhere" }.joined(separator: "\n")
        let text = diagnostics(lines)
        #expect(text.hasSuffix("30 more errors\n"))
        #expect(text.contains("t:100:9: error:"))
        #expect(!text.contains("t:101:"))
    }

    @Test func `A name that stands twice is shown with both places, across files too`() {
        let files = [
            SourceFile(path: "one", text: "a.org,*.b.org held\n"),
            SourceFile(path: "two", text: "c.org,A.org. held\n*.b.org reset\nd.org,d.org,d.org held"),
        ]
        do throws(InvalidSource) {
            _ = try RouteCompiler.compile(files, seed: testSeed)
            Issue.record("duplicates are refused")
        } catch {
            let text = error.diagnostics.rendered
            #expect(error.diagnostics.errorCount == 4)
            #expect(text.contains("two:1:7: error: the name `a.org` stands twice"))
            #expect(text.contains("one:1:1: note: it first stands here"))
            #expect(text.contains("two:2:1: error: the name `*.b.org` stands twice"))
            #expect(text.contains("one:1:7: note: it first stands here"))
            #expect(text.contains("two:3:7: error: the name `d.org` stands twice"))
            #expect(text.contains("two:3:13: error: the name `d.org` stands twice"))
        }
    }

    @Test func `Every prefix and every damaged byte of a file gives an answer`() {
        let text = Array(
            ("a.org,*.b.org 10.0.0.1:443@2,[::1]:1@backup,unix:/a check=hello:5s http=all:10.0.0.1:80\n"
                + "* asleep wake=unix:/w\n")
                .utf8)
        var accepted = 0
        func judge(_ bytes: [UInt8]) {
            let file = SourceFile(path: "t", bytes: bytes)
            do throws(InvalidSource) {
                let image = try RouteCompiler.compile([file], seed: testSeed).image
                accepted += image.isEmpty ? 0 : 1
            } catch {
                #expect(error.diagnostics.rendered.contains("t:"))
            }
        }
        for count in 0...text.count { judge(Array(text.prefix(count))) }
        for index in text.indices {
            for bit in 0..<8 {
                var damaged = text
                damaged[index] ^= 1 << UInt8(bit)
                judge(damaged)
            }
        }
        #expect(accepted > 0)
    }
}
