import CLinux
import Routes

/// What was counted under one key: a name, or a target's address.
package struct TallyCounts: BitwiseCopyable, Sendable {
    /// Sessions now.
    package var sessions: UInt64 = 0
    /// Connections since the key was first seen, or came back.
    package var connections: UInt64 = 0
    /// Bytes from the client, and from the origin.
    package var bytes: InlineArray<2, UInt64> = InlineArray(repeating: 0)
    /// Sessions that ended as they should not, or attempts that failed.
    package var errors: UInt64 = 0

    package init() {}

    /// Adds what another part of the same whole has counted.
    package mutating func add(_ other: TallyCounts) {
        sessions &+= other.sessions
        connections &+= other.connections
        bytes[0] &+= other.bytes[0]
        bytes[1] &+= other.bytes[1]
        errors &+= other.errors
    }
}

/// Counts by key, of which the busiest ``ways`` in each of ``sets`` sets are kept; what an evicted key had
/// counted is added to ``otherIndex``, so that the sum is always the whole. A key that has sessions stays.
///
/// Constant cost whatever the number of keys: a key belongs to one set by its hash, and looks at nothing
/// else. Who is the least busy is told by a heat that each use raises and time halves. Keys come from routes
/// files, not from clients: nobody outside can choose them.
package struct Tally: ~Copyable {
    package static var ways: Int { 8 }
    package static var sets: Int { 64 }
    /// The longest key in bytes.
    package static var keyBytesMax: Int { 255 }
    /// Where a session counts that has no entry yet; nothing begins here.
    package static var unassignedIndex: Int { 0 }
    /// Where everything is counted that has no entry of its own.
    package static var otherIndex: Int { 1 }
    private static var firstIndex: Int { 2 }

    struct Entry: BitwiseCopyable {
        var counts = TallyCounts()
        /// 0: nobody's.
        var hash: UInt64 = 0
        var heat: UInt32 = 0
        var keyCount: UInt32 = 0
    }

    private let entries: Region<Entry>
    private let keys: Region<UInt8>
    private let seed: UInt64
    /// Whether there is an entry whose heat can cool.
    private var isWarm = false

    package init(seed: UInt64) {
        entries = Region(capacity: Self.firstIndex + Self.sets * Self.ways)
        keys = Region(capacity: (Self.firstIndex + Self.sets * Self.ways) * 256)
        self.seed = seed
    }

    /// Every index is below this.
    package var capacity: Int { entries.capacity }

    /// The entry of a key, made if need be; ``otherIndex`` when its set is full of keys that have sessions.
    package mutating func entry(for key: RawSpan) -> Int {
        guard key.byteCount <= Self.keyBytesMax else { return Self.otherIndex }
        let hash = hash(of: key)
        let first = Self.firstIndex + Int(hash % UInt64(Self.sets)) * Self.ways
        var coldest = Self.otherIndex
        for index in first..<first + Self.ways {
            if entries[index].hash == hash, isKey(key, at: index) {
                if entries[index].heat < .max { entries[index].heat += 1 }
                return index
            }
            guard entries[index].counts.sessions == 0 else { continue }
            if coldest == Self.otherIndex || entries[index].heat < entries[coldest].heat { coldest = index }
        }
        if coldest != Self.otherIndex { replace(coldest, by: key, hash: hash) }
        return coldest
    }

    private mutating func replace(_ index: Int, by key: RawSpan, hash: UInt64) {
        entries[Self.otherIndex].counts.add(entries[index].counts)
        var entry = Entry()
        entry.hash = hash
        entry.heat = 1
        entry.keyCount = UInt32(key.byteCount)
        entries[index] = entry
        isWarm = true
        // SAFETY: a key has room for 256 bytes; its length was checked.
        unsafe key.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe UnsafeMutableRawPointer(keys.base + index * 256).copyMemory(
                from: base, byteCount: bytes.count)
        }
    }

    /// An entry's counts.
    package subscript(index: Int) -> TallyCounts { entries[index].counts }

    /// A session of the key begins.
    package func countBegin(_ index: Int) {
        entries[index].counts.sessions &+= 1
        entries[index].counts.connections &+= 1
    }

    /// It ends.
    package func countEnd(_ index: Int, isError: Bool) {
        entries[index].counts.sessions &-= 1
        if isError { entries[index].counts.errors &+= 1 }
    }

    /// Something was tried. `isConnection`: it counts as a connection although it failed.
    package func countAttempt(_ index: Int, succeeded: Bool, isConnection: Bool = false) {
        if succeeded || isConnection { entries[index].counts.connections &+= 1 }
        if !succeeded { entries[index].counts.errors &+= 1 }
    }

    /// Bytes were passed on: the one thing that is counted while a session runs.
    @inline(always)
    package func addBytes(_ index: Int, direction: Int, _ count: UInt64) {
        entries[index].counts.bytes[direction] &+= count
    }

    /// Whether an index stands for a key.
    package func isKey(_ index: Int) -> Bool { entries[index].hash != 0 }

    /// A copy of an entry's key. For reports.
    package func copyKey(_ index: Int) -> [UInt8] {
        let count = Int(entries[index].keyCount)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for place in 0..<count { bytes.append(keys[index * 256 + place]) }
        return bytes
    }

    /// Halves every heat, so that what was busy long ago makes room. Now and then.
    package mutating func cool() {
        guard isWarm else { return }
        isWarm = false
        for index in Self.firstIndex..<entries.capacity where entries[index].heat > 0 {
            entries[index].heat /= 2
            isWarm = true
        }
    }

    private func isKey(_ key: RawSpan, at index: Int) -> Bool {
        guard Int(entries[index].keyCount) == key.byteCount else { return false }
        // SAFETY: both have so many bytes: the key its own, the entry those that were copied into it.
        return unsafe key.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return true }
            return unsafe memcmp(base, keys.base + index * 256, bytes.count) == 0
        }
    }

    /// Never 0, which marks an entry that is nobody's.
    private func hash(of key: RawSpan) -> UInt64 {
        max(1, NameHash.hash(key, 0..<key.byteCount, seed: HashSeed(first: seed, second: ~seed)))
    }
}
