import Foundation
import Orchestrator
import Routes
import Support
import Testing

struct ConfigurationTests {
    private func parse(_ text: String) throws(InvalidSource) -> YardmasterConfiguration {
        try YardmasterConfiguration.parse(SourceFile(path: "yardmaster.yaml", text: text))
    }

    /// The file that is installed says what is so without it, so that its lines can be trusted.
    @Test func theInstalledFileSaysWhatIsSoWithoutIt() throws {
        let text = try String(contentsOfFile: Repository.path("conf/yardmaster.yaml"), encoding: .utf8)
        #expect(try parse(text) == YardmasterConfiguration())
    }

    @Test func everyKeyIsRead() throws {
        let read = try parse(
            """
            sites: /s
            state: /t/y.sqlite
            api: /r/a.sock
            wake: /r/w.sock
            engine: /e.sock
            networks: 10.0.0.0/8
            edge: { routes: /x.routes, pidfile: /p, control: /c }
            limits: { running: 7, memory: 2GiB }
            compare: 5s
            """)
        var wanted = YardmasterConfiguration()
        wanted.sitesPath = "/s"
        wanted.statePath = "/t/y.sqlite"
        wanted.interfacePath = "/r/a.sock"
        wanted.wakePath = "/r/w.sock"
        wanted.enginePath = "/e.sock"
        wanted.networks = "10.0.0.0/8"
        wanted.routesPath = "/x.routes"
        wanted.edgePidPath = "/p"
        wanted.edgeControlPath = "/c"
        wanted.limits = Capacity.Limits(running: 7, memoryBytes: 2 << 30)
        wanted.compareMilliseconds = 5000
        #expect(read == wanted && wanted.logPath == "/t/logs")
    }

    @Test func whatIsSaidOfDNSIsRead() throws {
        let read = try parse(
            """
            peers: { name: a, listen: ["0.0.0.0:1"], address: "b:1", addresses: [203.0.113.7, "2001:db8::7"] }
            dns:
              server: 192.0.2.53
              key: /k
              ttl: 2m
              resolvers: ["9.9.9.9", "[2001:db8::1]:5353", "2001:db8::2"]
            """)
        #expect(read.names.server == HostPort("192.0.2.53", 53) && read.names.keyPath == "/k")
        #expect(read.names.ttlSeconds == 120)
        #expect(
            read.names.resolvers.map(\.description) == [
                "9.9.9.9:53", "[2001:db8::1]:5353", "[2001:db8::2]:53",
            ])
        #expect(read.peers?.addresses.map(\.description) == ["203.0.113.7", "2001:db8::7"])
    }

    @Test func mistakesAreToldWithTheirPlaces() {
        for (text, message) in [
            ("sites: here\n", "1:8: error: sites is an absolute path without blanks"),
            ("site: /s\n", "1:1: error: a configuration has no `site`"),
            ("networks: 10.0.0.1/8\n", "1:11: error: networks is an IPv4 network of 8 to 28 bits"),
            ("limits: { running: 0 }\n", "1:20: error: running is a number of sites, at least 1"),
            ("edge: { route: /x }\n", "1:9: error: edge has no `route`"),
            ("compare: soon\n", "1:10: error: "),
            ("dns: { server: here }\n", "1:16: error: `here` is not an IP address, with or without a port"),
            ("dns: { key: key }\n", "1:13: error: key is an absolute path"),
            (
                "peers: { name: a, listen: [], address: 'b:1', addresses: ['2001:db8::7'] }\n",
                "1:58: error: addresses has no IPv4 address"
            ),
        ] {
            do throws(InvalidSource) {
                _ = try parse(text)
                Issue.record("it was taken: \(text)")
            } catch {
                #expect(error.diagnostics.rendered.contains(message), "\(error.diagnostics.rendered)")
            }
        }
    }
}
