/// One deadline for each slot of a slab, in ticks of about 17 ms.
///
/// Moving a deadline further away is one store: the slot stays in its place in the wheel and is put back when
/// its place comes up. That suits idle timeouts, which every byte moves. Deadlines beyond the wheel's span
/// come up early, too.
package struct TimerWheel: ~Copyable {
    private struct Node: BitwiseCopyable {
        var next: Int32
        var previous: Int32
        /// The two parts of ``dueTick``: 32 bits would be two years, and this process is not restarted.
        private var dueLow: UInt32
        private var dueHigh: UInt16
        /// The place in the wheel where it is linked.
        var place: UInt16

        /// When it is due; 0: not in the wheel. There are fewer than 2^41 ticks in 64 bits of nanoseconds.
        var dueTick: UInt64 {
            get { UInt64(dueHigh) << 32 | UInt64(dueLow) }
            set {
                dueLow = UInt32(truncatingIfNeeded: newValue)
                dueHigh = UInt16(truncatingIfNeeded: newValue >> 32)
            }
        }
    }

    /// log2 of a tick's length in nanoseconds.
    package static let tickShift: UInt64 = 24
    /// What a deadline costs a slot.
    package static let bytesPerSlot = MemoryLayout<Node>.stride
    private static let placeCount = 4096
    private static let placeMask: UInt64 = 4095

    private let nodes: Region<Node>
    private let heads: Region<Int32>
    /// A bit for each place that holds a slot.
    private let occupied: Region<UInt64>
    /// Every place up to this tick has been looked at.
    private var currentTick: UInt64
    private let startNanoseconds: UInt64

    package init(capacity: Int, nowNanoseconds: UInt64) {
        nodes = Region(capacity: capacity)
        heads = Region(capacity: Self.placeCount)
        occupied = Region(capacity: Self.placeCount / 64)
        startNanoseconds = nowNanoseconds
        currentTick = 1
        for place in 0..<Self.placeCount { heads[place] = -1 }
    }

    private func tick(_ nanoseconds: UInt64) -> UInt64 {
        let elapsed = nanoseconds > startNanoseconds ? nanoseconds - startNanoseconds : 0
        return elapsed >> Self.tickShift + 1
    }

    /// Sets or moves the deadline of a slot. It comes up at most one tick late, and never early.
    @inline(always)
    package mutating func set(_ slot: Int, dueNanoseconds: UInt64) {
        let dueTick = max(tick(dueNanoseconds), currentTick) + 1
        let linkedTick = nodes[slot].dueTick
        nodes[slot].dueTick = dueTick
        if linkedTick == 0 {
            link(slot)
        } else if dueTick < linkedTick {
            unlink(slot)
            link(slot)
        }
    }

    /// Moves the deadline of a slot closer; one that is closer already stays.
    package mutating func hasten(_ slot: Int, dueNanoseconds: UInt64) {
        let dueTick = max(tick(dueNanoseconds), currentTick) + 1
        guard nodes[slot].dueTick == 0 || dueTick < nodes[slot].dueTick else { return }
        set(slot, dueNanoseconds: dueNanoseconds)
    }

    /// Nanoseconds until a slot is due, to a tick; 0 when it has no deadline.
    package func nanosecondsLeft(_ slot: Int, nowNanoseconds: UInt64) -> UInt64 {
        let (due, now) = (nodes[slot].dueTick, tick(nowNanoseconds))
        // It was rounded up, and one tick more.
        return due > now + 1 ? (due - now - 1) << Self.tickShift : 0
    }

    /// When the deadline of a slot comes up, to a tick or two; 0: it has none.
    package func dueNanoseconds(_ slot: Int) -> UInt64 {
        let dueTick = nodes[slot].dueTick
        return dueTick == 0 ? 0 : startNanoseconds + (dueTick - 1) << Self.tickShift
    }

    /// Takes a slot's deadline away.
    package mutating func clear(_ slot: Int) {
        guard nodes[slot].dueTick != 0 else { return }
        unlink(slot)
        nodes[slot].dueTick = 0
    }

    /// A slot whose deadline has passed, which then has none; nil when there is no more. Call it until it
    /// says nil.
    package mutating func nextExpired(nowNanoseconds: UInt64) -> Int? {
        let nowTick = tick(nowNanoseconds)
        // After a long sleep one round visits every place.
        if nowTick > currentTick, nowTick - currentTick > Self.placeMask {
            currentTick = nowTick - Self.placeMask
        }
        while currentTick <= nowTick {
            let place = currentTick & Self.placeMask
            while heads[Int(place)] >= 0 {
                let slot = Int(heads[Int(place)])
                unlink(slot)
                if nodes[slot].dueTick <= nowTick {
                    nodes[slot].dueTick = 0
                    return slot
                }
                link(slot)
            }
            guard currentTick < nowTick else { return nil }
            currentTick += 1
        }
        return nil
    }

    /// Milliseconds until the next place that holds a slot, rounded up; nil when the wheel is empty.
    package func millisecondsToNext(nowNanoseconds: UInt64) -> Int32? {
        let start = Int((currentTick + 1) & Self.placeMask)
        for step in 0...(Self.placeCount / 64) {
            let word = (start / 64 + step) % (Self.placeCount / 64)
            var bits = occupied[word]
            if step == 0 { bits &= ~0 << UInt64(start % 64) }
            guard bits != 0 else { continue }
            let place = word * 64 + bits.trailingZeroBitCount
            let distance =
                (place - Int(currentTick & Self.placeMask) + Self.placeCount - 1) % Self.placeCount + 1
            let dueNanoseconds = startNanoseconds + UInt64(Int(currentTick) - 1 + distance) << Self.tickShift
            guard dueNanoseconds > nowNanoseconds else { return 0 }
            return Int32(clamping: (dueNanoseconds - nowNanoseconds) / 1_000_000 + 1)
        }
        return nil
    }

    private mutating func link(_ slot: Int) {
        let tick = min(nodes[slot].dueTick, currentTick + Self.placeMask)
        let place = Int(tick & Self.placeMask)
        nodes[slot].place = UInt16(truncatingIfNeeded: place)
        nodes[slot].previous = -1
        nodes[slot].next = heads[place]
        if heads[place] >= 0 { nodes[Int(heads[place])].previous = Int32(truncatingIfNeeded: slot) }
        heads[place] = Int32(truncatingIfNeeded: slot)
        occupied[place / 64] |= 1 << UInt64(place % 64)
    }

    private mutating func unlink(_ slot: Int) {
        let node = nodes[slot]
        let place = Int(node.place)
        if node.previous >= 0 { nodes[Int(node.previous)].next = node.next } else { heads[place] = node.next }
        if node.next >= 0 { nodes[Int(node.next)].previous = node.previous }
        if heads[place] < 0 { occupied[place / 64] &= ~(1 << UInt64(place % 64)) }
    }
}
