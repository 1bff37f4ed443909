import CLinux
package import Linux

/// A kernel that is not there: sockets, pipes and time as a worker knows them, made of arrays and a seed.
///
/// What the kernel may do, this one does when chance says so: it moves fewer bytes than it could, finishes
/// operations late and out of order, has no descriptors, tells errors once and to whoever asks first. What
/// the contract of ``IOBackend`` forbids its caller is noted in ``trace``. Time passes only in
/// ``wait(milliseconds:)``. The other ends of all connections belong to the test, which acts between two
/// turns (SimulatedBackend+Peers.swift).
package struct SimulatedBackend: IOBackend, ~Copyable {
    /// What all clients have connected to: 203.0.113.1, port 443.
    package static let localAddress = SocketAddress(ipv4: 0xcb00_7101, port: 443)

    /// The clock; it starts at a second.
    package private(set) var nowNanoseconds: UInt64 = 1_000_000_000
    /// No wait lasts longer than until then: the test wants to act.
    package var horizonNanoseconds = UInt64.max
    /// What happened so far.
    package var trace = SimulatedTrace()
    /// How hard life is; the test may change it as it goes.
    package var hardships: SimulatedHardships
    /// No limit to the completions of one turn any more: the worker is at its end.
    var isFinishing = false

    let limits: SimulatedLimits
    var random: SimulatedRandom
    var connections: [SimulatedConnection] = []
    /// By number: what an open descriptor stands for.
    var descriptors: [SimulatedDescriptor] = []
    var openCount = 0
    var listeners: [SimulatedListener] = []
    var acceptBudget = 0
    var isAccepting = true
    /// Connects that the test has not looked at yet.
    var newConnects: [Int] = []
    /// Connects that were answered at the last moment, unasked.
    var newAccepts: [Int] = []

    var buffers: BufferPool
    var bufferUses: [SimulatedBufferUse]
    var pipes: [SimulatedPipe] = []

    /// Completions that can be handed out, from `readyHead` on.
    private var ready: [SimulatedCompletion] = []
    private var readyHead = 0
    /// Completions that are still under way.
    private var late: [SimulatedCompletion] = []
    private var completionCount = 0
    private var handedOutCount = 0
    private var newestHandedOut = 0
    /// Waits in a row that were not to take any time, and at whose end there was nothing to do.
    private var hastyWaitCount = 0

    /// A new kernel whose fate the seed decides.
    package init(limits: SimulatedLimits, hardships: SimulatedHardships, seed: UInt64) {
        self.limits = limits
        self.hardships = hardships
        random = SimulatedRandom(seed: seed)
        buffers = BufferPool(capacity: limits.buffersMax)
        bufferUses = [SimulatedBufferUse](repeating: SimulatedBufferUse(), count: limits.buffersMax)
    }

    mutating func note(_ kind: SimulatedEvent.Kind, _ connection: Int, _ value: Int = 0) {
        trace.note(kind, at: nowNanoseconds, connection, value)
    }

    // MARK: Waiting

    package mutating func wait(milliseconds: Int32) {
        handedOutCount = 0
        // Each turn costs its time, so no loop is for ever at one moment.
        nowNanoseconds += UInt64(random.number(in: 500...5000))
        perform()
        noteHaste(milliseconds)
        guard readyHead == ready.count, milliseconds != 0 else { return }
        var wakeNanoseconds = horizonNanoseconds
        if milliseconds > 0 {
            wakeNanoseconds = min(wakeNanoseconds, nowNanoseconds + UInt64(milliseconds) * 1_000_000)
        }
        for completion in late { wakeNanoseconds = min(wakeNanoseconds, completion.dueNanoseconds) }
        guard wakeNanoseconds != .max else {
            trace.violate("the worker waits for ever, and nothing will happen")
            return
        }
        nowNanoseconds = max(nowNanoseconds, wakeNanoseconds)
        perform()
    }

    /// A worker that does not let time pass, and has nothing to do, burns a core.
    private mutating func noteHaste(_ milliseconds: Int32) {
        hastyWaitCount = readyHead == ready.count && milliseconds == 0 ? hastyWaitCount + 1 : 0
        if hastyWaitCount == 20 { trace.violate("the worker spins") }
    }

    /// Does what can be done by now.
    private mutating func perform() {
        deliverDue()
        acceptConnections()
        for number in descriptors.indices {
            guard case .connection(let id) = descriptors[number] else { continue }
            performReading(id)
            performWriting(id)
        }
    }

    private mutating func deliverDue() {
        guard late.contains(where: { $0.dueNanoseconds <= nowNanoseconds }) else { return }
        var due = late.filter { $0.dueNanoseconds <= nowNanoseconds }
        late.removeAll { $0.dueNanoseconds <= nowNanoseconds }
        due.sort { ($0.dueNanoseconds, $0.number) < ($1.dueNanoseconds, $1.number) }
        ready += due
    }

    package mutating func nextCompletion() -> Completion? {
        guard readyHead < ready.count else {
            ready.removeAll(keepingCapacity: true)
            readyHead = 0
            return nil
        }
        guard handedOutCount < hardships.completionsPerWaitMax || isFinishing else {
            trace.hit(.fullRing)
            return nil
        }
        handedOutCount += 1
        let item = ready[readyHead]
        readyHead += 1
        handOut(item)
        return item.completion
    }

    /// The operation is over now: its socket may be used for the next, or closed.
    private mutating func handOut(_ item: SimulatedCompletion) {
        let kind = item.completion.token.kind
        note(.completed, item.connection, Int(item.completion.result) << 8 | Int(kind.rawValue))
        if item.number < newestHandedOut { trace.hit(.reordered) }
        newestHandedOut = max(newestHandedOut, item.number)
        switch kind {
        case .receive, .readable:
            noteSubmitted(connections[item.connection].reading.slice, -1)
            connections[item.connection].reading = SimulatedOperation()
        case .connect, .send, .writable:
            noteSubmitted(connections[item.connection].writing.slice, -1)
            connections[item.connection].writing = SimulatedOperation()
        case .accept: if item.connection >= 0 { connections[item.connection].isHandedOver = true }
        case .fault: noteFaultHandedOut(item)
        case .wake, .none: break
        }
        if item.completion.buffer != .none { bufferUses[Int(item.completion.buffer.raw)].isUnderWay = false }
    }

    /// An operation with a buffer was submitted (1), or is over (-1).
    mutating func noteSubmitted(_ slice: BufferSlice, _ change: Int) {
        if slice.buffer != .none { bufferUses[Int(slice.buffer.raw)].operationCount += change }
    }

    private mutating func noteFaultHandedOut(_ item: SimulatedCompletion) {
        trace.hit(.faultTold)
        guard !connections[item.connection].isOpen else { return }
        trace.hit(.lateCompletion)
        let slot = item.completion.token.slot
        let isReused = connections.contains { $0.isOpen && $0.owner?.slot == slot }
        if isReused { trace.hit(.lateCompletionOfReusedSlot) }
    }

    /// Sends a completion on its way.
    mutating func complete(
        _ token: Token, _ result: Int, connection: Int, buffer: BufferIndex = .none
    ) {
        var dueNanoseconds = nowNanoseconds + hardships.delayNanoseconds(&random, nowNanoseconds)
        if token.kind == .fault {
            // Nobody waits for a fault: it may come when all is over, and another session has the slot.
            dueNanoseconds += UInt64(random.number(in: 0...hardships.faultDelayNanosecondsMax))
        } else if connection >= 0 {
            // The operations of one socket answer in the order in which they were performed.
            dueNanoseconds = max(dueNanoseconds, connections[connection].lastDueNanoseconds)
            connections[connection].lastDueNanoseconds = dueNanoseconds
        }
        completionCount += 1
        let item = SimulatedCompletion(
            completion: Completion(token: token, result: Int32(truncatingIfNeeded: result), buffer: buffer),
            connection: connection, number: completionCount, dueNanoseconds: dueNanoseconds)
        if dueNanoseconds <= nowNanoseconds { ready.append(item) } else { late.append(item) }
    }

    /// What is under way comes now, for a listener that closes.
    mutating func hurryAccepts() {
        let accepts = late.filter { $0.completion.token.kind == .accept }
        late.removeAll { $0.completion.token.kind == .accept }
        ready += accepts
    }

    /// Faults that were under way to a worker that is no more.
    mutating func dropFaults() {
        ready = ready[readyHead...].filter { $0.completion.token.kind != .fault }
        readyHead = 0
        late.removeAll { $0.completion.token.kind == .fault }
    }

    /// Completions that were not handed out yet.
    var outstanding: [SimulatedCompletion] { ready[readyHead...] + late }

    /// The test has put a message into the worker's mailbox.
    package mutating func ring() {
        complete(Token(slot: 0, generation: 0, kind: .wake), 0, connection: -1)
    }

    package mutating func addWake(_ descriptor: Int32) {}
}

