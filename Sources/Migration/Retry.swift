/// What failed for now, and when it is tried again: later after each failure.
package struct Retry: Codable, Equatable, Sendable {
    /// Nothing is left alone for longer. It also bounds what a clock that was set back can do.
    static let pauseSecondsMax = 60.0
    /// While visitors are parked, nothing is left alone for longer.
    static let parkedPauseSecondsMax = 0.5

    /// How often in a row.
    package private(set) var failures = 0
    /// Why the last time; nil: nothing failed.
    package private(set) var reason: String?
    /// When it is tried again, in seconds since 1970.
    package private(set) var atSeconds = 0.0

    /// Waits a while before the same is done again.
    mutating func fail(_ reason: String, isParked: Bool, atSeconds now: Double) {
        failures += 1
        self.reason = reason
        let pause = min(Self.pauseSecondsMax, 0.1 * Double(1 << min(failures - 1, 10)))
        atSeconds = now + (isParked ? min(pause, Self.parkedPauseSecondsMax) : pause)
    }

    /// Asks again soon: the other side is at it.
    mutating func poll(isParked: Bool, atSeconds now: Double) {
        atSeconds = now + (isParked ? 0.02 : 0.5)
    }

    /// Does not wait any longer; what failed is not forgotten.
    mutating func hurry() { atSeconds = 0 }

    /// Tries again at once, as if nothing had failed.
    mutating func reset() { self = Retry() }

    /// Until when to wait; nil: it is time.
    func waitSeconds(atSeconds now: Double) -> Double? {
        now < atSeconds ? min(atSeconds, now + Self.pauseSecondsMax) : nil
    }
}
