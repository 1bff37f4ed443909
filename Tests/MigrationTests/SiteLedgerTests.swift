import Migration
import Testing

/// Sites that are added by hand, and several sites of one hoster.
@Suite struct SiteLedgerTests {
    private let now = 1e9

    private func answer(
        _ demand: MigrationRequest.Demand, migration: UInt64 = 1, epoch: UInt64 = 1, from peer: String = "a",
        _ ledger: inout SiteLedger
    ) -> MigrationAnswer.Outcome {
        ledger.answer(
            Sample.request(demand, migration: migration, epoch: epoch), from: peer, terms: Sample.terms,
            atSeconds: now
        ).outcome
    }

    private func isRefused(_ outcome: MigrationAnswer.Outcome) -> Bool {
        if case .refused = outcome { true } else { false }
    }

    /// The ledger of a hoster to whom a site was about to come, and to whom nothing of it is left to do.
    private func turnedBack() -> SiteLedger {
        var ledger = SiteLedger(site: Sample.site, isHere: false)
        #expect(answer(.offer(Sample.offer()), &ledger) == .done)
        #expect(answer(.release, &ledger) == .done)
        ledger.note(.performed(.remove, .done), atSeconds: now)
        return ledger
    }

    @Test("A site whose migration was turned back can be added by hand, in a later epoch")
    func claimed() {
        var ledger = turnedBack()
        #expect(ledger.token == WriterToken(epoch: 1, isHeld: false))
        #expect(!ledger.isEmpty && !ledger.mayRun && ledger.edgeRoute == .none)
        ledger.claim()
        #expect(ledger.token == WriterToken(epoch: 2, isHeld: true))
        #expect(ledger.mayRun && ledger.edgeRoute == .own)
    }

    @Test("Once a site was added by hand, nothing of an earlier migration makes another writer of it")
    func claimedForGood() {
        var ledger = turnedBack()
        ledger.claim()
        let claimed = ledger
        for epoch: UInt64 in [1, 2, 3, 1000] {
            for migration: UInt64 in [1, 2] {
                for demand in Exploration.demands where demand != .finish {
                    let outcome = answer(demand, migration: migration, epoch: epoch, &ledger)
                    #expect(isRefused(outcome), "\(demand) \(epoch)")
                    #expect(ledger == claimed)
                }
            }
        }
        // It is given away as any other; who gets it gets a later epoch than all that were offered here.
        #expect(ledger.begin(Sample.plan(), atSeconds: now) == nil)
        #expect(ledger.outgoing?.epoch == 3)
    }

    @Test("A burned epoch is refused also before the site is added by hand")
    func burned() {
        var ledger = turnedBack()
        for demand in Exploration.demands {
            let outcome = answer(demand, &ledger)
            switch demand {
            case .offer: #expect(outcome == .outdated(epoch: 1))
            case .release, .finish: #expect(outcome == .done)
            default: #expect(isRefused(outcome), "\(demand)")
            }
            #expect(ledger == turnedBack())
        }
        // A later migration is as good as the first one was.
        #expect(answer(.offer(Sample.offer()), migration: 2, epoch: 2, &ledger) == .done)
    }

    @Test(
        "Whatever else is known of a site, it is not added by hand, and a token that is held stays as it is")
    func notClaimed() {
        let ledgers = Array(Exploration.origin.ledgers.values) + Exploration.destination.ledgers.values
        for ledger in ledgers where ledger.token.isHeld || ledger.outgoing != nil || ledger.incoming != nil {
            var claimed = ledger
            claimed.claim()
            #expect(claimed == ledger)
        }
    }

    // MARK: Several sites

    private func incoming(
        _ count: Int, from peer: String, migrationsFrom first: UInt64 = 1
    ) -> [SiteLedger] {
        (0..<count).map { index in
            let site = "\(peer)\(index).example"
            var (ledger, offer) = (SiteLedger(site: site, isHere: false), Sample.offer())
            offer.names = [site]
            let request = MigrationRequest(
                migration: Sample.identifier(first + UInt64(index)), site: site, epoch: 1,
                demand: .offer(offer))
            let answer = ledger.answer(request, from: peer, terms: Sample.terms, atSeconds: now)
            #expect(answer.outcome == .done)
            return ledger
        }
    }

    /// The offer of another site.
    private func offer(migration: UInt64) -> MigrationRequest {
        Sample.request(.offer(Sample.offer()), migration: migration)
    }

