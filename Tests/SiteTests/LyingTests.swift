import Foundation
import Migration
import Peers
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Peers who lie to the hoster who gives a site away, and reasons of its own why it cannot.
    @Suite(.serialized, .enabled(if: MovingPair.isPossible)) struct LyingTests {
        private static let otherDigest = String(repeating: "0", count: 64)

        /// What a destination may say before anything was granted.
        private static var liesBeforeTheGrant: [Lie] {
            [
                .about(\.isCompare, .manifest(digest: otherDigest), "is not equal to the data here"),
                .about(
                    \.isCompare, .manifest(digest: "../../etc/passwd"), "is not equal to the data here"),
                .about(\.isCompare, .working, "the pause would have been longer than promised"),
                Lie("the pause would have been longer than promised") { request, _ in
                    MigrationAnswer(request: request, outcome: .done)
                },
                .about(\.isOffer, .outdated(epoch: .max), "claims to know an epoch that cannot be"),
                Lie("gives an answer that is none") { request, honest in
                    MigrationAnswer(
                        request: request.demand.isOffer ? later(request) : request, outcome: honest)
                },
                Lie("the pause would have been longer than promised") { request, honest in
                    MigrationAnswer(
                        request: request.demand.isCompare ? later(request) : request, outcome: honest)
                },
                .about(
                    { $0 == .certificate }, .missing, "asks for the certificate again and again"),
                .about({ $0 == .image }, .missing, "asks for the image again and again"),
                .about(
                    \.isOffer, .manifest(digest: otherDigest), "the answer does not belong to the question",
                    isReverted: false),
            ]
        }

        /// What it may say once it was made the writer.
        private static var liesBehindTheGrant: [Lie] {
            [
                .about(\.isGrant, .refused(reason: "the site\u{1b}[2J\nis mine"), "the site [2J is mine"),
                .about(\.isGrant, .working, "did not answer at rogue.example in time"),
                .about(
                    { $0 == .open }, .refused(reason: "nobody is let in"), "nobody is let in"),
            ]
        }

        private static func later(_ request: MigrationRequest) -> MigrationRequest {
            var other = request
            other.epoch += 1
            return other
        }

        /// A destination lies, in one way after the other. Each time the site stays where it is, is served
        /// all the while, and its operator is told why in one sentence.
        @Test func aDestinationThatLiesDoesNotGetTheSite() async throws {
            let pair = try MovingPair()
            let domain = "doubted.example"
            try pair.makeSite(domain, files: 50, bytesEach: 2000)
            let destination = try LyingDestination()
            let rogue = try await RoguePeer("rogue.example", of: pair.a, methods: destination.methods)
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 20)
            for lie in Self.liesBeforeTheGrant + Self.liesBehindTheGrant {
                destination.tell(lie)
                try await expectThatItStays(domain, pair.a, lie)
            }
            withExtendedLifetime(rogue) {}
            try expectNoFailure(try visitors.end())
            #expect(try pair.a.docker("ps", "-q").output.split(separator: "\n").count == 1)
        }

        private func expectThatItStays(_ domain: String, _ hoster: MovingHoster, _ lie: Lie) async throws {
            let began = ContinuousClock.now
            let ran = try await hoster.yardAside("migrate", domain, "--to", "rogue.example")
            let took = ContinuousClock.now - began
            #expect(
                ran.ending == .status(1) && ran.errors.contains(lie.sentence),
                "\(lie.sentence): \(ran.everything) \(hoster.log.suffix(1500))")
            #expect(ran.errors.split(separator: "\n").count == 1, "\(ran.errors)")
            #expect(took < .seconds(100), "\(lie.sentence): \(took)")
            #expect(Pause.until(seconds: 10) { hoster.state(domain) == "awake" }, "\(lie.sentence)")
            if !lie.isReverted {
                let reverted = try await hoster.yardAside("migrations", "revert", domain)
                #expect(reverted.succeeded, "\(reverted.everything)")
            }
            let isOver = try await Self.eventually {
                hoster.migration(domain, "giving")["state"].text == "reverted"
            }
            #expect(isOver, "\(lie.sentence): \(hoster.migration(domain, "giving").line)")
            #expect(hoster.scratch.isEmpty && hoster.leftovers.isEmpty)
        }

        private func expectNoFailure(_ end: (seen: JSONValue, numbers: Set<Substring>)) throws {
            #expect(end.seen["failed"].integer == 0, "\(end.seen.line)")
            #expect(!end.numbers.isEmpty)
            Measured.tell("visits beside liars: \(end.seen.line)")
        }

        /// Looks again and again, and lets the test's own peer answer in between.
        private static func eventually(_ isSo: () throws -> Bool) async throws -> Bool {
            let end = ContinuousClock.now + .seconds(20)
            while try !isSo() {
                guard ContinuousClock.now < end else { return false }
                try await Task.sleep(for: .milliseconds(20))
            }
            return true
        }

        /// One who lies, and does not let go of what it has either: `yard migrate` does not wait for ever,
        /// and the operator ends it.
        @Test func aDestinationThatNeverForgetsIsNotWaitedFor() async throws {
            let pair = try MovingPair()
            let domain = "kept.example"
            try pair.makeSite(domain)
            let destination = try LyingDestination()
            let rogue = try await RoguePeer("rogue.example", of: pair.a, methods: destination.methods)
            for outcome in [MigrationAnswer.Outcome.working, .refused(reason: "it is mine")] {
                destination.tell(
                    Lie("is not equal to the data here") { request, honest in
                        let isLie = request.demand.isCompare || request.demand == .release
                        let lie =
                            request.demand == .release ? outcome : .manifest(digest: Self.otherDigest)
                        return MigrationAnswer(request: request, outcome: isLie ? lie : honest)
                    })
                let ran = try await pair.a.yardAside("migrate", domain, "--to", "rogue.example")
                #expect(
                    ran.ending == .status(1) && ran.errors.contains("is not equal to the data here")
                        && ran.errors.contains("rogue.example has not said that it forgets it"),
                    "\(ran.everything)")
                #expect(pair.a.state(domain) == "awake")
                #expect(pair.a.migration(domain, "giving")["state"].text == "recalling")
                let finished = try await pair.a.yardAside("migrations", "finish", domain)
                #expect(finished.succeeded, "\(finished.everything)")
                let isOver = try await Self.eventually {
                    pair.a.migration(domain, "giving")["state"].text == "reverted"
                }
                #expect(isOver && pair.a.scratch.isEmpty)
            }
            withExtendedLifetime(rogue) {}
        }

        /// One whose edge is nowhere, or not an address, is told apart before anything is begun.
        @Test func aDestinationWithoutAnEdgeIsRefused() async throws {
            let pair = try MovingPair()
            let domain = "unled.example"
            try pair.makeSite(domain)
            for (index, edge) in ["localhost:443", "10.0.0.1", "10.0.0.1:443\nlisten", ""].enumerated() {
                let rogue = try await RoguePeer(
                    "rogue\(index).example", of: pair.a,
                    methods: [
                        PeerMethod("edge", for: .offer) { _ in .answer(.object(["tls": .string(edge)])) }
                    ])
                let ran = try await pair.a.yardAside("migrate", domain, "--to", "rogue\(index).example")
                #expect(
                    ran.ending == .status(1) && ran.errors.contains("does not say where its edge is"),
                    "\(edge): \(ran.everything)")
                withExtendedLifetime(rogue) {}
            }
            #expect(pair.a.migration(domain, "giving").isNull && pair.a.state(domain) == "awake")
        }

        /// A certificate that has expired does not travel, though the site goes on with it.
        @Test func aSiteWithAnExpiredCertificateStays() throws {
            let pair = try MovingPair()
            let domain = "expired.example"
            let path = try pair.makeSite(domain)
            let expired = try RogueCertificate(for: domain, from: "20200101000000Z", to: "20200201000000Z")
            try Data(expired.pem.utf8).write(to: URL(fileURLWithPath: path + "/tls/site.pem"))
            let restarted = try pair.a.yard("site", "restart", domain)
            #expect(restarted.succeeded, "\(restarted.everything)")
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 10)
            Pause.milliseconds(1000)
            let ran = try pair.a.yard("migrate", domain, "--to", "b.example")
            #expect(
                ran.ending == .status(1) && ran.errors.contains("the certificate has expired"),
                "\(ran.everything)")
            #expect(ran.errors.split(separator: "\n").count == 1, "\(ran.errors)")
            #expect(pair.a.migration(domain, "giving").isNull && pair.a.state(domain) == "awake")
            try expectNoFailure(try visitors.end())
        }

        /// A hoster who takes sites of some products only says so, and takes one of them.
        @Test func aSiteOfAnUnknownProductStays() throws {
            let pair = try MovingPair()
            let domain = "product.example"
            try pair.makeSite(domain, more: "product: forgejo")
            try pair.b.restartYardmaster("  products: [gitea]")
            let ran = try pair.a.yard("migrate", domain, "--to", "b.example")
            #expect(
                ran.ending == .status(1) && ran.errors.contains("the product forgejo is unknown here"),
                "\(ran.everything)")
            #expect(pair.a.migration(domain, "giving").isNull)
            #expect(pair.a.state(domain) == "awake" && pair.b.state(domain) == "none")
            #expect(pair.b.leftovers.isEmpty)
            try pair.b.restartYardmaster("  products: [gitea, forgejo]")
            let taken = try pair.a.yard("migrate", domain, "--to", "b.example")
            #expect(taken.succeeded, "\(taken.everything) \(pair.b.log.suffix(1500))")
            #expect(pair.b.state(domain) == "awake")
        }
    }
}
