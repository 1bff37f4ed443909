import Routes
import Testing
import Wire

@Suite struct ConfigurationTests {
    private func parse(_ text: String) throws -> Configuration {
        do throws(InvalidSource) {
            return try Configuration.parse(SourceFile(path: "c", text: text)).configuration
        } catch {
            Issue.record("\(error.diagnostics.rendered)")
            throw error
        }
    }

    private let least = "listen tls 0.0.0.0:443\nroutes r\n"

    @Test func `The example of the design is read in full`() throws {
        let configuration = try parse(
            """
            # /etc/switchyard/switchyard.conf
            listen tls  0.0.0.0:443
            listen tls  [::]:443
            listen tls  10.0.0.1:8443 accept-proxy=10.0.0.0/8      # behind another balancer
            listen http 0.0.0.0:80                                 # Host router
            listen tcp  203.0.113.7:22 to=172.17.0.9:22            # plain forward
            routes      routes.d/*.routes                          # relative to this file
            workers     auto
            io          auto
            control     /run/switchyard/control.sock
            metrics     127.0.0.1:9180
            pidfile     /run/switchyard/switchyard.pid
            user        switchyard
            log         stderr level=info access=on
            limit       connections=100000 per-source=256 parked=4096 parked-per-source=32 hello=16KiB
            timeout     hello=5s connect=5s idle=1h half-close=30s wake=30s held=30s drain=60s user=15m
            allow 198.51.100.0/24
            deny  203.0.113.0/24
            """)
        #expect(configuration.listeners.map(\.kind) == [.tls, .tls, .tls, .http, .tcp])
        #expect(
            configuration.listeners.map(\.endpoint.description)
                == ["0.0.0.0:443", "[::]:443", "10.0.0.1:8443", "0.0.0.0:80", "203.0.113.7:22"])
        #expect(configuration.listeners[2].acceptProxyFrom.map(\.description) == ["10.0.0.0/8"])
        #expect(configuration.listeners[4].forwardTo?.description == "172.17.0.9:22")
        #expect(configuration.routes.map(\.pattern) == ["routes.d/*.routes"])
        #expect(configuration.workers == .automatic)
        #expect(configuration.inputOutput == .automatic)
        #expect(configuration.controlPath == "/run/switchyard/control.sock")
        #expect(configuration.metrics?.description == "127.0.0.1:9180")
        #expect(configuration.pidfilePath == "/run/switchyard/switchyard.pid")
        #expect(configuration.user == "switchyard")
        #expect(configuration.log == LogSettings())
        // The example shows the defaults.
        #expect(configuration.limits == ConfigurationLimits())
        #expect(configuration.timeouts == ConfigurationTimeouts())
        #expect(configuration.sources.rules.map(\.isAllowed) == [true, false])
        #expect(configuration.place(of: .limit, key: "parked")?.line == 15)
        #expect(configuration.place(of: .user)?.line == 13)
        #expect(configuration.listeners[4].place.line == 6)
    }

    @Test func `What the file does not say has a default`() throws {
        let configuration = try parse(least)
        #expect(configuration.controlPath == "/run/switchyard/control.sock")
        #expect(configuration.metrics == nil)
        #expect(configuration.pidfilePath == nil)
        #expect(configuration.user == nil)
        #expect(configuration.place(of: .control) == nil)
        #expect(configuration.sources.allows(.v4(1)))
    }

    @Test func `Every setting can be changed`() throws {
        let configuration = try parse(
            least + """
                workers 4
                io io_uring
                control off
                log ./edge.log level=warning access=off
                limit connections=10 hello=8KiB
                limit parked=5 parked-per-source=2 per-source=10
                timeout drain=0s idle=250m
                timeout user=2s
                listen tcp [::1]:22 to=unix:/run/ssh.sock accept-proxy=10.0.0.0/8,192.0.2.1,2001:db8::/32
                """)
        #expect(configuration.workers == .exactly(4))
        #expect(configuration.inputOutput == .ioUring)
        #expect(configuration.controlPath == nil)
        #expect(configuration.log.destination == .file(path: "./edge.log"))
        #expect(configuration.log.level == .warning)
        #expect(!configuration.log.hasAccessLines)
        #expect(configuration.limits.connections == 10)
        #expect(configuration.limits.parked == 5)
        #expect(configuration.limits.parkedPerSource == 2)
        #expect(configuration.limits.helloBytes == 8_192)
        #expect(configuration.timeouts.drainMilliseconds == 0)
        #expect(configuration.timeouts.idleMilliseconds == 15_000_000)
        #expect(configuration.timeouts.userMilliseconds == 2_000)
        #expect(configuration.listeners[1].forwardTo == .unix(path: "/run/ssh.sock"))
        #expect(
            configuration.listeners[1].acceptProxyFrom.map(\.description)
                == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"])
    }

    @Test func `Defaults follow a smaller limit that the file sets`() throws {
        let limits = try parse(least + "limit connections=20").limits
        #expect(limits.connectionsPerSource == 20)
        #expect(limits.parked == 20)
        #expect(limits.parkedPerSource == 20)
    }

    @Test func `The first source rule that fits decides`() throws {
        let sources = try parse(
            least + "allow 10.1.0.0/16\ndeny 10.0.0.0/8 2001:db8::/33\nallow 192.0.2.7\ndeny all"
        ).sources
        #expect(sources.allows(.v4(0x0A01_0203)))
        #expect(!sources.allows(.v4(0x0A02_0203)))
        #expect(sources.allows(.v4(0xC000_0207)))
        #expect(!sources.allows(.v4(0xC000_0208)))
        #expect(!sources.allows(.v6(high: 0x2001_0DB8_0000_0000, low: 1)))
        #expect(sources.allows(.v6(high: 0, low: 0xFFFF_0A01_0203)), "IPv4-mapped addresses are IPv4")
    }

    @Test(arguments: [
        "listen", "listen tls", "listen tsl 0.0.0.0:1", "listen tls 443", "listen tls *:443",
        "listen tls localhost:443",
        "listen tls unix:/a", "listen 0.0.0.0:1", "listen tls 0.0.0.0:443",
        "listen tls 0.0.0.0:1 to=10.0.0.1:1",
        "listen tcp 0.0.0.0:1", "listen tcp 0.0.0.0:1 to=host:1", "listen tls 0.0.0.0:1 accept-proxy=",
        "listen tls 0.0.0.0:1 accept-proxy=10.0.0.0/33", "listen tls 0.0.0.0:1 accept-proxy=10.0.0.0/8,",
        "listen tls 0.0.0.0:1 accept-proxy=10.0.0.0/8 accept-proxy=10.0.0.0/8",
        "listen tls 0.0.0.0:1 accept-proxy",
        "routes", "routes r", "workers", "workers 0", "workers 257", "workers many", "workers 1 2",
        "io kqueue", "io uring",
        "control sock", "control /" + String(repeating: "a", count: 107), "metrics 9180",
        "metrics localhost:9180",
        "pidfile pid", "user", "user 0day", "user a.b", "user a b", "log", "log stdrr", "log level=info",
        "log stderr level=loud", "log stderr access=yes", "log stderr colour=on", "limit",
        "limit connections",
        "limit connections=0", "limit connections=10000001", "limit parked=200000", "limit hello=16KB",
        "limit hello=16384",
        "limit hello=1MiB", "limit hello=1KiB hello=2KiB", "limit per-source=200000", "limit sessions=4",
        "timeout idle=1",
        "timeout idle=0s", "timeout idle=8d", "timeout hallo=1s", "timeout hello=1s500ms", "timeout hello=h",
        "timeout idle=18446744073709551615h", "timeout idle=999999999999999999h", "allow", "allow 10.0.0",
        "deny 10.0.0.0/",
        "deny 10.0.0.0/8/8", "deny host", "deny 10.0.0.0/-1", "lisen tls 0.0.0.0:1",
        "example.org 10.0.0.1:443", "include x",
        "io auto\nio epoll", "log stderr\nlog stderr", "timeout idle=1h\ntimeout idle=1h",
    ])
    func `Wrong directives are refused with a place and a caret`(line: String) {
        let text = configurationDiagnostics(least + line)
        #expect(text.contains(": error: "), "\(line)")
        #expect(text.contains("^"))
        #expect(text.hasPrefix("c:"))
    }

    @Test func `A file that opens no port is refused`() {
        #expect(configurationDiagnostics("").contains("error: no `listen` directive"))
        #expect(configurationDiagnostics("# nothing\n").contains("error: no `listen` directive"))
    }

    @Test func `Routing without routes is worth a warning, forwarding is not`() {
        #expect(configurationDiagnostics("listen tls 0.0.0.0:1").contains("warning: no `routes` directive"))
        #expect(configurationDiagnostics("listen tcp 0.0.0.0:1 to=10.0.0.1:1") == "")
    }

    @Test func `Host bits behind a prefix are cleared with a warning`() throws {
        let text = least + "allow 10.1.2.3/8"
        #expect(configurationDiagnostics(text).contains("did you mean `10.0.0.0/8`?"))
        #expect(try parse(text).sources.rules.map(\.prefix.description) == ["10.0.0.0/8"])
    }

    @Test func `Paths are relative to the file`() {
        let file = SourceFile(path: "/etc/switchyard/switchyard.conf", text: "")
        #expect(file.resolve("routes.d/*.routes") == "/etc/switchyard/routes.d/*.routes")
        #expect(file.resolve("/a/b") == "/a/b")
        #expect(SourceFile(path: "c", text: "").resolve("r") == "r")
    }

    @Test func `A program can point to what it cannot follow`() throws {
        let file = SourceFile(path: "c", text: least + "user nobody-here\n")
        let configuration = try Configuration.parse(file).configuration
        let place = try #require(configuration.place(of: .user))
        #expect(
            Diagnostic(.error, at: place, in: file, "there is no such user").rendered == """
                c:3:1: error: there is no such user
                    user nobody-here
                    ^~~~
                """)
    }
}
