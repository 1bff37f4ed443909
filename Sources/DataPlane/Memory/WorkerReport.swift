package import Linux
package import Routes
import Synchronization
package import Wire

/// What a worker tells of itself when it is asked: a box that it fills between two turns. The one who asks
/// waits for an event and not for the worker.
package final class WorkerReport: Sendable {
    /// What is wanted.
    package enum Request: Sendable {
        /// What passed by name and by target.
        case tallies
        /// The targets that have sessions, or failures to remember.
        case targets
        /// Sessions, from a slot on: at most ``sessionsMax`` of at most ``slotsMax`` slots.
        case sessions(fromSlot: Int)
    }

    /// What a worker says.
    package enum Answer: Sendable {
        case tallies(names: [TallyReport], targets: [TallyReport])
        case targets([TargetReport])
        /// `nextSlot`: where the next report goes on; nil when there is no more.
        case sessions([SessionReport], nextSlot: Int?)
    }

    /// Sessions in one report: some 0.2 ms of the worker's time.
    package static let sessionsMax = 500
    /// Slots that one report looks at, in use or not.
    package static let slotsMax = 8192
    /// Targets in one report. There are hardly ever more in use.
    package static let targetsMax = 16_384

    /// What is wanted.
    package let request: Request
    private let event: EventDescriptor
    private let answer = Mutex<Answer?>(nil)

    /// Asks; `event` is signalled when the answer is there.
    package init(_ request: Request, event: EventDescriptor) {
        self.request = request
        self.event = event
    }

    /// The answer, once there is one.
    package func take() -> Answer? { answer.withLock { $0 } }

    /// For the worker.
    func finish(_ answer: Answer) {
        self.answer.withLock { $0 = answer }
        event.signal()
    }
}

/// What was counted under a key.
package struct TallyReport: Sendable {
    /// A name as its route has it, or a target's address; nil: all others together.
    package var key: [UInt8]?
    package var counts: TallyCounts
}

/// A target that is in use or has failed.
package struct TargetReport: Sendable {
    package var address: SocketAddress
    package var sessions: UInt64
    /// Failed attempts since the last one that succeeded.
    package var failuresInARow: UInt64
    /// Until it may be tried again while there are others; 0: it may.
    package var restNanoseconds: UInt64
}

/// A session at a moment.
package struct SessionReport: Sendable {
    package var slot: UInt32
    package var generation: UInt32
    package var phase: Phase
    package var client: IPEndpoint
    package var listener: SocketAddress
    package var name: [UInt8]
    package var applicationProtocols: ApplicationProtocols
    package var match: RouteMatch.Kind
    package var target: SocketAddress?
    package var bytesUp: UInt64
    package var bytesDown: UInt64
    package var ageNanoseconds: UInt64
    package var idleNanoseconds: UInt64
}
