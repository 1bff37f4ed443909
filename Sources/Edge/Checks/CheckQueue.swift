/// Checks that wait for their time, the soonest first: a binary heap of their indexes. A check's time does
/// not change while it waits.
struct CheckQueue: Sendable {
    private var entries: [(dueNanoseconds: UInt64, index: Int)] = []

    /// When the next one is due; nil: none waits.
    var nextDueNanoseconds: UInt64? { entries.first?.dueNanoseconds }

    mutating func insert(_ index: Int, dueNanoseconds: UInt64) {
        entries.append((dueNanoseconds, index))
        var place = entries.count - 1
        while place > 0, isSooner(place, (place - 1) / 2) {
            entries.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// Takes the next one out if it is due by now.
    mutating func takeDue(nowNanoseconds: UInt64) -> Int? {
        guard let first = entries.first, first.dueNanoseconds <= nowNanoseconds else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var place = 0
        while true {
            var soonest = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < entries.count && isSooner(child, soonest) {
                soonest = child
            }
            guard soonest != place else { return first.index }
            entries.swapAt(place, soonest)
            place = soonest
        }
    }

    private func isSooner(_ left: Int, _ right: Int) -> Bool {
        entries[left].dueNanoseconds < entries[right].dueNanoseconds
    }
}
