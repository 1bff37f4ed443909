/// Parses `switchyard.conf`. A configuration is read once at start and at each reload, so this is written for
/// good diagnostics and not for speed.
struct ConfigurationParser {
    let file: SourceFile
    var configuration = Configuration()
    var diagnostics = DiagnosticList()
    private var scanner = LineScanner()

    init(file: SourceFile) {
        self.file = file
    }

    /// Parses the whole file.
    mutating func parse() {
        let source = file
        let bytes = source.bytes.span
        while scanner.nextLine(in: bytes) {
            var words: [Range<Int>] = []
            while let word = scanner.nextWord(in: bytes) { words.append(word) }
            if scanner.isSuspicious, let fault = scanner.suspicion(in: bytes) {
                report(fault)
            } else if let first = words.first {
                parseDirective(first, Array(words.dropFirst()), bytes)
            }
        }
        checkWhole()
        diagnostics.sort(by: [file.path])
    }

    private mutating func parseDirective(_ word: Range<Int>, _ arguments: [Range<Int>], _ bytes: Span<UInt8>)
    {
        let written = text(bytes, word)
        guard let directive = ConfigurationDirective(rawValue: written) else {
            let known = ConfigurationDirective.allCases.map(\.rawValue)
            let isRoute = written.contains(".") || written.hasPrefix("*")
            report(
                GrammarError(
                    word, "unknown directive \(quoted(bytes, word))",
                    hint: isRoute && Suggestion.nearest(to: written, among: known) == nil
                        ? "routes stand in the files that `routes` names"
                        : Suggestion.hint(for: written, among: known)))
            return
        }
        do throws(GrammarError) {
            guard !arguments.isEmpty else {
                throw GrammarError(
                    word.upperBound..<word.upperBound, "`\(written)` needs a value", hint: directive.example)
            }
            let line = ConfigurationLine(directive: directive, word: word, arguments: arguments)
            try parse(line, bytes)
        } catch {
            report(error)
        }
    }

    private mutating func parse(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        switch line.directive {
        case .listen: try parseListen(line, bytes)
        case .routes: parseRoutes(line, bytes)
        case .workers: try parseWorkers(line, bytes)
        case .io: try parseInputOutput(line, bytes)
        case .control: try parseControl(line, bytes)
        case .metrics: try parseMetrics(line, bytes)
        case .pidfile: try parsePidfile(line, bytes)
        case .user: try parseUser(line, bytes)
        case .sandbox: try parseSandbox(line, bytes)
        case .log: try parseLog(line, bytes)
        case .limit: parseLimit(line, bytes)
        case .timeout: parseTimeout(line, bytes)
        case .allow: try parseSources(line, isAllowed: true, bytes)
        case .deny: try parseSources(line, isAllowed: false, bytes)
        }
    }

    /// The one argument of a directive that may stand once.
    mutating func singleArgument(
        _ line: ConfigurationLine, _ bytes: Span<UInt8>
    ) throws(GrammarError) -> Range<Int> {
        try claim(line.directive.rawValue, line.word)
        if line.arguments.count > 1 {
            throw GrammarError(
                line.arguments[1], "`\(line.directive.rawValue)` takes one value",
                hint: line.directive.example)
        }
        return line.arguments[0]
    }

    /// Notes where a setting stands. Reports it when it stood before, with both places.
    mutating func claim(_ key: String, _ range: Range<Int>) throws(GrammarError) {
        if let first = configuration.places[key] {
            let note = Diagnostic(.note, at: first, in: file, "it first stands here")
            throw GrammarError(range, "`\(key)` is set twice", notes: [note])
        }
        configuration.places[key] = place(range)
    }

    /// A place in the current line.
    func place(_ range: Range<Int>) -> SourcePlace { scanner.place(range) }

    /// Adds an error in the current line.
    mutating func report(_ error: GrammarError) {
        let place = scanner.place(error.range)
        diagnostics.add(.error) {
            Diagnostic(.error, at: place, in: file, error.message, hint: error.hint, notes: error.notes)
        }
    }

    /// Adds a warning about the current line.
    mutating func warn(_ range: Range<Int>, _ message: String, hint: String? = nil) {
        let place = scanner.place(range)
        diagnostics.add(.warning) { Diagnostic(.warning, at: place, in: file, message, hint: hint) }
    }

    /// What only the whole file can tell.
    private mutating func checkWhole() {
        checkLimits()
        let start = SourcePlace(line: 1, lineStart: 0, start: 0, end: 0)
        let hasListenErrors = diagnostics.errorCount > 0
        if configuration.listeners.isEmpty, !hasListenErrors {
            diagnostics.add(.error) {
                Diagnostic(
                    .error, at: start, in: file, "no `listen` directive: there is nothing to do",
                    hint: ConfigurationDirective.listen.example)
            }
        }
        let needsRoutes = configuration.listeners.first { $0.kind != .tcp }
        if let needsRoutes, configuration.routes.isEmpty {
            diagnostics.add(.warning) {
                Diagnostic(
                    .warning, at: needsRoutes.place, in: file,
                    "no `routes` directive: every name will be refused",
                    hint: ConfigurationDirective.routes.example)
            }
        }
    }

    /// Checks limits against each other. A default that a smaller explicit limit makes impossible follows
    /// that one.
    private mutating func checkLimits() {
        let limits = configuration.limits
        checkLimit("per-source", limits.connectionsPerSource, "connections", limits.connections) {
            $0.connectionsPerSource = $1
        }
        checkLimit("parked", limits.parked, "connections", limits.connections) { $0.parked = $1 }
        let parked = configuration.limits.parked
        checkLimit("parked-per-source", limits.parkedPerSource, "parked", parked) { $0.parkedPerSource = $1 }
    }

    private mutating func checkLimit(
        _ key: String, _ value: UInt32, _ otherKey: String, _ other: UInt32,
        _ lower: (inout ConfigurationLimits, UInt32) -> Void
    ) {
        guard value > other else { return }
        guard let place = configuration.place(of: .limit, key: key) else {
            lower(&configuration.limits, other)
            return
        }
        diagnostics.add(.error) {
            Diagnostic(
                .error, at: place, in: file,
                "`\(key)` is \(value), more than `\(otherKey)`, which is \(other)")
        }
    }
}
