import Wire

/// The second word of a route: its targets, or what else is to be done.
extension RouteParser {
    private static let actions: [(word: String, action: Route.Action)] = [
        ("asleep", .asleep), ("held", .held), ("reject", .reject), ("reset", .reset),
    ]

    /// Parses the targets, adds them to the builder, and tells the route's action. nil when the last one is
    /// missing: then the rest of the line is not judged.
    mutating func parseTargets(_ word: Range<Int>, _ bytes: Span<UInt8>) -> Route.Action? {
        if let action = Self.action(word, bytes) { return action }
        lineTargets.removeAll(keepingCapacity: true)
        var start = word.lowerBound
        while true {
            let end = firstIndex(of: UInt8(ascii: ","), bytes, start..<word.upperBound) ?? word.upperBound
            parseTarget(start..<end, in: word, bytes)
            if end == word.upperBound { break }
            start = end + 1
        }
        if start == word.upperBound { return nil }
        if builder.targetCount > Route.targetCountMax {
            report(
                GrammarError(
                    word, "\(builder.targetCount) targets in one route, more than \(Route.targetCountMax)"))
        }
        let weights = builder.weights
        if weights.total == 0, weights.backups == 0, builder.targetCount > 0 {
            warn(word, "all targets are drained: new sessions will be refused")
        }
        return .targets
    }

    private static func action(_ word: Range<Int>, _ bytes: Span<UInt8>) -> Route.Action? {
        // No address begins with one of these letters, so the usual line is not compared with four words.
        let first = bytes[word.lowerBound]
        guard first == UInt8(ascii: "a") || first == UInt8(ascii: "h") || first == UInt8(ascii: "r") else {
            return nil
        }
        return actions.first { matches(bytes, word, $0.word) }?.action
    }

    private mutating func parseTarget(_ range: Range<Int>, in word: Range<Int>, _ bytes: Span<UInt8>) {
        guard !range.isEmpty else {
            let isLast = range.lowerBound == word.upperBound && word.count > 1
            report(
                GrammarError(
                    range, "a target is missing here",
                    hint: isLast ? "targets are separated by commas without blanks" : nil))
            return
        }
        do throws(GrammarError) {
            let (address, share) = Self.splitShare(range, bytes)
            var weight: UInt16 = 1
            var isBackup = false
            if let share {
                isBackup = matches(bytes, share, "backup")
                if !isBackup { weight = try Self.weight(share, bytes) }
            }
            let parsed = try Self.address(address, in: word, bytes)
            let digest = builder.addTarget(parsed, weight: weight, isBackup: isBackup, source: bytes.rawBytes)
            if word.count > range.count { checkRepetition(digest, address, bytes) }
        } catch {
            report(error)
        }
    }

    /// Where the address ends and what stands behind the `@`. A path may hold `@` itself: there only what
    /// looks like a weight or is `backup` counts.
    private static func splitShare(_ range: Range<Int>, _ bytes: Span<UInt8>) -> (Range<Int>, Range<Int>?) {
        guard let at = lastIndex(of: UInt8(ascii: "@"), bytes, range) else { return (range, nil) }
        let share = at + 1..<range.upperBound
        if hasPrefix(bytes, range, "unix:"), Quantity.number(bytes, share) == nil,
            !matches(bytes, share, "backup")
        {
            return (range, nil)
        }
        return (range.lowerBound..<at, share)
    }

    private static func weight(_ share: Range<Int>, _ bytes: Span<UInt8>) throws(GrammarError) -> UInt16 {
        if share.isEmpty {
            throw GrammarError(share, "a weight is missing behind the `@`", hint: "write @N, @0 or @backup")
        }
        guard Quantity.number(bytes, share) != nil else {
            let word = text(bytes, share)
            let near = Suggestion.nearest(to: word, among: ["backup"])
            throw GrammarError(
                share, "\(quoted(bytes, share)) is neither a weight nor `backup`",
                hint: near.map { "did you mean `\($0)`?" } ?? "write @N, @0 or @backup")
        }
        return UInt16(try Quantity.requireNumber(bytes, share, in: 0...Route.weightMax))
    }

    private static func address(
        _ range: Range<Int>, in word: Range<Int>, _ bytes: Span<UInt8>
    ) throws(GrammarError) -> ParsedAddress {
        do throws(GrammarError) {
            return try ParsedAddress.parse(bytes, range)
        } catch {
            throw explain(error, range, in: word, bytes)
        }
    }

    /// A better explanation for a word that was never meant as an address.
    private static func explain(
        _ error: GrammarError, _ range: Range<Int>, in word: Range<Int>, _ bytes: Span<UInt8>
    ) -> GrammarError {
        if actions.contains(where: { matches(bytes, range, $0.word) }) {
            return GrammarError(range, "\(quoted(bytes, range)) stands alone, not among targets")
        }
        if let equals = firstIndex(of: UInt8(ascii: "="), bytes, range) {
            let key = text(bytes, range.lowerBound..<equals)
            if ParsedOptions.Name.allCases.contains(where: { $0.text == key }) {
                return GrammarError(
                    range, "an option stands where the target belongs", hint: "options come last")
            }
        }
        let hasPunctuation = range.contains {
            bytes[$0] == UInt8(ascii: ".") || bytes[$0] == UInt8(ascii: ":")
        }
        guard !hasPunctuation, range == word else { return error }
        let near = Suggestion.nearest(to: text(bytes, range), among: actions.map(\.word))
        guard let near else { return error }
        return GrammarError(range, "\(quoted(bytes, range)) is not a target", hint: "did you mean `\(near)`?")
    }

    private mutating func checkRepetition(_ digest: UInt64, _ range: Range<Int>, _ bytes: Span<UInt8>) {
        if lineTargets.contains(digest) {
            warn(
                range, "the target \(quoted(bytes, range)) is listed twice",
                hint: "give it one weight instead")
        }
        // Over the limit the line is refused anyway: a hostile one must not make this quadratic.
        if lineTargets.count < Route.targetCountMax { lineTargets.append(digest) }
    }
}
