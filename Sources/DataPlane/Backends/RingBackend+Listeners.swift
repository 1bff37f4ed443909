import CLinux
import CUring

/// Listening sockets of a ring backend. While there is plenty of room each has an accept with the kernel that
/// gives connections until it is cancelled. Such an accept knows no budget and empties the whole queue; so
/// when room is scarce the listener is polled, and no more is accepted than there is room for.
struct RingListeners: ~Copyable {
    struct Entry: BitwiseCopyable {
        /// 0: none, else one more than the descriptor.
        var descriptorPlusOne: Int32
        /// Tells this listener's accepts from those of an earlier one with the same index.
        var generation: UInt8
        /// Whether an accept or a poll is with the kernel.
        var isArmed: Bool
        /// Which of them, if so.
        var isPolled: Bool
        /// Whether it was cancelled, and its end has not come yet.
        var isCancelled: Bool
        /// Whether the listener is being removed.
        var isLeaving: Bool
    }

    /// From this budget on listeners have an accept with the kernel; it is more than a queue holds, unless
    /// net.core.somaxconn was raised.
    static let plenty = 8192
    /// Below this budget they are polled.
    static let scarce = 4096
    /// The most connections taken from one listener before the others have their turn.
    static let batchMax = 64

    /// A connection that came when the budget was spent, or during a pause.
    struct Surplus: BitwiseCopyable {
        var index: UInt32
        var descriptor: Int32
    }

    /// By the listener's index.
    let entries = Region<Entry>(capacity: 65_536)
    /// Every index that was ever used is below this.
    var entriesEnd: UInt32 = 0
    /// Listeners without an accept or a poll.
    var disarmedCount = 0
    /// Whether listeners that are armed get an accept rather than a poll.
    var isPlenty = false
    var budget = 0
    var isAccepting = true
    let surplus: Region<Surplus>
    var surplusCount = 0

    init(descriptorsMax: Int) { surplus = Region(capacity: descriptorsMax) }

    /// The accept or the poll of a listener.
    func operation(_ index: UInt32) -> RingOperation {
        let entry = entries[Int(index)]
        return RingOperation(
            kind: entry.isPolled ? .fault : .accept, registration: index << 8 | UInt32(entry.generation),
            descriptor: entry.descriptorPlusOne - 1)
    }
}

extension RingBackend {
    package mutating func addListener(_ descriptor: Int32, index: UInt32) {
        let entry = listeners.entries[Int(index)]
        precondition(entry.descriptorPlusOne == 0, "an index is one listener's")
        listeners.entries[Int(index)] = RingListeners.Entry(
            descriptorPlusOne: descriptor + 1, generation: entry.generation &+ 1, isArmed: false,
            isPolled: false, isCancelled: false, isLeaving: false)
        listeners.entriesEnd = max(listeners.entriesEnd, index + 1)
        listeners.disarmedCount += 1
        arm()
    }

    package mutating func removeListener(_ descriptor: Int32) {
        var index: UInt32 = 0
        while index < listeners.entriesEnd,
            listeners.entries[Int(index)].descriptorPlusOne != descriptor + 1
        {
            index += 1
        }
        guard index < listeners.entriesEnd else { return }
        listeners.entries[Int(index)].isLeaving = true
        // An accept or a poll holds the socket open until its end has come, and may have taken more.
        if listeners.entries[Int(index)].isArmed { ring.cancel(listeners.operation(index)) }
        var submissions = 0
        while listeners.entries[Int(index)].isArmed, submissions < 1000 {
            ring.submit()
            takeCompleted()
            submissions += 1
        }
        if !listeners.entries[Int(index)].isArmed { listeners.disarmedCount -= 1 }
        listeners.entries[Int(index)].descriptorPlusOne = 0
        deliverSurplus(of: index)
        // What has been accepted by the kernel would be reset by the close: it is taken first.
        while listeners.budget > 0, completions.freeCount > 1024 {
            let accepted = clinux_accept(descriptor)
            guard accepted >= 0 else { break }
            deliver(index, accepted)
        }
        _ = clinux_close(descriptor)
    }

    package mutating func setAcceptBudget(_ count: Int) {
        listeners.budget = count
        if listeners.isPlenty ? count < RingListeners.scarce : count >= RingListeners.plenty { changeMode() }
        if listeners.surplusCount > 0 || listeners.disarmedCount > 0 { arm() }
    }

    /// Goes from accepts to polls or back. Polls end by themselves, with the next connection.
    @inline(never)
    private mutating func changeMode() {
        listeners.isPlenty.toggle()
        if !listeners.isPlenty { disarm() }
    }

    package mutating func setAccepting(_ accepting: Bool) {
        listeners.isAccepting = accepting
        if accepting {
            arm()
        } else {
            disarm()
        }
    }

    package mutating func addWake(_ descriptor: Int32) {
        ring.pollRepeatedly(
            descriptor, events: UInt32(POLLIN),
            RingOperation(kind: .wake, registration: 0, descriptor: descriptor))
    }

