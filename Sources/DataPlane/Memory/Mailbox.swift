import CLinux
package import Linux
import Synchronization

/// What the control thread tells a worker.
package enum WorkerMessage: Sendable {
    /// Routes by this table from now on.
    case table(RouteTable)
    /// Uses these limits and timeouts from now on.
    case settings(WorkerSettings)
    /// Lets these clients in from now on. Sessions that there are stay.
    case gate(SourceGate)
    /// Accepts on this listening socket, which the worker now owns.
    case addListener(descriptor: Int32, index: UInt32, label: SocketAddress, plan: ListenerPlan)
    /// Treats connections that come there from now on by another plan.
    case changeListener(index: UInt32, plan: ListenerPlan)
    /// Stops accepting there, and closes it.
    case removeListener(index: UInt32)
    /// Fills a report; takes some hundred microseconds at most.
    case report(WorkerReport)
    /// A check of each of these targets has succeeded: none needs to rest any longer.
    case targetsAnswered([SocketAddress])
    /// Adds the sessions that a target has here.
    case askTarget(SocketAddress, TargetAnswer)
    /// Closes the listeners and ends when the last session has, or at the latest after so many nanoseconds.
    case drain(nanoseconds: UInt64)
    /// Ends all sessions, and itself.
    case stop
    /// Nothing; that it is acknowledged shows that the worker goes on.
    case ping
    /// Lets all sessions stand still and sends them to another process, which may or may not get them.
    case handOver(HandOverChannel)
    /// That process has them: forgets them, and ends when those that are being refused have ended.
    case giveUpSessions
    /// Takes sessions of another process, which stand still until they may go on.
    case adopt(HandOverChannel)
    /// Sessions that stand still go on: those taken, or those of a hand-over that came to nothing.
    case resumeSessions
    /// What a listener of another process is bound to, and what it is for: for sessions that came in there.
    case nameListener(index: UInt32, label: SocketAddress, plan: ListenerPlan)
}

/// Collects what several workers say to one question. A worker has answered when it has acknowledged it.
package final class TargetAnswer: Sendable {
    private let sessions = Atomic<UInt64>(0)

    package init() {}

    /// All that were added.
    package var sessionCount: UInt64 { sessions.load(ordering: .relaxed) }

    func add(_ count: UInt64) { sessions.wrappingAdd(count, ordering: .relaxed) }
}

/// The way from the control thread to one worker: a list under a lock, and an event descriptor that wakes the
/// worker. The worker looks at it only when woken. How far it has come is told by a number, so that the
/// control thread knows when an old table is out of use.
package final class Mailbox: Sendable {
    private let messages = Mutex<[WorkerMessage]>([])
    private let acknowledgedCount = Atomic<Int>(0)
    private let sentCount = Atomic<Int>(0)
    /// Readable when there are messages. Owned by the mailbox.
    package let wakeDescriptor: Int32

    package init() throws(Errno) { wakeDescriptor = try check(clinux_eventfd()) }

    deinit { _ = clinux_close(wakeDescriptor) }

    /// Sends a message; returns its number, for ``isAcknowledged(_:)``.
    @discardableResult
    package func send(_ message: WorkerMessage) -> Int {
        messages.withLock { $0.append(message) }
        let number = sentCount.add(1, ordering: .relaxed).newValue
        var one: UInt64 = 1
        // SAFETY: an event descriptor takes eight bytes.
        _ = unsafe clinux_write(wakeDescriptor, &one, 8)
        return number
    }

    /// Whether the worker has acted on the message with this number and all before it.
    package func isAcknowledged(_ number: Int) -> Bool {
        acknowledgedCount.load(ordering: .acquiring) >= number
    }

    /// The number of the last message.
    package var sentCountNow: Int { sentCount.load(ordering: .relaxed) }

    /// The messages since the last call. For the worker.
    package func take() -> [WorkerMessage] {
        messages.withLock { list in
            defer { list = [] }
            return list
        }
    }

    /// So many messages were acted on. For the worker.
    package func acknowledge(_ count: Int) { acknowledgedCount.add(count, ordering: .releasing) }
}
