import Foundation
import Support
import Testing
import YardKit

extension SitesOfThisMachine {
    /// What an operator sees of a migration, and may say to it.
    @Suite(.serialized, .enabled(if: MovingPair.isPossible)) struct MovingVerbsTests {
        private let domain = "watched.example"

        /// A migration under way, as a script runs it: its copies get a mebibyte a second.
        private func migrate(_ pair: MovingPair) throws -> ChildProcess {
            let command = try ChildProcess(
                Repository.path(".build/release/yard"),
                ["migrate", domain, "--to", pair.b.name, "--json"],
                environment: ["SWITCHYARD_YARDMASTER": "\(pair.a.folder)/run/api.sock"])
            let isCopying = Pause.until(seconds: 30) {
                pair.a.migration(domain, "giving")["state"].text == "copying"
            }
            #expect(isCopying, "\(command.output) \(command.errors) \(pair.a.log.suffix(1000))")
            return command
        }

        /// How far a copy was, each time that it was told.
        private func fractions(_ command: ChildProcess) -> [Double] {
            command.output.split(separator: "\n").compactMap { line in
                guard let told = try? JSONReader.read(Array(line.utf8)),
                    told["progress"].text?.hasPrefix("the data: ") == true
                else { return nil }
                return told["fraction"].double
            }
        }

        /// A copy keeps to its bandwidth, and tells how far it is; it is taken back when the operator says
        /// so; and a hoster that was away is tried again at once.
        @Test func anOperatorSeesHowFarItIsAndMayTurnBack() throws {
            let pair = try MovingPair()
            try pair.a.restartYardmaster("  bandwidth: 1MiB")
            // A file of the site's own is 8 MiB on the way there, and holes are not sent.
            try pair.makeSite(domain, files: 60, bytesEach: 50_000)
            // An image of that size would take a minute.
            let carried = try run(
                "sh",
                [
                    "-c",
                    "docker -H unix://\(pair.a.engineSocket) save moving:1 "
                        + "| docker -H unix://\(pair.b.engineSocket) load",
                ], seconds: 120)
            #expect(carried.succeeded, "\(carried.everything)")
            let visitors = try MovingVisitors(pair.a, domain, perSecond: 10)

            let first = try migrate(pair)
            #expect(Pause.until(seconds: 20) { (fractions(first).last ?? 0) > 0.1 }, "\(first.output)")
            let listed = try pair.a.yard("migrations")
            #expect(listed.output.contains("to b.example") && listed.output.contains("copying"))
            #expect(try pair.a.yard("migrations", "revert", domain).succeeded)
            let ending = try first.wait(seconds: 30)
            #expect(ending == .status(1) && first.output.contains("stays here: the operator wished it"))
            #expect(Pause.until(seconds: 20) { pair.b.leftovers.isEmpty })
            #expect(pair.a.state(domain) == "awake" && pair.b.state(domain) == "none")

            let begin = Date()
            let second = try migrate(pair)
            #expect(Pause.until(seconds: 20) { (fractions(second).last ?? 0) > 0.1 })
            try pair.b.killYardmaster()
            #expect(
                Pause.until(seconds: 20) { pair.a.migration(domain, "giving")["retry"].text != nil },
                "\(pair.a.migration(domain, "giving").line)")
            #expect(try pair.a.yard("migrations", "show", domain).output.contains("tried again"))
            try pair.b.startYardmaster()
            #expect(try pair.a.yard("migrations", "resume", domain).succeeded)
            #expect(
                try second.wait(seconds: 120) == .status(0), "\(second.output) \(pair.a.log.suffix(2000))")
            let told = fractions(second)
            #expect(told.count > 10 && told.allSatisfy { (0...1).contains($0) })
            let bytes = pair.a.migration(domain, "giving")["bytes"].double ?? 0
            // Visitors wait for the last copy, so that one has the whole link.
            #expect(bytes > 3_000_000 && Date().timeIntervalSince(begin) > 2.5)
            let late = try pair.a.yard("migrations", "revert", domain)
            #expect(
                late.ending == .status(1) && late.errors.contains("only a migration back leads back"),
                "\(late.everything)")

            let journal = try pair.a.yard("site", "journal", domain).output.split(separator: "\n")
            let entries = journal.filter { $0.contains("migrate to b.example") }
            #expect(
                entries.count == 2 && entries[1].hasSuffix("the operator wished it")
                    && !entries[0].contains("wished"), "\(journal)")
            #expect(try pair.b.yard("site", "journal", domain).output.contains("arriv"))

            let (seen, _) = try visitors.end()
            #expect(seen["failed"].integer == 0, "\(seen.line)")
        }

        /// Who is invited is listed, and may be uninvited; who is removed is no peer any more, and does not
        /// come in again by what it was invited with.
        @Test func anInvitationIsListedAndMayBeWithdrawn() throws {
            let pair = try MovingPair()
            let invited = try pair.a.yard("peer", "invite", "c.example")
            #expect(invited.succeeded, "\(invited.everything)")
            let token = String(invited.output.split(separator: "\n").last ?? "")
            let listed = try pair.a.yard("peer", "list").output
            #expect(listed.contains("\nc.example  invited ") && listed.contains("\nb.example"))
            let again = try pair.a.yard("peer", "invite", "c.example")
            #expect(
                again.ending == .status(1)
                    && again.errors.contains("yard peer remove c.example withdraws that"))
            #expect(
                try pair.a.yard("peer", "remove", "c.example").output
                    == "the invitation of c.example is withdrawn\n")
            #expect(try !pair.a.yard("peer", "list").output.contains("c.example"))
            #expect(
                try pair.a.yard("peer", "remove", "c.example").errors
                    == "yard: there is no peer c.example, and nobody is invited as such\n")

            // Somebody has it in his hands.
            #expect(
                try pair.b.yard("peer", "remove", "a.example").output == "a.example is no peer any more\n")
            let refused = try pair.b.yard("peer", "accept", token)
            #expect(refused.errors.contains("it was withdrawn"), "\(refused.everything)")
            #expect(
                try pair.a.yard("peer", "remove", "b.example").output == "b.example is no peer any more\n")
            let second = try pair.a.yard("peer", "invite", "b.example")
            let taken = try pair.b.yard(
                "peer", "accept", String(second.output.split(separator: "\n").last ?? ""))
            #expect(taken.output == "a.example is a peer now\n", "\(taken.everything)")
        }
    }
}
