/// A ClientHello as a value with fields, to be turned into bytes. It builds good hellos and, because every
/// field can be set to anything, bad ones. For tests: it allocates freely.
package struct HelloBuilder: Equatable, Sendable {
    /// One extension: any type, any body.
    package struct Extension: Equatable, Sendable {
        package var type: UInt16
        package var body: [UInt8]

        package init(type: UInt16, body: [UInt8]) {
            self.type = type
            self.body = body
        }
    }

    package var legacyVersion: UInt16 = 0x0303
    package var random = [UInt8](0..<32)
    package var sessionIdentifier = [UInt8](repeating: 0x5e, count: 32)
    /// The cipher suites as bytes, so that an odd count can be built.
    package var cipherSuites: [UInt8] = [0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0, 0x2f]
    package var compressionMethods: [UInt8] = [0]
    /// nil: no block of extensions at all, which is legal up to TLS 1.2.
    package var extensions: [Extension]?
    /// Bytes behind the extensions but inside of the message.
    package var trailingBytes: [UInt8] = []

    /// A hello as a present client sends it: TLS 1.3 and 1.2, X25519, and the name when there is one.
    package init(name: String?) {
        extensions = (name.map { [.serverName(Array($0.utf8))] } ?? []) + Self.usualExtensions
    }

    private static let usualExtensions: [Extension] = [
        .supportedGroups([0x001d, 0x0017]),
        .signatureAlgorithms([0x0403, 0x0804, 0x0401]),
        .supportedVersions([0x0304, 0x0303]),
        .keyShares([(group: 0x001d, bytes: 32)]),
    ]

    /// The first extension of the type, nil when there is none. Setting it replaces that one or appends.
    package subscript(type: UInt16) -> [UInt8]? {
        get { extensions?.first { $0.type == type }?.body }
        set {
            let index = extensions?.firstIndex { $0.type == type }
            switch (index, newValue) {
            case (let index?, let body?): extensions![index].body = body
            case (let index?, nil): extensions!.remove(at: index)
            case (nil, let body?): extensions = (extensions ?? []) + [Extension(type: type, body: body)]
            case (nil, nil): break
            }
        }
    }

    /// The handshake message with its header of four bytes.
    package func message() -> [UInt8] {
        var body = legacyVersion.networkBytes + random
        body +=
            Self.vector8(sessionIdentifier) + Self.vector16(cipherSuites) + Self.vector8(compressionMethods)
        if let extensions {
            body += Self.vector16(extensions.flatMap { $0.type.networkBytes + Self.vector16($0.body) })
        }
        return Self.handshake(type: 1, body: body + trailingBytes)
    }

    /// The hello in one record.
    package func record() -> [UInt8] { Self.record(of: message()) }

    /// A handshake message of any type.
    package static func handshake(type: UInt8, body: [UInt8]) -> [UInt8] {
        [type] + UInt32(truncatingIfNeeded: body.count).networkBytes.dropFirst() + body
    }

    /// One TLS record.
    package static func record(of payload: [UInt8], type: UInt8 = 22, version: UInt16 = 0x0301) -> [UInt8] {
        [type] + version.networkBytes + vector16(payload)
    }

    /// The message cut into records of the given sizes; what is left goes into one more record.
    package static func records(of message: [UInt8], sizes: [Int], version: UInt16 = 0x0301) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = message[...]
        for size in sizes where !rest.isEmpty {
            bytes += record(of: Array(rest.prefix(size)), version: version)
            rest = rest.dropFirst(size)
        }
        return rest.isEmpty ? bytes : bytes + record(of: Array(rest), version: version)
    }

    /// Bytes with their count in one byte in front.
    package static func vector8(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8(truncatingIfNeeded: bytes.count)] + bytes
    }

    /// Bytes with their count in two bytes in front.
    package static func vector16(_ bytes: [UInt8]) -> [UInt8] {
        UInt16(truncatingIfNeeded: bytes.count).networkBytes + bytes
    }
}

extension HelloBuilder.Extension {
    /// server_name with one host name of any bytes.
    package static func serverName(_ name: [UInt8]) -> Self {
        serverNames([(type: 0, name: name)])
    }

    /// server_name with any list of typed names.
    package static func serverNames(_ names: [(type: UInt8, name: [UInt8])]) -> Self {
        let list = names.flatMap { [$0.type] + HelloBuilder.vector16($0.name) }
        return Self(type: 0, body: HelloBuilder.vector16(list))
    }

    package static func supportedGroups(_ groups: [UInt16]) -> Self {
        Self(type: 10, body: HelloBuilder.vector16(groups.flatMap(\.networkBytes)))
    }

    package static func signatureAlgorithms(_ schemes: [UInt16]) -> Self {
        Self(type: 13, body: HelloBuilder.vector16(schemes.flatMap(\.networkBytes)))
    }

    package static func applicationProtocols(_ names: [String]) -> Self {
        Self(type: 16, body: HelloBuilder.vector16(names.flatMap { HelloBuilder.vector8(Array($0.utf8)) }))
    }

    /// padding (RFC 7685) of `count` zero bytes.
    package static func padding(_ count: Int) -> Self {
        Self(type: 21, body: [UInt8](repeating: 0, count: count))
    }

