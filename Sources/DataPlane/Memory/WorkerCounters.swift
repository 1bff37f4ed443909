import Synchronization

/// What a worker counts, in the order of the shared array.
package enum Counter: Int, CaseIterable, BitwiseCopyable, Sendable {
    /// Connections taken from listeners.
    case accepted
    /// Connections closed at once because `deny` says so.
    case sourceDenied
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
    /// PROXY protocol headers that were read, that were wrong, and that were not whole by the hello's
    /// deadline.
    case proxyHeaders, proxyMalformed, proxyTimeout
    /// HTTP requests by what became of them: redirected, passed on, for a host that nobody knows, refused
    /// because of a rule, too large, not whole by their deadline.
    case requestRedirected, requestForwarded, requestNotFound, requestRefused, requestTooLarge, requestTimeout
    /// Names that no route knows, or that a route refuses.
    case rejected
    /// Sessions that waited for a route.
    case parked
    /// Times that a wake socket was to be told of an `asleep` route, before those of all workers become one.
    case wakesAsked
    /// Attempts at targets that failed.
    case connectFailed
    /// Sessions for which no target could be reached.
    case unreachable
    /// Sessions that were refused because their route has as many as it may.
    case routeLimited
    /// Sessions that ended, whatever the reason.
    case ended
    /// Bytes from clients that origins have taken, and back; counted as they go.
    case bytesUp, bytesDown
    /// Turns of the loop.
    case turns
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
    /// Targets now that failed sessions of this worker.
    case targetsFailing
}

/// What a worker measures, in buckets.
package enum Histogram: Int, CaseIterable, BitwiseCopyable, Sendable {
    /// Raw bytes of a whole hello.
    case helloBytes
    /// Microseconds from accept until a session was routed: hello, waiting for a route and look-up.
    case routeMicroseconds
    /// Microseconds from there until its origin was connected.
    case connectMicroseconds

    /// Buckets with a bound; one more takes all that is larger.
    package static let boundCount = 14

    /// The upper bound of a bucket, itself included.
    @inline(always)
    package func bound(_ index: Int) -> UInt64 {
        switch self {
        case .helloBytes: Self.helloBound(index)
        case .routeMicroseconds, .connectMicroseconds: Self.timeBound(index)
        }
    }

    /// Hellos before and after post-quantum key shares, which are near 500 and near 1,800 bytes, fall apart.
    private static func helloBound(_ index: Int) -> UInt64 {
        switch index {
        case 0: 128
        case 1: 256
        case 2: 384
        case 3: 512
        case 4: 640
        case 5: 768
        case 6: 1024
        case 7: 1536
        case 8: 1792
        case 9: 2048
        case 10: 3072
        case 11: 4096
        case 12: 8192
        default: 16_384
        }
    }

    private static func timeBound(_ index: Int) -> UInt64 {
        switch index {
        case 0: 100
        case 1: 250
        case 2: 500
        case 3: 1000
        case 4: 2500
        case 5: 5000
        case 6: 10_000
        case 7: 25_000
        case 8: 50_000
        case 9: 100_000
        case 10: 250_000
        case 11: 1_000_000
        case 12: 5_000_000
        default: 30_000_000
        }
    }

    /// Words of one: its buckets, and the sum.
    static var words: Int { boundCount + 2 }
    /// Where its words begin.
    @inline(always)
    var start: Int { WorkerCounters.histogramsStart + rawValue * Self.words }
}

/// A histogram's content at a moment, of one worker or the sum of several.
package struct HistogramCounts: Sendable {
    /// By bucket, the last one being for what is larger than every bound; not cumulative.
    package var buckets: [UInt64]
    /// Sum of all values.
    package var sum: UInt64

    /// Counts from their parts.
    package init(buckets: [UInt64], sum: UInt64) {
        self.buckets = buckets
        self.sum = sum
    }

    /// How many values.
    package var count: UInt64 { buckets.reduce(0, &+) }
}

/// A worker's counters. The worker alone writes; anybody may read at any time.
@safe package final class WorkerCounters: Sendable {
    // SAFETY: written once here, freed in deinit; the counters behind it are atomic.
    private nonisolated(unsafe) let values: UnsafeMutablePointer<Atomic<UInt64>>

    /// All zero.
    package init() {
        precondition(Counter.allCases.count <= Self.endingsStart)
        precondition(Self.endingsStart + Ending.allCases.count <= Self.histogramsStart)
        // SAFETY: every counter is initialised before anyone sees it.
        unsafe values = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: Self.wordCount)
        for index in 0..<Self.wordCount { unsafe (values + index).initialize(to: Atomic(0)) }
    }

    deinit {
        // SAFETY: nobody refers to us any more.
        unsafe values.deinitialize(count: Self.wordCount)
        unsafe values.deallocate()
    }

    /// Counters, then endings, then histograms, each with room to spare: where they begin is then known to
    /// the compiler, which `allCases` is not.
    static var endingsStart: Int { 64 }
    static var histogramsStart: Int { 128 }
    private static var wordCount: Int { histogramsStart + Histogram.allCases.count * Histogram.words }

    /// A counter's value.
    // SAFETY: counters stand at the beginning, fewer than there is room for.
    package subscript(counter: Counter) -> UInt64 { unsafe values[counter.rawValue].load(ordering: .relaxed) }

    /// How many sessions have ended so.
    package subscript(ending: Ending) -> UInt64 {
        // SAFETY: endings stand behind the counters.
        unsafe values[Self.endingsStart + Int(ending.rawValue)].load(ordering: .relaxed)
    }

    /// A histogram's content.
    package subscript(histogram: Histogram) -> HistogramCounts {
        // SAFETY: a histogram has so many words from its start on.
        let words = (0..<Histogram.words).map { unsafe values[histogram.start + $0].load(ordering: .relaxed) }
        return HistogramCounts(buckets: Array(words.dropLast()), sum: words[words.count - 1])
    }

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

    // SAFETY: as above.
    @inline(always)
    func set(_ counter: Counter, _ value: UInt64) {
        unsafe values[counter.rawValue].store(value, ordering: .relaxed)
    }

    func subtract(_ counter: Counter) { add(counter, ~0) }

    /// A session has ended.
    @inline(always)
    func add(_ ending: Ending) { addWord(WorkerCounters.endingsStart + Int(ending.rawValue), 1) }

    /// A value falls into its bucket.
    func observe(_ histogram: Histogram, _ value: UInt64) {
        var bucket = 0
        while bucket < Histogram.boundCount, value > histogram.bound(bucket) { bucket += 1 }
        addWord(histogram.start + bucket, 1)
        addWord(histogram.start + Histogram.boundCount + 1, value)
    }

    private func addWord(_ index: Int, _ amount: UInt64) {
        // SAFETY: endings and histograms are behind the counters, and the index one of theirs.
        let value = unsafe values[index].load(ordering: .relaxed)
        unsafe values[index].store(value &+ amount, ordering: .relaxed)
    }
}
