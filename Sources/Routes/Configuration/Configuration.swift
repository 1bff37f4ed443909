/// The content of `switchyard.conf`, checked, with defaults for all that it does not say.
package struct Configuration: Sendable {
    /// How many worker threads there are.
    package enum WorkerCount: Hashable, Sendable {
        /// One for each core that the process may use.
        case automatic
        /// So many, 1…256.
        case exactly(Int)
    }

    /// Which interface to the kernel moves the bytes.
    package enum InputOutput: String, CaseIterable, Sendable {
        /// The best one that works here.
        case automatic = "auto"
        /// epoll.
        case epoll
        /// io_uring; the edge does not start where it does not work.
        case ioUring = "io_uring"
    }

    /// One `routes` word: a file or a pattern, to be resolved against the configuration's folder.
    package struct RoutesPattern: Hashable, Sendable {
        /// As it stands in the file.
        package var pattern: String
        /// Where it stands.
        package var place: SourcePlace

        /// A pattern from its parts.
        package init(pattern: String, place: SourcePlace) {
            self.pattern = pattern
            self.place = place
        }
    }

    /// Open ports, in the order of the file; no two with one address; at least one.
    package var listeners: [Listener] = []
    /// Which routes files are read, in the order of the file.
    package var routes: [RoutesPattern] = []
    /// Worker threads.
    package var workers = WorkerCount.automatic
    /// The interface to the kernel.
    package var inputOutput = InputOutput.automatic
    /// Path of the control socket; nil is none. At most 107 bytes long.
    package var controlPath: String? = "/run/switchyard/control.sock"
    /// Where metrics are served; nil is nowhere.
    package var metrics: IPEndpoint?
    /// Path of the file with the process number; nil is none.
    package var pidfilePath: String?
    /// Name of the user that the process becomes once its ports are bound; nil: it stays who it is.
    package var user: String?
    /// Whether the process forbids itself all system calls that the edge does not make.
    package var hasSandbox = true
    /// The log.
    package var log = LogSettings()
    /// Upper bounds.
    package var limits = ConfigurationLimits()
    /// Upper bounds of time.
    package var timeouts = ConfigurationTimeouts()
    /// Which clients may connect.
    package var sources = SourceRules()

    /// Where each setting stands that the file has: by directive, or for `limit`, `timeout` and `log` by
    /// directive and key, as in `limit parked`.
    package var places: [String: SourcePlace] = [:]

    /// All defaults, no listener; what a parse begins with.
    package init() {}

    /// Where a setting stands, so that a program that cannot follow it can point to it; nil for a default.
    ///
    /// - Parameter key: for directives with keys, which one: `place(of: .limit, key: "parked")`.
    package func place(of directive: ConfigurationDirective, key: String? = nil) -> SourcePlace? {
        places[key.map { "\(directive.rawValue) \($0)" } ?? directive.rawValue]
    }

    /// Parses a configuration file. Pure: patterns are not expanded and no file or user is looked for.
    ///
    /// - Returns: the configuration, and warnings for its author.
    /// - Throws: every error of the file.
    package static func parse(
        _ file: SourceFile
    ) throws(InvalidSource) -> (configuration: Configuration, warnings: DiagnosticList) {
        var parser = ConfigurationParser(file: file)
        parser.parse()
        guard parser.diagnostics.errorCount == 0 else { throw InvalidSource(diagnostics: parser.diagnostics) }
        return (parser.configuration, parser.diagnostics)
    }
}
