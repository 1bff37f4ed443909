/// Completions between a backend, which adds them, and its worker, which takes them; a ring of fixed size.
///
/// It has room for all operations of all sessions, and hardly ever holds more than those of one turn. So it
/// begins anew whenever it was found empty: a ring that goes round touches all of its memory in time, which
/// was 80 bytes for each idle session, and none of it is in the cache when its turn comes.
package struct CompletionQueue: ~Copyable {
    private let ring: Region<Completion>
    private let mask: Int
    private var head = 0
    private var tail = 0

    /// `capacity`: the most completions that can be outstanding; rounded up to a power of two.
    package init(capacity: Int) {
        var size = 256
        while size < capacity { size *= 2 }
        ring = Region(capacity: size)
        mask = size - 1
    }

    /// Whether there is nothing to take.
    package var isEmpty: Bool { head == tail }

    /// How many more fit.
    package var freeCount: Int { mask + 1 - (tail - head) }

    /// Adds a completion behind the others.
    @inline(always)
    package mutating func push(_ completion: Completion) {
        precondition(tail - head <= mask, "there is room for every operation in flight")
        ring[tail & mask] = completion
        tail += 1
    }

    /// Takes the oldest completion; nil when there is none.
    @inline(always)
    package mutating func pop() -> Completion? {
        guard head != tail else {
            (head, tail) = (0, 0)
            return nil
        }
        let completion = ring[head & mask]
        head += 1
        return completion
    }
}
