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
    /// The sockets of those that are open, one for each worker: the workers own them, and an upgrade gives
    /// them on.
    var listenerDescriptors: [IPEndpoint: [Int32]] = [:]
    /// What an upgrade starts.
    let program: Program
    /// From whom this process takes over; nil: it was started by itself.
    let predecessor: Predecessor?
    /// Whether another process serves in the place of this one.
    var isReplaced = false
    private let sources: SourceCounters
    private let parkedSources: SourceCounters
    let signals: SignalReader
    /// What other threads ask this one to do.
    let inbox: EdgeInbox
    /// Set once there is nothing more to serve: the process ends with it.
    var exitStatus: Int32?
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
        let program = try Self.naming("its own program", of: configurationPath) { () throws(Errno) in
            try Program(arguments: CommandLine.arguments)
        }
        let seed = HashSeed(first: randomBits(), second: randomBits())
        let loaded = try LoadedConfiguration.load(configurationPath, seed: seed)
        let descriptors = (try? raiseDescriptorLimit()) ?? 1024
        var sized = loaded.configuration
        if let predecessor {
            do throws(UpgradeFailure) {
                try predecessor.introduce()
            } catch {
                throw InvalidConfiguration(text: error.text)
            }
            // The sessions of a worker go to one worker.
            sized.workers = .exactly(predecessor.ways.count)
        }
        var limits = Limits(sized, processors: processorCount(), descriptorsMax: descriptors)
        if let predecessor { limits.pipesPerWorker = max(limits.pipesPerWorker, predecessor.pipesPerWorker) }
        let log = try Self.naming("the log", of: configurationPath) { () throws(Errno) in
            let log = try Log()
            try log.apply(loaded.configuration.log)
            return log
        }
        let signals = try Self.naming("the signals", of: configurationPath) { () throws(Errno) in
            try SignalReader()
        }
        let inbox = try Self.naming("the inbox", of: configurationPath) { () throws(Errno) in
            try EdgeInbox()
        }
        self.init(
            path: configurationPath, log: log, seed: seed, current: loaded, limits: limits, signals: signals,
            inbox: inbox, program: program, predecessor: predecessor)
    }

    /// Does a part of the start; a failure says which.
    private static func naming<Result: ~Copyable>(
        _ part: String, of path: String, _ body: () throws(Errno) -> Result
    ) throws(InvalidConfiguration) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw InvalidConfiguration(text: "\(path): error: the edge cannot start: \(part): \(error)")
        }
    }

    private init(
        path: String, log: Log, seed: HashSeed, current: LoadedConfiguration, limits: Limits,
        signals: consuming SignalReader, inbox: EdgeInbox, program: Program, predecessor: Predecessor?
    ) {
        self.path = path
        self.log = log
        self.seed = seed
        self.current = current
        self.limits = limits
        self.signals = signals
        self.inbox = inbox
        self.program = program
        self.predecessor = predecessor
        let sessionsMax = limits.sessionsPerWorker * limits.workers
        sources = SourceCounters(connectionsMax: sessionsMax, keys: (randomBits(), randomBits()))
        // Not by `limit parked` alone, which may ask for more than there can be sessions.
        parkedSources = SourceCounters(
            connectionsMax: min(sessionsMax, Int(current.configuration.limits.parked)),
            keys: (randomBits(), randomBits()))
    }

    /// Serves until a signal says to end; the exit status.
    private mutating func run() throws(InvalidConfiguration) -> Int32 {
        let opened =
            if let predecessor {
                try inheritListeners(predecessor)
            } else {
                try openListeners(current.configuration.listeners)
            }
        // Of the start: a reload does not move it.
        let pidfile = current.configuration.pidfilePath
        if let pidfile, predecessor == nil { try writePidfile(pidfile) }
        // A start that fails leaves no file that names a process which is not there.
        defer { if let pidfile, !isReplaced, predecessor?.isDone ?? true { removeFile(pidfile) } }

        // Before the first thread is started: "no new privileges" is a property of each (prctl(2)).
        if let user = current.configuration.user {
            do throws(Errno) {
                try becomeUser(user)
            } catch {
                let reason = error == .noEntry ? "there is no such user" : "\(error)"
                throw InvalidConfiguration(
                    text: "\(path): error: the edge cannot start: user \(user): \(reason)")
            }
        }
        let inputOutput = try chooseInputOutput()
        do throws(Errno) {
            try log.start()
            try startWorkers(inputOutput)
        } catch {
            throw InvalidConfiguration(text: "\(path): error: the edge cannot start: a thread: \(error)")
        }
        if let predecessor {
            try takeOver(from: predecessor)
            noteTakenOver(predecessor, pidfile)
        }
        announce(inputOutput)
        give(opened)
        if let predecessor { closeLeftListeners(predecessor) }

        defer { log.flush() }
        guard waitForWorkers(workers.map(\.links.mailbox.sentCountNow)) else { return 1 }
        log.write(.info, "ready \(summary(of: current))")
        return serve()
    }

    func writePidfile(_ pidfile: String) throws(InvalidConfiguration) {
        try Self.naming("pidfile \(pidfile)", of: path) { () throws(Errno) in
            try writeFileAtomically(pidfile, Array("\(processIdentifier())\n".utf8))
        }
    }

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
            let links = try WorkerLinks(logBell: log.bell)
            let handle = WorkerHandle(links: links)
            log.add(links.log)
            workers.append(handle)
            let start = WorkerStart(
                inputOutput: inputOutput,
                mayUseEpoll: current.configuration.inputOutput == .automatic, limits: limits,
                table: current.table,
                settings: WorkerSettings(current.configuration, workers: limits.workers),
                userTimeoutMilliseconds: Int32(clamping: current.configuration.timeouts.userMilliseconds),
                links: links,
                shared: WorkerShared(
                    sources: sources, parkedSources: parkedSources, randomSeed: randomBits() | 1))
            let log = log
            try startThread("worker-\(number)") {
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
            case .reopen: reopenLog(current.configuration)
            case .upgrade: _ = upgrade()
            case .terminate:
                drain()
                return 0
            case .interrupt:
                stop("interrupted")
                return 0
            case nil: break
            }
            if let exitStatus { return exitStatus }
        }
    }

    /// The next signal, or nil after a time or when the inbox had something, which is done then.
    private mutating func nextSignal(waitingMilliseconds: Int32) -> Signal? {
        let signal = signals.next(waitingMilliseconds: waitingMilliseconds, or: inbox.event)
        for task in inbox.take() { task(&self) }
        return signal
    }

    /// Closes the listeners, and waits for the sessions to end, up to the drain timeout. SIGINT or a second
    /// SIGTERM ends the wait.
    private mutating func drain() {
        let milliseconds = current.configuration.timeouts.drainMilliseconds
        log.write(.info, "draining sessions=\(sessionCount) for at most \(milliseconds)ms")
        for worker in workers {
            worker.links.mailbox.send(.drain(nanoseconds: UInt64(milliseconds) * 1_000_000))
        }
        while !workers.allSatisfy(\.isFinished) {
            guard let signal = nextSignal(waitingMilliseconds: 20),
                signal == .terminate || signal == .interrupt
            else { continue }
            stop("stopped while draining")
            return
        }
        log.write(.info, "drained \(counts)")
    }

    private mutating func stop(_ reason: String) {
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
