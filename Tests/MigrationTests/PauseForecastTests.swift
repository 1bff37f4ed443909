import Migration
import Testing

@Suite struct PauseForecastTests {
    private func forecast(_ rounds: [(megabytes: UInt64, seconds: Double)], max: Double = 5) -> PauseForecast
    {
        PauseForecast(
            rounds: rounds.map {
                CopyRound(bytes: $0.megabytes * 1_000_000, files: 1, seconds: $0.seconds)
            },
            roundsMax: 6, overheadSeconds: 1, pauseSecondsMax: max)
    }

    @Test("One round tells nothing of how fast the data changes")
    func firstRound() {
        #expect(forecast([]).verdict == .another)
        #expect(forecast([(1000, 10)]).pauseSeconds == nil)
        #expect(forecast([(1000, 10)]).verdict == .another)
    }

    @Test("The last copy has what changed during the round before, at the rate of the link, and a look")
    func prediction() throws {
        // 100 MB/s; 5 MB/s change; the second round looks for 0.5 s.
        let forecast = forecast([(1000, 10), (50, 1)])
        let next = try #require(forecast.nextRoundSeconds)
        #expect(abs(next - 0.55) < 0.001)
        #expect(forecast.verdict == .fence)
    }

    @Test("Rounds go on while they make the pause shorter, up to what is comfortable")
    func anotherRound() {
        // 20 MB/s change over 100 MB/s: each round takes a fifth of the one before.
        #expect(forecast([(1000, 10), (200, 2)], max: 1.7).verdict == .another)
        #expect(forecast([(1000, 10), (200, 2), (40, 0.4)], max: 1.7).verdict == .another)
        #expect(forecast([(1000, 10), (200, 2), (40, 0.4), (8, 0.08)], max: 1.7).verdict == .fence)
    }

    @Test("A promise that cannot be held is refused, with both numbers")
    func refusal() {
        // It changes as fast as it is sent.
        guard case .refuse(let reason) = forecast([(1000, 10), (1000, 10)]).verdict else {
            Issue.record("it is not refused")
            return
        }
        #expect(reason.contains("11.0 s") && reason.contains("5.0 s"))
        #expect(!forecast([(1000, 10), (1000, 10)]).holdsPromise)
    }

    @Test("Rounds come to an end even if each one helps a little")
    func bounded() {
        var rounds: [(megabytes: UInt64, seconds: Double)] = [(100_000, 1000)]
        var forecast = forecast(rounds)
        while case .another = forecast.verdict {
            rounds.append(
                (rounds[rounds.count - 1].megabytes * 3 / 4, rounds[rounds.count - 1].seconds * 0.75))
            forecast = self.forecast(rounds)
        }
        #expect(rounds.count == 6)
        guard case .refuse = forecast.verdict else { return #expect(Bool(false), "\(forecast.verdict)") }
    }

    @Test("Whatever is measured, there is a verdict that can be said")
    func strangeNumbers() {
        let strange = [0, -1, 1e-300, 1e300, .infinity, .nan]
        for first in strange {
            for second in strange {
                for bytes in [UInt64.min, 1, .max] {
                    let rounds = [first, second].map { CopyRound(bytes: bytes, files: 0, seconds: $0) }
                    let forecast = PauseForecast(
                        rounds: rounds, roundsMax: 2, overheadSeconds: 1, pauseSecondsMax: 5)
                    #expect(forecast.verdict != .another)
                    if forecast.verdict == .fence { #expect(forecast.holdsPromise) }
                }
            }
        }
    }
}
