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

    // MARK: Names that stand twice

    /// A site's names are no container's; what is left of a line stays as it was.
    @Test func aSitesNameIsTakenFromContainers() {
        let site = SiteRoute.reject.line(for: ["a.example", "*.b.example"])
        let lines = [
            "a.example": site, "container:one": "c.example,a.example 10.0.0.1:443 http=10.0.0.1:80",
            "container:two": "*.b.example 10.0.0.2:443", "container:three": "b.example 10.0.0.3:443",
        ]
        let wanted = [
            "a.example": site, "container:one": "c.example 10.0.0.1:443 http=10.0.0.1:80",
            "container:three": "b.example 10.0.0.3:443",
        ]
        #expect(RoutesText.settled(lines) == wanted)
        #expect(RoutesText.containerNames(wanted) == ["c.example", "b.example"])
        #expect(
            RoutesText.without(["a.example", "b.example", "c.example"], inContainers: wanted)
                == ["a.example": site])
    }

    private func container(_ name: String, _ labels: [String: String]) -> ContainerSummary {
        ContainerSummary(
            identifier: name, name: name, labels: labels, isRunning: true, addresses: ["net": "10.0.0.9"])
    }

    @Test func aContainerHasNoNameThatStandsElsewhere() {
        let found = LabelledContainers(
            [container("web", ["switchyard.names": "A.example, b.example,c.example"])],
            taken: ["c.example"], elsewhere: ["a.example": "/x.routes:7"])
        #expect(found.lines == ["container:web": "b.example 10.0.0.9:443"])
        #expect(
            found.warnings == [
                "the container web: a.example has a route already: /x.routes:7",
                "the container web: c.example is another one's already",
            ])
    }

    @Test func filesBesideOursAreReadForNames() throws {
        let folder = try TemporaryFolder()
        let own = try folder.write("yardmaster.routes", "own.example 127.0.0.1:1\n")
        try folder.write("a.routes", "# own.example\n\n  One.example,*.two.example.\t127.0.0.1:1\n")
        try folder.write("b.routes", "x.example reject\none.example reject # no end")
        try folder.write("c.conf", "three.example reject\n")
        let before = NeighbourRoutes(of: own)
        #expect(
            before.places(of: ["own.example", "one.example", "*.two.example", "three.example"]) == [
                "one.example": folder.path("a.routes") + ":3",
                "*.two.example": folder.path("a.routes") + ":3",
            ])
        #expect(NeighbourRoutes(of: own) == before)
        try folder.write("yardmaster.routes", "")
        #expect(NeighbourRoutes(of: own) == before)
        try folder.write("b.routes", "x.example reject\n")
        #expect(NeighbourRoutes(of: own) != before)
    }

    /// Neither a label nor a name alone makes a container ours.
    @Test func ourContainersHaveOurNamesAndOurIdentity() {
        func labels(_ domain: String, _ identity: String?) -> [String: String] {
            var labels = [DockerSite.Label.site: domain]
            labels[DockerSite.Label.yardmaster] = identity
            return labels
        }
        for (name, identity, isOwn) in [
            ("switchyard-a.example", "me", true), ("switchyard-a.example-db", "me", true),
            ("switchyard-seed-1", "me", true), ("switchyard-a.example", nil, false),
            ("switchyard-a.example", "you", false), ("switchyard-b.example", "me", false),
            ("web", "me", false), ("", "me", false),
        ] {
            let summary = container(name, labels("a.example", identity))
            #expect(DockerSite.isOwn(summary, "me") == isOwn, "\(name) \(identity ?? "-")")
        }
        let nobodys = container("switchyard-", [DockerSite.Label.yardmaster: "me"])
        #expect(!DockerSite.isOwn(nobodys, "me"))
    }

    // MARK: Networks

    @Test func networksOfTheEngineAreInTheWayWhereTheyOverlap() throws {
        let pool = try #require(SiteNetwork.Pool("10.213.0.0/16"))
        for (subnets, overlapping) in [
            (["10.213.1.16/28"], [17]), (["10.213.1.0/27"], [16, 17]), (["10.213.1.20/32"], [17]),
            (["0.0.0.0/0"], Array(0..<4096)), (["10.212.0.0/16", "fd00::/64", "", "x/8"], []),
            (["172.17.0.0/16", "10.213.255.255/32"], [4095]),
        ] {
            let network = EngineNetwork(name: "net", subnets: subnets)
            #expect((0..<4096).filter { network.overlaps(pool[$0]) } == overlapping, "\(subnets)")
        }
    }

    /// The engine's silence is no failure of the site.
    @Test func anEngineThatIsLateIsUnavailable() {
        let refusal = Refusal(EngineError.late(seconds: 5))
        #expect(refusal == Refusal(.unavailable, "the container engine did not answer within 5 s"))
        #expect(EngineError.late(seconds: 5).isUnreachable)
    }
}