/// A completion and the way it takes.
struct SimulatedCompletion {
    var completion: Completion
    /// Or -1.
    var connection: Int
    /// In the order in which operations were performed.
    var number: Int
    var dueNanoseconds: UInt64
}

/// What a simulated kernel has.
package struct SimulatedLimits: Sendable {
    /// Descriptors of the worker, listeners included.
    package var descriptorsMax: Int
    /// Buffers; the contract is that a worker needs no more than two for each session and one for itself.
    package var buffersMax: Int
    /// Pipes.
    package var pipesMax: Int
    /// The most bytes a pipe takes.
    package var pipeBytesMax: Int
    /// Connections in a listener's queue.
    package var backlogMax: Int
    /// Bytes that a socket can hold in either direction: each connection draws its own.
    package var socketBytes: ClosedRange<Int>

    /// Builds the limits.
    package init(
        descriptorsMax: Int, buffersMax: Int, pipesMax: Int, pipeBytesMax: Int, backlogMax: Int,
        socketBytes: ClosedRange<Int>
    ) {
        self.descriptorsMax = descriptorsMax
        self.buffersMax = buffersMax
        self.pipesMax = pipesMax
        self.pipeBytesMax = pipeBytesMax
        self.backlogMax = backlogMax
        self.socketBytes = socketBytes
    }
}

