import Wire

/// Parses routes files line by line into a `RouteImageBuilder`.
///
/// On the happy path nothing is allocated but the builder's own arrays: words are ranges of the text, and no
/// String is made. After an error the parser goes on with the next word or line, so that all errors are
/// reported; the builder's content is then of no use, and is dropped.
struct RouteParser {
    let files: [SourceFile]
    var builder: RouteImageBuilder
    var diagnostics = DiagnosticList()

    /// The file that is being parsed.
    var file: SourceFile
    var fileIndex = 0
    var scanner = LineScanner()

    /// For each route, where its line begins in its file; with the file's index in the upper bits. Only
    /// duplicates need it: the image holds line numbers but no offsets.
    private(set) var lineStarts: [UInt64] = []
    static let fileIndexShift: UInt64 = 40

    /// Where the default route was first named.
    var defaultPlace: (fileIndex: Int, place: SourcePlace)?

    /// Digests of the addresses of the line's targets, to find one that is listed twice.
    var lineTargets: [UInt64] = []

    init(files: [SourceFile], seed: HashSeed) {
        self.files = files
        builder = RouteImageBuilder(seed: seed)
        file = SourceFile(path: "", bytes: [])
    }

    /// Parses one of the files.
    mutating func parseFile(_ index: Int) {
        file = files[index]
        fileIndex = index
        scanner = LineScanner()
        builder.beginFile(file.path)
        let source = file
        let bytes = source.bytes.span
        reserve(for: bytes)
        while scanner.nextLine(in: bytes) { parseLine(bytes) }
    }

    /// A guess from the size of the text; the arrays grow where it was too low.
    private mutating func reserve(for bytes: Span<UInt8>) {
        guard bytes.count > 1 << 16 else { return }
        // The lines among the first bytes stand for all others.
        let sample = 1 << 14
        var lines = 1
        for index in 0..<sample where bytes[index] == UInt8(ascii: "\n") { lines += 1 }
        let count = Int(Double(bytes.count) / Double(sample) * Double(lines) * 1.02)
        builder.reserve(routes: count, nameBytes: bytes.count / 2 + 5 * count)
        lineStarts.reserveCapacity(lineStarts.count + count)
    }

    private mutating func parseLine(_ bytes: Span<UInt8>) {
        guard let names = scanner.nextWord(in: bytes), isSound(bytes) else { return }
        lineStarts.append(UInt64(fileIndex) << Self.fileIndexShift | UInt64(scanner.lineStart))
        builder.beginRoute()
        var options = ParsedOptions()
        guard parseNames(names, bytes) else {
            endRoute(.reject, options, bytes)
            return
        }
        guard let targets = scanner.nextWord(in: bytes) else {
            reportMissingTarget(names, bytes)
            endRoute(.reject, options, bytes)
            return
        }
        guard isSound(bytes), let action = parseTargets(targets, bytes) else {
            endRoute(.reject, options, bytes)
            return
        }
        while let option = scanner.nextWord(in: bytes) {
            guard isSound(bytes) else { break }
            parseOption(option, into: &options, bytes)
        }
        checkOptions(options, action: action, targets: targets, bytes)
        endRoute(action, options, bytes)
    }

    private mutating func endRoute(_ action: Route.Action, _ options: ParsedOptions, _ bytes: Span<UInt8>) {
        builder.endRoute(action: action, options: options, line: scanner.line, source: bytes.rawBytes)
    }

    private mutating func reportMissingTarget(_ names: Range<Int>, _ bytes: Span<UInt8>) {
        let isDirective = ConfigurationDirective(rawValue: text(bytes, names)) != nil
        report(
            GrammarError(
                names.upperBound..<names.upperBound, "a route needs a target behind its names",
                hint: isDirective
                    ? "\(quoted(bytes, names)) is a directive of switchyard.conf"
                    : "write an address, or one of asleep, held, reject, reset"))
    }

    /// False when the line itself is at fault; the rest of it is then not looked at.
    private mutating func isSound(_ bytes: Span<UInt8>) -> Bool {
        guard scanner.isSuspicious, let fault = scanner.suspicion(in: bytes) else { return true }
        report(fault)
        return false
    }

    /// Adds an error in the current line.
    @inline(never)
    mutating func report(_ error: GrammarError) {
        let place = scanner.place(error.range)
        diagnostics.add(.error) {
            Diagnostic(.error, at: place, in: file, error.message, hint: error.hint, notes: error.notes)
        }
    }

    /// Adds a warning about the current line.
    @inline(never)
    mutating func warn(_ range: Range<Int>, _ message: String, hint: String? = nil) {
        let place = scanner.place(range)
        diagnostics.add(.warning) { Diagnostic(.warning, at: place, in: file, message, hint: hint) }
    }
}
