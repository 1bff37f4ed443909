/// Bytes strings one after the other, in which recently added ones are found again.
///
/// Only the most recent string of each hash place is remembered: what operators repeat (one wake socket, one
/// set of options) is stored once, and a million different strings cost no table of a million entries.
struct InternHeap {
    /// All strings.
    private(set) var bytes: [UInt8] = []

    /// Offset in the upper half and length in the lower half; 0 is free, since no string is empty.
    private var recent = [UInt64](repeating: 0, count: placeCount)

    private static let placeCount = 4_096
    private static let seed = HashSeed(first: 0, second: 0)

    /// The offset of a string with these bytes, which is appended unless it was seen lately. Not for empty
    /// strings.
    mutating func intern(_ source: RawSpan, _ range: Range<Int>) -> UInt32 {
        precondition(!range.isEmpty, "an interned string is not empty")
        let place = Int(NameHash.hash(source, range, seed: Self.seed) % UInt64(Self.placeCount))
        let known = recent[place]
        let offset = Int(known >> 32)
        if known & 0xFFFF_FFFF == UInt64(range.count), isEqual(at: offset, source, range) {
            return UInt32(offset)
        }
        let start = UInt32(truncatingIfNeeded: bytes.count)
        for index in range { bytes.append(source.word8(at: index)) }
        recent[place] = UInt64(start) << 32 | UInt64(range.count)
        return start
    }

    private func isEqual(at offset: Int, _ source: RawSpan, _ range: Range<Int>) -> Bool {
        for index in 0..<range.count where bytes[offset + index] != source.word8(at: range.lowerBound + index)
        {
            return false
        }
        return true
    }

    /// Gives the memory back.
    mutating func clear() {
        bytes = []
        recent = []
    }
}
