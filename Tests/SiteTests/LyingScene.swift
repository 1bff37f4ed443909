import Foundation
import Migration
import Peers
import Support
import Testing
import YardKit

/// A hoster with a site of its own that is visited, and somebody who would give it another one.
final class LyingScene {
    let pair: MovingPair
    let hoster: MovingHoster
    let rogue: RoguePeer
    let origin: LyingOrigin
    private let visitors: MovingVisitors

    init(terms: String = "") async throws {
        pair = try MovingPair()
        hoster = pair.b
        if !terms.isEmpty { try hoster.restartYardmaster(terms) }
        try pair.makeSite("own.example", at: hoster)
        rogue = try await RoguePeer("rogue.example", of: hoster)
        origin = try LyingOrigin(of: "given.example", rogue)
        visitors = try MovingVisitors(hoster, "own.example", perSecond: 10)
    }

    /// Gives the hoster's engine the image that the given site names.
    func makeImage() throws {
        let made = try hoster.docker("import", "/dev/null", "rogue:1")
        origin.offer.image = "rogue:1@\(made.output.trimmingCharacters(in: .whitespacesAndNewlines))"
    }

    /// Gives up what was begun, and sees that nothing is left of it.
    func expectNothingLeft(_ about: String) async throws {
        try await origin.release()
        let isClean = Pause.until(seconds: 20) { hoster.leftovers.isEmpty }
        #expect(isClean, "\(about): \(hoster.leftovers) \(hoster.log.suffix(1000))")
        #expect(hoster.state("given.example") == "none", "\(about)")
        #expect(!FileManager.default.fileExists(atPath: "\(hoster.folder)/sites/given.example"))
        origin.beginAnew()
    }

    /// At the end of a test.
    func expectOwnSiteServed() throws {
        Pause.milliseconds(500)
        let (seen, numbers) = try visitors.end()
        #expect(seen["failed"].integer == 0 && !numbers.isEmpty, "\(seen.line)")
        #expect(hoster.state("own.example") == "awake")
        #expect(try hoster.docker("ps", "-q").output.split(separator: "\n").count == 1)
    }
}
