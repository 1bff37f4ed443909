/// The directives of `switchyard.conf`.
package enum ConfigurationDirective: String, CaseIterable, Sendable {
    /// Opens a port.
    case listen
    /// Names routes files.
    case routes
    /// How many worker threads.
    case workers
    /// Which interface to the kernel moves the bytes.
    case io
    /// Where the control socket is.
    case control
    /// Where metrics are served.
    case metrics
    /// Where the process number is written.
    case pidfile
    /// Which user the process becomes.
    case user
    /// Whether system calls that the edge does not make are forbidden to it.
    case sandbox
    /// Where and how much is logged.
    case log
    /// Upper bounds.
    case limit
    /// Upper bounds of time.
    case timeout
    /// Sources that may connect.
    case allow
    /// Sources that may not.
    case deny
}