    /// pre_shared_key with one identity and one binder of made-up bytes.
    package static func preSharedKey() -> Self {
        let identity = HelloBuilder.vector16([UInt8](repeating: 0x1d, count: 64)) + [0, 0, 0, 0]
        let binder = HelloBuilder.vector8([UInt8](repeating: 0xb1, count: 32))
        return Self(type: 41, body: HelloBuilder.vector16(identity) + HelloBuilder.vector16(binder))
    }

    package static func earlyData() -> Self { Self(type: 42, body: []) }

    package static func supportedVersions(_ versions: [UInt16]) -> Self {
        Self(type: 43, body: HelloBuilder.vector8(versions.flatMap(\.networkBytes)))
    }

    /// key_share with made-up keys of the given sizes: 32 bytes for X25519, 1216 for X25519MLKEM768 (0x11ec).
    package static func keyShares(_ shares: [(group: UInt16, bytes: Int)]) -> Self {
        let list = shares.flatMap { share in
            share.group.networkBytes + HelloBuilder.vector16([UInt8](repeating: 0x4b, count: share.bytes))
        }
        return Self(type: 51, body: HelloBuilder.vector16(list))
    }

    /// A GREASE extension (RFC 8701); `index` from 0 to 15 chooses which.
    package static func grease(_ index: Int, body: [UInt8] = []) -> Self {
        Self(type: UInt16(index) * 0x1010 + 0x0a0a, body: body)
    }

    /// encrypted_client_hello of the outer kind with made-up bytes, as GREASE sends it (RFC 9849).
    package static func encryptedClientHello(payloadBytes: Int = 144) -> Self {
        let key = HelloBuilder.vector16([UInt8](repeating: 0xec, count: 32))
        let payload = HelloBuilder.vector16([UInt8](repeating: 0xcc, count: payloadBytes))
        return Self(type: 0xfe0d, body: [0, 0, 1, 0, 1, 7] + key + payload)
    }
}

extension HelloBuilder {
    /// A hello with all that a browser of today sends: GREASE, a post-quantum key share, ECH. About 1.8 KB.
    package static func browser(name: String) -> HelloBuilder {
        var hello = HelloBuilder(name: name)
        hello.extensions = [
            .grease(0), .serverName(Array(name.utf8)), Extension(type: 23, body: []),
            Extension(type: 0xff01, body: [0]),
            .supportedGroups([0x2a2a, 0x11ec, 0x001d, 0x0017]), Extension(type: 11, body: [1, 0]),
            Extension(type: 35, body: []), .applicationProtocols(["h2", "http/1.1"]),
            Extension(type: 5, body: [1, 0, 0, 0, 0]),
            .signatureAlgorithms([0x0403, 0x0804, 0x0401, 0x0503]), Extension(type: 18, body: []),
            .keyShares([(group: 0x2a2a, bytes: 1), (group: 0x11ec, bytes: 1216), (group: 0x001d, bytes: 32)]),
            Extension(type: 45, body: [1, 1]), .supportedVersions([0x3a3a, 0x0304, 0x0303]),
            .encryptedClientHello(), .grease(5, body: [0]),
        ]
        return hello
    }

    /// Takes a well-formed hello apart; nil when it is not one. Bytes behind the hello are not looked at.
    ///
    /// A second parser, written for clearness and with arrays, so that the tests do not lean on the one they
    /// test.
    package init?(parsing bytes: [UInt8]) {
        var message: [UInt8] = []
        var records = HelloFields(bytes)
        repeat {
            guard records.take(1) == [22], records.take(2) != nil, let piece = records.vector16() else {
                return nil
            }
            message += piece
        } while message.count < 4 || message.count < 4 + message[1...3].reduce(0) { $0 << 8 | Int($1) }
        var fields = HelloFields(message)
        guard fields.take(4)?.first == 1, let version = fields.take(2), let random = fields.take(32),
            let sessionIdentifier = fields.vector8(), let cipherSuites = fields.vector16(),
            let compressionMethods = fields.vector8()
        else { return nil }
        self.init(name: nil)
        legacyVersion = UInt16(version[0]) << 8 | UInt16(version[1])
        self.random = random
        self.sessionIdentifier = sessionIdentifier
        self.cipherSuites = cipherSuites
        self.compressionMethods = compressionMethods
        extensions = nil
        guard !fields.rest.isEmpty else { return }
        guard let block = fields.vector16(), fields.rest.isEmpty else { return nil }
        var list = HelloFields(block)
        var extensions: [Extension] = []
        while !list.rest.isEmpty {
            guard let type = list.take(2), let body = list.vector16() else { return nil }
            extensions.append(Extension(type: UInt16(type[0]) << 8 | UInt16(type[1]), body: body))
        }
        self.extensions = extensions
    }
}

/// Bytes to be taken off the front.
private struct HelloFields {
    var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func vector8() -> [UInt8]? { take(1).flatMap { take(Int($0[0])) } }

    mutating func vector16() -> [UInt8]? { take(2).flatMap { take(Int($0[0]) << 8 | Int($0[1])) } }
}

extension FixedWidthInteger {
    /// The number's bytes, highest first.
    fileprivate var networkBytes: [UInt8] {
        stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> $0) }
    }
}
