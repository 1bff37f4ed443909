import Foundation
import Migration
import Peers
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// Peers who lie to the hoster who takes a site: it refuses in one sentence, its own site is served all
    /// the while, and nothing is left of theirs.
    @Suite(.serialized, .enabled(if: MovingPair.isPossible)) struct LyingOriginTests {
        typealias Demand = MigrationRequest.Demand

        /// What is offered is refused for what it is.
        @Test func offersThatAreNotTakenAreRefused() async throws {
            let scene = try await LyingScene(
                terms: "  products: [gitea]\n  site_size: 1GiB\n  site_memory: 1GiB")
            let origin = scene.origin
            origin.offer.product = "gitea"
            let flaws: [(sentence: String, change: (inout MigrationOffer) -> Void)] = [
                ("the certificate has expired", { $0.certificateEndsSeconds = 1e9 }),
                ("the certificate has expired", { $0.certificateEndsSeconds = -1e300 }),
                ("the product forgejo is unknown here", { $0.product = "forgejo" }),
                ("the product a b is unknown here", { $0.product = "a\u{1b}b" }),
                ("this hoster takes sites of its products only", { $0.product = nil }),
                ("the site has", { $0.bytes = 2 << 30 }),
                ("the site has", { $0.bytes = .max }),
                ("the site wants", { $0.memoryBytes = 2 << 30 }),
                ("the name own.example is one of another site here", { $0.names.append("own.example") }),
                ("the offer has a name that is none", { $0.names.append("../x") }),
                ("the offer has a name that is none", { $0.names.append("A.example") }),
                ("the offer has a name twice", { $0.names.append($0.names[0]) }),
                ("does not name the site it is about first", { $0.names = ["other.example"] }),
                ("the offer has no fingerprint", { $0.certificateFingerprint = "../../../etc" }),
                ("the offer has an overlong image", { $0.image = String(repeating: "x", count: 600) }),
            ]
            for (sentence, change) in flaws {
                let good = origin.offer
                change(&origin.offer)
                let told = try await origin.refusal(of: .offer(origin.offer))
                #expect(told.contains(sentence), "\(sentence): \(told)")
                #expect(!told.contains("\u{1b}"))
                origin.offer = good
                try await scene.expectNothingLeft(sentence)
            }
            for site in ["../given.example", "own.example", "", ".incoming", "/etc"] {
                let other = try LyingOrigin(of: site, scene.rogue)
                let told = try await other.refusal(of: .offer(other.offer))
                let isTold = told.contains("name that is none") || told.contains("serves the site itself")
                #expect(isTold, "\(site): \(told)")
                #expect(scene.hoster.leftovers.isEmpty)
            }
            try scene.expectOwnSiteServed()
        }

        /// A certificate or a runme that is not as it was offered is refused when it has come.
        @Test func aCertificateOrRunmeThatWasNotOfferedIsRefused() async throws {
            let scene = try await LyingScene()
            let (origin, site) = (scene.origin, scene.origin.site)
            let expired = try RogueCertificate(for: site, from: "20200101000000Z", to: "20200201000000Z")
            let other = try RogueCertificate(for: site, from: "20260101000000Z", to: "20990101000000Z")
            let foreign = try RogueCertificate(
                for: "own.example", from: "20260101000000Z", to: "20990101000000Z")
            let plain = LyingOrigin.runme(of: site)
            let command = "command: { exec: [/bin/sh, -c, 'touch /tmp/rogue'], ports: { tls: 443 } }"
            let archive = "docker: { archive: image.tar, ports: { tls: 443 } }"
            let outside = "docker: { image: 'rogue:1', ports: { tls: 443 }, volumes: { ../../x: /data } }"
            let cases: [(sentence: String, offered: RogueCertificate, sent: String, runme: String)] = [
                ("another one than that of the offer", origin.certificate, other.pem, plain),
                ("the certificate has expired", expired, expired.pem, plain),
                ("the certificate is not for given.example", foreign, foreign.pem, plain),
                ("no certificate", origin.certificate, "no PEM", plain),
                (
                    "has no key, or that of another one", other,
                    other.pem.replacing(
                        /-----BEGIN (EC )?PRIVATE[\s\S]*END (EC )?PRIVATE KEY-----/, with: ""),
                    plain
                ),
                (
                    "not the one that was offered", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: site, more: "aliases: [own.example]")
                ),
                (
                    "not the one that was offered", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: site, more: "product: forgejo")
                ),
                (
                    "not the runme of given.example", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: "own.example")
                ),
                (
                    "is not one of containers", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: site, start: command)
                ),
                (
                    "carries an image in its folder", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: site, start: archive)
                ),
                (
                    "a volume's name has up to 63 letters", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: site, start: outside)
                ),
                (
                    "leads out of the site's folder", origin.certificate, origin.certificate.pem,
                    LyingOrigin.runme(of: site, certificate: "tls/../../../own.example/tls/site.pem")
                ),
            ]
            for (sentence, offered, sent, runme) in cases {
                origin.offer.certificateFingerprint = offered.fingerprint
                #expect(try await origin.ask(.offer(origin.offer)) == .done)
                #expect(try await origin.ask(.certificate) == .missing)
                var told = await refusal { () throws(PeerError) in
                    try await origin.sendCertificate(runme: runme, sent)
                }
                if told.isEmpty { told = try await origin.refusal(of: .certificate) }
                #expect(told.contains(sentence), "\(sentence): \(told)")
                try await scene.expectNothingLeft(sentence)
            }
            try scene.expectOwnSiteServed()
        }

        /// What comes out of its order, or from somebody else, is refused and changes nothing.
        @Test func whatComesOutOfOrderIsRefused() async throws {
            let scene = try await LyingScene()
            let origin = scene.origin
            try scene.makeImage()
            let challenge = String(repeating: "5", count: 32)
            let digest = String(repeating: "0", count: 64)
            func expect(_ sentence: String, _ demand: Demand, as other: RoguePeer? = nil) async throws {
                let told = try await origin.refusal(of: demand, as: other)
                #expect(told.contains(sentence), "\(demand): \(told)")
            }
            func expectNoCopy(pass: Int, as other: RoguePeer? = nil) async {
                let told = await refusal { () throws(PeerError) in
                    try await origin.copy(pass: pass, as: other)
                }
                let isTold = told.contains("nothing of that kind") || told.contains("no such migration")
                #expect(isTold, "pass \(pass): \(told)")
            }
            for demand in [.certificate, .image, .copy(pass: 1), .grant(digest: digest), .open] as [Demand] {
                try await expect("there is no such migration here", demand)
            }
            await expectNoCopy(pass: 1)
            #expect(try await origin.ask(.offer(origin.offer)) == .done)
            try await expect("the certificate comes first", .image)
            try await expect("certificate and image come first", .copy(pass: 1))
            try await expect("nothing was copied yet", .compare(challenge: challenge))
            try await expect("the data was not compared yet", .grant(digest: digest))
            try await expect("nothing was granted", .open)
            await expectNoCopy(pass: 1)
            try await origin.advance()
            // Another peer knows all of it, and may do nothing.
            let thief = try await RoguePeer("thief.example", of: scene.hoster)
            for demand in [.copy(pass: 2), .release, .compare(challenge: challenge)] as [Demand] {
                try await expect("does not belong to the migration that it names", demand, as: thief)
            }
            await expectNoCopy(pass: 1, as: thief)
            for pass in [0, -1, 2, Int.max] { await expectNoCopy(pass: pass) }
            try await expect("the challenge is none", .compare(challenge: "x"))
            try await origin.copy(pass: 1)
            try await expect("pass 0 is over", .copy(pass: 0))
            guard case .manifest(let own) = try await origin.ask(.compare(challenge: challenge)) else {
                Issue.record("there is no digest")
                return
            }
            try await expect("it takes no other copy", .copy(pass: 2))
            await expectNoCopy(pass: 1)
            try await expect("compared with another challenge", .compare(challenge: digest))
            try await expect("for other data than was compared", .grant(digest: digest))
            try await expect("for other data than was compared", .grant(digest: own.uppercased()))
            try await expect("nothing was granted", .open)
            try await scene.expectNothingLeft("out of order")
            try scene.expectOwnSiteServed()
        }
    }
}
