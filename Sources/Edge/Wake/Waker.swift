import DataPlane
import Linux
import Routes
import Synchronization

/// Tells the wake sockets of `asleep` routes that sessions wait: a thread that takes the requests of all
/// workers, makes at most one message a second for each route out of them, and sends `wake NAME` and a line
/// feed over a connection of its own each.
///
/// Nothing here waits for a socket: connecting to a unix socket is done at once or fails, and so few bytes
/// always fit a new one. What fails is counted, and repeated as long as sessions wait, because the workers
/// ask again.
final class Waker: Sendable {
    /// Rung when there are requests.
    let bell: LogBell
    private let log: Log
    private let rings = Mutex<[WakeRing]>([])
    private let sent = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)

    /// Messages that were sent, and that could not be.
    var sentCount: UInt64 { sent.load(ordering: .relaxed) }
    var failedCount: UInt64 { failed.load(ordering: .relaxed) }

    init(log: Log) throws(Errno) {
        bell = try LogBell()
        self.log = log
    }

    /// Takes a worker's requests, too.
    func add(_ ring: WakeRing) { rings.withLock { $0.append(ring) } }

    /// Starts the thread that tells the sockets.
    func start() throws(Errno) {
        try startThread("waker") { [self] in
            var schedule = WakeSchedule()
            var failures = WakeFailures()
            while true {
                bell.wait(milliseconds: schedule.millisecondsToNext(nowNanoseconds: monotonicNanoseconds()))
                let nowNanoseconds = monotonicNanoseconds()
                for ring in rings.withLock({ $0 }) {
                    for request in ring.take()
                    where schedule.admits(request, nowNanoseconds: nowNanoseconds) {
                        tell(request, &failures)
                    }
                }
                for request in schedule.takeDue(nowNanoseconds: nowNanoseconds) { tell(request, &failures) }
            }
        }
    }

    private func tell(_ request: WakeRing.Request, _ failures: inout WakeFailures) {
        do throws(Errno) {
            try sendToUnixSocket(
                request.socket, Array("wake ".utf8) + request.name + [UInt8(ascii: "\n")])
            sent.add(1, ordering: .relaxed)
        } catch {
            failed.add(1, ordering: .relaxed)
            let now = monotonicNanoseconds()
            guard let count = failures.countToReport(request.socket, nowNanoseconds: now) else { return }
            let path = String(decoding: request.socket, as: UTF8.self)
            let times = count == 1 ? "" : ", \(count) times since it was last said"
            log.write(.warning, "the wake socket \(path) cannot be told of a route: \(error)\(times)")
        }
    }
}

/// Failures by socket, of which one a minute is worth a line.
private struct WakeFailures {
    private struct Socket {
        var reportedNanoseconds: UInt64
        var count: UInt64
    }

    private var sockets: [[UInt8]: Socket] = [:]
    private static let intervalNanoseconds: UInt64 = 60_000_000_000
    private static let socketsMax = 4096

    /// Counts a failure; how many there were since the last report when it is time for one.
    mutating func countToReport(_ path: [UInt8], nowNanoseconds: UInt64) -> UInt64? {
        guard var socket = sockets[path] else {
            if sockets.count >= Self.socketsMax {
                sockets = sockets.filter {
                    nowNanoseconds - $0.value.reportedNanoseconds < Self.intervalNanoseconds
                }
            }
            guard sockets.count < Self.socketsMax else { return nil }
            sockets[path] = Socket(reportedNanoseconds: nowNanoseconds, count: 0)
            return 1
        }
        defer { sockets[path] = socket }
        socket.count += 1
        guard nowNanoseconds - socket.reportedNanoseconds >= Self.intervalNanoseconds else { return nil }
        defer { socket.count = 0 }
        socket.reportedNanoseconds = nowNanoseconds
        return socket.count
    }
}
