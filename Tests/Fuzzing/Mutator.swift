/// Changes inputs at random, the same way for the same seed: a run without libFuzzer, which replays.
package struct Mutator {
    private var state: UInt64

    /// - Parameter seed: equal seeds give equal inputs.
    package init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    /// An input made of one or two of the corpus, with up to eight changes.
    package mutating func input(from corpus: [[UInt8]]) -> [UInt8] {
        var bytes = corpus[below(corpus.count)]
        if below(8) == 0 {
            let other = corpus[below(corpus.count)]
            bytes = Array(bytes.prefix(below(bytes.count + 1))) + other.dropFirst(below(other.count + 1))
        }
        for _ in 0...below(8) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let place = below(bytes.count + 1)
        switch below(6) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(below(8))
        case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: next())
        case 2: bytes.insert(UInt8(truncatingIfNeeded: next()), at: place)
        case 3: bytes.removeSubrange(place..<min(bytes.count, place + below(9)))
        case 4:
            let piece = bytes[place..<min(bytes.count, place + below(33))]
            bytes.insert(contentsOf: piece, at: below(bytes.count + 1))
        default: bytes = Array(bytes.prefix(place))
        }
    }

    /// 0..<`count`; 0 when that is empty.
    private mutating func below(_ count: Int) -> Int {
        count > 0 ? Int(next() % UInt64(count)) : 0
    }

    /// xorshift64*.
    private mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
