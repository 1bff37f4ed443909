import CLinux

/// A socket address: IPv4 or IPv6 with a port, or the path of a unix socket. Trivial, so that it can live in
/// a slab.
package struct SocketAddress: BitwiseCopyable, Sendable {
    /// The bytes of the sockaddr structure that the family, its first field, names.
    private var storage: InlineArray<14, UInt64>
    /// How many of them count.
    private var length: UInt32

    /// The longest path of a unix socket in bytes, without the NUL at its end (unix(7)).
    package static let pathBytesMax = 107

    /// No address: family 0.
    package init() {
        storage = InlineArray(repeating: 0)
        length = 0
    }

    /// IPv4; `octets` from the most significant byte down, `port` in host order.
    package init(ipv4 octets: UInt32, port: UInt16) {
        self.init()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = octets.bigEndian
        // SAFETY: the structure is trivial and smaller than the storage.
        unsafe withUnsafeBytes(of: address) { unsafe take($0) }
    }

    /// IPv6 as its two halves, most significant first; `port` in host order.
    package init(ipv6 high: UInt64, _ low: UInt64, port: UInt16) {
        self.init()
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        let words = (high.bigEndian, low.bigEndian)
        // SAFETY: in6_addr is the 16 bytes of the address; the structure is smaller than the storage.
        unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { target in
            unsafe withUnsafeBytes(of: words) { unsafe target.copyMemory(from: $0) }
        }
        unsafe withUnsafeBytes(of: address) { unsafe take($0) }
    }

    /// A unix socket; `path` is at most ``pathBytesMax`` bytes long and has no NUL.
    package init(path: RawSpan) {
        self.init()
        precondition(
            path.byteCount > 0 && path.byteCount <= Self.pathBytesMax, "a path that sockaddr_un can hold")
        length = UInt32(Self.pathOffset + path.byteCount + 1)
        // SAFETY: the count was checked against the room behind the family; the rest is zero, so the path
        // ends in NUL.
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe target.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
            unsafe path.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[Self.pathOffset...]).copyMemory(
                    from: bytes)
            }
        }
    }

    /// A unix socket of the abstract kind; its name, at most ``pathBytesMax`` bytes, comes after a NUL, and
    /// the length tells where it ends.
    package init(abstractName name: RawSpan) {
        self.init()
        precondition(name.byteCount <= Self.pathBytesMax, "a name that sockaddr_un can hold")
        length = UInt32(Self.pathOffset + 1 + name.byteCount)
        // SAFETY: the count was checked against the room behind the family and the NUL.
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe target.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
            unsafe name.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[(Self.pathOffset + 1)...]).copyMemory(
                    from: bytes)
            }
        }
    }

    /// What a system call wrote into `pointer` (at least `length` bytes of a sockaddr of any family).
    package init(kernel pointer: UnsafeRawBufferPointer) {
        self.init()
        // SAFETY: `take` copies no more than the storage holds.
        unsafe take(pointer)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) {
        length = UInt32(min(bytes.count, Self.bytesMax))
        let count = Int(length)
        // SAFETY: the count is at most the storage's size.
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
    }

    /// Room for any address.
    package static let bytesMax = MemoryLayout<InlineArray<14, UInt64>>.size
    private static let pathOffset = MemoryLayout<sa_family_t>.size

    /// Calls `body` with the address as a system call takes it.
    package func withKernelAddress<Result>(_ body: (UnsafeRawPointer, UInt32) -> Result) -> Result {
        // SAFETY: the pointer is used during the call only.
        unsafe withUnsafeBytes(of: storage) { unsafe body($0.baseAddress!, length) }
    }

    private func load<Value: BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        // SAFETY: callers read fields of structures that fit the storage; the offset is checked by the
        // buffer.
        unsafe withUnsafeBytes(of: storage) { unsafe $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }

    /// The address family: AF_INET, AF_INET6, AF_UNIX, or 0 for none.
    package var family: Int32 { Int32(load(at: 0, as: sa_family_t.self)) }

    /// The port in host order; 0 for a unix socket.
    package var port: UInt16 {
        family == AF_INET || family == AF_INET6 ? UInt16(bigEndian: load(at: 2, as: UInt16.self)) : 0
    }

    /// The IP address as two halves; an IPv4 address is mapped into IPv6 (::ffff:a.b.c.d), a unix socket is
    /// 0.
    package var ipHalves: (high: UInt64, low: UInt64) {
        switch family {
        case AF_INET: (0, 0xffff_0000_0000 | UInt64(UInt32(bigEndian: load(at: 4, as: UInt32.self))))
        case AF_INET6:
            (
                UInt64(bigEndian: load(at: 8, as: UInt64.self)),
                UInt64(bigEndian: load(at: 16, as: UInt64.self))
            )
        default: (0, 0)
        }
    }

    /// Length of a unix socket's path in bytes, without the NUL; 0 for other families.
    package var pathByteCount: Int { family == AF_UNIX ? max(0, Int(length) - Self.pathOffset - 1) : 0 }

    /// A byte of a unix socket's path; `index` is below ``pathByteCount``.
    package func pathByte(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < pathByteCount, "a byte of the path")
        return load(at: Self.pathOffset + index, as: UInt8.self)
    }

    /// Whether both are the same address, port or path included.
    package func isSame(as other: SocketAddress) -> Bool {
        guard length == other.length, load(at: 0, as: UInt64.self) == other.load(at: 0, as: UInt64.self)
        else {
            return false
        }
        // IPv4 is told by the first eight bytes; the rest of sockaddr_in is padding.
        guard family != AF_INET else { return true }
        for word in 1..<((Int(length) + 7) / 8) where storage[word] != other.storage[word] { return false }
        return true
    }
}
