/// A pass of rsync that went well, as it was measured.
package struct CopyRound: Codable, Equatable, Sendable {
    /// What went over the link.
    package var bytes: UInt64
    /// How many files were sent, whole or in part.
    package var files: UInt64
    /// How long it took, looking for changes included.
    package var seconds: Double

    package init(bytes: UInt64, files: UInt64, seconds: Double) {
        self.bytes = bytes
        self.files = files
        self.seconds = seconds
    }
}

/// How long the pause would be if the site were fenced now. A round takes a time to look at every file, and
/// a time for the bytes; the last one carries what has changed during the round before it.
package struct PauseForecast: Equatable, Sendable {
    /// What to do after a round.
    package enum Verdict: Equatable, Sendable {
        /// Another round makes the pause shorter, and that is wanted.
        case another
        /// The promise can be held: fence.
        case fence
        /// It cannot, and rounds do not help; why.
        case refuse(reason: String)
    }

    /// A pause this much shorter than the promise is short enough not to try another round.
    static let comfort = 0.6
    /// Another round helps if it is expected to be this much shorter than the last one.
    static let worthwhile = 0.8

    /// So far, in their order.
    package var rounds: [CopyRound]
    /// After so many there is no other.
    package var roundsMax: Int
    /// What the pause has besides the last round: to drain, stop, compare, start and probe.
    package var overheadSeconds: Double
    /// The promise.
    package var pauseSecondsMax: Double

    package init(rounds: [CopyRound], roundsMax: Int, overheadSeconds: Double, pauseSecondsMax: Double) {
        self.rounds = rounds
        self.roundsMax = roundsMax
        self.overheadSeconds = overheadSeconds
        self.pauseSecondsMax = pauseSecondsMax
    }

    /// How long the next round would take; nil before the second, when nothing is known of changes.
    package var nextRoundSeconds: Double? {
        guard rounds.count >= 2, let last = rounds.last else { return nil }
        let previous = rounds[rounds.count - 2]
        // The best rate that was seen is the link's: the time for looking weighs least there.
        let bytesPerSecond = rounds.map { Double($0.bytes) / Self.positive($0.seconds) }.max() ?? 0
        guard bytesPerSecond > 0 else { return last.seconds }
        let lookSeconds = max(0, last.seconds - Double(last.bytes) / bytesPerSecond)
        let changedBytesPerSecond = Double(last.bytes) / Self.positive(previous.seconds)
        return lookSeconds + changedBytesPerSecond * last.seconds / bytesPerSecond
    }

    /// How long the pause would be; nil: it is not known yet.
    package var pauseSeconds: Double? { nextRoundSeconds.map { overheadSeconds + $0 } }

    /// Whether the promise can be held as far as is known now.
    package var holdsPromise: Bool { pauseSeconds.map { $0 <= pauseSecondsMax } ?? false }

    /// Whether the round after the next would be shorter for another round now.
    package var isAnotherWorthwhile: Bool {
        guard rounds.count < roundsMax else { return false }
        guard let next = nextRoundSeconds, let last = rounds.last else { return true }
        return next < Self.worthwhile * last.seconds
    }

    /// What to do now.
    package var verdict: Verdict {
        if let pauseSeconds, pauseSeconds <= Self.comfort * pauseSecondsMax { return .fence }
        if isAnotherWorthwhile { return .another }
        if holdsPromise { return .fence }
        guard let pauseSeconds else {
            return .refuse(reason: "\(roundsMax) rounds are too few to tell how long the pause would be")
        }
        return .refuse(
            reason: "the pause would be about \(pauseSeconds.asSeconds), and \(pauseSecondsMax.asSeconds) "
                + "is the most that was allowed; another round would not help")
    }

    /// What is measured as no time is a very short one.
    private static func positive(_ seconds: Double) -> Double { max(seconds, 0.001) }
}

extension Double {
    /// With one decimal, for a sentence.
    var asSeconds: String {
        guard isFinite, abs(self) < 1e15 else { return "\(self) s" }
        let tenths = Int((self * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10)) s"
    }
}
