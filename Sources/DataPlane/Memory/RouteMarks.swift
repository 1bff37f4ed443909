import Routes
import Synchronization

/// One bit for each target of a table: "do not choose". The control side sets it for a target whose checks
/// fail, or that an operator drains; workers read it, and only when there is any.
///
/// It belongs to one table, and so does each index. What it says is advice of the moment: a worker that sees
/// it a little late chooses as it would have chosen a little earlier.
@safe final class RouteMarks: Sendable {
    // SAFETY: written once in `init`, freed in `deinit`; the words behind it are atomic. The first is the
    // count of bits that are set, the others hold the bits.
    private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let wordCount: Int
    private let targetCount: Int

    init(targetCount: Int) {
        self.targetCount = targetCount
        // A route may begin in the last word: reading two words at a time needs one more behind it.
        wordCount = 1 + (targetCount + 63) / 64 + 1
        // SAFETY: every word is initialised before anyone sees it.
        unsafe words = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: wordCount)
        for index in 0..<wordCount { unsafe (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        // SAFETY: nobody refers to us any more.
        unsafe words.deinitialize(count: wordCount)
        unsafe words.deallocate()
    }

    /// Sets or clears a target's bit. For one thread at a time: the count follows the bits.
    func set(_ index: UInt32, _ isMarked: Bool) {
        precondition(Int(index) < targetCount, "the target index belongs to this table")
        let bit: UInt64 = 1 << UInt64(index % 64)
        // SAFETY: the index was checked.
        let word = unsafe words + (1 + Int(index) / 64)
        if isMarked {
            let before = unsafe word.pointee.bitwiseOr(bit, ordering: .relaxed).oldValue
            if before & bit == 0 { unsafe words.pointee.wrappingAdd(1, ordering: .relaxed) }
        } else {
            let before = unsafe word.pointee.bitwiseAnd(~bit, ordering: .relaxed).oldValue
            if before & bit != 0 { unsafe words.pointee.wrappingSubtract(1, ordering: .relaxed) }
        }
    }

    /// For the workers: where the words lie.
    // SAFETY: whoever reads through it holds the table, which holds us.
    var view: RouteMarksView { unsafe RouteMarksView(words: words, wordCount: wordCount) }
}

/// The reading end of ``RouteMarks``: valid while the table that has them is held.
@safe struct RouteMarksView: BitwiseCopyable {
    // SAFETY: points into a `RouteMarks`; the words are atomic.
    fileprivate let words: UnsafeMutablePointer<Atomic<UInt64>>
    fileprivate let wordCount: Int

    /// Whether any target is marked: if not, there is no need to look.
    var hasAny: Bool { unsafe words.pointee.load(ordering: .relaxed) != 0 }

    /// Which targets of a route are marked, by their place in it.
    func marked(_ route: Route) -> TargetSet {
        guard route.targetCount > 0 else { return TargetSet() }
        let first = 1 + Int(route.targetStart / 64)
        let shift = UInt64(route.targetStart % 64)
        precondition(first + 1 < wordCount, "the route belongs to this table")
        // SAFETY: the index was checked.
        let low = unsafe (words + first).pointee.load(ordering: .relaxed) >> shift
        let high = unsafe (words + first + 1).pointee.load(ordering: .relaxed)
        // A shift by the whole width gives 0.
        let bits = low | (high << (64 - shift))
        let places: UInt64 = route.targetCount == 64 ? ~0 : 1 << UInt64(route.targetCount) - 1
        return TargetSet(bits: bits & places)
    }
}
