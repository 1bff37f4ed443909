import DataPlane
import Linux
import Routes
import Synchronization

/// The control thread's hold on a worker.
final class WorkerHandle: Sendable {
    let links: WorkerLinks
    private let finished = Atomic<Bool>(false)
    private let clock = Atomic<Int32>(0)

    init(links: WorkerLinks) { self.links = links }

    /// Whether its thread has ended.
    var isFinished: Bool { finished.load(ordering: .acquiring) }

    /// CPU time that its thread has used: read here, so that it costs the worker nothing.
    var cpuNanoseconds: UInt64 {
        isFinished ? 0 : ProcessFacts.cpuNanoseconds(of: clock.load(ordering: .relaxed))
    }

    /// For the worker's thread, before anything else.
    func begin() { clock.store(ProcessFacts.ownCPUClock(), ordering: .relaxed) }

    func finish() { finished.store(true, ordering: .releasing) }
}

/// What a worker's thread needs to begin.
struct WorkerStart: Sendable {
    var inputOutput: InputOutput
    /// Whether epoll will do when this thread gets no ring, although the process got one: the memory that a
    /// user may lock is shared (RLIMIT_MEMLOCK).
    var mayUseEpoll: Bool
    var limits: Limits
    var table: RouteTable
    var settings: WorkerSettings
    var userTimeoutMilliseconds: Int32
    var links: WorkerLinks
    var shared: WorkerShared

    /// Builds the worker on its own thread, so that its memory is its own, and runs it to its end.
    func run(_ log: Log) throws(Errno) {
        guard inputOutput == .ring else { return try runEpoll() }
        let backend: RingBackend
        do throws(Errno) {
            backend = try RingBackend(
                descriptorsMax: limits.descriptorsMax, sessionsMax: limits.sessionsPerWorker,
                pipesMax: limits.pipesPerWorker, userTimeoutMilliseconds: userTimeoutMilliseconds)
        } catch {
            guard mayUseEpoll else { throw error }
            log.write(.warning, "io auto: a worker uses epoll, because it gets no io_uring: \(error)")
            return try runEpoll()
        }
        runRingWorker(
            backend, sessionsMax: limits.sessionsPerWorker, table: table, settings: settings, links: links,
            shared: shared)
    }

    private func runEpoll() throws(Errno) {
        let backend = try EpollBackend(
            descriptorsMax: limits.descriptorsMax, sessionsMax: limits.sessionsPerWorker,
            pipesMax: limits.pipesPerWorker, userTimeoutMilliseconds: userTimeoutMilliseconds)
        runEpollWorker(
            backend, sessionsMax: limits.sessionsPerWorker, table: table, settings: settings, links: links,
            shared: shared)
    }
}

/// The interfaces to the kernel that a worker can use.
enum InputOutput: String, Sendable {
    case epoll
    case ring = "io_uring"

    /// Throws why there is no ring to be had.
    static func probeRing() throws(Errno) { try RingBackend.probe() }

    /// What an operator may look at when there is none.
    static func advice(on error: Errno) -> String {
        switch error {
        case .notPermitted: " (forbidden by a seccomp filter, or by the sysctl kernel.io_uring_disabled)"
        case .notImplemented: " (not built into the kernel, or hidden by a seccomp filter)"
        case .invalidArgument: " (a kernel before 6.1)"
        default: ""
        }
    }
}

extension WorkerSettings {
    /// What a configuration says of limits and timeouts.
    init(_ configuration: Configuration, workers: Int) {
        self.init()
        let timeouts = configuration.timeouts
        func nanoseconds(_ milliseconds: UInt32) -> UInt64 { UInt64(milliseconds) * 1_000_000 }
        sessionsPerSourceMax = Int(configuration.limits.connectionsPerSource)
        parkedMax = (Int(configuration.limits.parked) + workers - 1) / workers
        parkedPerSourceMax = Int(configuration.limits.parkedPerSource)
        helloBytesMax = min(Int(configuration.limits.helloBytes), Limits.helloBytesMax)
        helloNanoseconds = nanoseconds(timeouts.helloMilliseconds)
        connectNanoseconds = nanoseconds(timeouts.connectMilliseconds)
        idleNanoseconds = nanoseconds(timeouts.idleMilliseconds)
        halfCloseNanoseconds = nanoseconds(timeouts.halfCloseMilliseconds)
        wakeNanoseconds = nanoseconds(timeouts.wakeMilliseconds)
        heldNanoseconds = nanoseconds(timeouts.heldMilliseconds)
        logsAccess = configuration.log.hasAccessLines
    }
}
