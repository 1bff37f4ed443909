import DataPlane
import Linux
import Routes
import Wire

/// Watches a world and says what is wrong with it.
final class Judge {
    unowned let world: World
    /// Sentences about what is wrong; the world ends with the first.
    private(set) var failures: [String] = []
    private(set) var lineCount = 0
    private var tablesAtOnce = (count: 0, nanoseconds: UInt64(0))
    private var watches: [Int: (progress: UInt64, sinceNanoseconds: UInt64)] = [:]

    init(_ world: World) { self.world = world }

    func fail(_ sentence: String) { failures.append(sentence) }

    private func require(_ isTrue: Bool, _ sentence: @autoclosure () -> String) {
        if !isTrue { fail(sentence()) }
    }

    // MARK: Bytes

    /// Whether what a client was sent first is the worker's own answer: no origin's stream begins like one.
    func isAnswer(_ bytes: [UInt8], to peer: Peer) -> Bool {
        guard world.clients[peer.connection] != nil else { return false }
        return bytes[0] == 21 || bytes[0] == UInt8(ascii: "H")
    }

    /// What a peer has read is what the other side has sent, in order.
    func compare(_ bytes: [UInt8], at offset: Int, of peer: Peer) {
        let view = world.worker.backend.peerView(peer.connection)
        guard let other = view.partner.flatMap({ world.peers[$0] }) else {
            fail("connection \(peer.connection) was given bytes, but has no other side")
            return
        }
        guard offset + bytes.count <= other.sentCount else {
            fail(
                "connection \(peer.connection) was given more bytes "
                    + "than connection \(other.connection) has sent"
            )
            return
        }
        guard other.script.stream.bytes(from: offset, count: bytes.count) != bytes else { return }
        let place =
            offset
            + zip(other.script.stream.bytes(from: offset, count: bytes.count), bytes)
            .prefix { $0 == $1 }.count
        fail("byte \(place) of connection \(other.connection) arrives wrong on connection \(peer.connection)")
    }

    // MARK: Ends

    /// A peer has seen an orderly end.
    func sawEnd(_ peer: Peer) {
        let line = world.client(of: peer.connection)?.line
        guard !peer.wasRefused else {
            require(
                peer.refusal == line.flatMap { Self.answer(to: $0.end) } ?? peer.refusal,
                "connection \(peer.connection) was answered \(peer.refusal) for \(line?.end ?? "-")")
            require(Self.isWholeAnswer(peer.refusal), "connection \(peer.connection) got part of an answer")
            markAnswer(peer)
            return
        }
        let view = world.worker.backend.peerView(peer.connection)
        // An origin whose connection was given up before the hello went to another one.
        if world.clients[peer.connection] == nil, view.givenCount == 0 { return }
        if let other = view.partner.flatMap({ world.peers[$0] }) {
            let taken = world.worker.backend.peerView(other.connection).takenCount
            require(
                taken == UInt64(peer.receivedCount),
                "connection \(peer.connection) ends after \(peer.receivedCount) of \(taken) bytes")
            if other.hasFinished, line == nil {
                require(
                    other.sentCount == peer.receivedCount,
                    "connection \(peer.connection) ends after "
                        + "\(peer.receivedCount) of \(other.sentCount) bytes sent"
                )
                if !peer.hasFinished {
                    world.mark(world.clients[peer.connection] == nil ? .clientEndedFirst : .originEndedFirst)
                }
            }
            guard !other.hasFinished else { return }
        } else if world.clients[peer.connection] == nil {
            return
        }
        // Nobody has ended: the worker did of its own accord, and says why.
        let reasons = [
            "hello-timeout", "not-tls", "timed-out", "client-gone", "idle-timeout", "half-close-timeout",
            "drained",
            "stopped",
        ]
        let isConnectFailure = world.clients[peer.connection] == nil && peer.receivedCount == 0
        require(
            isConnectFailure || line.map { reasons.contains($0.end) } ?? false,
            "connection \(peer.connection) ended in order for no reason (\(line?.end ?? "no line"))")
    }

    /// A peer has seen a reset.
    func sawReset(_ peer: Peer) {
        guard let client = world.clients[peer.connection] else { return }
        guard client.adoptedNanoseconds != nil else {
            let isDenied = world.scenario.isDenied(client)
            if isDenied { world.mark(.sourceDenied) }
            let isLimited = world.settings.contains { $0.sessionsPerSourceMax < world.scenario.clients.count }
            if isLimited { world.mark(.sourceLimited) }
            require(
                isDenied || isLimited || world.hasClosedListener || world.isEnding,
                "connection \(peer.connection) was reset before anything")
            return
        }
        require(client.line != nil, "connection \(peer.connection) was reset, but its session goes on")
    }

    // MARK: Routes

    /// A new table comes. Is somebody's hello on its way?
    func noteTable(_ table: TableModel, after previous: TableModel) {
        if tablesAtOnce.nanoseconds != world.nowNanoseconds { tablesAtOnce = (0, world.nowNanoseconds) }
        tablesAtOnce.count += 1
        if tablesAtOnce.count == 5 { world.mark(.reloadStorm) }
        for client in world.scenario.clients {
            guard let peer = client.peer, peer.sentCount > 0, !peer.hasSentPrefix, let name = client.name,
                case .targets = previous.find(name)
            else { continue }
            if case .targets = table.find(name) { continue }
            world.mark(.routeRemovedMidHello)
        }
    }

