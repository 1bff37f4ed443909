import Foundation
import Migration
import Testing

/// What peers may send: refused with a sentence, and of no effect.
@Suite struct HostileInputTests {
    private func answer(
        _ demand: MigrationRequest.Demand, epoch: UInt64 = 1, from peer: String = "a",
        to ledger: inout SiteLedger
    ) -> MigrationAnswer.Outcome {
        ledger.answer(
            Sample.request(demand, epoch: epoch), from: peer, terms: Sample.terms, atSeconds: 1e9
        ).outcome
    }

    private func refusal(_ outcome: MigrationAnswer.Outcome) -> String? {
        if case .refused(let reason) = outcome { reason } else { nil }
    }

    @Test("A migration is named by 32 lower-case hexadecimal digits and nothing else")
    func identifiers() throws {
        let digits = String(repeating: "0f", count: 16)
        #expect(MigrationIdentifier(digits)?.description == digits)
        for text in [
            "", "0", digits + "0", digits.uppercased(), "../" + digits.dropFirst(3),
            String(repeating: "é", count: 16), digits.dropLast() + "\n",
        ] {
            #expect(MigrationIdentifier(String(text)) == nil, "\(text)")
            let json = try JSONEncoder().encode(String(text))
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(MigrationIdentifier.self, from: json)
            }
        }
    }

    @Test("An offer that breaks a rule is refused, whatever the terms")
    func offers() {
        let changes: [(String, (inout MigrationOffer) -> Void)] = [
            ("does not name the site", { $0.names = ["other.example.org"] }),
            ("does not name the site", { $0.names = [] }),
            ("twice", { $0.names.append(Sample.site) }),
            ("that is none", { $0.names.append("../../etc") }),
            ("that is none", { $0.names.append("Example.org") }),
            ("that is none", { $0.names.append("a..b") }),
            ("that is none", { $0.names.append("-a.example") }),
            ("that is none", { $0.names.append(String(repeating: "a", count: 64) + ".example") }),
            ("more than 100", { $0.names += (0..<100).map { "n\($0).example" } }),
            ("fingerprint", { $0.certificateFingerprint = "no" }),
            ("overlong product", { $0.product = String(repeating: "p", count: 65) }),
            ("overlong image", { $0.image = String(repeating: "i", count: 513) }),
        ]
        for (sentence, change) in changes {
            var ledger = SiteLedger(site: Sample.site, isHere: false)
            var offer = Sample.offer()
            change(&offer)
            let reason = refusal(answer(.offer(offer), to: &ledger))
            #expect(reason?.contains(sentence) == true, "\(reason ?? "accepted")")
            #expect(ledger.isEmpty)
        }
    }

    @Test("An offer that does not suit the terms is refused with the reason")
    func terms() {
        let changes: [(String, (inout MigrationOffer) -> Void)] = [
            ("the product joomla is unknown here", { $0.product = "joomla" }),
            ("products only", { $0.product = nil }),
            ("another site here", { $0.names.append("taken.example.org") }),
            ("expired", { $0.certificateEndsSeconds = 1e9 }),
            ("expired", { $0.certificateEndsSeconds = .nan }),
            ("are taken", { $0.bytes = .max }),
            ("of memory", { $0.memoryBytes = .max }),
        ]
        for (sentence, change) in changes {
            var ledger = SiteLedger(site: Sample.site, isHere: false)
            var offer = Sample.offer()
            change(&offer)
            let reason = refusal(answer(.offer(offer), to: &ledger))
            #expect(reason?.contains(sentence) == true, "\(reason ?? "accepted")")
            #expect(ledger.isEmpty)
        }
        var terms = Sample.terms
        terms.freeBytes = 1000
        #expect(terms.refusal(of: Sample.offer(), atSeconds: 1)?.contains("1000 bytes left") == true)
        #expect(Sample.terms.refusal(of: Sample.offer(), atSeconds: 1) == nil)
    }

    @Test("No number of an epoch stops the process, and none uses the epochs up")
    func epochs() {
        for epoch: UInt64 in [0, 1, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 62, .max] {
            var ledger = SiteLedger(site: Sample.site, isHere: false)
            for demand in Exploration.demands { _ = answer(demand, epoch: epoch, to: &ledger) }
            _ = answer(.release, epoch: epoch, to: &ledger)
            #expect(ledger.token.epoch <= 1 << 32)
            #expect(!ledger.token.isHeld)
        }
    }

    @Test("Another peer has no say in a migration, even if it knows its name")
    func otherPeer() {
        for ledger in Exploration.destination.ledgers.values where ledger.incoming?.peer == "a" {
            for demand in Exploration.demands {
                var asked = ledger
                let outcome = answer(demand, epoch: ledger.incoming?.epoch ?? 1, from: "c", to: &asked)
                guard ledger.incoming?.migration == Sample.identifier() else { continue }
                #expect(refusal(outcome) != nil)
                #expect(asked == ledger)
            }
        }
    }

    @Test("The hoster who serves the site takes no request for it, and no release")
    func holder() {
        var ledger = SiteLedger(site: Sample.site, isHere: true)
        for demand in Exploration.demands where demand != .finish {
            #expect(refusal(answer(demand, to: &ledger)) != nil, "\(demand)")
        }
        #expect(ledger == SiteLedger(site: Sample.site, isHere: true))
    }

    @Test("A reason of a peer is one short line without control characters")
    func reasons() throws {
        var ledger = SiteLedger(site: Sample.site, isHere: true)
        #expect(ledger.begin(Sample.plan(), atSeconds: 1e9) == nil)
        guard case .ask(let request) = ledger.outgoing?.next(atSeconds: 1e9) else {
            Issue.record("nothing is asked")
            return
        }
        let reason = "\u{1b}[31mred\r\n\u{202e}" + String(repeating: "x", count: 5000)
        ledger.note(
            .answered(MigrationAnswer(request: request, outcome: .refused(reason: reason))), atSeconds: 1e9)
        let kept = try #require(ledger.outgoing?.report.failure)
        #expect(kept.unicodeScalars.count == 300)
        #expect(kept.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 0x202e })
    }
}