    /// Delivers what was kept for later, and gives the kernel an accept or a poll for each listener, if
    /// connections are welcome.
    @inline(never)
    private mutating func arm() {
        guard listeners.isAccepting, listeners.budget > 0 else { return }
        while listeners.budget > 0, listeners.surplusCount > 0, completions.freeCount > 1024 {
            listeners.surplusCount -= 1
            let surplus = listeners.surplus[listeners.surplusCount]
            deliver(surplus.index, surplus.descriptor)
        }
        guard listeners.budget > 0, listeners.surplusCount == 0, listeners.disarmedCount > 0 else { return }
        for index in 0..<listeners.entriesEnd {
            let entry = listeners.entries[Int(index)]
            guard entry.descriptorPlusOne != 0, !entry.isArmed, !entry.isLeaving else { continue }
            listeners.entries[Int(index)].isArmed = true
            listeners.entries[Int(index)].isPolled = !listeners.isPlenty
            listeners.entries[Int(index)].isCancelled = false
            listeners.disarmedCount -= 1
            let descriptor = entry.descriptorPlusOne - 1
            if listeners.isPlenty {
                ring.accept(descriptor, listeners.operation(index))
            } else {
                ring.poll(descriptor, events: UInt32(POLLIN), listeners.operation(index))
            }
        }
    }

    /// Cancels accepts and polls; a listener is without one when the cancelled one completes.
    @inline(never)
    private mutating func disarm() {
        for index in 0..<listeners.entriesEnd {
            let entry = listeners.entries[Int(index)]
            guard entry.descriptorPlusOne != 0, entry.isArmed, !entry.isCancelled else { continue }
            listeners.entries[Int(index)].isCancelled = true
            ring.cancel(listeners.operation(index))
        }
    }

    @inline(always)
    mutating func deliver(_ index: UInt32, _ descriptor: Int32) {
        listeners.budget -= 1
        completions.push(
            Completion(token: Token(slot: index, generation: 0, kind: .accept), result: descriptor))
    }

    /// What was kept of a listener that is being removed. What is over the budget is reset, as the kernel's
    /// queue is by the close.
    @inline(never)
    private mutating func deliverSurplus(of index: UInt32) {
        var kept = 0
        for place in 0..<listeners.surplusCount {
            let surplus = listeners.surplus[place]
            if surplus.index != index {
                listeners.surplus[kept] = surplus
                kept += 1
            } else if listeners.budget > 0, completions.freeCount > 1024 {
                deliver(index, surplus.descriptor)
            } else {
                close(surplus.descriptor, reset: true)
            }
        }
        listeners.surplusCount = kept
    }

    /// A connection, or the end of an accept.
    @inline(always)
    mutating func listenerCompleted(_ operation: RingOperation, _ result: Int32, _ flags: UInt32) {
        let index = operation.registration >> 8
        if flags & UInt32(CURING_HAS_MORE) == 0 { noteDisarmed(index, operation) }
        guard result >= 0 else {
            listenerFailed(index, result)
            return
        }
        // An accept that is being cancelled may still take some.
        guard listeners.budget > 0, listeners.isAccepting else {
            keepForLater(index, result)
            return
        }
        deliver(index, result)
    }

    /// The poll of a listener has ended: there are connections, or it was cancelled.
    @inline(never)
    mutating func listenerIsReady(_ operation: RingOperation, _ result: Int32) {
        let index = operation.registration >> 8
        noteDisarmed(index, operation)
        let descriptor = listeners.entries[Int(index)].descriptorPlusOne - 1
        guard result >= 0, listeners.isAccepting, descriptor == operation.descriptor else {
            arm()
            return
        }
        for _ in 0..<RingListeners.batchMax where listeners.budget > 0 {
            let accepted = clinux_accept(descriptor)
            if accepted >= 0 {
                deliver(index, accepted)
            } else if accepted == -EAGAIN {
                break
            } else if isOutOfResources(accepted) {
                listenerFailed(index, accepted)
                return
            }
        }
        arm()
    }

    @inline(never)
    private mutating func noteDisarmed(_ index: UInt32, _ operation: RingOperation) {
        guard listeners.entries[Int(index)].descriptorPlusOne != 0,
            listeners.operation(index).raw == operation.raw
        else { return }
        listeners.entries[Int(index)].isArmed = false
        listeners.disarmedCount += 1
    }

    /// The system is out of descriptors or memory: the worker decides when to go on. Other failures are a
    /// connection's that was gone before we took it (accept(2), "Error handling"), or the end of a cancelled
    /// accept.
    @inline(never)
    private mutating func listenerFailed(_ index: UInt32, _ result: Int32) {
        guard isOutOfResources(result) else {
            arm()
            return
        }
        completions.push(
            Completion(token: Token(slot: index, generation: 0, kind: .accept), result: result))
    }

    private func isOutOfResources(_ result: Int32) -> Bool {
        result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM
    }

    @inline(never)
    private mutating func keepForLater(_ index: UInt32, _ descriptor: Int32) {
        listeners.surplus[listeners.surplusCount] = RingListeners.Surplus(
            index: index, descriptor: descriptor)
        listeners.surplusCount += 1
        if listeners.surplusCount == 1, listeners.isAccepting { disarm() }
    }

    @inline(never)
    mutating func woken(_ operation: RingOperation, _ flags: UInt32) {
        var count: UInt64 = 0
        // SAFETY: an event descriptor is read as eight bytes.
        _ = unsafe clinux_read(operation.descriptor, &count, 8)
        completions.push(Completion(token: Token(slot: 0, generation: 0, kind: .wake), result: 0))
        if flags & UInt32(CURING_HAS_MORE) == 0 { addWake(operation.descriptor) }
    }
}
