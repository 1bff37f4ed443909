import CLinux
import DataPlane
import Linux
import Routes

/// A worker on the simulated kernel, with its clients, its origins and its operator, all by one seed.
final class World {
    let scenario: Scenario
    var random: SimulatedRandom
    var worker: SimulatedWorker
    let links: WorkerLinks
    let log: LogReader
    private(set) lazy var judge = Judge(self)

    let originAddresses: [OriginAddress]
    /// Every table so far; those before `actedTable` are out of use.
    private(set) var tables: [TableModel]
    private(set) var actedTable = 0
    private var tableMessages = [0]
    /// The tables as the worker has them, for marks.
    private var compiledTables: [RouteTable]
    /// Origins that get no new sessions now, and whether there ever was one.
    private(set) var markedOrigins: Set<Int> = []
    private(set) var hasMarked = false
    /// Sessions by route.
    let limitedRoutes: SourceCountersView
    private let limitedRoutesOwner: SourceCounters
    /// Every value that the settings had.
    private(set) var settings: [WorkerSettings]
    private(set) var marks = [Int](repeating: 0, count: Mark.allCases.count)

    /// When the worker last asked for a route to be woken, by its identity and by its name.
    var askedRoutes: [UInt64: UInt64] = [:]
    var askedNames: [String: UInt64] = [:]

    /// By connection.
    private(set) var peers: [Int: Peer] = [:]
    private(set) var clients: [Int: Client] = [:]
    private(set) var originOfConnection: [Int: Int] = [:]
    private var answers: [Answer] = []
    private var listeners: [Int32] = []
    private var nextOperation = 0
    private(set) var turnCount = 0
    /// No listener is left, or soon none will be.
    private(set) var isEnding = false
    private(set) var hasClosedListener = false
    private(set) var drainNanoseconds: UInt64?
    private var hasStopped = false
    private let shared: WorkerShared
    /// Of sessions that stand still or soon will: where they go, and whether they arrive.
    private(set) var handOverCount = 0
    private var handOver: (way: SimulatedHandOver, commits: Bool)?

    /// What an origin will say to a connect.
    private struct Answer {
        enum Kind { case accept, refuse, resetAtOnce }
        let nanoseconds: UInt64
        let connection: Int
        let kind: Kind
    }

    /// Turns after which a world that goes on is taken for one without an end.
    private static let turnsMax = 400_000

    init(seed: UInt64, bell: LogBell, log: LogReader) {
        let scenario = Scenario(seed: seed)
        self.scenario = scenario
        self.log = log
        random = scenario.random
        originAddresses = scenario.origins.indices.map { OriginAddress($0) }
        tables = [scenario.table]
        settings = [scenario.settings]
        guard let links = try? WorkerLinks(logBell: bell) else { preconditionFailure("no event descriptor") }
        self.links = links
        let backend = SimulatedBackend(
            limits: scenario.limits, hardships: scenario.hardships, seed: random.next())
        limitedRoutesOwner = SourceCounters(connectionsMax: 64, keys: (random.next(), random.next()))
        limitedRoutes = limitedRoutesOwner.view
        shared = WorkerShared(
            sources: SourceCounters(connectionsMax: 64, keys: (random.next(), random.next())),
            parkedSources: SourceCounters(connectionsMax: 64, keys: (random.next(), random.next())),
            limitedRoutes: limitedRoutesOwner,
            randomSeed: random.next() | 1, gate: scenario.gate)
        let table = scenario.table.compiled(origins: originAddresses)
        compiledTables = [table]
        worker = SimulatedWorker(
            backend: backend, sessionsMax: scenario.sessionsMax, table: table, settings: scenario.settings,
            links: links, shared: shared)
        for _ in 0..<scenario.listenerCount { addListener() }
    }

    var nowNanoseconds: UInt64 { worker.backend.nowNanoseconds }
    /// The longest `idle=` of any table so far.
    var longestRouteIdleNanoseconds: UInt64 {
        let milliseconds = tables.flatMap { $0.terms.values.compactMap(\.idleMilliseconds) }.max() ?? 0
        return UInt64(milliseconds) * 1_000_000
    }
    private var isFrozen: Bool {
        scenario.isFrozen && nowNanoseconds >= 1_000_000_000 + scenario.busyNanoseconds
    }

    func mark(_ mark: Mark) { marks[mark.rawValue] += 1 }

    // MARK: Running

    /// Lets the world run to its end.
    func run() {
        var isRunning = true
        while isRunning, judge.failures.isEmpty, turnCount < Self.turnsMax {
            act()
            worker.backend.horizonNanoseconds = nextNanoseconds
            let actedBefore = actedTable
            isRunning = worker.turn()
            turnCount += 1
            look(actedBefore)
            endHandOver()
        }
        guard judge.failures.isEmpty else { return }
        if isRunning { judge.fail("no end after \(turnCount) turns") }
        worker.finish()
        // Slow readers may still have something to read; nothing that happens now concerns the worker.
        if !isFrozen { for connection in peers.keys.sorted() { peers[connection]?.readRest(self) } }
        judge.judgeTheEnd()
    }

