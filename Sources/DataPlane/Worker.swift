package import Linux
import Wire

/// What all workers of a process share.
package struct WorkerShared: Sendable {
    /// Sessions by client address.
    package var sources: SourceCounters
    /// Parked sessions by client address.
    package var parkedSources: SourceCounters
    /// Sessions by route, for those with a limit.
    package var limitedRoutes: SourceCounters
    /// Random numbers that nobody outside knows; each worker is given its own.
    package var randomSeed: UInt64
    /// Which clients may connect, until a message brings another one.
    package var gate: SourceGate

    /// Builds the shared parts.
    package init(
        sources: SourceCounters, parkedSources: SourceCounters, limitedRoutes: SourceCounters,
        randomSeed: UInt64, gate: SourceGate = SourceGate()
    ) {
        self.sources = sources
        self.parkedSources = parkedSources
        self.limitedRoutes = limitedRoutes
        self.randomSeed = randomSeed
        self.gate = gate
    }
}

/// The ends of a worker that other threads hold.
package struct WorkerLinks: Sendable {
    /// Messages to the worker.
    package let mailbox: Mailbox
    /// What it counts.
    package let counters: WorkerCounters
    /// Its lines for the log.
    package let log: LogRing
    /// Told when there are lines.
    package let logBell: LogBell
    /// The wake sockets that it wants to be told.
    package let wakes: WakeRing
    /// Told when there are some.
    package let wakeBell: LogBell

    /// Builds the links of one worker; without a bell for its wakes nobody hears of them.
    package init(logBell: LogBell, wakeBell: LogBell? = nil) throws(Errno) {
        mailbox = try Mailbox()
        counters = WorkerCounters()
        log = LogRing()
        self.logBell = logBell
        wakes = WakeRing()
        if let wakeBell { self.wakeBell = wakeBell } else { self.wakeBell = try LogBell() }
    }
}

