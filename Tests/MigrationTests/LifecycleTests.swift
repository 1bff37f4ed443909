import Foundation
import Migration
import Support
import Testing

/// LIFECYCLE.md against the code, and what holds in every state that can be reached at all.
@Suite struct LifecycleTests {
    private func compare(_ heading: String, _ found: Set<Lifecycle.Transition>) {
        let drawn = Lifecycle.transitions(below: heading)
        #expect(Set(drawn).count == drawn.count, "each transition is drawn once")
        #expect(Set(drawn).subtracting(found).sorted() == [], "drawn, but never made")
        #expect(found.subtracting(drawn).sorted() == [], "made, but not drawn")
    }

    @Test("The origin's diagram has exactly the transitions that the code makes")
    func originDiagram() {
        compare("The origin", Exploration.origin.transitions)
    }

    @Test("The destination's diagram has exactly the transitions that the code makes")
    func destinationDiagram() {
        compare("The destination", Exploration.destination.transitions)
    }

    @Test("The comments of the states name the exits that the diagrams draw")
    func comments() {
        for (file, heading) in [
            ("OriginMigration.swift", "The origin"), ("DestinationMigration.swift", "The destination"),
        ] {
            let drawn = Set(Lifecycle.transitions(below: heading)).filter {
                $0.from != "[*]" && $0.to != "[*]"
            }
            let commented = Set(Lifecycle.commentedTransitions(in: file))
            #expect(commented.subtracting(drawn).sorted() == [], "in the comments of \(file) alone")
            #expect(drawn.subtracting(commented).sorted() == [], "not in the comments of \(file)")
        }
    }

    @Test("The table of steps says what the code says")
    func steps() {
        let rows = MigrationStep.allCases.map { step in
            [
                step.rawValue, step.title, step.precondition,
                step.undo ?? "nothing: only a migration back", step.idempotence,
            ]
        }
        #expect(Lifecycle.rows == rows)
    }

    @Test("The names that LIFECYCLE.md refers to are names of the code")
    func names() throws {
        let folder = Repository.path("Sources/Migration")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        let code = files.filter { $0.hasSuffix(".swift") }
            .compactMap { TextFile.read(folder + "/" + $0) }.joined()
        let text = try #require(TextFile.read(folder + "/LIFECYCLE.md"))
        for line in text.split(separator: "\n") where !line.hasPrefix("```") {
            for (place, part) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            where place % 2 == 1 && part != "MigrationTests" {
                let name = part.split(separator: ".").last ?? ""
                #expect(!name.isEmpty && code.contains(name), "`\(part)` is not in the code")
            }
        }
    }

    @Test("The origin holds the site exactly until it has granted, and again once it was released")
    func originHolds() {
        for ledger in Exploration.origin.ledgers.values {
            guard let migration = ledger.outgoing else { continue }
            let isHolder: Bool
            switch migration.state {
            case .granted, .releasing, .opening, .switching, .settingAside, .announcing, .forwarding,
                .ending, .closing, .done:
                isHolder = false
            case .agreeing, .certifying, .sendingCertificate, .imaging, .sendingImage, .openingPass,
                .copying, .fencing, .openingLastPass, .copyingLast, .askingManifest, .digesting,
                .comparing, .restoring, .recalling, .clearing, .reverted:
                isHolder = true
            }
            #expect(ledger.token.isHeld == isHolder, "\(migration.state)")
            #expect(!ledger.mayRun || isHolder, "\(migration.state)")
            #expect((ledger.edgeRoute == .held) == !(ledger.mayRun || hasSwitched(migration)))
        }
    }

    private func hasSwitched(_ migration: OriginMigration) -> Bool {
        migration.step == .forward || migration.step == .end || migration.state == .switching
            || migration.state == .done
    }

    @Test("The destination may run the site only with the grant, and gives no epoch that it refused")
    func destinationHolds() {
        for ledger in Exploration.destination.ledgers.values {
            #expect(!ledger.mayRun || ledger.token.isHeld)
            guard let migration = ledger.incoming else { continue }
            switch migration.state {
            case .starting, .ready, .opening, .serving, .closing:
                #expect(ledger.token.isHeld && ledger.token.epoch == migration.epoch)
            case .declined, .stopping: break
            case .accepted, .checkingCertificate, .lackingCertificate, .certified, .checkingImage,
                .lackingImage, .preparingPass, .copying, .digesting, .compared, .removing:
                #expect(!ledger.token.isHeld)
            }
            if migration.state == .removing { #expect(ledger.token.epoch >= migration.epoch) }
            if ledger.edgeRoute == .own { #expect(ledger.mayRun) }
        }
    }

    @Test("Whatever has been done, a release that was answered makes a later grant impossible")
    func releasedForEver() {
        for ledger in Exploration.destination.ledgers.values {
            var ledger = ledger
            let release = Sample.request(.release)
            let answer = ledger.answer(release, from: "a", terms: Sample.terms, atSeconds: 1e9)
            guard answer.outcome == .done else { continue }
            #expect(!ledger.token.isHeld)
            for demand in Exploration.demands + Exploration.demands {
                _ = ledger.answer(Sample.request(demand), from: "a", terms: Sample.terms, atSeconds: 1e9)
                #expect(!ledger.token.isHeld)
            }
        }
    }

    @Test("What is asked twice says the same, and what happened twice happens once")
    func idempotent() {
        for ledger in Exploration.destination.ledgers.values {
            for demand in Exploration.demands {
                var once = ledger
                _ = once.answer(Sample.request(demand), from: "a", terms: Sample.terms, atSeconds: 1e9)
                var twice = once
                _ = twice.answer(Sample.request(demand), from: "a", terms: Sample.terms, atSeconds: 1e9)
                #expect(once == twice, "\(demand) of \(String(describing: ledger.incoming?.state))")
            }
        }
        for ledger in Exploration.origin.ledgers.values {
            guard let migration = ledger.outgoing else { continue }
            #expect(migration.next(atSeconds: 1e9) == migration.next(atSeconds: 1e9))
        }
    }

    @Test("Every ledger is the same after it was on disk")
    func persists() throws {
        let ledgers = Array(Exploration.origin.ledgers.values) + Exploration.destination.ledgers.values
        for ledger in ledgers {
            let data = try JSONEncoder().encode(ledger)
            #expect(try JSONDecoder().decode(SiteLedger.self, from: data) == ledger)
        }
    }
}
