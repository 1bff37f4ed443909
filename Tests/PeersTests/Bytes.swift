import Crypto
import Foundation
import Glibc
import NIOCore
import Testing

/// Both ends of a new pair of sockets.
func socketPair() -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    // SAFETY: the array has room for two.
    unsafe #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0, &ends) == 0)
    return (ends[0], ends[1])
}

/// Many bytes that are the same each time.
struct ByteSource {
    private static let block: [UInt8] = {
        var state: UInt64 = 88_172_645_463_325_252
        return (0..<65_536 + 97).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
    }()

    private var left: Int

    init(_ count: Int) { left = count }

    mutating func next() -> ByteBuffer? {
        guard left > 0 else { return nil }
        let count = min(left, Self.block.count)
        left -= count
        return ByteBuffer(bytes: Self.block[..<count])
    }

    static func sum(_ count: Int) -> String {
        var (source, sum) = (ByteSource(count), ByteSum())
        while let bytes = source.next() { sum.add(bytes) }
        return sum.text
    }
}

struct ByteSum {
    private var hash = SHA256()
    private(set) var count = 0

    mutating func add(_ bytes: ByteBuffer) {
        count += bytes.readableBytes
        hash.update(data: Array(bytes.readableBytesView))
    }

    var text: String { "\(count) " + hash.finalize().map { String($0, radix: 16) }.joined(separator: ",") }
}
