package import Routes
package import Wire

/// Where a session stands.
package enum Phase: UInt8, BitwiseCopyable, CaseIterable {
    /// No session: the slot is free. → proxyHeader, hello, head, connecting
    case free
    /// The PROXY protocol header that a trusted peer must begin with is being received. → hello, connecting,
    /// closing
    case proxyHeader
    /// The client's hello is being received. → parked, connecting, refusing, closing
    case hello
    /// The hello is whole, and its route cannot be used yet. → connecting, refusing, closing
    case parked
    /// A target is being connected to. → connecting (the next one), parked (by a new table), relaying,
    /// refusing, closing
    case connecting
    /// Bytes go both ways. → closing
    case relaying
    /// The head of the client's HTTP request is being received. → requesting, refusing, closing
    case head
    /// The target of an HTTP request is being connected to. → forwarding, refusing, closing
    case requesting
    /// One HTTP request goes to its target, and the answer back. → refusing, closing
    case forwarding
    /// The last answer is on its way, and what the client still sends is read and thrown away. → closing
    case refusing
    /// Waits for the operations in flight, then closes. → free
    case closing
    /// Stands still while the worker's sessions are handed over to another process, or when it has come from
    /// one; ``Session/resumes`` says where it goes on. → proxyHeader, hello, head, connecting,
    /// requesting, relaying, forwarding, closing
    case handingOver

    /// Whether a session may go from here to there.
    package func allows(_ next: Phase) -> Bool {
        switch self {
        case .free:
            next == .proxyHeader || next == .hello || next == .head || next == .connecting
                || next == .handingOver
        case .proxyHeader:
            next == .hello || next == .head || next == .connecting || next == .closing
                || next == .handingOver
        case .hello:
            next == .parked || next == .connecting || next == .refusing || next == .closing
                || next == .handingOver
        case .parked: next == .connecting || next == .refusing || next == .closing
        case .connecting:
            next == .connecting || next == .parked || next == .relaying || next == .refusing
                || next == .closing || next == .handingOver
        case .relaying: next == .closing || next == .handingOver
        case .head:
            next == .requesting || next == .refusing || next == .closing || next == .handingOver
        case .requesting:
            next == .forwarding || next == .refusing || next == .closing || next == .handingOver
        case .forwarding: next == .refusing || next == .closing || next == .handingOver
        case .refusing: next == .closing
        case .closing: next == .free
        case .handingOver:
            next == .proxyHeader || next == .hello || next == .head || next == .connecting
                || next == .requesting || next == .relaying || next == .forwarding || next == .closing
        }
    }
}

/// Why a session ended; its name is the word in the access log.
package enum Ending: UInt8, BitwiseCopyable, CaseIterable {
    /// Not yet.
    case none
    /// Both sides ended in order.
    case completed
    /// The client ended or reset before its hello was whole, or ended while it was parked.
    case clientGone
    /// The hello was not whole in time.
    case helloTimeout
    /// The PROXY protocol header was wrong, or not whole in time.
    case proxyMalformed, proxyTimeout
    /// The client that the header names may have no more sessions.
    case sourceRefused
    /// What came first was plain HTTP, an SSLv2 hello, something else, a hello that is wrong, or one that is
    /// too large.
    case plainHTTP, sslv2, notTLS, malformed, helloTooLarge
    /// There was no name, and no default route.
    case noName
    /// No route for the name, or one that refuses it.
    case unknownName, rejected
    /// A wait for a route ran out, or there were too many that wait.
    case parkTimeout, parkLimit
    /// A request that was answered with the place where it belongs, for a host that no route knows, that
    /// breaks a rule or asks for what is not done here, that is too large, or whose head was not whole in
    /// time.
    case redirected, notFound, badRequest, requestTooLarge, requestTimeout
    /// No target could be reached, or may be.
    case unreachable
    /// The route has as many sessions as it may.
    case routeLimit
    /// A side was reset.
    case clientReset, originReset
    /// A side has not acknowledged what was sent to it for too long, or its host has gone.
    case timedOut
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
        case .proxyMalformed: "malformed-proxy-header"
        case .proxyTimeout: "proxy-header-timeout"
        case .sourceRefused: "source-refused"
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
        case .redirected: "redirected"
        case .notFound: "not-found"
        case .badRequest: "bad-request"
        case .requestTooLarge: "request-too-large"
        case .requestTimeout: "request-timeout"
        case .unreachable: "unreachable"
        case .routeLimit: "route-limit"
        case .clientReset: "client-reset"
        case .originReset: "origin-reset"
        case .timedOut: "timed-out"
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

/// Which terms of its route a session is under; mostly none.
package struct SessionTerms: OptionSet, BitwiseCopyable {
    package let rawValue: UInt8
    /// It counts among its route's sessions (`max=`).
    package static let counted = SessionTerms(rawValue: 1)
    /// The time without a byte is the route's (`idle=`).
    package static let idle = SessionTerms(rawValue: 2)
    /// It ends some time after its route was removed or changed (`drain=`).
    package static let drains = SessionTerms(rawValue: 4)
    /// That has happened: it has an end.
    package static let ending = SessionTerms(rawValue: 8)

    package init(rawValue: UInt8) { self.rawValue = rawValue }
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
    /// The address that the client has connected to, as a PROXY protocol header has said; kept until there is
    /// an origin to tell it to.
    package var destination: LabelIndex = .none
    /// Neighbours in the list of parked sessions; -1: none.
    package var parkedNext: Int32 = -1
    package var parkedPrevious: Int32 = -1
    /// Progress of the hello.
    package var parser = HelloParser()
    /// Progress of an HTTP request's head.
    package var headParser = HTTPRequestHeadParser()
    /// The listener that took the connection.
    package var listener: UInt16 = 0
    /// Where the worker counts what passes under the name, once there is a relay; 0: there never was.
    package var tally: UInt16 = 0
    /// Operations in flight, over both sockets.
    package var inFlight: UInt8 = 0
    package var phase: Phase = .free
    /// While ``phase`` is `handingOver`: where it goes on; `free`: as one that was just accepted;
    /// `connecting` and `requesting`: not connected; `parked`: as before, with a deadline to keep.
    package var resumes: Phase = .free
    package var ending: Ending = .none
    /// How the name was matched; none before, when no route knows it, and where there are no routes: on a
    /// `listen tcp`.
    package var match: RouteMatch.Kind = .none
    /// Application protocols that the hello offers.
    package var applicationProtocols = ApplicationProtocols(rawValue: 0)
    /// Whether the HTTP request is HEAD: then an answer has no content.
    package var wantsHeadOnly = false
    /// Sides that were seen to be reset.
    package var broken: Sides = []
    /// Sides to close with a reset.
    package var resets: Sides = []
    /// What its route asks of it beyond a target; the worker keeps the details beside the slot.
    package var terms: SessionTerms = []

    /// How much of an HTTP request's content the target has still to get. Kept where other sessions keep the
    /// targets that they have tried: a request has one target.
    package var contentBytesLeft: UInt64 {
        get { tried.bits }
        set { tried.bits = newValue }
    }

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

    /// Whether bytes went both ways, or could have.
    package var hasRelayed: Bool { tally != 0 }

    /// Whether one direction has ended and the other has not.
    package var isHalfClosed: Bool { directions[0].isFinal != directions[1].isFinal }

    /// Whether no byte will move any more.
    package var isDone: Bool { directions[0].isFinal && directions[1].isFinal }
}