    @Test("A migration is that of one site")
    func oneSite() {
        let ledgers = incoming(2, from: "a")
        #expect(
            ledgers.obstacle(to: offer(migration: 2), from: "a") == "that migration is one of another site")
        #expect(ledgers.obstacle(to: offer(migration: 2), from: "c") != nil)
        #expect(ledgers.obstacle(to: offer(migration: 3), from: "a") == nil)
        // Its own offer, once more.
        var own = offer(migration: 2)
        own.site = "a1.example"
        #expect(ledgers.obstacle(to: own, from: "a") == nil)
    }

    @Test("Eight sites of a peer are on their way at once, and those that are served do not count")
    func limit() throws {
        var ledgers = incoming(DestinationMigration.incomingMax, from: "a")
        ledgers += incoming(3, from: "c", migrationsFrom: 100)
        #expect(
            ledgers.obstacle(to: offer(migration: 50), from: "a")
                == "8 sites of a are on their way here already")
        #expect(ledgers.obstacle(to: offer(migration: 50), from: "c") == nil)
        // One of the eight asks again.
        var own = offer(migration: 1)
        own.site = "a0.example"
        #expect(ledgers.obstacle(to: own, from: "a") == nil)
        ledgers[0] = try serving("a0.example")
        #expect(ledgers.obstacle(to: offer(migration: 50), from: "a") == nil)
    }

    /// A site that has come from "a".
    private func serving(_ site: String) throws -> SiteLedger {
        var (ledger, offer) = (SiteLedger(site: site, isHere: false), Sample.offer())
        offer.names = [site]
        let demands: [MigrationRequest.Demand] = [
            .offer(offer), .certificate, .image, .copy(pass: 1), .compare(challenge: Sample.challenge),
            .grant(digest: Sample.digest), .open,
        ]
        for demand in demands {
            let request = MigrationRequest(
                migration: Sample.identifier(), site: site, epoch: 1, demand: demand)
            _ = ledger.answer(request, from: "a", terms: Sample.terms, atSeconds: now)
            let action = try #require(ledger.incoming?.next(atSeconds: now))
            switch action {
            case .wait: break
            case .digest: ledger.note(.performed(action, .digest(Sample.digest)), atSeconds: now)
            default: ledger.note(.performed(action, .done), atSeconds: now)
            }
        }
        #expect(ledger.incoming?.state == .serving)
        return ledger
    }

    @Test("A peer is needed by what comes from there or goes there, until that is over")
    func needed() throws {
        #expect(![SiteLedger(site: Sample.site, isHere: true)].need("b"))
        for ledger in Exploration.origin.ledgers.values {
            let isUnderWay = ledger.outgoing.map { !$0.isOver } ?? false
            #expect([ledger].need("b") == isUnderWay)
            #expect(![ledger].need("a"))
        }
        for ledger in Exploration.destination.ledgers.values {
            #expect([ledger].need("a") == (ledger.incoming != nil))
            #expect(![ledger].need("b"))
        }
        // Its edge forwards to this one.
        #expect([try serving("a0.example")].need("a"))
        #expect(![turnedBack()].need("a"))
    }

    // MARK: What is not taken

    @Test("What came and is not taken for good ends the migration, in the words of the one who takes")
    func refusedForGood() throws {
        let reason = "the disk there would be full"
        var ledger = SiteLedger(site: Sample.site, isHere: false)
        for demand: MigrationRequest.Demand in [
            .offer(Sample.offer()), .certificate, .image, .copy(pass: 1),
        ] {
            #expect(!isRefused(answer(demand, &ledger)))
            let action = try #require(ledger.incoming?.next(atSeconds: now))
            ledger.note(.performed(action, .done), atSeconds: now)
        }
        let copying = ledger
        // What belongs to another transfer is of no effect.
        ledger.note(.refused(.image, reason: reason), atSeconds: now)
        #expect(ledger == copying)
        // The origin may be faster with its next attempt.
        for isLate in [false, true] {
            var ledger = copying
            if isLate { #expect(answer(.copy(pass: 2), &ledger) == .working) }
            ledger.note(.refused(.copy(pass: 1), reason: reason), atSeconds: now)
            #expect(ledger.incoming?.permits(.copy(pass: 1)) == false)
            #expect(answer(.copy(pass: 2), &ledger) == .refused(reason: reason))
            #expect(answer(.release, &ledger) == .done)
        }
    }
}
