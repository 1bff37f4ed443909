/// The directives that set one thing each, and `routes`.
extension ConfigurationParser {
    mutating func parseRoutes(_ line: ConfigurationLine, _ bytes: Span<UInt8>) {
        for word in line.arguments {
            let pattern = text(bytes, word)
            if let first = configuration.routes.first(where: { $0.pattern == pattern }) {
                let note = Diagnostic(.note, at: first.place, in: file, "it first stands here")
                report(GrammarError(word, "the pattern `\(pattern)` stands twice", notes: [note]))
            } else {
                configuration.routes.append(Configuration.RoutesPattern(pattern: pattern, place: place(word)))
            }
        }
    }

    mutating func parseWorkers(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let word = try singleArgument(line, bytes)
        if matches(bytes, word, "auto") { return }
        guard Quantity.number(bytes, word) != nil else {
            throw GrammarError(word, "\(quoted(bytes, word)) is neither `auto` nor a number")
        }
        configuration.workers = .exactly(Int(try Quantity.requireNumber(bytes, word, in: 1...256)))
    }

    mutating func parseInputOutput(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let word = try singleArgument(line, bytes)
        configuration.inputOutput = try choose(word, bytes)
    }

    mutating func parseControl(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let word = try singleArgument(line, bytes)
        if matches(bytes, word, "off") {
            configuration.controlPath = nil
            return
        }
        guard word.count <= TargetAddress.pathBytesMax else {
            throw GrammarError(
                word,
                "the path has \(word.count) bytes; a unix socket's has at most \(TargetAddress.pathBytesMax)")
        }
        configuration.controlPath = try path(word, bytes)
    }

    mutating func parseMetrics(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let word = try singleArgument(line, bytes)
        if matches(bytes, word, "off") { return }
        configuration.metrics = try AddressGrammar.requireEndpoint(bytes, word)
    }

    mutating func parsePidfile(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        configuration.pidfilePath = try path(try singleArgument(line, bytes), bytes)
    }

    mutating func parseUser(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let word = try singleArgument(line, bytes)
        // The names that Debian's adduser and systemd both take.
        for index in word {
            let byte = bytes[index]
            let isLetter = (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
            let isOther = byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "-")
            guard isLetter || (isOther && index > word.lowerBound) else {
                throw GrammarError(
                    word, "\(quoted(bytes, word)) is not a user name",
                    hint: "letters, digits, hyphens and underscores; a user's number is not enough")
            }
        }
        guard word.count <= 31 else { throw GrammarError(word, "a user name has at most 31 characters") }
        configuration.user = text(bytes, word)
    }

    mutating func parseSandbox(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let value: OnOff = try choose(try singleArgument(line, bytes), bytes)
        configuration.hasSandbox = value == .on
    }

    mutating func parseLog(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        try claim(line.directive.rawValue, line.word)
        let destination = line.arguments[0]
        if firstIndex(of: UInt8(ascii: "="), bytes, destination) != nil {
            throw GrammarError(
                destination, "the first word behind `log` says where it goes", hint: line.directive.example)
        }
        if !matches(bytes, destination, "stderr") {
            configuration.log.destination = .file(path: try path(destination, bytes, alternative: "stderr"))
        }
        let words = Array(line.arguments.dropFirst())
        for option in options(words, known: ["level", "access"], bytes) {
            do throws(GrammarError) {
                try claim("log \(option.key)", option.word)
                if option.key == "level" {
                    configuration.log.level = try choose(option.value, bytes)
                } else {
                    let value: OnOff = try choose(option.value, bytes)
                    configuration.log.hasAccessLines = value == .on
                }
            } catch {
                report(error)
            }
        }
    }

    private enum OnOff: String, CaseIterable {
        case on, off
    }

    /// A path must hold a slash, so that a misspelt keyword does not become a file.
    private func path(
        _ range: Range<Int>, _ bytes: Span<UInt8>, alternative: String = "off"
    ) throws(GrammarError) -> String {
        let written = text(bytes, range)
        if written.contains("/") { return written }
        let near = Suggestion.nearest(to: written, among: [alternative])
        throw GrammarError(
            range, "\(quoted(bytes, range)) is not a path",
            hint: near.map { "did you mean `\($0)`?" } ?? "a path holds a slash: ./\(written)")
    }

    private func choose<Value: RawRepresentable & CaseIterable>(
        _ range: Range<Int>, _ bytes: Span<UInt8>
    ) throws(GrammarError) -> Value where Value.RawValue == String {
        let written = text(bytes, range)
        if let value = Value(rawValue: written) { return value }
        throw GrammarError(
            range, "unknown value \(quoted(bytes, range))",
            hint: Suggestion.hint(for: written, among: Value.allCases.map(\.rawValue)))
    }
}
