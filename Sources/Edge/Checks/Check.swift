import Linux
import Routes

/// What tells one check from another: routes that ask for the same share it.
struct CheckKey: Hashable, Sendable {
    enum Kind: String, Sendable {
        /// A connection is enough.
        case tcp
        /// The target must answer a ClientHello with a ServerHello.
        case hello
    }

    /// As it stands in a routes file.
    var address: String
    var kind: Kind
    /// What the hello asks for: the route's first name; `check.example.net` for `*.example.net`; none for
    /// `*`.
    var name = ""
    /// Which PROXY header the target wants to see first.
    var proxyHeader = RouteOptions.ProxyHeader.none

    /// `check=hello example.net`, for the log.
    var text: String { "check=\(kind.rawValue)" + (name.isEmpty ? "" : " \(name)") }

    /// The header of a connection that is nobody's but the edge's own: `LOCAL` in version 2, `UNKNOWN` in
    /// version 1 (PROXY protocol, sections 2.1 and 2.2).
    static func bytes(of header: RouteOptions.ProxyHeader) -> [UInt8] {
        switch header {
        case .none: []
        case .version1: Array("PROXY UNKNOWN\r\n".utf8)
        case .version2: [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x20, 0, 0, 0]
        }
    }
}

/// One check, and what is known by it.
struct Check: Sendable {
    /// After so many failures in a row a target gets no sessions; one success brings them back.
    static let failuresToMark = 2
    /// After a first failure the next attempt comes at the latest after so long: whether it was an accident
    /// should be known soon.
    static let secondOpinionNanoseconds: UInt64 = 1_000_000_000

    let key: CheckKey
    let address: SocketAddress
    /// The shortest that any of its routes asks for.
    var intervalNanoseconds: UInt64
    /// Indexes in the table of now.
    var targets: [UInt32]
    /// Next attempt.
    var dueNanoseconds: UInt64
    var isRunning = false
    /// Whether its targets get no sessions.
    var isDown = false
    var failuresInARow = 0
    /// What was wrong with the last attempt; nil: nothing.
    var error: String?
    /// When the last attempt was over; 0: there was none.
    var lastNanoseconds: UInt64 = 0
}

/// What is known of a check, for those who ask.
package struct CheckReport: Sendable {
    /// As it stands in a routes file.
    package var address: String
    /// `tcp` or `hello`.
    package var kind: String
    /// What the hello asks for; empty: no name.
    package var name: String
    /// Whether its targets get no sessions because of it.
    package var isDown: Bool
    /// Whether the last attempt succeeded; nil: there was none yet.
    package var hasSucceeded: Bool?
    /// What was wrong with it.
    package var error: String?
    /// Since the last attempt was over.
    package var ageNanoseconds: UInt64
    package var intervalNanoseconds: UInt64
    package var failuresInARow: Int
}
