import DataPlane
import Linux
import Routes

/// The edge process: reads the configuration, starts the workers, and then waits for signals, and for what
/// other threads ask through its ``EdgeInbox``.
///
/// It runs on the main thread, which carries no traffic. Whatever it does, files that are slow to read or a
/// table that takes a second to compile, the workers go on.
package struct Edge: ~Copyable {
    /// The configuration file, as it was given.
    let path: String
    let log: Log
    /// The secret of the tables' hash.
    let seed: HashSeed
    var current: LoadedConfiguration
    let limits: Limits
    var workers: [WorkerHandle] = []
    /// The listeners' numbers in the workers, by address. A number stays its address's when the listener is
    /// closed: sessions that came in there are logged with it at their end.
    var listenerIndexes: [IPEndpoint: UInt32] = [:]
    /// Tells the sockets of `asleep` routes.
    let waker: Waker
    /// The sockets of those that are open, one for each worker: the workers own them, and an upgrade gives
    /// them on.
    var listenerDescriptors: [IPEndpoint: [Int32]] = [:]
    /// What each of them is for, also of those that were closed.
    var listenerPlans: [IPEndpoint: ListenerPlan] = [:]
    /// What an upgrade starts.
    let program: Program
    /// From whom this process takes over; nil: it was started by itself.
    let predecessor: Predecessor?
    /// The process that serves in the place of this one, once there is one.
    var successor: Int32?
    private let sources: SourceCounters
    private let parkedSources: SourceCounters
    private let limitedRoutes: SourceCounters
    /// Knows which targets are not to be chosen.
    let checks: TargetChecks
    let signals: SignalReader
    /// What other threads ask this one to do.
    let inbox: EdgeInbox
    /// What the control thread knows of us.
    let facts: SharedFacts
    var control: ControlService
    /// Who started this process and watches it.
    let serviceManager = ServiceManager()
    var watchdog: Watchdog?
    /// What it opened before the start.
    var activationSockets: [ActivationSocket] = []
    var reloads = 0
    var failedReloads = 0

    /// Serves by a configuration until there is an end of it; the exit status. A process that was started to
    /// take over from another one, and cannot, tells that one why, and nobody else.
    package static func serve(_ configurationPath: String) throws(InvalidConfiguration) -> Int32 {
        let predecessor = Predecessor.find()
        do throws(InvalidConfiguration) {
            var edge = try Edge(configurationPath: configurationPath, predecessor: predecessor)
            return try edge.run()
        } catch {
            guard let predecessor, !predecessor.isDone else { throw error }
            predecessor.refuse(error.text)
            return 1
        }
    }

    /// Checks the configuration; nothing is served yet.
    private init(configurationPath: String, predecessor: Predecessor?) throws(InvalidConfiguration) {
        ignoreBrokenPipeSignal()
        // First of all: a signal that comes while files are read waits, and ends nothing.
        let signals = try Self.naming("the signals", of: configurationPath) { () throws(Errno) in
            try SignalReader()
        }
        let program = try Self.naming("its own program", of: configurationPath) { () throws(Errno) in
            try Program(arguments: CommandLine.arguments)
        }
        let seed = HashSeed(first: randomBits(), second: randomBits())
        let loaded = try LoadedConfiguration.load(configurationPath, seed: seed)
        let descriptors = (try? raiseDescriptorLimit()) ?? 1024
        var sized = loaded.configuration
        if let predecessor { sized.workers = .exactly(try predecessor.introduced()) }
        var limits = Limits(sized, processors: processorCount(), descriptorsMax: descriptors)
        guard limits.hasRoom else {
            throw InvalidConfiguration(
                text: "\(configurationPath): error: the edge cannot start: this process may have "
                    + "\(descriptors) descriptors only, which leaves none for connections; "
                    + "raise LimitNOFILE= in the unit, or ulimit -n")
        }
        if let predecessor { limits.pipesPerWorker = max(limits.pipesPerWorker, predecessor.pipesPerWorker) }
        let log = try Self.naming(
            "the log", of: loaded.configuration.location(of: .log, in: configurationPath)
        ) {
            () throws(Errno) in
            let log = try Log()
            let user = loaded.configuration.user.flatMap { try? SystemUser(named: $0) }
            try log.apply(loaded.configuration.log, newFilesOwner: user)
            return log
        }
        let inbox = try Self.naming("the inbox", of: configurationPath) { () throws(Errno) in
            try EdgeInbox()
        }
        let waker = try Self.naming("the waker", of: configurationPath) { () throws(Errno) in
            try Waker(log: log)
        }
        let checks = try Self.naming("the checks", of: configurationPath) { () throws(Errno) in
            try TargetChecks(log: log, attemptsMax: limits.checksAtOnce)
        }
        let now = monotonicNanoseconds()
        let facts = SharedFacts(
            EdgeFacts(
                path: absolutePath(configurationPath), limits: limits, current: loaded, checks: checks,
                log: log, tableNanoseconds: now,
                startNanoseconds: now, startRealtimeNanoseconds: realtimeNanoseconds()))
        let control = try Self.naming("the control thread", of: configurationPath) { () throws(Errno) in
            ControlService(try ControlServer(facts: facts, inbox: inbox, log: log))
        }
        self.init(
            path: configurationPath, log: log, seed: seed, current: loaded, limits: limits, waker: waker,
            checks: checks, signals: signals, inbox: inbox, control: control, facts: facts, program: program,
            predecessor: predecessor)
    }

    /// Does a part of the start; a failure says which.
    private static func naming<Result: ~Copyable>(
        _ part: String, of place: String, _ body: () throws(Errno) -> Result
    ) throws(InvalidConfiguration) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw InvalidConfiguration(text: "\(place): error: the edge cannot start: \(part): \(error)")
        }
    }

    private init(
        path: String, log: Log, seed: HashSeed, current: LoadedConfiguration, limits: Limits,
        waker: Waker, checks: TargetChecks, signals: consuming SignalReader, inbox: EdgeInbox,
        control: ControlService, facts: SharedFacts, program: Program, predecessor: Predecessor?
    ) {
        self.path = path
        self.log = log
        self.seed = seed
        self.current = current
        self.limits = limits
        self.waker = waker
        self.signals = signals
        self.inbox = inbox
        self.control = control
        self.facts = facts
        self.checks = checks
        self.program = program
        self.predecessor = predecessor
        let sessionsMax = limits.sessionsPerWorker * limits.workers
        sources = SourceCounters(connectionsMax: sessionsMax, keys: (randomBits(), randomBits()))
        limitedRoutes = SourceCounters(connectionsMax: sessionsMax, keys: (randomBits(), randomBits()))
        // Not by `limit parked` alone, which may ask for more than there can be sessions.
        parkedSources = SourceCounters(
            connectionsMax: min(sessionsMax, Int(current.configuration.limits.parked)),
            keys: (randomBits(), randomBits()))
    }

    /// Serves until a signal says to end; the exit status.
    private mutating func run() throws(InvalidConfiguration) -> Int32 {
        activationSockets = predecessor?.activationSockets ?? ActivationSocket.take()
        closeStrangers()
        let opened =
            if let predecessor {
                try inheritListeners(predecessor)
            } else {
                try openListeners(current.configuration.listeners)
            }
        // As the user that we were: the folder may be its alone.
        if let predecessor { control.inherit(predecessor.controlSockets) }
        try openControl(current.configuration)
        defer { if mayRemoveFiles { control.removeFile() } else { control.removeOwnFile() } }

        // Of the start: a reload does not move it. Behind all that another edge on this machine would have
        // refused us.
        let pidfile = current.configuration.pidfilePath
        if let pidfile, predecessor == nil {
            try checkPidfile(pidfile)
            let place = current.configuration.location(of: .pidfile, in: path)
            try Self.naming("pidfile \(pidfile)", of: place) { () throws(Errno) in
                try writePidfile(pidfile)
            }
        }
        // A start that fails leaves no file that names a process which is not there; nor does a process that
        // was replaced by one which has its file elsewhere.
        defer { if let pidfile, successor != nil || mayRemoveFiles { removePidfile(pidfile) } }

        try dropPrivileges()
        let inputOutput = try chooseInputOutput()
        do throws(Errno) {
            try log.start()
            try waker.start()
            checks.adopt(
                current.table, connectMilliseconds: current.configuration.timeouts.connectMilliseconds)
            try startWorkers(inputOutput)
            try checks.start(workers.map(\.links))
            try control.start()
        } catch {
            throw InvalidConfiguration(text: "\(path): error: the edge cannot start: a thread: \(error)")
        }
        if let predecessor {
            try takeOver(from: predecessor)
            noteTakenOver()
        }
        control.serve()
        announce(inputOutput)
        facts.update { [workers] facts in
            facts.workers = workers
            facts.inputOutput = inputOutput
        }
        give(opened)
        if let predecessor { closeLeftListeners(predecessor) }

        defer { log.flush() }
        guard waitForWorkers(workers.map(\.links.mailbox.sentCountNow)) else { return 1 }
        log.write(.info, "ready \(summary(of: current))")
        watchdog = Watchdog(periodMicroseconds: serviceManager.watchdogMicroseconds)
        tellReady(hasFailed: false)
        return serve()
    }

    /// Whether the files that others find us by are ours: not while another process serves.
    private var mayRemoveFiles: Bool { successor == nil && predecessor?.isDone != false }

    private func announce(_ inputOutput: InputOutput) {
        if !current.warnings.isEmpty { log.write(.warning, current.warnings) }
        for warning in limits.warnings { log.write(.warning, warning) }
        log.write(
            .info,
            "switchyard \(Version.text) pid=\(processIdentifier()) workers=\(limits.workers) "
                + "io=\(inputOutput.rawValue) "
                + "connections=\(limits.sessionsPerWorker * limits.workers) "
                + "descriptors=\(limits.descriptorsMax)"
        )
    }

    /// One line on what was loaded.
    func summary(of loaded: LoadedConfiguration) -> String {
        let listeners = loaded.configuration.listeners.map(\.endpoint.description).joined(separator: ",")
        return
            "listeners=\(listeners) files=\(loaded.fileCount) "
            + "routes=\(loaded.routeCount) names=\(loaded.nameCount) "
            + "table=\(loaded.table.byteCount)B load=\(loaded.loadNanoseconds / 1_000_000)ms"
    }

    // MARK: Workers

    /// Finds out which interface to the kernel there is to be. The log says why when it is not what was asked
    /// for.
    private func chooseInputOutput() throws(InvalidConfiguration) -> InputOutput {
        let wanted = current.configuration.inputOutput
        guard wanted != .epoll else { return .epoll }
        do throws(Errno) {
            try InputOutput.probeRing()
            return .ring
        } catch {
            let reason = "this system gives the edge no io_uring: \(error)\(InputOutput.advice(on: error))"
            guard wanted == .automatic else {
                throw InvalidConfiguration(
                    text: "\(path): error: the edge cannot start: io io_uring: \(reason)")
            }
            log.write(.info, "io auto: epoll, because \(reason)")
            return .epoll
        }
    }

    private mutating func startWorkers(_ inputOutput: InputOutput) throws(Errno) {
        for number in 0..<limits.workers {
            let links = try WorkerLinks(logBell: log.bell, wakeBell: waker.bell)
            let handle = WorkerHandle(links: links)
            log.add(links.log)
            waker.add(links.wakes)
            workers.append(handle)
            let start = WorkerStart(
                inputOutput: inputOutput,
                mayUseEpoll: current.configuration.inputOutput == .automatic, limits: limits,
                table: current.table,
                settings: WorkerSettings(current.configuration, workers: limits.workers),
                userTimeoutMilliseconds: Int32(clamping: current.configuration.timeouts.userMilliseconds),
                links: links,
                shared: WorkerShared(
                    sources: sources, parkedSources: parkedSources, limitedRoutes: limitedRoutes,
                    randomSeed: randomBits() | 1, gate: current.gate))
            let log = log
            try startThread("worker-\(number)") {
                handle.begin()
                do throws(Errno) {
                    try start.run(log)
                } catch {
                    log.write(.error, "a worker cannot start: \(error)")
                }
                handle.finish()
            }
        }
    }

    // MARK: Signals and requests

    /// Does what signals say and other threads ask, until that ends the edge.
    private mutating func serve() -> Int32 {
        while true {
            switch nextSignal(waitingMilliseconds: -1) {
            case .hangUp: reload()
            case .reopen:
                let failure = reopenLog(current.configuration)
                log.write(failure == nil ? .info : .warning, failure ?? "the log was opened anew")
            case .upgrade: _ = upgrade()
            case .terminate:
                drain()
                return 0
            case .interrupt:
                stop("interrupted")
                return 0
            case nil: break
            }
            if successor != nil {
                endReplaced()
                return 0
            }
        }
    }

    /// The next signal, or nil after a time or when the inbox had something, which is done then.
    private mutating func nextSignal(waitingMilliseconds: Int32) -> Signal? {
        let signal = signals.next(
            waitingMilliseconds: watchdogMilliseconds(atMost: waitingMilliseconds), or: inbox.event)
        feedWatchdog()
        for task in inbox.take() { task(&self) }
        return signal
    }

    /// Closes the listeners, and waits for the sessions to end, up to the drain timeout. SIGINT or a second
    /// SIGTERM ends the wait.
    private mutating func drain() {
        let milliseconds = current.configuration.timeouts.drainMilliseconds
        log.write(.info, "draining sessions=\(sessionCount) for at most \(milliseconds)ms")
        serviceManager.tell(.stopping, .status("draining \(sessionCount) sessions"))
        facts.update { $0.isDraining = true }
        for worker in workers {
            worker.links.mailbox.send(.drain(nanoseconds: UInt64(milliseconds) * 1_000_000))
        }
        while !workers.allSatisfy(\.isFinished) {
            let signal = nextSignal(waitingMilliseconds: 20)
            guard signal == .terminate || signal == .interrupt else { continue }
            stop("stopped while draining")
            return
        }
        log.write(.info, "drained \(counts)")
    }

    private mutating func stop(_ reason: String) {
        serviceManager.tell(.stopping, .status(reason))
        for worker in workers { worker.links.mailbox.send(.stop) }
        var waits = 0
        while !workers.allSatisfy(\.isFinished), waits < 100 {
            _ = nextSignal(waitingMilliseconds: 20)
            waits += 1
        }
        log.write(.info, "\(reason) \(counts)")
    }

    /// Sessions of all workers now.
    private var sessionCount: UInt64 { sum(.sessions) }

    private func sum(_ counter: Counter) -> UInt64 {
        workers.reduce(0) { $0 &+ $1.links.counters[counter] }
    }

    /// What all workers have counted, but for zeros.
    private var counts: String {
        Counter.allCases.map { ($0, sum($0)) }.filter { $0.1 != 0 }.map { "\($0.0)=\($0.1)" }.joined(
            separator: " ")
    }
}
