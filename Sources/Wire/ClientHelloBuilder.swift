/// A ClientHello for the check of a target: one that servers of today answer with a ServerHello.
///
/// It offers TLS 1.3 and 1.2 with the suites, groups and signatures that are in common use. The key share is
/// 32 random bytes, which every X25519 implementation takes for a public key: the handshake is never
/// finished, so nobody needs the private one. A server that wants another group answers with a
/// HelloRetryRequest, which is a ServerHello, too (RFC 8446 section 4.1.4).
package struct ClientHelloBuilder {
    /// Goes into the server_name extension; empty: the hello has none.
    package var name: [UInt8]
    /// The client's random, the session identifier that middleboxes like to see, and the key share.
    package var random: InlineArray<96, UInt8>

    /// A builder; `random` should be fresh for each hello.
    package init(name: [UInt8], random: InlineArray<96, UInt8>) {
        precondition(name.count <= HostName.bytesMax, "a host name")
        self.name = name
        self.random = random
    }

    // AES and ChaCha suites of TLS 1.3, then of 1.2 with ECDHE, then with plain RSA for old servers.
    private static let suites: [UInt16] = [
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
        0x009d,
        0x002f, 0x0035,
    ]
    // X25519, P-256, P-384, P-521.
    private static let groups: [UInt16] = [0x001d, 0x0017, 0x0018, 0x0019]
    // ECDSA with P-256, P-384, P-521, Ed25519, RSA-PSS, RSA PKCS#1.
    private static let signatures: [UInt16] = [
        0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
    ]

    /// The hello in one record.
    package var record: [UInt8] {
        var body: [UInt8] = [3, 3]
        for index in 0..<32 { body.append(random[index]) }
        body += Self.vector8((32..<64).map { random[$0] })
        body += Self.vector16(Self.numbers(Self.suites))
        body += Self.vector8([0])
        body += Self.vector16(extensions)

        let count = UInt32(body.count)
        let header =
            [1, UInt8(truncatingIfNeeded: count >> 16)] + Self.bytes(UInt16(truncatingIfNeeded: count))
        // The version of a first record is 3.1 (RFC 8446 section 5.1).
        return [22, 3, 1] + Self.vector16(header + body)
    }

    private var extensions: [UInt8] {
        var all: [UInt8] = []
        func add(_ type: UInt16, _ content: [UInt8]) { all += Self.bytes(type) + Self.vector16(content) }
        if !name.isEmpty { add(0, Self.vector16([0] + Self.vector16(name))) }
        // Extended master secret, renegotiation info: some TLS 1.2 servers refuse hellos without.
        add(23, [])
        add(0xff01, [0])
        add(10, Self.vector16(Self.numbers(Self.groups)))
        // Uncompressed points.
        add(11, Self.vector8([0]))
        add(13, Self.vector16(Self.numbers(Self.signatures)))
        add(43, Self.vector8(Self.numbers([0x0304, 0x0303])))
        // PSK with (EC)DHE: some servers answer no TLS 1.3 hello without.
        add(45, Self.vector8([1]))
        add(51, Self.vector16(Self.bytes(0x001d) + Self.vector16((64..<96).map { random[$0] })))
        return all
    }

    private static func bytes(_ number: UInt16) -> [UInt8] {
        [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)]
    }

    private static func numbers(_ list: [UInt16]) -> [UInt8] { list.flatMap(bytes) }

    private static func vector8(_ content: [UInt8]) -> [UInt8] {
        [UInt8(truncatingIfNeeded: content.count)] + content
    }

    private static func vector16(_ content: [UInt8]) -> [UInt8] {
        bytes(UInt16(truncatingIfNeeded: content.count)) + content
    }
}

/// What a server's first bytes say to a hello.
package enum ServerGreeting: Equatable, Sendable {
    /// Not enough bytes to tell.
    case needMore
    /// A ServerHello: TLS is spoken here.
    case serverHello
    /// The server speaks TLS and refuses, with this alert (RFC 8446 section 6).
    case alert(UInt8)
    /// Something else.
    case notTLS

    /// So many bytes are always enough.
    package static let bytesMax = 64

    /// Reads the first bytes of an answer. An alert of the level "warning" (RFC 6066 section 3: some servers
    /// say so that they do not know the name) is passed over; any other alert is a refusal.
    package init(_ bytes: [UInt8]) {
        var start = 0
        while true {
            let rest = bytes[start...]
            guard let type = rest.first else {
                self = start < Self.bytesMax ? .needMore : .notTLS
                return
            }
            guard type == 21 || type == 22 else {
                self = .notTLS
                return
            }
            if rest.count > 1, rest[start + 1] != 3 {
                self = .notTLS
                return
            }
            guard rest.count >= 6 else {
                self = .needMore
                return
            }
            let count = Int(rest[start + 3]) << 8 | Int(rest[start + 4])
            if type == 22 {
                self = count >= 4 && rest[start + 5] == 2 ? .serverHello : .notTLS
                return
            }
            guard count == 2 else {
                self = .notTLS
                return
            }
            guard rest.count >= 7 else {
                self = .needMore
                return
            }
            guard rest[start + 5] == 1, rest[start + 6] != 0, start + 7 < Self.bytesMax else {
                self = .alert(rest[start + 6])
                return
            }
            start += 7
        }
    }
}
