/// The further words of a route: its options.
extension RouteParser {
    private static let durationBounds: ClosedRange<UInt64> = 1_000...604_800_000
    private static let drainBounds: ClosedRange<UInt64> = 0...86_400_000
    private static let checkBounds: ClosedRange<UInt64> = 100...3_600_000
    private static let checkDefaultMilliseconds: UInt32 = 5_000
    private static let sessionsBounds: ClosedRange<UInt64> = 1...10_000_000

    /// Parses one `key=value` word.
    mutating func parseOption(_ word: Range<Int>, into options: inout ParsedOptions, _ bytes: Span<UInt8>) {
        do throws(GrammarError) {
            guard let equals = firstIndex(of: UInt8(ascii: "="), bytes, word) else {
                throw Self.explainWithoutValue(word, bytes)
            }
            let key = word.lowerBound..<equals
            guard let name = ParsedOptions.Name.allCases.first(where: { matches(bytes, key, $0.text) }) else {
                throw GrammarError(
                    key, "unknown option \(quoted(bytes, key))",
                    hint: Suggestion.hint(
                        for: text(bytes, key), among: ParsedOptions.Name.allCases.map(\.text)))
            }
            let first = options.places[name.rawValue]
            if !first.isEmpty {
                let note = Diagnostic(.note, at: scanner.place(first), in: file, "it first stands here")
                throw GrammarError(word, "the option `\(name.text)` stands twice", notes: [note])
            }
            options.places[name.rawValue] = word
            options.hasAny = true
            let value = equals + 1..<word.upperBound
            if value.isEmpty { throw GrammarError(value, "a value is missing behind `\(name.text)=`") }
            try Self.parse(value, of: name, into: &options, bytes)
        } catch {
            report(error)
        }
    }

    private static func explainWithoutValue(_ word: Range<Int>, _ bytes: Span<UInt8>) -> GrammarError {
        let written = text(bytes, word)
        let known = ParsedOptions.Name.allCases.map(\.text)
        if known.contains(written) {
            return GrammarError(
                word.upperBound..<word.upperBound, "a value is missing behind `\(written)`",
                hint: "options are written key=value")
        }
        if written.hasPrefix(",") || AddressGrammar.endpoint(bytes, word) != nil {
            return GrammarError(
                word, "one word too many", hint: "names and targets are separated by commas without blanks")
        }
        let near = Suggestion.nearest(to: written, among: known)
        return GrammarError(
            word, "\(quoted(bytes, word)) is not an option",
            hint: near.map { "did you mean `\($0)=…`?" } ?? "options are written key=value")
    }

    private static func parse(
        _ value: Range<Int>, of name: ParsedOptions.Name, into options: inout ParsedOptions,
        _ bytes: Span<UInt8>
    ) throws(GrammarError) {
        switch name {
        case .balance:
            options.balance = try choose(
                value, bytes, [("weighted", .weighted), ("least", .least), ("source", .source)])
        case .check:
            options.check = try check(value, bytes)
        case .acme:
            options.acme = try ParsedAddress.parse(bytes, value)
        case .proxy:
            options.proxy = try choose(value, bytes, [("v1", .version1), ("v2", .version2)])
        case .http:
            options.isHTTPEverything = hasPrefix(bytes, value, "all:")
            let start = value.lowerBound + (options.isHTTPEverything ? 4 : 0)
            options.http = try ParsedAddress.parse(bytes, start..<value.upperBound)
        case .max:
            options.sessionsMax = UInt32(try Quantity.requireNumber(bytes, value, in: sessionsBounds))
        case .idle:
            options.idleMilliseconds = try Quantity.requireMilliseconds(bytes, value, in: durationBounds)
        case .drain:
            options.drainMilliseconds = try Quantity.requireMilliseconds(bytes, value, in: drainBounds)
        case .wake:
            let address = try ParsedAddress.parse(bytes, value)
            guard case .unix = address else {
                throw GrammarError(value, "the wake socket is a unix socket", hint: "wake=unix:/path")
            }
            options.wake = address
        }
    }

    private static func choose<Value>(
        _ value: Range<Int>, _ bytes: Span<UInt8>, _ known: [(word: String, value: Value)]
    ) throws(GrammarError) -> Value {
        if let found = known.first(where: { matches(bytes, value, $0.word) }) { return found.value }
        throw GrammarError(
            value, "unknown value \(quoted(bytes, value))",
            hint: Suggestion.hint(for: text(bytes, value), among: known.map(\.word)))
    }

    private static func check(
        _ value: Range<Int>, _ bytes: Span<UInt8>
    ) throws(GrammarError) -> RouteOptions.HealthCheck {
        let colon = firstIndex(of: UInt8(ascii: ":"), bytes, value)
        let kind = value.lowerBound..<(colon ?? value.upperBound)
        let isHello = try choose(kind, bytes, [("tcp", false), ("hello", true)])
        var interval = checkDefaultMilliseconds
        if let colon {
            interval = try Quantity.requireMilliseconds(bytes, colon + 1..<value.upperBound, in: checkBounds)
        }
        return isHello ? .hello(intervalMilliseconds: interval) : .tcp(intervalMilliseconds: interval)
    }

    /// Checks what only the whole line can tell: options without effect, and a missing wake socket.
    mutating func checkOptions(
        _ options: ParsedOptions, action: Route.Action, targets: Range<Int>, _ bytes: Span<UInt8>
    ) {
        if action == .asleep, options.places[ParsedOptions.Name.wake.rawValue].isEmpty {
            report(
                GrammarError(
                    targets, "an `asleep` route needs `wake=`", hint: "wake=unix:/run/yardmaster/wake.sock"))
        }
        guard options.hasAny else { return }
        for name in ParsedOptions.Name.allCases where !name.applies(to: action) {
            let place = options.places[name.rawValue]
            if place.isEmpty { continue }
            if action == .targets {
                report(
                    GrammarError(
                        place, "`\(name.text)=` belongs to `asleep` routes, this one has targets"))
            } else {
                report(
                    GrammarError(
                        place, "`\(name.text)=` has no effect on a route without targets",
                        hint: "\(quoted(bytes, targets)) allows: " + Self.options(of: action)))
            }
        }
    }

    private static func options(of action: Route.Action) -> String {
        ParsedOptions.Name.allCases.filter { $0.applies(to: action) }.map(\.text).joined(separator: ", ")
    }
}
