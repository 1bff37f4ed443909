package import Linux

/// What a worker remembers of the targets that it uses or that failed it: sessions, failures in a row, and
/// until when they rest. Keyed by address, so it outlives every reload. Entries come with the first session
/// to an address, and go some minutes after the last one, or when their room is needed.
package struct TargetTracker: ~Copyable {
    package struct Entry: BitwiseCopyable {
        package var address: SocketAddress
        var hash: UInt64
        /// The next entry of the same bucket, or -1.
        var next: Int32
        /// Sessions that are connecting to it or relaying.
        package var sessionCount: UInt32
        /// Failed attempts since the last one that succeeded.
        package var failureCount: UInt32
        /// No attempt before this time while there are other targets; 0: has no failure to remember.
        package var restsUntilNanoseconds: UInt64
        /// Attempts, and those that failed, since the entry was made.
        package var connectionsTotal: UInt64
        package var failuresTotal: UInt64
        /// Since when it is known to have neither a session nor a failure; 0: it has.
        var idleSinceNanoseconds: UInt64
    }

    /// Totals of an address that nobody uses are kept for so long.
    package static let idleNanosecondsMax: UInt64 = 600_000_000_000
    /// How many entries one sweep looks at: with very many, it takes several.
    package static let sweptAtOnceMax = 4096
    /// How many entries are looked at for one that can go, when there is no room.
    private static let evictionsTriedMax = 256

    /// After so many failures in a row a target rests.
    package static let failuresToRest: UInt32 = 3
    /// The first rest; each further failure doubles it, up to ``restMaxNanoseconds``.
    package static let restFirstNanoseconds: UInt64 = 1_000_000_000
    package static let restMaxNanoseconds: UInt64 = 30_000_000_000

    private var entries: Slab<Entry>
    private let buckets: Region<Int32>
    private let mask: UInt64
    private let key: UInt64

    package init(capacity: Int, key: UInt64) {
        var size = 256
        while size < capacity { size *= 2 }
        entries = Slab(capacity: capacity)
        buckets = Region(capacity: size)
        mask = UInt64(size - 1)
        self.key = key
    }

    /// How many entries have a failure, and so a rest, to remember, over or not.
    private var restingCount = 0

    /// Whether any target may rest: if not, there is no need to ask one by one.
    package var hasResting: Bool { restingCount > 0 }

    /// How many targets have a failure to remember.
    package var failingCount: Int { restingCount }

    /// Where the next sweep begins.
    private var sweepCursor = 0
    /// Where the next search for room begins.
    private var evictionCursor = 0

    /// How many addresses are remembered.
    package var count: Int { entries.count }

    /// Numbers below this have been given.
    package var touchedCount: Int { entries.touchedCount }

    /// Whether there is an entry with this number, below ``touchedCount``.
    package func isUsed(_ index: Int) -> Bool { entries[index].hash != 0 }

    /// What is known of an address, by the number that ``begin(_:)`` gave.
    package subscript(index: Int) -> Entry {
        _read { yield entries[index] }
        nonmutating _modify { yield &entries[index] }
    }

    /// Buckets hold index + 1, so that untouched memory reads as empty.
    private func find(_ address: SocketAddress, hash: UInt64) -> Int? {
        var index = buckets[Int(hash & mask)] - 1
        while index >= 0 {
            if entries[Int(index)].hash == hash, entries[Int(index)].address.isSame(as: address) {
                return Int(index)
            }
            index = entries[Int(index)].next
        }
        return nil
    }

    /// Counts an attempt at the address; its entry, or nil when there is no room to remember more addresses.
    package mutating func begin(_ address: SocketAddress) -> Int? {
        let hash = hash(of: address)
        if let index = find(address, hash: hash) {
            entries[index].sessionCount += 1
            entries[index].connectionsTotal &+= 1
            entries[index].idleSinceNanoseconds = 0
            return index
        }
        if entries.freeCount == 0 { evict() }
        guard let index = entries.allocate() else { return nil }
        entries[index] = Entry(
            address: address, hash: hash, next: buckets[Int(hash & mask)] - 1, sessionCount: 1,
            failureCount: 0, restsUntilNanoseconds: 0, connectionsTotal: 1, failuresTotal: 0,
            idleSinceNanoseconds: 0)
        buckets[Int(hash & mask)] = Int32(truncatingIfNeeded: index) + 1
        return index
    }

    /// The attempt or session is over.
    package mutating func end(_ index: Int) { entries[index].sessionCount -= 1 }

    /// The target took a connection.
    package mutating func noteSuccess(_ index: Int) {
        entries[index].failureCount = 0
        endRest(index)
    }

    /// Somebody else has reached the target: what it failed before is forgiven.
    package mutating func noteAnswered(_ address: SocketAddress) {
        guard hasResting, let index = find(address, hash: hash(of: address)) else { return }
        noteSuccess(index)
    }

    private mutating func endRest(_ index: Int) {
        guard entries[index].restsUntilNanoseconds != 0 else { return }
        entries[index].restsUntilNanoseconds = 0
        restingCount -= 1
    }

    /// The target refused or did not answer in time.
    package mutating func noteFailure(_ index: Int, nowNanoseconds: UInt64) {
        // Whoever asks for the name of a dead target long enough reaches the last number: that must not be a
        // trap.
        if entries[index].failureCount < .max { entries[index].failureCount += 1 }
        entries[index].failuresTotal &+= 1
        if entries[index].restsUntilNanoseconds == 0 { restingCount += 1 }
        let rest = Self.rest(afterFailures: entries[index].failureCount)
        entries[index].restsUntilNanoseconds = max(1, nowNanoseconds + rest)
    }

    /// The first failures rest for no time: then the entry says when the last one was, for
    /// ``sweep(nowNanoseconds:)``.
    private static func rest(afterFailures count: UInt32) -> UInt64 {
        guard count >= failuresToRest else { return 0 }
        let doublings = min(UInt64(count - failuresToRest), 5)
        return min(restFirstNanoseconds << doublings, restMaxNanoseconds)
    }

    /// Whether the target should be passed over while there are others.
    package func isResting(_ address: SocketAddress, nowNanoseconds: UInt64) -> Bool {
        guard let index = find(address, hash: hash(of: address)) else { return false }
        return entries[index].restsUntilNanoseconds > nowNanoseconds
    }

    /// Sessions that are connecting to an address or relaying.
    package func sessionCount(_ address: SocketAddress) -> UInt32 {
        find(address, hash: hash(of: address)).map { entries[$0].sessionCount } ?? 0
    }

    /// Forgets failures whose rest ended long ago, and addresses that have not been used for long, so that
    /// those that are never used again do not pile up.
    package mutating func sweep(nowNanoseconds: UInt64) {
        let count = entries.touchedCount
        for _ in 0..<min(count, Self.sweptAtOnceMax) {
            if sweepCursor >= count { sweepCursor = 0 }
            sweepOne(sweepCursor, nowNanoseconds: nowNanoseconds)
            sweepCursor += 1
        }
    }

    private mutating func sweepOne(_ index: Int, nowNanoseconds: UInt64) {
        guard entries[index].hash != 0, entries[index].sessionCount == 0 else { return }
        if entries[index].failureCount > 0 {
            guard entries[index].restsUntilNanoseconds + 2 * Self.restMaxNanoseconds < nowNanoseconds else {
                return
            }
            entries[index].failureCount = 0
            endRest(index)
        }
        if entries[index].idleSinceNanoseconds == 0 {
            entries[index].idleSinceNanoseconds = max(1, nowNanoseconds)
        } else if entries[index].idleSinceNanoseconds + Self.idleNanosecondsMax < nowNanoseconds {
            forgetIfIdle(index)
        }
    }

    /// Makes room: forgets one of the addresses that are not in use, if there is one nearby.
    @inline(never)
    private mutating func evict() {
        for _ in 0..<min(entries.touchedCount, Self.evictionsTriedMax) {
            if evictionCursor >= entries.touchedCount { evictionCursor = 0 }
            forgetIfIdle(evictionCursor)
            evictionCursor += 1
            if entries.freeCount > 0 { return }
        }
    }

    private mutating func forgetIfIdle(_ index: Int) {
        let entry = entries[index]
        guard entry.sessionCount == 0, entry.failureCount == 0, entry.hash != 0 else { return }
        let bucket = Int(entry.hash & mask)
        if buckets[bucket] - 1 == Int32(truncatingIfNeeded: index) {
            buckets[bucket] = entry.next + 1
        } else {
            var previous = Int(buckets[bucket] - 1)
            while entries[previous].next != Int32(truncatingIfNeeded: index) {
                previous = Int(entries[previous].next)
            }
            entries[previous].next = entry.next
        }
        entries[index].hash = 0
        entries.free(index)
    }

    /// Never 0, which marks a free entry.
    private func hash(of address: SocketAddress) -> UInt64 {
        var hash = key ^ UInt64(address.port) << 32 ^ UInt64(UInt32(bitPattern: address.family))
        let (high, low) = address.ipHalves
        hash = SourceCountersView.mix(hash ^ low) ^ high
        for index in 0..<address.pathByteCount {
            hash = SourceCountersView.mix(hash ^ UInt64(address.pathByte(index)))
        }
        return max(1, SourceCountersView.mix(hash))
    }
}
