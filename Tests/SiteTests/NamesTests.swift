import Foundation
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// What becomes of a site's names after it has moved: DNS, challenges of certificate authorities, and who
    /// still comes by the old address.
    @Suite(.serialized, .enabled(if: MovingPair.isPossible && TestNameServers.isPossible)) struct NamesTests {
        private let domain = "named.example"

        /// The old edge passes on what certificate authorities ask the new hoster's site.
        private func expectChallengesToFollow(_ pair: MovingPair) throws {
            let folder = "\(pair.b.folder)/sites/\(domain)/data/acme"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data("thumbprint".utf8).write(to: URL(fileURLWithPath: folder + "/token"))
            let uri = "http://\(domain)/.well-known/acme-challenge/token"
            let challenge = try run(
                "curl", ["-sS", "--max-time", "10", "--resolve", "\(domain):80:\(pair.a.address)", uri])
            #expect(challenge.output == "thumbprint", "\(challenge.everything)")
            let shaken = try run(
                "openssl",
                [
                    "s_client", "-connect", "\(pair.a.address):443", "-servername", domain, "-alpn",
                    "acme-tls/1",
                ])
            #expect(shaken.output.contains("ALPN protocol: acme-tls/1"), "\(shaken.everything)")
        }

        /// Visits the site at the hoster's own address; the addresses that it has seen.
        private func visitors(at hoster: MovingHoster) throws -> [String] {
            let visitors = try MovingVisitors(hoster, domain, perSecond: 20)
            Pause.milliseconds(1000)
            let (seen, _) = try visitors.end()
            #expect(seen["failed"].integer == 0, "\(seen.line)")
            return seen["seen"].members.map(\.name)
        }

        /// DNS is told when the site moves there, and by the other hoster when it comes back. Meanwhile it is
        /// said who still gives the old address, and the forwarding is not ended by mistake.
        @Test func namesFollowTheSiteThereAndBack() throws {
            let pair = try MovingPair()
            let servers = try TestNameServers(
                zone: "named A \(pair.a.address)\nwww.named CNAME named", ttlSeconds: 15)
            let dns = """
                dns:
                  server: "\(servers.primary)"
                  key: \(servers.keyPath)
                  ttl: 1m
                  resolvers: ["\(servers.primary)", "\(servers.resolver)"]
                """
            try pair.a.restartYardmaster(dns)
            try pair.b.restartYardmaster(
                dns.split(separator: "\n").filter { !$0.contains("server:") && !$0.contains("key:") }
                    .joined(separator: "\n"))
            try pair.makeSite(domain, files: 50, bytesEach: 5000)
            #expect(try servers.addresses("www.\(domain)", at: servers.resolver).last == pair.a.address)
            let there = try pair.a.yard("migrate", domain, "--to", pair.b.name)
            Measured.tell("moved with its names: \(there.output)")
            #expect(there.succeeded && !there.output.contains("to do"), "\(there.everything) \(pair.a.log)")
            #expect(
                there.output.contains(
                    "DNS, in step 10, by the server \(servers.primary): let \(domain) lead to A"))
            #expect(try servers.addresses(domain, at: servers.primary) == [pair.b.address])

            // The resolver remembers.
            #expect(
                Pause.until(seconds: 10) {
                    pair.a.migration(domain, "giving")["resolvers"]["old"].elements.map(\.text)
                        == [servers.resolver]
                }, "\(pair.a.migration(domain, "giving").line)")
            let early = try pair.a.yard("migrations", "finish", domain)
            #expect(
                early.ending == .status(1)
                    && early.errors.contains("visitors still get the old address of \(domain) from"),
                "\(early.everything)")
            #expect(try visitors(at: pair.a) == ["10.199.1.1"])
            #expect(try visitors(at: pair.b) == ["10.199.2.1"])
            try expectChallengesToFollow(pair)

            // After its time it asks again.
            #expect(
                Pause.until(seconds: 40) {
                    pair.a.migration(domain, "giving")["resolvers"]["new"].elements.count == 2
                }, "\(pair.a.migration(domain, "giving").line)")
            let shown = try pair.a.yard("migrations", "show", domain)
            Measured.tell("after DNS has moved: \(shown.output)")
            #expect(shown.output.contains("still come ") && shown.output.contains("new address"))
            let still = try pair.a.yard("migrations", "finish", domain)
            #expect(
                still.ending == .status(1) && still.errors.contains("connections came by the old address"),
                "\(still.everything)")

            // The hoster to whom it comes back has told DNS once, so it tells it again.
            let back = try pair.b.yard("migrate", domain, "--to", pair.a.name)
            #expect(back.succeeded && !back.output.contains("to do"), "\(back.everything) \(pair.a.log)")
            #expect(try servers.addresses(domain, at: servers.primary) == [pair.a.address])
            let ended = try pair.b.yard("migrations", "finish", "--force", domain)
            #expect(ended.succeeded, "\(ended.everything)")
            #expect(Pause.until(seconds: 10) { pair.b.state(domain) == "none" })
        }

        /// Where nobody tells DNS it is said what to type; a server that refuses the key stands in nobody's
        /// way.
        @Test func whatNobodyTellsIsLeftToTheOperator() throws {
            let pair = try MovingPair()
            let servers = try TestNameServers(zone: "named A \(pair.a.address)", ttlSeconds: 15)
            let wrong = try run("tsig-keygen", ["switchyard"]).output
            let path = "\(pair.a.folder)/wrong.key"
            try Data(wrong.utf8).write(to: URL(fileURLWithPath: path))
            try pair.a.restartYardmaster("dns: { server: \"\(servers.primary)\", key: \(path) }")
            try pair.makeSite(domain)
            let there = try pair.a.yard("migrate", domain, "--to", pair.b.name)
            #expect(
                there.output.contains(
                    "to do         let \(domain) lead to A \(pair.b.address) in DNS; until then"),
                "\(there.everything)")
            #expect(try servers.addresses(domain, at: servers.primary) == [pair.a.address])
            #expect(try visitors(at: pair.a) == ["10.199.1.1"])
        }
    }
}
