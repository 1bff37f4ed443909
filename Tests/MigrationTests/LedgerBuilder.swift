import Migration

/// What tests need to make ledgers, plans and requests.
enum Sample {
    static let site = "example.org"
    static let digest = String(repeating: "5", count: 64)
    static let otherDigest = String(repeating: "6", count: 64)
    static let challenge = String(repeating: "c", count: 32)

    static func identifier(_ number: UInt64 = 1) -> MigrationIdentifier {
        guard let identifier = MigrationIdentifier(hexadecimal(0) + hexadecimal(number)) else {
            preconditionFailure("these are 32 hexadecimal digits")
        }
        return identifier
    }

    static func offer(product: String? = "wordpress") -> MigrationOffer {
        MigrationOffer(
            names: [site, "www.example.org"], product: product, bytes: 1 << 30, files: 20_000,
            memoryBytes: 1 << 28, certificateFingerprint: digest, certificateEndsSeconds: 2e9,
            image: "wordpress@sha256:0")
    }

    static func plan(pauseSecondsMax: Double = 1000) -> MigrationPlan {
        MigrationPlan(
            migration: identifier(), site: site, peer: "b", offer: offer(), challenge: challenge,
            pauseSecondsMax: pauseSecondsMax, overheadSeconds: 1, startSeconds: 0.5, roundsMax: 3)
    }

    static let terms = HosterTerms(
        products: ["wordpress"], freeBytes: 1 << 40, siteBytesMax: 1 << 40, memoryBytesMax: 1 << 40,
        takenNames: ["taken.example.org"])

    static func request(
        _ demand: MigrationRequest.Demand, migration: UInt64 = 1, epoch: UInt64 = 1
    ) -> MigrationRequest {
        MigrationRequest(migration: identifier(migration), site: site, epoch: epoch, demand: demand)
    }
}

/// All ledgers that can be reached from one, by whatever can happen, up to what does not matter.
struct Exploration {
    private(set) var ledgers: [String: SiteLedger] = [:]
    private(set) var transitions: Set<Lifecycle.Transition> = []

    /// - Parameters:
    ///   - key: equal for ledgers that differ in nothing that matters.
    ///   - word: where it stands.
    ///   - successors: what it can become.
    init(
        from first: SiteLedger, key: (SiteLedger) -> String, word: (SiteLedger) -> String,
        successors: (SiteLedger) -> [SiteLedger]
    ) {
        var waiting = [first]
        ledgers[key(first)] = first
        while let ledger = waiting.popLast() {
            for next in successors(ledger) {
                if word(ledger) != word(next) {
                    transitions.insert(Lifecycle.Transition(from: word(ledger), to: word(next)))
                }
                guard ledgers.updateValue(next, forKey: key(next)) == nil else { continue }
                waiting.append(next)
            }
        }
    }
}

extension Exploration {
    static let now = 1e9

    /// Everything that can happen to a migration by which a site leaves.
    static let origin = Exploration(
        from: SiteLedger(site: Sample.site, isHere: true),
        key: { ledger in
            guard let migration = ledger.outgoing else { return "none" }
            return "\(migration.state) \(migration.rounds.count) \(min(11, migration.retry.failures)) "
                + "\(ledger.token) \(ledger.kept.count)"
        },
        word: { $0.outgoing?.state.word ?? "[*]" },
        successors: { ledger in
            guard let migration = ledger.outgoing else { return [changed(ledger) { begin(&$0) }] }
            var events: [OriginMigration.Event] = [
                .timePassed, .residual(ResidualTraffic(sessions: 1, seconds: 7200)),
            ]
            switch migration.next(atSeconds: now + 60) {
            case .wait: break
            case .ask(let request):
                events += outcomes.map { .answered(MigrationAnswer(request: request, outcome: $0)) }
                events.append(.performed(.ask(request), .failed(reason: "no answer")))
            case let action: events += results.map { .performed(action, $0) }
            }
            return events.flatMap { event in
                // In time, and when the pause has been too long.
                [now, now + 2000].map { time in changed(ledger) { $0.note(event, atSeconds: time) } }
            }
                + OperatorWish.allCases.map { wish in
                    changed(ledger) { _ = $0.hearOutgoing(wish, atSeconds: now) }
                }
        })

    private static func begin(_ ledger: inout SiteLedger) {
        _ = ledger.begin(Sample.plan(), atSeconds: now)
    }

    private static let outcomes: [MigrationAnswer.Outcome] = [
        .done, .working, .missing, .manifest(digest: Sample.digest),
        .manifest(digest: Sample.otherDigest), .outdated(epoch: 7), .outdated(epoch: .max),
        .refused(reason: "no"),
    ]
    private static let results: [OriginMigration.Result] = [
        .done, .copied(CopyRound(bytes: 1, files: 1, seconds: 1)),
        .copied(CopyRound(bytes: 1 << 40, files: 1, seconds: 5000)), .digest(Sample.digest),
        .refused(reason: "no"), .failed(reason: "not now"),
    ]

    /// Everything that can happen to a migration by which a site comes.
    static let destination = Exploration(
        from: SiteLedger(site: Sample.site, isHere: false),
        key: { ledger in
            "\(ledger.token) \(ledger.incoming?.state as Any) "
                + "\(min(11, ledger.incoming?.retry.failures ?? 0))"
        },
        word: { $0.incoming?.state.word ?? "[*]" },
        successors: { ledger in
            var successors = demands.map { demand in
                changed(ledger) { answer(&$0, Sample.request(demand)) }
            }
            successors.append(
                changed(ledger) {
                    answer(&$0, Sample.request(.offer(Sample.offer()), migration: 2, epoch: 3))
                })
            guard let migration = ledger.incoming, migration.epoch == 1 else { return successors }
            let inquiry = MigrationInquiry(migration: migration.migration, site: Sample.site, epoch: 1)
            var events: [DestinationMigration.Event] = [
                .received(.certificate), .received(.image), .received(.copy(pass: 1)),
                .refused(.certificate, reason: "no"), .refused(.image, reason: "no"),
                .refused(.copy(pass: 1), reason: "no"), .told(inquiry, .over), .told(inquiry, .underWay),
            ]
            let action = migration.next(atSeconds: now + 60)
            events += takingResults.map { .performed(action, $0) }
            successors += events.map { event in changed(ledger) { $0.note(event, atSeconds: now) } }
            return successors
                + OperatorWish.allCases.map { wish in
                    changed(ledger) { _ = $0.hearIncoming(wish, atSeconds: now) }
                }
        })

    static let demands: [MigrationRequest.Demand] = [
        .offer(Sample.offer()), .certificate, .image, .copy(pass: 0), .copy(pass: 1), .copy(pass: 2),
        .compare(challenge: Sample.challenge), .compare(challenge: "no"), .grant(digest: Sample.digest),
        .grant(digest: Sample.otherDigest), .open, .release, .finish,
    ]
    private static let takingResults: [DestinationMigration.Result] = [
        .done, .missing, .digest(Sample.digest), .refused(reason: "no"), .failed(reason: "not now"),
    ]

    private static func answer(_ ledger: inout SiteLedger, _ request: MigrationRequest) {
        _ = ledger.answer(request, from: "a", terms: Sample.terms, atSeconds: now)
    }

    private static func changed(
        _ ledger: SiteLedger, _ body: (inout SiteLedger) -> Void
    ) -> SiteLedger {
        var copy = ledger
        body(&copy)
        return copy
    }
}
