import CAllocationCounter

/// How often a thread has called what the hot path must not call.
struct Costs: Equatable, Sendable, CustomStringConvertible {
    /// A family of functions; the header of `CAllocationCounter` says which belong to it.
    enum Kind: Int, CaseIterable {
        case malloc, calloc, realloc, memalign, free, allocObject, retain, release

        /// Its number in C.
        var number: Int {
            switch self {
            case .malloc: Int(COUNTED_MALLOC)
            case .calloc: Int(COUNTED_CALLOC)
            case .realloc: Int(COUNTED_REALLOC)
            case .memalign: Int(COUNTED_MEMALIGN)
            case .free: Int(COUNTED_FREE)
            case .allocObject: Int(COUNTED_ALLOC_OBJECT)
            case .retain: Int(COUNTED_RETAIN)
            case .release: Int(COUNTED_RELEASE)
            }
        }
    }

    private var counts = [UInt64](repeating: 0, count: Kind.allCases.count)

    /// Nothing was called.
    static let none = Costs()

    subscript(kind: Kind) -> UInt64 {
        get { counts[kind.rawValue] }
        set { counts[kind.rawValue] = newValue }
    }

    static func - (late: Costs, early: Costs) -> Costs {
        var difference = late
        for kind in Kind.allCases { difference[kind] -= early[kind] }
        return difference
    }

    var description: String {
        let called = Kind.allCases.filter { self[$0] != 0 }.map { "\(self[$0]) \($0)" }
        return called.isEmpty ? "nothing" : called.joined(separator: ", ")
    }
}

/// Counts what one thread calls, and nobody else's calls; anybody may read.
// SAFETY: the C code reads and writes the numbers atomically. One thread at a time counts into it.
@safe final class ThreadCounter: @unchecked Sendable {
    private let counter: OpaquePointer

    init() {
        guard let made = unsafe allocation_counter_make() else {
            preconditionFailure("there is memory for a counter")
        }
        unsafe counter = made
    }

    deinit { unsafe allocation_counter_free(counter) }

    /// Counts what this thread calls while it runs the body.
    func count<Result, Failure>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        unsafe allocation_counter_begin(counter)
        defer { allocation_counter_end() }
        return try body()
    }

    /// What was called so far.
    var costs: Costs {
        var costs = Costs()
        for kind in Costs.Kind.allCases { costs[kind] = read(kind.number) }
        return costs
    }

    /// Calls of splice(2) so far, which only bulk makes.
    var spliceCount: UInt64 { read(Int(COUNTED_SPLICE)) }

    /// CPU time of the thread so far; 0 when it has ended.
    var processorNanoseconds: UInt64 { unsafe allocation_counter_cpu_nanoseconds(counter) }

    private func read(_ number: Int) -> UInt64 {
        unsafe allocation_counter_read(counter, Int32(number))
    }
}
