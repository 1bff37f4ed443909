import Linux
import Synchronization

/// What other threads ask the main thread to do: a list under a lock, and an event descriptor that wakes it.
/// Whatever changes the edge (a reload, an upgrade, a target that is drained) is done there, one after the
/// other, between two signals.
final class EdgeInbox: Sendable {
    /// One thing to do, with the edge in hand. It runs on the main thread and must not wait for a client.
    typealias Task = @Sendable (inout Edge) -> Void

    private let tasks = Mutex<[Task]>([])
    /// Readable when there is something to do.
    let event: EventDescriptor

    init() throws(Errno) { event = try EventDescriptor() }

    /// Asks for something to be done; returns at once.
    func send(_ task: @escaping Task) {
        tasks.withLock { $0.append(task) }
        event.signal()
    }

    /// What was asked for since the last call, in order. For the main thread.
    func take() -> [Task] {
        event.clear()
        return tasks.withLock { list in
            defer { list = [] }
            return list
        }
    }
}
