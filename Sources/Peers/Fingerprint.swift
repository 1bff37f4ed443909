import Crypto
import NIOSSL

/// Who somebody is: the SHA-256 of the public key (SubjectPublicKeyInfo) of the certificate. Of the key and
/// not of the whole certificate, so that one which is renewed with the same key stays known.
package struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// 64 hexadecimal digits, lower case: for files and messages.
    package let text: String

    /// From 64 hexadecimal digits; blanks, colons and upper case, as people type them, are taken too.
    package init?(_ text: String) {
        let digits = text.lowercased().filter { $0 != " " && $0 != ":" }
        guard digits.utf8.count == 64, digits.utf8.allSatisfy(Self.isDigit) else { return nil }
        self.text = digits
    }

    /// From the 32 bytes themselves.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        text = String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Of the key that TLS has checked the other end to have. It is read by the same library that checks it:
    /// two readers may see two keys in one certificate.
    init(of certificate: NIOSSLCertificate) throws {
        let key = try certificate.extractPublicKey().toSPKIBytes()
        self.init(publicKeyInfo: key)
    }

    init(publicKeyInfo: [UInt8]) {
        guard let print = Fingerprint(bytes: Array(SHA256.hash(data: publicKeyInfo))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        self = print
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        let digits = text.utf8.map { $0 < 0x3a ? $0 - 0x30 : $0 - 0x61 + 10 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// In groups of four digits, for two people who compare it.
    package var description: String {
        let digits = Array(text)
        return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<$0 + 4]) }
            .joined(separator: " ")
    }
}
