import CLinux
package import Routes
import Synchronization

/// How many sessions each client address has, over all workers, without a lock and without a table that can
/// fill.
///
/// Two rows of counters, each indexed by its own keyed hash of the address; an address has at most the
/// smaller of its two counters. Two addresses share both counters with a probability of one in many millions,
/// and nobody outside can know which: the keys are drawn at start. IPv6 clients count by their /64, which is
/// what one customer gets.
@safe package final class SourceCounters: Sendable {
    // SAFETY: written once here, unmapped in deinit; the counters behind it are atomic.
    private nonisolated(unsafe) let counters: UnsafeMutablePointer<Atomic<UInt32>>
    private let mappedBytes: Int
    private let rowCount: Int
    private let keys: (UInt64, UInt64)

    /// `connectionsMax` sizes the rows; `keys` are secret random numbers.
    package init(connectionsMax: Int, keys: (UInt64, UInt64)) {
        var size = 1024
        while size < connectionsMax * 2 { size *= 2 }
        rowCount = size
        self.keys = keys
        mappedBytes = 2 * size * MemoryLayout<Atomic<UInt32>>.stride
        // SAFETY: a mapping of the size asked for, or none.
        guard let memory = unsafe clinux_map(mappedBytes) else {
            preconditionFailure("no address space for the counters by source")
        }
        // SAFETY: room for two rows, zeroed, and an atomic zero is four zero bytes. So the rows, which are as
        // long as the limit of connections asks for, cost nothing until clients come.
        unsafe counters = memory.bindMemory(to: Atomic<UInt32>.self, capacity: 2 * size)
    }

    deinit {
        // SAFETY: nobody refers to us any more.
        unsafe _ = munmap(counters, mappedBytes)
    }

    /// For a worker's own use: the address of the counters, so that counting touches no reference count.
    package var view: SourceCountersView {
        unsafe SourceCountersView(counters: counters, rowCount: rowCount, keys: keys)
    }
}

/// Where the counters of ``SourceCounters`` lie: valid while those live, which the worker sees to.
@safe package struct SourceCountersView: BitwiseCopyable {
    // SAFETY: points into a `SourceCounters` that the worker holds; the counters are atomic.
    fileprivate let counters: UnsafeMutablePointer<Atomic<UInt32>>
    fileprivate let rowCount: Int
    fileprivate let keys: (UInt64, UInt64)

    /// Everything that is counted now. For tests: it reads a whole row.
    package var total: UInt64 {
        // SAFETY: a row has so many counters.
        (0..<rowCount).reduce(0) { unsafe $0 + UInt64((counters + $1).pointee.load(ordering: .relaxed)) }
    }

    /// Counts a session of the address, unless it has `limit` of them already.
    package func acquire(_ address: IPAddress, limit: Int) -> Bool {
        acquire(identity: Self.identity(of: address), limit: limit)
    }

    /// Takes back what ``acquire(_:limit:)`` counted.
    package func release(_ address: IPAddress) { release(identity: Self.identity(of: address)) }

    /// Counts a session of whatever has this identity, unless it has `limit` of them already.
    package func acquire(identity: UInt64, limit: Int) -> Bool {
        let (first, second) = places(of: identity)
        // SAFETY: `places` are below the count.
        let before = unsafe min(
            (counters + first).pointee.add(1, ordering: .relaxed).oldValue,
            (counters + second).pointee.add(1, ordering: .relaxed).oldValue)
        guard Int(before) < limit else {
            release(identity: identity)
            return false
        }
        return true
    }

    /// Takes back what ``acquire(identity:limit:)`` counted.
    package func release(identity: UInt64) {
        let (first, second) = places(of: identity)
        // SAFETY: as above.
        unsafe (counters + first).pointee.subtract(1, ordering: .relaxed)
        unsafe (counters + second).pointee.subtract(1, ordering: .relaxed)
    }

    /// An IPv4 address counts whole, also one that is mapped into IPv6, an IPv6 address by its upper half.
    private static func identity(of address: IPAddress) -> UInt64 {
        switch address.unmapped {
        case .v4(let bits): UInt64(bits)
        case .v6(let high, _): high
        }
    }

    private func places(of identity: UInt64) -> (Int, Int) {
        let mask = UInt64(rowCount - 1)
        return (Int(Self.mix(identity ^ keys.0) & mask), rowCount + Int(Self.mix(identity ^ keys.1) & mask))
    }

    /// A multiply of 64 by 64 bits, its halves folded: every input bit reaches every output bit.
    static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        let folded = product.high ^ product.low
        let again = folded.multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
        return again.high ^ again.low
    }
}
