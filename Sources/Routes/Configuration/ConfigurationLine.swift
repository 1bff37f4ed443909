/// A directive with its words, as ranges of the file.
struct ConfigurationLine {
    var directive: ConfigurationDirective
    /// The directive itself.
    var word: Range<Int>
    /// What follows it; at least one.
    var arguments: [Range<Int>]
}

extension ConfigurationDirective {
    /// A line that would be right.
    var example: String {
        switch self {
        case .listen: "listen tls 0.0.0.0:443"
        case .routes: "routes routes.d/*.routes"
        case .workers: "workers auto"
        case .io: "io auto"
        case .control: "control /run/switchyard/control.sock"
        case .metrics: "metrics 127.0.0.1:9180"
        case .pidfile: "pidfile /run/switchyard/switchyard.pid"
        case .user: "user switchyard"
        case .sandbox: "sandbox off"
        case .log: "log stderr level=info access=on"
        case .limit: "limit connections=100000"
        case .timeout: "timeout idle=1h"
        case .allow: "allow 198.51.100.0/24"
        case .deny: "deny 203.0.113.0/24"
        }
    }
}
