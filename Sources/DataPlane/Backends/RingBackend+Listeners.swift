import CLinux
import CUring

/// Listening sockets of a ring backend: each has an accept with the kernel that gives connections until it is
/// cancelled.
struct RingListeners: ~Copyable {
    struct Entry: BitwiseCopyable {
        /// 0: none, else one more than the descriptor.
        var descriptorPlusOne: Int32
        /// Tells this listener's accepts from those of an earlier one with the same index.
        var generation: UInt8
        /// Whether an accept is with the kernel.
        var isArmed: Bool
    }

    /// A connection that came when the budget was spent, or during a pause.
    struct Surplus: BitwiseCopyable {
        var index: UInt32
        var descriptor: Int32
    }

    /// By the listener's index.
    let entries = Region<Entry>(capacity: 65_536)
    /// Every index that was ever used is below this.
    var entriesEnd: UInt32 = 0
    /// Listeners without an accept.
    var disarmedCount = 0
    var budget = 0
    var isAccepting = true
    let surplus: Region<Surplus>
    var surplusCount = 0

    init(descriptorsMax: Int) { surplus = Region(capacity: descriptorsMax) }

    /// The accept of a listener.
    func operation(_ index: UInt32) -> RingOperation {
        let entry = entries[Int(index)]
        return RingOperation(
            kind: .accept, registration: index << 8 | UInt32(entry.generation),
            descriptor: entry.descriptorPlusOne - 1)
    }
}

extension RingBackend {
    package mutating func addListener(_ descriptor: Int32, index: UInt32) {
        let entry = listeners.entries[Int(index)]
        precondition(entry.descriptorPlusOne == 0, "an index is one listener's")
        listeners.entries[Int(index)] = RingListeners.Entry(
            descriptorPlusOne: descriptor + 1, generation: entry.generation &+ 1, isArmed: false)
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
        if listeners.entries[Int(index)].isArmed {
            ring.cancel(listeners.operation(index))
            // The accept holds the socket open until its end has come, and may have taken more.
            ring.submit()
            takeCompleted()
        } else {
            listeners.disarmedCount -= 1
        }
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
        if listeners.surplusCount > 0 || listeners.disarmedCount > 0 { arm() }
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

    /// Delivers what was kept for later, and gives the kernel an accept for each listener, if connections are
    /// welcome.
    @inline(never)
    private mutating func arm() {
        guard listeners.isAccepting, listeners.budget > 0 else { return }
        while listeners.budget > 0, listeners.surplusCount > 0, completions.freeCount > 1024 {
            listeners.surplusCount -= 1
            let surplus = listeners.surplus[listeners.surplusCount]
            deliver(surplus.index, surplus.descriptor)
        }
        guard listeners.budget > 0, listeners.disarmedCount > 0 else { return }
        for index in 0..<listeners.entriesEnd {
            let entry = listeners.entries[Int(index)]
            guard entry.descriptorPlusOne != 0, !entry.isArmed else { continue }
            listeners.entries[Int(index)].isArmed = true
            listeners.disarmedCount -= 1
            ring.accept(entry.descriptorPlusOne - 1, listeners.operation(index))
        }
    }

    /// Cancels the accepts; a listener is without one when the cancelled one completes.
    @inline(never)
    private mutating func disarm() {
        for index in 0..<listeners.entriesEnd {
            let entry = listeners.entries[Int(index)]
            if entry.descriptorPlusOne != 0, entry.isArmed { ring.cancel(listeners.operation(index)) }
        }
    }

    @inline(always)
    private mutating func deliver(_ index: UInt32, _ descriptor: Int32) {
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
        guard result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM else {
            arm()
            return
        }
        completions.push(
            Completion(token: Token(slot: index, generation: 0, kind: .accept), result: result))
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
