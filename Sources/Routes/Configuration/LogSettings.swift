/// Where and how much is logged.
package struct LogSettings: Hashable, Sendable {
    /// Where the log goes.
    package enum Destination: Hashable, Sendable {
        /// To standard error, which systemd gives to the journal.
        case standardError
        /// To a file that is reopened on SIGHUP; the path is as it stands in the configuration.
        case file(path: String)
    }

    /// The least severity that is logged.
    package enum Level: String, CaseIterable, Sendable {
        /// Everything.
        case debug
        /// What an operator wants to see afterwards: reloads, routes that change.
        case info
        /// What an operator should look at.
        case warning
        /// What failed.
        case error
    }

    /// Where it goes.
    package var destination = Destination.standardError
    /// The least severity.
    package var level = Level.info
    /// Whether each session gets a line at its end.
    package var hasAccessLines = true

    /// The defaults.
    package init() {}
}
