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

    /// Runs one input.
    package func run(_ bytes: [UInt8]) {
        switch self {
        case .hello: fuzzHello(bytes)
        case .routes: fuzzRoutes(bytes)
        case .configuration: fuzzConfiguration(bytes)
        }
    }
}

/// Ends the process with a sentence: a rule was broken by these bytes.
func require(_ condition: Bool, _ rule: StaticString) {
    precondition(condition, "\(rule)")
}