    /// When somebody wants to act next.
    private var nextNanoseconds: UInt64 {
        var next = UInt64.max
        // Who upgrades does nothing else until that is done.
        if nextOperation < scenario.operations.count, handOver == nil {
            next = 1_000_000_000 + scenario.operations[nextOperation].nanoseconds
        }
        if scenario.isFrozen, !isFrozen { next = min(next, 1_000_000_000 + scenario.busyNanoseconds) }
        guard !isFrozen else { return isSettled ? nowNanoseconds : next }
        for client in scenario.clients where client.peer == nil && client.attemptsLeft > 0 {
            next = min(next, client.openNanoseconds)
        }
        for answer in answers { next = min(next, answer.nanoseconds) }
        for peer in peers.values { next = min(next, peer.nextNanoseconds) }
        return next == .max && isSettled && !hasStopped ? nowNanoseconds : next
    }

    private func act() {
        while nextOperation < scenario.operations.count, handOver == nil,
            1_000_000_000 + scenario.operations[nextOperation].nanoseconds <= nowNanoseconds
        {
            perform(scenario.operations[nextOperation].operation)
            nextOperation += 1
        }
        if !isFrozen {
            for client in scenario.clients where client.openNanoseconds <= nowNanoseconds { open(client) }
            answerConnects()
            for connection in peers.keys.sorted() {
                guard let peer = peers[connection], peer.nextNanoseconds <= nowNanoseconds else { continue }
                peer.act(self)
            }
        }
        if isSettled, !hasStopped { perform(.stop) }
    }

    /// Goes on with an upgrade when all sessions stand still.
    private func endHandOver() {
        guard let (way, commits) = handOver, worker.isReadyToGiveUp else { return }
        handOver = nil
        judge.noteHandOverEnd()
        let hasSessions = !worker.sessions.isEmpty
        guard commits, let settings = settings.last else {
            if hasSessions { mark(.resumedWithSessions) }
            worker.resume()
            meetConnects(actedTable)
            return
        }
        if hasSessions { mark(.handedOverWithSessions) }
        // The next one does not know when the one before has asked.
        askedRoutes = [:]
        let fault = worker.replace(
            from: way, sessionsMax: scenario.sessionsMax,
            table: compiledTables[compiledTables.count - 1], settings: settings,
            links: links, shared: shared)
        if let fault { judge.fail(fault) }
        // Before the operator does something else.
        meetConnects(actedTable)
    }

    /// Nothing will happen any more: every client has had its turn, and no session is left.
    private var isSettled: Bool {
        guard nextOperation == scenario.operations.count, handOver == nil, worker.sessions.isEmpty,
            worker.backend.queuedCount == 0
        else { return false }
        return isFrozen
            || scenario.clients.allSatisfy { client in
                guard let peer = client.peer else { return client.attemptsLeft == 0 }
                return worker.backend.peerView(peer.connection).isClosed
            }
    }

    // MARK: The operator

    private func send(_ message: WorkerMessage) -> Int {
        worker.backend.ring()
        return links.mailbox.send(message)
    }

    private func perform(_ operation: Scenario.Operation) {
        worker.backend.trace.note(.test, at: nowNanoseconds, -1, nextOperation)
        switch operation {
        case .table(let table):
            judge.noteTable(table, after: tables[tables.count - 1])
            tables.append(table)
            let compiled = table.compiled(origins: originAddresses)
            for origin in markedOrigins { setMark(origin, true, in: compiled) }
            compiledTables.append(compiled)
            tableMessages.append(send(.table(compiled)))
        case .mark(let origin, let isMarked):
            if isMarked { markedOrigins.insert(origin) } else { markedOrigins.remove(origin) }
            hasMarked = true
            for table in compiledTables { setMark(origin, isMarked, in: table) }
        case .settings(let next):
            settings.append(next)
            _ = send(.settings(next))
        case .addListener: if !isEnding { addListener() }
        case .removeListener:
            guard !isEnding, let index = listeners.lastIndex(where: { $0 >= 0 }) else { return }
            listeners[index] = -1
            hasClosedListener = true
            _ = send(.removeListener(index: UInt32(index)))
        case .drain(let nanoseconds):
            if worker.sessions.count > 1 { mark(.drainedWithSessions) }
            drainNanoseconds = nowNanoseconds + nanoseconds
            isEnding = true
            _ = send(.drain(nanoseconds: nanoseconds))
        case .stop:
            if worker.sessions.count > 1 { mark(.stoppedWithSessions) }
            isEnding = true
            hasStopped = true
            _ = send(.stop)
        case .handOver(let commits):
            guard !isEnding else { return }
            let way = SimulatedHandOver()
            handOver = (way, commits)
            handOverCount += 1
            _ = send(.handOver(way.makeChannel()))
        case .hardships(let next): worker.backend.hardships = next
        }
        for index in listeners.indices where isEnding { listeners[index] = -1 }
    }

