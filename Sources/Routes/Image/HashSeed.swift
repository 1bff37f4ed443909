/// The secret of the name hash, drawn at random once per process by the program.
///
/// Names in the table come from the operator, but customers pick them: with a known seed, one customer could
/// pick names that all fall into one place of the table. Images are compared across seeds without trouble.
package struct HashSeed: Hashable, Sendable, BitwiseCopyable {
    /// First half.
    package var first: UInt64
    /// Second half.
    package var second: UInt64

    /// A seed from two random numbers.
    package init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }
}