/// How often a simulated kernel makes life hard.
package struct SimulatedHardships: Sendable {
    /// A transfer moves fewer bytes than it could.
    package var shortTransferPerMille = 0
    /// An operation that can be performed is, within its submission.
    package var atOncePerMille = 1000
    /// A completion comes late, by up to ``delayNanosecondsMax``.
    package var latePerMille = 0
    package var delayNanosecondsMax = 1_000_000
    /// A fault comes later than that by up to so much.
    package var faultDelayNanosecondsMax = 0
    /// Completions come in waves of this distance; 0: they do not.
    package var waveNanoseconds: UInt64 = 0
    /// A splice finds nothing though something is there; readiness is told though there is none.
    package var falseAgainPerMille = 0
    package var falseReadinessPerMille = 0
    /// A connect is answered before the call returns, as on one machine: with yes, or with no.
    package var connectsAtOncePerMille = 0
    package var refusesAtOncePerMille = 0
    /// The system has no descriptor left.
    package var noDescriptorPerMille = 0
    /// A pipe cannot be made.
    package var noPipePerMille = 0
    /// A reset makes the bytes vanish that were under way.
    package var resetLosesBytesPerMille = 0
    /// A cancelled operation finishes first.
    package var cancelLosesPerMille = 0
    /// A reset of a socket without an operation is told unasked, as epoll does and the ring does not.
    package var tellsFaults = true
    /// The most completions handed out in one turn.
    package var completionsPerWaitMax = Int.max

    /// An easy life.
    package init() {}

    func delayNanoseconds(_ random: inout SimulatedRandom, _ nowNanoseconds: UInt64) -> UInt64 {
        if waveNanoseconds > 0 { return waveNanoseconds - nowNanoseconds % waveNanoseconds }
        return random.chance(perMille: latePerMille)
            ? UInt64(random.magnitude(in: 1...delayNanosecondsMax)) : 0
    }
}
