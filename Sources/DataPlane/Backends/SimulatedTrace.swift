/// What happened in a simulation: the last events for a reader, all of them as a digest, the faults that were
/// hit, and the rules that were broken.
package struct SimulatedTrace: Sendable {
    /// A digest of all events: two runs of one seed have the same.
    package private(set) var digest: UInt64 = 0
    /// How many events there were.
    package private(set) var eventCount = 0
    /// How often each fault was hit.
    package private(set) var hits = [Int](repeating: 0, count: SimulatedFault.allCases.count)
    /// Sentences about broken rules, the first ones only.
    package private(set) var violations: [String] = []
    private var recent: [SimulatedEvent] = []
    private static let recentMax = 4096

    /// The last events, oldest first.
    package func events(last count: Int) -> [SimulatedEvent] {
        let split = recent.count < Self.recentMax ? 0 : eventCount % Self.recentMax
        return Array((recent[split...] + recent[..<split]).suffix(count))
    }

    /// Notes an event.
    package mutating func note(
        _ kind: SimulatedEvent.Kind, at nanoseconds: UInt64, _ connection: Int, _ value: Int = 0
    ) {
        let event = SimulatedEvent(nanoseconds: nanoseconds, kind: kind, connection: connection, value: value)
        if recent.count < Self.recentMax {
            recent.append(event)
        } else {
            recent[eventCount % Self.recentMax] = event
        }
        eventCount += 1
        digest = SimulatedRandom.mix(digest ^ nanoseconds) &+ UInt64(kind.rawValue) << 56
        digest = SimulatedRandom.mix(
            digest ^ UInt64(bitPattern: Int64(connection)) << 32 ^ UInt64(bitPattern: Int64(value)))
    }

    /// Counts a fault.
    package mutating func hit(_ fault: SimulatedFault) { hits[fault.rawValue] += 1 }

    /// Notes a broken rule.
    package mutating func violate(_ rule: String) {
        if violations.count < 10 { violations.append(rule) }
    }
}

/// One thing that happened in a simulation.
package struct SimulatedEvent: Sendable {
    /// What it was. Those that begin with `peer` were done by the other end of a connection.
    package enum Kind: UInt8, Sendable {
        /// The worker submitted an operation.
        case receive, send, awaitReadable, awaitWritable, watchEnd, connect, cancel, fill, drain,
            shutdownWrite, close,
            reset
        /// The worker was given a connection.
        case adopt
        /// A completion was handed to the worker; the value is its result.
        case completed
        /// The other end did something.
        case peerOpen, peerSend, peerReceive, peerFinish, peerReset, peerClose, peerAccept, peerRefuse
        /// The test did something: its own number and a value.
        case test
    }

    /// When, by the simulation's clock.
    package var nanoseconds: UInt64
    /// What.
    package var kind: Kind
    /// The connection concerned, or -1.
    package var connection: Int
    /// A count, a result or an operation's number.
    package var value: Int
}

/// The faults that a simulation knows how to cause. A test asserts that each was hit.
package enum SimulatedFault: Int, CaseIterable, Sendable {
    /// A transfer of fewer bytes than there were and than there was room for.
    case shortReceive, shortSend, shortFill, shortDrain, shortConnect
    /// An operation that could not be performed when it was submitted: EAGAIN at each step.
    case receiveWaited, sendWaited, readableWaited, writableWaited, connectWaited, fillDry, drainFull
    /// A splice that found nothing although something was there, and readiness without anything to be ready
    /// for.
    case falseAgain, falseReadable, falseWritable
    /// Bytes that waited for the end, to travel with it.
    case heldBackForEnd
    /// An answer to a connect: refused, never, reset after it was accepted and before the first bytes were
    /// taken.
    case connectRefused, connectIgnored, resetBeforeHello
    /// A connection reset by its other end.
    case resetByPeer
    /// A reset that made bytes vanish which were under way in either direction.
    case resetLostBytes
    /// A reset that a write was told of, so that reading then finds an orderly end.
    case resetSeenByWrite
    /// A reset of a socket on which nothing was in flight, told unasked.
    case faultTold
    /// The other end's end, told while nothing was in flight.
    case endTold
    /// A completion for a session that had ended, and one whose slot had a new tenant by then.
    case lateCompletion, lateCompletionOfReusedSlot
    /// An operation that was cancelled, and one that finished in spite of a cancel.
    case cancelled, cancelLost
    /// A connection whose cancelled connect had succeeded.
    case connectedInSpiteOfCancel
    /// A completion that came later than one submitted after it.
    case reordered
    /// More completions at once than are handed out in one turn.
    case fullRing
    /// No pipe to be had, and one that was given back with bytes in it.
    case pipesExhausted, pipeWithBytesReleased
    /// No descriptor for an accept or for a connect, by the process's limit or by the system's.
    case acceptWithoutDescriptor, connectWithoutDescriptor
    /// A listener's queue that was full, and one that was closed with connections in it.
    case backlogFull, backlogLost
    /// A client that was gone when its connection was accepted.
    case goneAtAccept
    /// Bytes that came for a socket that was closed, and a socket that was closed with unread bytes.
    case bytesAfterClose, closedWithUnread
}
