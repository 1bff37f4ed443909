import Synchronization

/// What a worker counts, in the order of the shared array.
package enum Counter: Int, CaseIterable, BitwiseCopyable, Sendable {
    /// Connections taken from listeners.
    case accepted
    /// Connections closed at once because their address has too many.
    case sourceLimited
    /// Times that accepting paused because every slot was taken.
    case acceptPaused
    /// Times that the system had no descriptor or memory for a connection.
    case descriptorsExhausted
    /// Hellos by what they were.
    case helloName, helloNoName, helloPlainHTTP, helloSSLv2, helloNotTLS, helloMalformed, helloTooLarge
    /// Hellos that were not whole by their deadline.
    case helloTimeout
    /// Hellos that offer Encrypted Client Hello; routed by the outer name.
    case helloECH
    /// Names that no route knows, or that a route refuses.
    case rejected
    /// Sessions that waited for a route.
    case parked
    /// Attempts at targets that failed.
    case connectFailed
    /// Sessions for which no target could be reached.
    case unreachable
    /// Sessions that ended, whatever the reason.
    case ended
    /// Bytes from clients to origins, and back, of ended sessions.
    case bytesUp, bytesDown
    /// Completions for a session that had ended already.
    case staleCompletion
    /// Sessions that were taken from the process before, and that were given up to the next one.
    case adopted, handedOver
    /// Access lines that were dropped because nobody read the log.
    case logDropped
    /// Sessions now.
    case sessions
    /// Sessions that wait for a route now.
    case parkedNow
}

/// A worker's counters. The worker alone writes; anybody may read at any time.
@safe package final class WorkerCounters: Sendable {
    // SAFETY: written once here, freed in deinit; the counters behind it are atomic.
    private nonisolated(unsafe) let values: UnsafeMutablePointer<Atomic<UInt64>>

    /// All zero.
    package init() {
        // SAFETY: every counter is initialised before anyone sees it.
        unsafe values = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: Counter.allCases.count)
        for counter in Counter.allCases { unsafe (values + counter.rawValue).initialize(to: Atomic(0)) }
    }

    deinit {
        // SAFETY: nobody refers to us any more.
        unsafe values.deinitialize(count: Counter.allCases.count)
        unsafe values.deallocate()
    }

    /// A counter's value.
    package subscript(counter: Counter) -> UInt64 { unsafe values[counter.rawValue].load(ordering: .relaxed) }

    /// For the worker's own use: the address of the counters, so that counting touches no reference count.
    // SAFETY: the worker that writes through it holds us, too.
    var writer: CounterWriter { unsafe CounterWriter(values: values) }
}

/// The writing end of ``WorkerCounters``: valid as long as those live, which the worker sees to.
@safe struct CounterWriter: BitwiseCopyable {
    // SAFETY: points into a `WorkerCounters` that the worker holds.
    fileprivate let values: UnsafeMutablePointer<Atomic<UInt64>>

    /// There is one writer, so a load and a store are enough.
    @inline(always)
    func add(_ counter: Counter, _ amount: UInt64 = 1) {
        let value = unsafe values[counter.rawValue].load(ordering: .relaxed)
        unsafe values[counter.rawValue].store(value &+ amount, ordering: .relaxed)
    }

    func subtract(_ counter: Counter) { add(counter, ~0) }
}