    /// A client's session goes to an origin: does a table that is in use say so?
    func judgeConnect(_ client: Client, to origin: Int, _ actedBefore: Int) {
        client.connectCount += 1
        if client.connectCount == 2 { world.mark(.triedAnotherOrigin) }
        if client.wasParked { world.mark(.parkedThenRouted) }
        guard let name = client.name, client.peer?.hasSentPrefix == true else {
            fail("client \(client.number) with \(client.hello) is led to origin \(origin)")
            return
        }
        let isNamed = world.tables[actedBefore...].contains { table in
            guard case .targets(let targets) = table.find(name) else { return false }
            return targets.contains { $0.origin == origin && $0.weight > 0 }
        }
        require(
            isNamed, "client \(client.number) with \(client.hello) is led to origin \(origin) by no table")
        require(
            !world.markedOrigins.contains(origin),
            "client \(client.number) is led to origin \(origin), which is marked")
    }

    // MARK: Turns

    /// Do the worker and the kernel agree?
    func judgeAgreement() {
        failures += world.worker.backend.trace.violations
        failures += world.worker.audit()
        let crowd = world.worker.countedSessionsMax
        if crowd > world.scenario.temper.sessionsPerRouteMax { fail("a route has \(crowd) sessions") }
    }

    /// After each turn: does every session come forward in time, and is all as it should be?
    func judgeTurn() {
        judgeAgreement()
        let now = world.nowNanoseconds
        let sessions = world.worker.sessions
        if sessions.count == world.scenario.sessionsMax { world.mark(.slotsFull) }
        var watched: [Int: (progress: UInt64, sinceNanoseconds: UInt64)] = [:]
        for session in sessions {
            guard let client = world.clients[session.clientConnection] else {
                fail("a session has a client that nobody knows")
                continue
            }
            if client.adoptedNanoseconds == nil { client.adoptedNanoseconds = now }
            if world.scenario.isDenied(client) { fail("client \(client.number) is denied, and is served") }
            if session.activity == .parked { client.wasParked = true }
            if session.activity == .closing, client.closingNanoseconds == nil {
                client.closingNanoseconds = now
            }
            var watch = watches[session.clientConnection] ?? (session.progress, now)
            if watch.progress != session.progress { watch = (session.progress, now) }
            watched[session.clientConnection] = watch
            let patience = patienceNanoseconds(session.activity)
            require(
                now - watch.sinceNanoseconds <= patience,
                "client \(client.number)'s session is stuck in \(session.activity)")
        }
        watches = watched
    }

    /// How long a session may stay as it is. Timers are up to two ticks of 17 ms late, completions up to the
    /// longest delay.
    private func patienceNanoseconds(_ activity: SimulatedSession.Activity) -> UInt64 {
        var slack = 100_000_000 + 6 * UInt64(Scenario.delayNanosecondsMax)
        // An upgrade waits until those that are being refused have ended, and the others stand still.
        if world.handOverCount > 0 {
            slack += 4 * slack + (world.settings.map(\.refusalNanoseconds).max() ?? 0)
        }
        func longest(_ setting: (WorkerSettings) -> UInt64) -> UInt64 {
            world.settings.map(setting).max() ?? 0
        }
        switch activity {
        case .hello: return longest(\.helloNanoseconds) + slack
        case .parked: return max(longest(\.heldNanoseconds), longest(\.wakeNanoseconds)) + slack
        case .connecting: return longest(\.connectNanoseconds) + slack
        case .relaying:
            let idle = max(longest(\.idleNanoseconds), world.longestRouteIdleNanoseconds)
            return max(idle, longest(\.halfCloseNanoseconds)) + slack
        case .refusing: return longest(\.refusalNanoseconds) + slack
        case .closing: return slack
        case .handingOver: return slack
        }
    }

    func countLine() { lineCount += 1 }

    /// Sessions go on: whoever stood still before and does again has moved in between.
    func noteHandOverEnd() { watches = [:] }
}

extension Judge {
    /// What the client is sent for an ending; nil: nothing.
    static func answer(to end: String) -> [UInt8]? {
        switch end {
        case "unknown-name", "rejected": alert(.unrecognizedName)
        case "no-name": alert(.missingExtension)
        case "malformed-hello", "hello-too-large": alert(.decodeError)
        case "sslv2": alert(.handshakeFailure)
        case "park-timeout", "park-limit", "unreachable", "route-limit": alert(.internalError)
        case "plain-http": PlainHTTPAnswer.bytes
        default: nil
        }
    }

    private static func alert(_ alert: TLSAlert) -> [UInt8] { [21, 3, 3, 0, 2, 2, alert.rawValue] }

    static func isWholeAnswer(_ bytes: [UInt8]) -> Bool {
        bytes == PlainHTTPAnswer.bytes || TLSAlert.allCases.contains { alert($0) == bytes }
    }

    private func markAnswer(_ peer: Peer) {
        guard peer.refusal.count == 7 else {
            world.mark(.answerPlainHTTP)
            return
        }
        switch TLSAlert(rawValue: peer.refusal[6]) {
        case .handshakeFailure: world.mark(.alertHandshakeFailure)
        case .decodeError: world.mark(.alertDecodeError)
        case .internalError: world.mark(.alertInternalError)
        case .missingExtension: world.mark(.alertMissingExtension)
        case .unrecognizedName: world.mark(.alertUnrecognizedName)
        case nil: break
        }
    }
}
