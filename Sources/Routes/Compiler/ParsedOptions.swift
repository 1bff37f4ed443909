/// The options of one route line as the parser has read them.
struct ParsedOptions {
    /// What an option of a route line is called.
    enum Name: Int, CaseIterable {
        case balance, check, acme, proxy, http, max, idle, drain, wake

        var text: String {
            switch self {
            case .balance: "balance"
            case .check: "check"
            case .acme: "acme"
            case .proxy: "proxy"
            case .http: "http"
            case .max: "max"
            case .idle: "idle"
            case .drain: "drain"
            case .wake: "wake"
            }
        }

        /// True exactly when the option means something on a route with this action.
        func applies(to action: Route.Action) -> Bool {
            switch self {
            case .balance, .check, .proxy, .max, .idle: action == .targets
            case .acme: action == .targets || action == .held || action == .asleep
            case .http, .drain: true
            case .wake: action == .asleep
            }
        }
    }

    var balance = Route.Balance.weighted
    var check = RouteOptions.HealthCheck.none
    var acme: ParsedAddress?
    var proxy = RouteOptions.ProxyHeader.none
    var http: ParsedAddress?
    var isHTTPEverything = false
    var sessionsMax: UInt32?
    var idleMilliseconds: UInt32?
    var drainMilliseconds: UInt32?
    var wake: ParsedAddress?

    /// Where each option stands, by raw value of its name; empty where it does not.
    var places = InlineArray<9, Range<Int>>(repeating: 0..<0)

    /// True exactly when some option was given.
    var hasAny = false
}
