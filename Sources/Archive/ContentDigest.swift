import Crypto
import Foundation

/// A SHA-256.
package struct ContentDigest: Hashable, Sendable {
    /// In four words, so that it needs no memory of its own.
    let words: (UInt64, UInt64, UInt64, UInt64)

    init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    init(_ digest: SHA256Digest) {
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in digest.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// Of bytes that are there as a whole.
    package init(of bytes: [UInt8]) { self.init(SHA256.hash(data: bytes)) }

    /// From its 64 digits; nil for anything else.
    package init?(hexadecimal text: ArraySlice<UInt8>) {
        guard text.count == 64 else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in text.enumerated() {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            words[index / 16] = words[index / 16] << 4 | UInt64(digit)
        }
        self.words = (words[0], words[1], words[2], words[3])
    }

    package static func == (left: ContentDigest, right: ContentDigest) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension ContentDigest: CustomStringConvertible {
    /// 64 digits.
    package var description: String { String(decoding: hexadecimal, as: UTF8.self) }

    var hexadecimal: [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<16).map { digits[Int(word >> (60 - 4 * $0) & 15)] }
        }
    }
}
