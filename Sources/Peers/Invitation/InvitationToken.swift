import Crypto
package import Foundation
import NIOCore

/// The one line that a hoster gives to another one, by mail or telephone: where we are, who we are, and a
/// secret that works once. `syp1-` and base64url of everything with a checksum behind it.
package struct InvitationToken: Sendable {
    private static let prefix = "syp1-"
    /// A typing mistake stays unnoticed once in four thousand million; more is not its purpose.
    private static let checksumBytes = 4
    private static let addressesMax = 4
    private static let textBytesMax = 2048

    let secret: Curve25519.Signing.PrivateKey
    /// Who invites.
    package let fingerprint: Fingerprint
    /// What the one who invites calls itself.
    package let name: PeerName
    /// Where it can be reached, the best first.
    package let addresses: [PeerAddress]
    /// Until when the one who invites will know of it, by its clock.
    package let expires: Date

    init(
        secret: Curve25519.Signing.PrivateKey, fingerprint: Fingerprint, name: PeerName,
        addresses: [PeerAddress], expires: Date
    ) throws(PeerError) {
        guard (1...Self.addressesMax).contains(addresses.count) else {
            throw PeerError(.unclear, "an invitation has 1 to \(Self.addressesMax) addresses")
        }
        self.secret = secret
        self.fingerprint = fingerprint
        self.name = name
        self.addresses = addresses
        self.expires = expires
    }

    /// The line itself.
    package var text: String {
        var bytes = ByteBuffer()
        bytes.writeBytes(Array(secret.rawRepresentation))
        bytes.writeBytes(fingerprint.bytes)
        bytes.writeInteger(UInt64(max(0, expires.timeIntervalSince1970)))
        for part in [name.text] + addresses.map(\.description) {
            // Names and addresses are bounded far below.
            bytes.writeInteger(UInt16(part.utf8.count))
            bytes.writeString(part)
        }
        let content = Array(bytes.readableBytesView)
        return Self.prefix + Base64URL.text(of: content + Self.checksum(content))
    }

    /// Reads the line. Blanks and line breaks, which mail programs put in, do not matter.
    package init(_ text: String) throws(PeerError) {
        let text = String(text.filter { !$0.isWhitespace })
        guard text.hasPrefix(Self.prefix) else {
            throw PeerError(.invitation, "this is no invitation: one begins with \(Self.prefix)")
        }
        guard text.utf8.count <= Self.textBytesMax,
            let all = Base64URL.bytes(of: String(text.dropFirst(Self.prefix.count))),
            all.count > Self.checksumBytes
        else { throw Self.mistyped }
        let content = Array(all.dropLast(Self.checksumBytes))
        guard Self.checksum(content) == Array(all.suffix(Self.checksumBytes)) else { throw Self.mistyped }
        var bytes = ByteBuffer(bytes: content)
        guard let secretBytes = bytes.readBytes(length: 32),
            let secret = try? Curve25519.Signing.PrivateKey(rawRepresentation: secretBytes),
            let fingerprint = bytes.readBytes(length: 32).flatMap({ Fingerprint(bytes: $0) }),
            let seconds = bytes.readInteger(as: UInt64.self), seconds < 1 << 40
        else { throw Self.mistyped }
        var parts: [String] = []
        while bytes.readableBytes > 0 {
            guard let count = bytes.readInteger(as: UInt16.self),
                let part = bytes.readString(length: Int(count))
            else { throw Self.mistyped }
            parts.append(part)
        }
        guard let name = parts.first else { throw Self.mistyped }
        var addresses: [PeerAddress] = []
        for part in parts.dropFirst() { addresses.append(try PeerAddress(part)) }
        try self.init(
            secret: secret, fingerprint: fingerprint, name: try PeerName(name), addresses: addresses,
            expires: Date(timeIntervalSince1970: Double(seconds)))
    }

    private static let mistyped = PeerError(
        .invitation, "the invitation is not whole: a character is missing or mistyped; copy it once more")

    private static func checksum(_ content: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: Array(prefix.utf8) + content).prefix(checksumBytes))
    }
}

/// Base64 with `-` and `_`, and without padding (RFC 4648, section 5).
enum Base64URL {
    static func text(of bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    /// Only what ``text(of:)`` gives: of several texts that mean the same bytes, one is the right one.
    static func bytes(of text: String) -> [UInt8]? {
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: plain + padding) else { return nil }
        let bytes = Array(data)
        return self.text(of: bytes) == text ? bytes : nil
    }
}
