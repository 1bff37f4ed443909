import Orchestrator
import Routes
import Support
import Testing

/// What yardmaster writes, the edge can read.
struct RoutingTests {
    @Test func whatIsWrittenIsReadBackAndCompiles() throws {
        let names = ["example.org", "www.example.org"]
        let lines = [
            "a.example": SiteRoute.reject.line(for: names),
            "b.example": SiteRoute.asleep(wakeSocket: "/run/yardmaster/wake.sock").line(for: ["b.example"]),
            "c.example": SiteRoute.target("10.213.0.2:443", http: "10.213.0.2:80").line(for: ["c.example"]),
            "container:web": SiteRoute.target("[fd00::1]:443", http: nil).line(for: ["*.d.example"]),
        ]
        let text = RoutesText.text(lines)
        #expect(RoutesText.lines(of: text) == lines)
        let compiled = try RouteCompiler.compile(
            [SourceFile(path: "yardmaster.routes", text: text)], seed: HashSeed(first: 1, second: 2))
        #expect(compiled.routeCount == 4)
    }

    /// What somebody else wrote into the file is not taken for a site's.
    @Test func strangeLinesAreLeftOut() {
        let text = "# a\n\nx.example 1.2.3.4:1\ny.example 1.2.3.4:1 # two words\nz.example 1.2.3.4:1 # z\n#\n"
        #expect(RoutesText.lines(of: text) == ["z": "z.example 1.2.3.4:1"])
    }

    @Test func aPoolIsCutIntoNetworksOfSixteen() throws {
        let pool = try #require(SiteNetwork.Pool("10.213.0.0/16"))
        #expect(pool.networkCount == 4096)
        let network = pool[17]
        #expect(network.subnet == "10.213.1.16/28" && network.gateway == "10.213.1.17")
        #expect(network.address == "10.213.1.18" && network.range == "10.213.1.24/29")
        #expect(pool[4095].subnet == "10.213.255.240/28" && pool[4095].interface == "yard0ad5fff0")
        for bad in ["10.213.0.1/16", "10.213.0.0/29", "10.213.0.0", "x/16", "10.0.0.0/7", "fd00::/16", "/16"]
        {
            #expect(SiteNetwork.Pool(bad) == nil, "\(bad)")
        }
    }
}
