/// `limit`, `timeout`, and the `key=value` words of all directives.
extension ConfigurationParser {
    /// One `key=value` word.
    struct Option {
        var key: String
        var value: Range<Int>
        var word: Range<Int>
    }

    private struct Bound: Sendable {
        var key: String
        var field: any WritableKeyPath<Configuration, UInt32> & Sendable
        var range: ClosedRange<UInt64>
        var isBytes = false
    }

    private static let limits: [Bound] = [
        Bound(key: "connections", field: \.limits.connections, range: 1...10_000_000),
        Bound(key: "per-source", field: \.limits.connectionsPerSource, range: 1...10_000_000),
        Bound(key: "parked", field: \.limits.parked, range: 1...10_000_000),
        Bound(key: "parked-per-source", field: \.limits.parkedPerSource, range: 1...10_000_000),
        Bound(key: "hello", field: \.limits.helloBytes, range: 1_024...65_536, isBytes: true),
    ]

    private static let timeouts: [Bound] = [
        Bound(key: "hello", field: \.timeouts.helloMilliseconds, range: 100...300_000),
        Bound(key: "connect", field: \.timeouts.connectMilliseconds, range: 10...300_000),
        Bound(key: "idle", field: \.timeouts.idleMilliseconds, range: 1_000...604_800_000),
        Bound(key: "half-close", field: \.timeouts.halfCloseMilliseconds, range: 100...86_400_000),
        Bound(key: "wake", field: \.timeouts.wakeMilliseconds, range: 100...3_600_000),
        Bound(key: "held", field: \.timeouts.heldMilliseconds, range: 100...3_600_000),
        Bound(key: "drain", field: \.timeouts.drainMilliseconds, range: 0...86_400_000),
        Bound(key: "user", field: \.timeouts.userMilliseconds, range: 1_000...3_600_000),
    ]

    mutating func parseLimit(_ line: ConfigurationLine, _ bytes: Span<UInt8>) {
        parseBounds(line, Self.limits, bytes)
    }

    mutating func parseTimeout(_ line: ConfigurationLine, _ bytes: Span<UInt8>) {
        parseBounds(line, Self.timeouts, bytes)
    }

    private mutating func parseBounds(_ line: ConfigurationLine, _ bounds: [Bound], _ bytes: Span<UInt8>) {
        for option in options(line.arguments, known: bounds.map(\.key), bytes) {
            guard let bound = bounds.first(where: { $0.key == option.key }) else { continue }
            do throws(GrammarError) {
                try claim("\(line.directive.rawValue) \(option.key)", option.word)
                configuration[keyPath: bound.field] = try Self.value(of: option, bound, line, bytes)
            } catch {
                report(error)
                // Only values that were read are compared with each other.
                if error.notes.isEmpty {
                    configuration.places["\(line.directive.rawValue) \(option.key)"] = nil
                }
            }
        }
    }

    private static func value(
        of option: Option, _ bound: Bound, _ line: ConfigurationLine, _ bytes: Span<UInt8>
    ) throws(GrammarError) -> UInt32 {
        if line.directive == .timeout {
            return try Quantity.requireMilliseconds(bytes, option.value, in: bound.range)
        }
        if bound.isBytes { return UInt32(try Quantity.requireBytes(bytes, option.value, in: bound.range)) }
        return UInt32(try Quantity.requireNumber(bytes, option.value, in: bound.range))
    }

    /// Splits words at their `=`; reports all that are not options known here, or stand twice in the line.
    mutating func options(_ words: [Range<Int>], known: [String], _ bytes: Span<UInt8>) -> [Option] {
        var found: [Option] = []
        for word in words {
            guard let equals = firstIndex(of: UInt8(ascii: "="), bytes, word) else {
                report(explainWithoutValue(word, known: known, bytes))
                continue
            }
            let key = text(bytes, word.lowerBound..<equals)
            let value = equals + 1..<word.upperBound
            if !known.contains(key) {
                let range = word.lowerBound..<equals
                report(
                    GrammarError(
                        range, "unknown option \(quoted(bytes, range))",
                        hint: Suggestion.hint(for: key, among: known)))
            } else if value.isEmpty {
                report(GrammarError(value, "a value is missing behind `\(key)=`"))
            } else if let first = found.first(where: { $0.key == key }) {
                let note = Diagnostic(.note, at: place(first.word), in: file, "it first stands here")
                report(GrammarError(word, "the option `\(key)` stands twice", notes: [note]))
            } else {
                found.append(Option(key: key, value: value, word: word))
            }
        }
        return found
    }

    private func explainWithoutValue(
        _ word: Range<Int>, known: [String], _ bytes: Span<UInt8>
    ) -> GrammarError {
        let written = text(bytes, word)
        if known.contains(written) {
            return GrammarError(
                word.upperBound..<word.upperBound, "a value is missing behind `\(written)`",
                hint: "options are written key=value")
        }
        let near = Suggestion.nearest(to: written, among: known)
        return GrammarError(
            word, "\(quoted(bytes, word)) is not an option",
            hint: near.map { "did you mean `\($0)=…`?" } ?? "known here: " + known.joined(separator: ", "))
    }
}
