import DataPlane

/// All that one end of a connection ever sends: some fixed bytes, then bytes that a seed determines. Any part
/// of it can be made at any time, so whoever receives can compare without anything being kept.
struct ByteStream {
    let prefix: [UInt8]
    let seed: UInt64
    /// How many bytes there are, the prefix included.
    let count: Int

    func bytes(from start: Int, count wanted: Int) -> [UInt8] {
        precondition(start >= 0 && start + wanted <= count, "a part of the stream")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wanted)
        if start < prefix.count { bytes += prefix[start..<min(prefix.count, start + wanted)] }
        var offset = start + bytes.count - prefix.count
        while bytes.count < wanted {
            var word = SimulatedRandom.mix(seed &+ UInt64(offset >> 3)) >> UInt64(8 * (offset & 7))
            for _ in 0..<min(8 - offset & 7, wanted - bytes.count) {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
                offset += 1
            }
        }
        return bytes
    }
}
