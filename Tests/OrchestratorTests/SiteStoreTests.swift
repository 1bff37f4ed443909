import Orchestrator
import Support
import Testing

/// What is kept, and what is refused, by the state.
struct SiteStoreTests {
    private let folder: TemporaryFolder
    private let store: SiteStore

    init() throws {
        folder = try TemporaryFolder()
        store = try SiteStore(path: folder.path("state.sqlite"))
    }

    private func add(
        _ domain: String, names: [String]? = nil, networks: Int = 3
    ) async throws(Refusal) -> SiteRecord {
        try await store.add(
            domain: domain, names: names ?? [domain], folder: "/sites/\(domain)", runme: "a runme",
            wish: .stopped, networkCount: networks
        ).0
    }

    private func refusal(_ body: () async throws(Refusal) -> Void) async -> Refusal? {
        do throws(Refusal) {
            try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func sitesOutliveTheProcessThatKeptThem() async throws {
        _ = try await add("b.example")
        _ = try await add("a.example")
        let other = try SiteStore(path: folder.path("state.sqlite"))
        let sites = try await other.sites()
        #expect(sites.map(\.domain) == ["a.example", "b.example"] && sites.map(\.network) == [1, 0])
        #expect(try await other.operationsUnderWay().map(\.verb) == ["add", "add"])
    }

    /// A refusal changes nothing, not even in the journal.
    @Test func namesFoldersAndNetworksBelongToOneSite() async throws {
        _ = try await add("a.example", names: ["a.example", "www.example"], networks: 2)
        for (what, wanted) in [
            ("the name www.example is one of the site a.example", "b.example"),
            ("there is a site a.example already", "a.example"),
        ] {
            let refused = await refusal { () throws(Refusal) in
                _ = try await store.add(
                    domain: wanted, names: [wanted, "www.example"].sorted(), folder: "/elsewhere", runme: "",
                    wish: .awake, networkCount: 2)
            }
            #expect(refused == Refusal(.conflict, what))
        }
        let folders = await refusal { () throws(Refusal) in
            _ = try await store.add(
                domain: "c.example", names: ["c.example"], folder: "/sites/a.example", runme: "",
                wish: .awake,
                networkCount: 2)
        }
        #expect(folders == Refusal(.conflict, "/sites/a.example is the folder of a.example already"))
        _ = try await add("d.example", networks: 2)
        let networks = await refusal { () throws(Refusal) in _ = try await add("e.example", networks: 2) }
        #expect(networks?.text == "there is no free network for another site: all 2 are taken")
        #expect(try await store.sites().count == 2)
        #expect(try await store.operations(of: nil, limit: 10).count == 2)
    }

    /// Networks that the engine has otherwise are passed over, and named when there is no other.
    @Test func aNetworkThatIsInTheWayIsPassedOver() async throws {
        let (record, _) = try await store.add(
            domain: "a.example", names: ["a.example"], folder: "/a", runme: "", wish: .stopped,
            networkCount: 3
        ) { $0 < 2 ? "bridge" : nil }
        #expect(record.network == 2)
        let refused = await refusal { () throws(Refusal) in
            _ = try await store.add(
                domain: "b.example", names: ["b.example"], folder: "/b", runme: "", wish: .stopped,
                networkCount: 3
            ) { $0 < 2 ? "bridge" : nil }
        }
        #expect(
            refused?.text
                == "there is no free network for another site: all 3 are taken, some by the engine's network "
                + "bridge")
    }

    /// It is the state's own, and stays.
    @Test func eachStateHasAnIdentity() throws {
        let again = try SiteStore(path: folder.path("state.sqlite"))
        let other = try SiteStore(path: folder.path("other.sqlite"))
        #expect(store.identity == again.identity && store.identity != other.identity)
        #expect(store.identity.count == 36)
    }

    @Test func aNetworkIsFreeAgainWhenItsSiteIsForgotten() async throws {
        _ = try await add("a.example")
        _ = try await add("b.example")
        try await store.forget("a.example")
        #expect(try await add("c.example", names: ["c.example", "a.example"]).network == 0)
    }

    /// Another runme, a restart: what runs was started for an earlier revision. A wish alone changes nothing.
    @Test func aRevisionGrowsWithWhatIsToBeStartedAnew() async throws {
        _ = try await add("a.example")
        var (record, operation) = try await store.change("a.example", to: .awake, verb: "start")
        #expect(record.revision == 1 && operation.previousWish == .stopped)
        (record, operation) = try await store.change(
            "a.example", to: .awake, verb: "restart", isRenewed: true)
        #expect(record.revision == 2 && operation.previousWish == .awake)
        (record, _) = try await store.change(
            "a.example", to: .awake, verb: "start", runme: ("another", ["a.example", "b.example"]))
        #expect(record.revision == 3 && record.runme == "another")
        let refused = await refusal { () throws(Refusal) in _ = try await add("b.example") }
        #expect(refused?.kind == .conflict)
    }

    @Test func whatIsBeingRemovedCannotBeStarted() async throws {
        _ = try await add("a.example")
        _ = try await store.change("a.example", to: .removed, verb: "remove")
        let refused = await refusal { () throws(Refusal) in
            _ = try await store.change("a.example", to: .awake, verb: "start")
        }
        #expect(refused == Refusal(.conflict, "a.example is being removed"))
        let missing = await refusal { () throws(Refusal) in
            _ = try await store.change("b.example", to: .awake, verb: "start")
        }
        #expect(missing == Refusal(.missing, "there is no site b.example"))
    }

    @Test func theJournalTellsWhatIsUnderWayAndWhatFailed() async throws {
        _ = try await add("a.example")
        let (_, start) = try await store.change("a.example", to: .awake, verb: "start")
        try await store.end(try await store.operationsUnderWay().filter { $0.verb == "add" }, failure: nil)
        #expect(try await store.operationsUnderWay() == [start])
        try await store.end([start], failure: "no engine")
        #expect(try await store.operationsUnderWay().isEmpty)
        let last = try #require(try await store.operations(of: "a.example", limit: 1).first)
        #expect(last.verb == "start" && last.failure == "no engine" && last.ended != nil)
    }

    @Test func aFolderThatCannotBeWrittenIsToldInOneSentence() {
        do throws(Refusal) {
            _ = try SiteStore(path: folder.path("none/state.sqlite"))
            Issue.record("it was opened")
        } catch {
            #expect(error.kind == .unavailable && error.text.contains("none/state.sqlite"), "\(error.text)")
        }
    }
}