/// One thread's share of the edge: its sessions from accept to close, on a backend of its own. It shares
/// nothing with other workers but counters by source, and hears from the control thread by its mailbox only.
///
/// The loop: wait for completions, step the session that each belongs to, look at the timers, wait again.
/// Nothing in it allocates, locks or logs to a descriptor; that is what `TidyTests` and the binary checks
/// hold it to.
package struct Worker<Backend: IOBackend & ~Copyable>: ~Copyable {
    package var backend: Backend
    var sessions: Slab<Session>
    var timers: TimerWheel
    var labels: LabelPool
    var targets: TargetTracker
    /// What passed, by the name that the route has; and attempts, by target.
    var names: Tally
    var attempts: Tally
    var settings = WorkerSettings()
    var table: RouteTableView
    var tableEpoch: UInt32 = 1
    var count: CounterWriter
    var gate: SourceGateView
    var sources: SourceCountersView
    var parkedSources: SourceCountersView
    var limitedRoutes: SourceCountersView
    /// By slot: what their routes ask of sessions that have terms.
    let terms: Region<RouteTerms>
    /// Sessions that end some time after their route was removed or changed, and have no end yet.
    var drainableCount = 0
    var random: UInt64
    /// The hello that is being looked at; filled and read within one step.
    var hello = ClientHello()
    /// The same for a head of an HTTP request.
    var request = HTTPRequestHead()
    /// Where what is sent of a request, or in answer to it, is put together.
    var scratch = ByteScratch(
        capacity: Int(HTTPHeadLimits().bytesMax) + HTTPRequestHead.forwardedBytesMore
            + HTTPRedirect.bytesMore)
    /// Alerts and other fixed answers, each in a part of one buffer.
    var answers: FixedAnswers
    /// First of the sessions that wait for a route, or -1.
    var parkedHead: Int32 = -1
    var parkedCount = 0
    /// The next of them whose route is to be asked for again, or -1: from the first one on.
    var wakeCursor: Int32 = -1
    /// Routes that were asked for of late.
    let wakeMemory = WakeMemory()
    var isAccepting = true
    /// When accepting resumes after the system ran out of descriptors; 0: it has not.
    var acceptRetryNanoseconds: UInt64 = 0
    var listeners: [WorkerListener] = []
    var line = LineBuilder()
    var hasLoggedThisTurn = false
    var hasAskedThisTurn = false
    var realtimeOffsetNanoseconds: UInt64 = 0
    var nextTickNanoseconds: UInt64 = 0
    var quietTicks = 0
    /// Whether something has completed since the last tick.
    var hasWorkedSinceTick = false
    var nextSweepNanoseconds: UInt64 = 0
    var state = RunState.running
    /// Where sessions are handed over to.
    var handOverChannel: HandOverChannel?
    private var tableOwner: RouteTable
    private var gateOwner: SourceGate
    let links: WorkerLinks
    /// Keeps alive what the views point into.
    private let shared: WorkerShared

    enum RunState: Equatable {
        case running
        /// No listeners; ends with the last session, or at this time.
        case draining(untilNanoseconds: UInt64)
        /// Sessions stand still, to be given to another process; whether it was sent them all.
        case handingOver(isSent: Bool)
        case stopped
    }

    /// The most completions handled before the backend is asked for more.
    static var completionsPerTurnMax: Int { 4096 }

    /// From tick to tick while there is work.
    static var busyTickNanoseconds: UInt64 { 250_000_000 }

    /// Allocates all memory that the worker will ever use, untouched, for `sessionsMax` sessions.
    package init(
        backend: consuming Backend, sessionsMax: Int, table: RouteTable, settings: WorkerSettings,
        links: WorkerLinks, shared: WorkerShared
    ) {
        self.backend = backend
        sessions = Slab(capacity: sessionsMax)
        timers = TimerWheel(capacity: sessionsMax, nowNanoseconds: self.backend.nowNanoseconds)
        labels = LabelPool(capacity: sessionsMax)
        targets = TargetTracker(capacity: sessionsMax + 1024, key: shared.randomSeed &* 0x9e37_79b9_7f4a_7c15)
        names = Tally(seed: shared.randomSeed &* 0xd6e8_feb8_6659_fd93)
        attempts = Tally(seed: shared.randomSeed &* 0xa076_1d64_78bd_642f)
        self.table = table.view
        tableOwner = table
        self.settings = settings
        self.links = links
        count = links.counters.writer
        gate = shared.gate.view
        gateOwner = shared.gate
        sources = shared.sources.view
        parkedSources = shared.parkedSources.view
        limitedRoutes = shared.limitedRoutes.view
        terms = Region(capacity: sessionsMax)
        self.shared = shared
        random = shared.randomSeed
        answers = FixedAnswers(in: &self.backend)
        self.backend.addWake(links.mailbox.wakeDescriptor)
    }

    /// Runs until stopped, or until drained.
    package mutating func run() {
        refreshRealtime()
        while state != .stopped { turn() }
        finish()
    }

    /// What is done after the last turn.
    mutating func finish() {
        for listener in listeners where listener.isOpen { backend.removeListener(listener.descriptor) }
        discardCompletions()
    }

    /// One turn of the loop.
    mutating func turn() {
        backend.setAcceptBudget(sessions.freeCount)
        backend.wait(milliseconds: waitMilliseconds())
        let nowNanoseconds = backend.nowNanoseconds
        count.add(.turns)

        handleCompletions()
        while let slot = timers.nextExpired(nowNanoseconds: nowNanoseconds) { expire(slot) }
        if nowNanoseconds >= nextTickNanoseconds { tick(nowNanoseconds) }
        if acceptRetryNanoseconds != 0 || !isAccepting { resumeAccepting(nowNanoseconds) }
        if hasLoggedThisTurn {
            hasLoggedThisTurn = false
            links.logBell.ring()
        }
        if hasAskedThisTurn {
            hasAskedThisTurn = false
            links.wakeBell.ring()
        }
        if state != .running { stepEnding(nowNanoseconds) }
    }

    /// Handles what has completed, up to a turn's share.
    @inline(always)
    private mutating func handleCompletions() {
        var handled = 0
        while handled < Self.completionsPerTurnMax, let completion = backend.nextCompletion() {
            handle(completion)
            handled += 1
        }
        if handled > 0, !hasWorkedSinceTick {
            hasWorkedSinceTick = true
            nextTickNanoseconds = min(
                nextTickNanoseconds, backend.nowNanoseconds + Self.busyTickNanoseconds)
        }
    }

    @inline(always)
    private mutating func handle(_ completion: Completion) {
        let token = completion.token
        switch token.kind {
        case .accept: accepted(completion.result, listener: Int(token.slot))
        case .wake: readMailbox()
        case .connect, .receive, .send, .readable, .writable, .fault: step(completion)
        case .none: break
        }
    }

    /// Milliseconds until something must be done without being told; -1: nothing.
    private func waitMilliseconds() -> Int32 {
        let nowNanoseconds = backend.nowNanoseconds
        var wait = timers.millisecondsToNext(nowNanoseconds: nowNanoseconds) ?? -1
        func sooner(_ nanoseconds: UInt64) {
            let left = nanoseconds > nowNanoseconds ? (nanoseconds - nowNanoseconds) / 1_000_000 + 1 : 0
            if wait < 0 || Int32(clamping: left) < wait { wait = Int32(clamping: left) }
        }
        // The tick gives memory back after a rush; a worker that has been idle for a while sleeps for good.
        if sessions.count > 0 || quietTicks < 4 { sooner(nextTickNanoseconds) }
        if acceptRetryNanoseconds != 0 { sooner(acceptRetryNanoseconds) }
        // Once that time is over all sessions are ending, and what they wait for wakes the worker.
        if case .draining(let untilNanoseconds) = state, untilNanoseconds > nowNanoseconds {
            sooner(untilNanoseconds)
        }
        if case .handingOver(isSent: false) = state { sooner(nowNanoseconds + 500_000) }
        return wait
    }

    /// What is done now and then: memory is given back four times a second while there is work, so that a
    /// rush is forgotten after half a second; the rest once a second.
    @inline(never)
    private mutating func tick(_ nowNanoseconds: UInt64) {
        nextTickNanoseconds = nowNanoseconds + (hasWorkedSinceTick ? Self.busyTickNanoseconds : 1_000_000_000)
        quietTicks = sessions.count == 0 && !hasWorkedSinceTick ? quietTicks + 1 : 0
        hasWorkedSinceTick = false
        backend.trim()
        askAgain()
        guard nowNanoseconds >= nextSweepNanoseconds else { return }
        nextSweepNanoseconds = nowNanoseconds + 1_000_000_000
        targets.sweep(nowNanoseconds: nowNanoseconds)
        names.cool()
        attempts.cool()
        noteFailingTargets()
        refreshRealtime()
    }

    private mutating func refreshRealtime() {
        realtimeOffsetNanoseconds = Linux.realtimeNanoseconds() &- Linux.monotonicNanoseconds()
    }

    // MARK: Messages

    @inline(never)
    private mutating func readMailbox() {
        let messages = links.mailbox.take()
        for message in messages { handle(message) }
        links.mailbox.acknowledge(messages.count)
        quietTicks = 0
    }

    private mutating func handle(_ message: WorkerMessage) {
        switch message {
        case .table(let next):
            table = next.view
            tableOwner = next
            tableEpoch &+= 1
            routeParked()
            endChangedRoutes()
        case .settings(let next):
            settings = next
        case .gate(let next):
            gate = next.view
            gateOwner = next
        case .targetsAnswered(let addresses):
            for address in addresses { targets.noteAnswered(address) }
            noteFailingTargets()
        case .askTarget(let address, let answer):
            answer.add(UInt64(targets.sessionCount(address)))
        case .addListener(let descriptor, let index, let address, let plan):
            while listeners.count <= Int(index) { listeners.append(WorkerListener()) }
            listeners[Int(index)] = WorkerListener(descriptor: descriptor, address: address, plan: plan)
            backend.addListener(descriptor, index: index)
        case .changeListener(let index, let plan):
            listeners[Int(index)].plan = plan
        case .removeListener(let index):
            backend.removeListener(listeners[Int(index)].descriptor)
            listeners[Int(index)].descriptor = -1
        case .report(let report):
            report.finish(fill(report.request))
        case .drain(let nanoseconds):
            closeListeners()
            state = .draining(untilNanoseconds: backend.nowNanoseconds + nanoseconds)
            refuseParked()
        case .stop:
            closeListeners()
            state = .draining(untilNanoseconds: 0)
        case .handOver(let channel): handOver(to: channel)
        case .giveUpSessions: giveUpSessions()
        case .adopt(let channel): adoptSessions(from: channel)
        case .resumeSessions: resumeSessions()
        case .nameListener(let index, let address, let plan):
            while listeners.count <= Int(index) { listeners.append(WorkerListener()) }
            listeners[Int(index)].address = address
            listeners[Int(index)].plan = plan
        case .ping: break
        }
    }

    private mutating func closeListeners() {
        for index in listeners.indices where listeners[index].isOpen {
            backend.removeListener(listeners[index].descriptor)
            listeners[index].descriptor = -1
        }
    }

    /// What is done in a turn beside the sessions' steps when the worker does not just run.
    @inline(never)
    private mutating func stepEnding(_ nowNanoseconds: UInt64) {
        switch state {
        case .running, .stopped, .handingOver(isSent: true): break
        case .draining(let untilNanoseconds): checkDrained(nowNanoseconds, untilNanoseconds)
        case .handingOver(isSent: false): stepHandOver(nowNanoseconds)
        }
    }

    /// Ends what is left when the time is over, and the loop when nothing is left.
    private mutating func checkDrained(_ nowNanoseconds: UInt64, _ untilNanoseconds: UInt64) {
        if nowNanoseconds >= untilNanoseconds {
            // Bounded, both times: two fast peers complete each operation as it is submitted, without end.
            handleCompletions()
            for slot in 0..<sessions.touchedCount {
                end(slot, untilNanoseconds == 0 ? .stopped : .drained)
            }
            handleCompletions()
        }
        if sessions.count == 0 { state = .stopped }
    }

    private mutating func discardCompletions() {
        while let completion = backend.nextCompletion() {
            if completion.token.kind == .accept, completion.result >= 0 {
                backend.close(completion.result, reset: true)
            }
        }
    }
}

/// A listening socket of a worker.
struct WorkerListener {
    /// -1: closed.
    var descriptor: Int32 = -1
    /// What it is bound to, for the log.
    var address = SocketAddress()
    /// What is done with its connections.
    var plan = ListenerPlan()

    var isOpen: Bool { descriptor >= 0 }
}
