package import Routes
package import Wire

/// Where a session stands.
package enum Phase: UInt8, BitwiseCopyable, CaseIterable {
    /// No session: the slot is free. → hello
    case free
    /// The client's hello is being received. → parked, connecting, refusing, closing
    case hello
    /// The hello is whole, and its route cannot be used yet. → connecting, refusing, closing
    case parked
    /// A target is being connected to. → connecting (the next one), parked (by a new table), relaying,
    /// refusing, closing
    case connecting
    /// Bytes go both ways. → closing
    case relaying
    /// An alert is on its way, and what the client still sends is read and thrown away. → closing
    case refusing
    /// Waits for the operations in flight, then closes. → free
    case closing
    /// Stands still while the worker's sessions are handed over to another process, or when it has come from
    /// one; ``Session/resumes`` says where it goes on. → hello, connecting, relaying, closing
    case handingOver

    /// Whether a session may go from here to there.
    package func allows(_ next: Phase) -> Bool {
        switch self {
        case .free: next == .hello || next == .handingOver
        case .hello:
            next == .parked || next == .connecting || next == .refusing || next == .closing
                || next == .handingOver
        case .parked: next == .connecting || next == .refusing || next == .closing
        case .connecting:
            next == .connecting || next == .parked || next == .relaying || next == .refusing
                || next == .closing || next == .handingOver
        case .relaying: next == .closing || next == .handingOver
        case .refusing: next == .closing
        case .closing: next == .free
        case .handingOver:
            next == .hello || next == .connecting || next == .relaying || next == .closing
        }
    }
}

/// Why a session ended; its name is the word in the access log.
package enum Ending: UInt8, BitwiseCopyable, CaseIterable {
    /// Not yet.
    case none
    /// Both sides ended in order.
    case completed
    /// The client ended or reset before its hello was whole.
    case clientGone
    /// The hello was not whole in time.
    case helloTimeout
    /// What came first was plain HTTP, an SSLv2 hello, something else, a hello that is wrong, or one that is
    /// too large.
    case plainHTTP, sslv2, notTLS, malformed, helloTooLarge
    /// There was no name, and no default route.
    case noName
    /// No route for the name, or one that refuses it.
    case unknownName, rejected
    /// A wait for a route ran out, or there were too many that wait.
    case parkTimeout, parkLimit
    /// No target could be reached.
    case unreachable
    /// A side was reset.
    case clientReset, originReset
    /// No byte for too long, with both directions open or with one ended.
    case idle, halfClosed
    /// The process drained, or ended, or its route changed and asked for that.
    case drained, stopped

    /// The word in the access log.
    package var word: StaticString {
        switch self {
        case .none: "none"
        case .completed: "completed"
        case .clientGone: "client-gone"
        case .helloTimeout: "hello-timeout"
        case .plainHTTP: "plain-http"
        case .sslv2: "sslv2"
        case .notTLS: "not-tls"
        case .malformed: "malformed-hello"
        case .helloTooLarge: "hello-too-large"
        case .noName: "no-name"
        case .unknownName: "unknown-name"
        case .rejected: "rejected"
        case .parkTimeout: "park-timeout"
        case .parkLimit: "park-limit"
        case .unreachable: "unreachable"
        case .clientReset: "client-reset"
        case .originReset: "origin-reset"
        case .idle: "idle-timeout"
        case .halfClosed: "half-close-timeout"
        case .drained: "drained"
        case .stopped: "stopped"
        }
    }
}

/// A set of a session's sides.
package struct Sides: OptionSet, BitwiseCopyable {
    package let rawValue: UInt8
    package static let client = Sides(rawValue: 1)
    package static let origin = Sides(rawValue: 2)

    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package init(_ side: Side) { self = side == .client ? .client : .origin }
}

/// One client connection and its origin connection: a slot of the worker's slab. Trivial, of fixed size (a
/// test pins it), and replaced as a whole when a slot is used anew.
package struct Session: BitwiseCopyable {
    // In the order of their alignment, so that there is no room between them.
    /// By source side: what comes from the client, what comes from the origin.
    package var directions: InlineArray<2, Direction> = InlineArray(repeating: Direction())
    /// When the connection was accepted.
    package var acceptedNanoseconds: UInt64 = 0
    /// Targets of the route that were tried, by their place in it.
    package var tried = TargetSet()
    /// The client's address.
    package var source = IPEndpoint(address: .v4(0), port: 0)
    /// From accept until the hello was whole, then until it was routed, then until the origin was connected.
    package var helloMicroseconds: UInt32 = 0
    package var routedMicroseconds: UInt32 = 0
    package var connectedMicroseconds: UInt32 = 0
    /// The table that `tried` speaks of.
    package var tableEpoch: UInt32 = 0
    /// Which tenant of the slot this is.
    package var generation: UInt32 = 0
    /// The sockets; -1: none.
    package var client: Int32 = -1
    package var origin: Int32 = -1
    /// The entry of the worker's ``TargetTracker``; -1: none.
    package var target: Int32 = -1
    /// The name, for the log and for a look-up in a later table.
    package var label: LabelIndex = .none
    /// Neighbours in the list of parked sessions; -1: none.
    package var parkedNext: Int32 = -1
    package var parkedPrevious: Int32 = -1
    /// Progress of the hello.
    package var parser = HelloParser()
    /// The listener that took the connection.
    package var listener: UInt16 = 0
    /// Operations in flight, over both sockets.
    package var inFlight: UInt8 = 0
    package var phase: Phase = .free
    /// While ``phase`` is `handingOver`: hello; connecting, with its hello whole and no target; parked, as
    /// before, with a deadline to keep; or relaying.
    package var resumes: Phase = .free
    package var ending: Ending = .none
    /// How the name was matched; none before, and when no route knows it.
    package var match: RouteMatch.Kind = .none
    /// Application protocols that the hello offers.
    package var applicationProtocols = ApplicationProtocols(rawValue: 0)
    /// Sides that were seen to be reset.
    package var broken: Sides = []
    /// Sides to close with a reset.
    package var resets: Sides = []

    /// A free slot's content.
    package init() {}

    /// Moves on; anything but a transition that ``Phase`` allows is our own bug.
    package mutating func enter(_ next: Phase) {
        precondition(phase.allows(next), "a phase follows from the one before")
        phase = next
    }

    /// The socket of a side.
    package func descriptor(_ side: Side) -> Int32 { side == .client ? client : origin }

    /// The direction whose source is the side.
    package subscript(source: Side) -> Direction {
        get { directions[Int(source.rawValue)] }
        set { directions[Int(source.rawValue)] = newValue }
    }

    /// Whether one direction has ended and the other has not.
    package var isHalfClosed: Bool { directions[0].isFinal != directions[1].isFinal }

    /// Whether no byte will move any more.
    package var isDone: Bool { directions[0].isFinal && directions[1].isFinal }
}