    /// Marks an origin wherever a table has it.
    private func setMark(_ origin: Int, _ isMarked: Bool, in table: RouteTable) {
        for index in 0..<UInt32(RouteImage.targetCount(in: table.image)) {
            let target = RouteImage.target(index, in: table.image)
            let address = SocketAddress(target.address, in: table.image)
            if address.isSame(as: originAddresses[origin].address) { table.mark(index, isMarked) }
        }
    }

    private func addListener() {
        let index = listeners.count
        let descriptor = worker.backend.makeListener()
        listeners.append(descriptor)
        let address = SocketAddress(ipv4: 0, port: UInt16(443 + index))
        _ = send(
            .addListener(
                descriptor: descriptor, index: UInt32(index), label: address, plan: ListenerPlan()))
    }

    // MARK: Clients and origins

    private func open(_ client: Client) {
        guard client.peer == nil, client.attemptsLeft > 0 else { return }
        client.attemptsLeft -= 1
        let open = listeners.filter { $0 >= 0 }
        guard !open.isEmpty else {
            client.attemptsLeft = 0
            return
        }
        let connection = worker.backend.peerOpen(
            from: SocketAddress(client.endpoint), to: random.pick(open))
        guard let connection else {
            client.openNanoseconds = nowNanoseconds + 50_000_000
            return
        }
        let peer = Peer(connection: connection, script: client.script, nowNanoseconds: nowNanoseconds)
        client.peer = peer
        client.firstTable = actedTable
        peers[connection] = peer
        clients[connection] = client
    }

    /// The client whose session a connection belongs to.
    func client(of connection: Int) -> Client? {
        clients[connection] ?? worker.backend.peerView(connection).partner.flatMap { clients[$0] }
    }

    private func meetConnects(_ actedBefore: Int) {
        for connection in worker.backend.takeConnects() {
            let view = worker.backend.peerView(connection)
            let place = originAddresses.firstIndex { $0.address.isSame(as: view.address) }
            guard let place, let partner = view.partner, let client = clients[partner] else {
                judge.fail("connection \(connection) goes to an address that is nobody's")
                continue
            }
            judge.judgeConnect(client, to: place, actedBefore)
            originOfConnection[connection] = place
            if view.isRefused { continue }
            guard view.isConnecting else {
                beginOrigin(connection)
                continue
            }
            answers += answer(scenario.origins[place], to: connection)
        }
        for connection in worker.backend.takeAccepts() { beginOrigin(connection) }
    }

    private func answer(_ origin: Scenario.Origin, to connection: Int) -> [Answer] {
        guard !random.chance(perMille: origin.ignoresPerMille) else {
            worker.backend.trace.hit(.connectIgnored)
            return []
        }
        var due = nowNanoseconds + UInt64(random.magnitude(in: 0...origin.answerNanosecondsMax))
        if origin.answersAtTimeout, let timeout = settings.last?.connectNanoseconds {
            // A deadline comes up one or two ticks of 17 ms late.
            due = nowNanoseconds + timeout + UInt64(random.number(in: 0...40_000_000))
        }
        var kind = Answer.Kind.accept
        if random.chance(perMille: origin.refusesPerMille) { kind = .refuse }
        if random.chance(perMille: origin.resetsAtOncePerMille) { kind = .resetAtOnce }
        return [Answer(nanoseconds: due, connection: connection, kind: kind)]
    }

    private func answerConnects() {
        let due = answers.filter { $0.nanoseconds <= nowNanoseconds }
        answers.removeAll { $0.nanoseconds <= nowNanoseconds }
        for answer in due where worker.backend.peerView(answer.connection).isConnecting {
            guard !worker.backend.peerView(answer.connection).isClosed else { continue }
            switch answer.kind {
            case .accept:
                worker.backend.peerAccept(answer.connection)
                beginOrigin(answer.connection)
            case .refuse:
                let errors = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH]
                worker.backend.peerRefuse(answer.connection, error: random.pick(errors))
            case .resetAtOnce:
                worker.backend.peerAccept(answer.connection)
                worker.backend.peerReset(answer.connection)
            }
        }
    }

    private func beginOrigin(_ connection: Int) {
        let script = Scenario.originScript(&random, scenario.temper)
        peers[connection] = Peer(connection: connection, script: script, nowNanoseconds: nowNanoseconds)
    }

    // MARK: Looking

    private func look(_ actedBefore: Int) {
        while actedTable + 1 < tables.count, links.mailbox.isAcknowledged(tableMessages[actedTable + 1]) {
            actedTable += 1
        }
        meetConnects(actedBefore)
        for line in log.read(links.log) { judge.judgeLine(line) }
        judge.judgeTurn()
        judge.judgeWakes(actedBefore)
        if !isFrozen { lookAtPeers() }
        for client in scenario.clients where client.peer?.hasSentPrefix == false {
            client.firstTable = actedTable
        }
    }

    private func lookAtPeers() {
        for connection in peers.keys.sorted() { peers[connection]?.look(self) }
    }
}
