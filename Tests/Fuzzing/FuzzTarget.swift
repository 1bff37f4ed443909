/// What is fuzzed: everything that reads bytes of somebody else's. Each target takes any bytes whatever, and
/// ends the process when a rule of its own is broken, besides those that the language checks.
///
/// `make fuzz` runs them under libFuzzer; `FuzzTests` runs the kept corpus and some seeded mutations of it.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// TLS hellos, cut anyhow.
    case hello
    /// Routes files.
    case routes
    /// The configuration file.
    case configuration
    /// Heads of requests over plain HTTP, cut anyhow.
    case httpHead = "http-head"
    /// PROXY protocol headers, cut anyhow.
    case proxyHeader = "proxy-header"
    /// Lines on the control socket.
    case control
    /// Requests for the metrics, cut anyhow.
    case metricsRequest = "metrics-request"
    /// Lists of ranges that are allowed or denied.
    case sources
    /// What one process says to the next in an upgrade.
    case handOver = "hand-over"

    /// Runs one input.
    package func run(_ bytes: [UInt8]) {
        switch self {
        case .hello: fuzzHello(bytes)
        case .routes: fuzzRoutes(bytes)
        case .configuration: fuzzConfiguration(bytes)
        case .httpHead: fuzzHTTPHead(bytes)
        case .proxyHeader: fuzzProxyHeader(bytes)
        case .control: fuzzControl(bytes)
        case .metricsRequest: fuzzMetricsRequest(bytes)
        case .sources: fuzzSources(bytes)
        case .handOver: fuzzHandOver(bytes)
        }
    }
}

/// Ends the process with a sentence: a rule was broken by these bytes.
func require(_ condition: Bool, _ rule: StaticString) {
    precondition(condition, "\(rule)")
}
