import Synchronization

/// So many bytes a second, together for all who share it: a bucket of tokens, told by the time at which the
/// last bytes that were let through are paid for.
package final class BandwidthLimit: Sendable {
    /// Somebody who was held up may make up for so much of it; after a rest, too.
    private static let arrears = Duration.milliseconds(250)

    /// The limit.
    package let bytesPerSecond: Int
    private let paidUntil: Mutex<ContinuousClock.Instant>

    package init(bytesPerSecond: Int) {
        precondition(bytesPerSecond > 0, "a limit that lets something through")
        self.bytesPerSecond = bytesPerSecond
        paidUntil = Mutex(.now)
    }

    /// How much is best asked for at once: a twentieth of a second, so that it flows evenly.
    var portion: Int { max(1024, bytesPerSecond / 20) }

    /// Returns when so many bytes may go. Who asks first goes first.
    func pass(_ byteCount: Int) async throws(PeerError) {
        let price = Duration.seconds(Double(byteCount) / Double(bytesPerSecond))
        let turn = paidUntil.withLock { paidUntil in
            let turn = max(paidUntil, .now - Self.arrears)
            paidUntil = turn + price
            return turn
        }
        do {
            try await ContinuousClock().sleep(until: turn)
        } catch {
            throw PeerError(.cancelled, "a transfer is not wanted any more")
        }
    }
}
