import Support
import Testing
import Wire

/// The table of cases that the parser must tell apart, each with the rule it breaks or keeps.
@Suite struct HelloTableTests {
    private func outcome(_ change: (inout HelloBuilder) -> Void) -> HelloOutcome {
        var hello = HelloBuilder(name: "www.example.org")
        change(&hello)
        return parse(hello.record()).outcome
    }

    private func outcome(serverName body: [UInt8]) -> HelloOutcome { outcome { $0[0] = body } }

    // MARK: What is not a hello

    @Test(
        "A request in plain HTTP is known by its method as soon as the blank behind it is there",
        arguments: [
            "GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "TRACE ", "PRI ",
        ])
    func plainHTTP(method: String) {
        let request = Array((method + "/ HTTP/1.1\r\nHost: a\r\n\r\n").utf8)
        for (index, answer) in answersWhileGrowing(request).enumerated() {
            #expect(
                answer == (index + 1 < method.utf8.count ? .needMore : .plainHTTP), "after \(index + 1) bytes"
            )
        }
    }

    @Test(
        "Text that is no HTTP is not taken for it",
        arguments: [
            "GETS / HTTP/1.1", "get / HTTP/1.1", "PROXY TCP4 1.2.3.4", "SSH-2.0-OpenSSH", "EHLO a",
            "\r\nGET / ", "POSTS", "GET\t/",
            "\0", " GET /", "CONNECTS", "OPTIONSX",
        ])
    func noHTTP(text: String) {
        #expect(parse(Array(text.utf8)).outcome == .notTLS)
    }

    @Test("An SSLv2 hello is known by its first five bytes, whichever version it asks for")
    func sslv2() {
        let hello: [UInt8] = [
            0x80, 0x2e,  // 46 bytes follow; the highest bit says that there is no padding
            0x01,  // CLIENT-HELLO
            0x03, 0x01,  // version 3.1
            0x00, 0x15, 0x00, 0x00, 0x00, 0x10,  // lengths of cipher specs, session id and challenge
        ]
        #expect(
            answersWhileGrowing(hello) == Array(repeating: .needMore, count: 4)
                + Array(repeating: .sslv2, count: 7))
        #expect(parse([0x80, 0x2e, 1, 0, 2]).outcome == .sslv2)
        #expect(parse([0x80, 0x2e, 2]).outcome == .notTLS)
        #expect(parse([0x80, 0x2e, 1, 9, 9]).outcome == .notTLS)
    }

    @Test("A first byte that begins nothing known is answered at once")
    func foreignBytes() {
        let starts = Set("\u{16}GHPDOCT".utf8)
        for byte in UInt8.min...UInt8.max {
            let expected: HelloOutcome = starts.contains(byte) || byte >= 0x80 ? .needMore : .notTLS
            #expect(parse([byte]).outcome == expected, "byte \(byte)")
        }
        #expect(parse([22, 2]).outcome == .notTLS)
        // DTLS 1.2 has the version 254.253.
        #expect(parse([22, 254, 253, 0, 0]).outcome == .notTLS)
        // An alert or encrypted data from a peer that is not at its start.
        #expect(parse([21, 3, 3, 0, 2, 2, 40]).outcome == .notTLS)
        #expect(parse([23, 3, 3, 0, 2, 2, 40]).outcome == .notTLS)
    }

    // MARK: Records

    @Test("The record's minor version is whatever the client likes")
    func recordVersions() {
        let message = HelloBuilder(name: "a.example").message()
        for minor in UInt16(0)...255 {
            #expect(parse(HelloBuilder.record(of: message, version: 0x0300 | minor)).outcome == .name)
        }
        let cut = HelloBuilder.record(of: Array(message.prefix(9)))
        #expect(parse(cut + [22, 2]).outcome == .malformed(.recordVersion))
    }

    @Test("Records that TLS forbids are refused at their header")
    func recordHeaders() {
        let message = HelloBuilder(name: "a.example").message()
        let head = HelloBuilder.record(of: Array(message.prefix(50)))
        for type in [UInt8(20), 21, 23, 24, 0, 255] {
            #expect(parse(head + [type]).outcome == .malformed(.recordType))
        }
        #expect(parse([22, 3, 1, 0, 0]).outcome == .malformed(.recordEmpty))
        #expect(parse(head + [22, 3, 1, 0, 0]).outcome == .malformed(.recordEmpty))
        #expect(parse([22, 3, 1, 0x40, 1]).outcome == .malformed(.recordTooLong))
        #expect(parse([22, 3, 1, 0xff, 0xff]).outcome == .malformed(.recordTooLong))
        #expect(parse(head + [22, 3, 1, 0x40, 1]).outcome == .malformed(.recordTooLong))
    }

    @Test("Another handshake message than ClientHello is refused at its first byte")
    func messageTypes() {
        for type in UInt8.min...UInt8.max where type != 1 {
            #expect(parse([22, 3, 1, 0, 60, type]).outcome == .malformed(.notClientHello))
        }
    }

    @Test("Bytes behind the hello in its record are refused as soon as the lengths show them")
    func bytesBehindHello() {
        let message = HelloBuilder(name: "a.example").message()
        let bytes = HelloBuilder.record(of: message + [0])
        #expect(parse(bytes).outcome == .malformed(.bytesBehindHello))
        #expect(parse(Array(bytes.prefix(9))).outcome == .malformed(.bytesBehindHello))
        let second = HelloBuilder.handshake(type: 1, body: [0])
        let cut = HelloBuilder.records(of: message + second, sizes: [30])
        #expect(parse(cut).outcome == .malformed(.bytesBehindHello))
    }

    @Test("Bytes in records behind the hello are no part of it")
    func earlyData() {
        let record = HelloBuilder(name: "a.example").record()
        for behind: [UInt8] in [
            [20, 3, 3, 0, 1, 1], [23, 3, 3, 0, 1, 0], [0], [22, 3, 3, 0, 0], Array("garbage".utf8),
        ] {
            let (outcome, hello) = parse(record + behind)
            #expect(outcome == .name)
            #expect(Int(hello.byteCount) == record.count)
        }
    }

    // MARK: Limits

    @Test("A hello of exactly the limit passes, one byte more is too large, and its header is enough to know")
    func bytesMax() {
        var hello = HelloBuilder(name: "a.example")
        hello[21] = []
        hello[21] = [UInt8](repeating: 0, count: 4096 - hello.record().count)
        let bytes = hello.record()
        #expect(bytes.count == 4096)
        #expect(parse(bytes, limits: HelloLimits(bytesMax: 4096)).outcome == .name)
        #expect(parse(Array(bytes.prefix(5)), limits: HelloLimits(bytesMax: 4095)).outcome == .tooLarge)
        // In two records: known from the message's length, before the second record begins.
        let cut = HelloBuilder.records(of: hello.message(), sizes: [4])
        #expect(parse(cut, limits: HelloLimits(bytesMax: 4101)).outcome == .name)
        #expect(parse(Array(cut.prefix(9)), limits: HelloLimits(bytesMax: 4100)).outcome == .tooLarge)
        #expect(parse(Array(cut.prefix(8)), limits: HelloLimits(bytesMax: 4100)).outcome == .needMore)
    }

    @Test("A hello of up to 16 KiB passes by default")
    func defaultLimit() {
        var hello = HelloBuilder.browser(name: "www.example.org")
        hello[21] = []
        hello[21] = [UInt8](repeating: 0, count: 16 * 1024 - hello.record().count)
        #expect(parse(hello.record()).outcome == .name)
        hello[21]?.append(0)
        #expect(parse(hello.record()).outcome == .tooLarge)
        // 2^24 - 1 bytes announced.
        #expect(parse([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]).outcome == .tooLarge)
    }

    @Test("A post-quantum hello in records of one byte passes by default; the limit on records is exact")
    func recordsMax() {
        let message = HelloBuilder.browser(name: "www.example.org").message()
        #expect((1600...2000).contains(message.count))
        let bytes = HelloBuilder.records(of: message, sizes: message.map { _ in 1 })
        #expect(parse(bytes).outcome == .name)
        let exact = HelloLimits(recordsMax: UInt32(message.count))
        #expect(parse(bytes, limits: exact).outcome == .name)
        let short = HelloLimits(recordsMax: UInt32(message.count - 1))
        #expect(parse(bytes, limits: short).outcome == .tooManyRecords)
    }

    // MARK: Fields

    @Test("The fields in front of the extensions must have the lengths that TLS gives them")
    func fields() {
        #expect(outcome { $0.legacyVersion = 0x0300 } == .malformed(.obsoleteVersion))
        #expect(outcome { $0.legacyVersion = 0x0002 } == .malformed(.obsoleteVersion))
        for version: UInt16 in [0x0301, 0x0302, 0x0303, 0x0304, 0x03ff, 0x0400] {
            #expect(outcome { $0.legacyVersion = version } == .name)
        }
        for count in 0...32 {
            #expect(outcome { $0.sessionIdentifier = [UInt8](repeating: 1, count: count) } == .name)
        }
        #expect(
            outcome { $0.sessionIdentifier = [UInt8](repeating: 1, count: 33) }
                == .malformed(.sessionIdentifierLength))
        #expect(outcome { $0.cipherSuites = [] } == .malformed(.cipherSuitesLength))
        #expect(outcome { $0.cipherSuites = [0x13, 0x01, 0x13] } == .malformed(.cipherSuitesLength))
        #expect(outcome { $0.compressionMethods = [] } == .malformed(.compressionMethods))
        #expect(outcome { $0.compressionMethods = [1] } == .malformed(.compressionMethods))
        #expect(outcome { $0.compressionMethods = [1, 0] } == .name)
        #expect(outcome { $0.trailingBytes = [0] } == .malformed(.extensionsLength))
        #expect(parse([22, 3, 1, 0, 44, 1, 0, 0, 40]).outcome == .malformed(.helloTooShort))
    }

    @Test("A hello without extensions, or without server_name among them, has no name")
    func noName() {
        #expect(outcome { $0.extensions = nil } == .noName)
        #expect(outcome { $0.extensions = [] } == .noName)
        #expect(outcome { $0[0] = nil } == .noName)
    }

    @Test("An extension that leads out of the block is refused, also by one byte")
    func extensionLengths() {
        let hello = HelloBuilder(name: "a.example")
        let message = hello.message()
        let lastLength = message.count - (hello.extensions?.last?.body.count ?? 0) - 2
        var longer = message
        longer[lastLength + 1] += 1
        #expect(parse(HelloBuilder.record(of: longer)).outcome == .malformed(.extensionLength))
        var shorter = message
        shorter[lastLength + 1] -= 1
        #expect(parse(HelloBuilder.record(of: shorter)).outcome == .malformed(.extensionLength))
        var noBody = HelloBuilder(name: nil)
        noBody.extensions = nil
        noBody.trailingBytes = [0, 3, 0, 0, 0]
        #expect(parse(noBody.record()).outcome == .malformed(.extensionLength))
    }

    @Test("No extension may come twice, be it known, unknown or GREASE, and however many others there are")
    func extensionTwice() {
        for type: UInt16 in [0, 16, 10, 43, 63, 64, 0x0a0a, 0xfe0d, 0xffff] {
            for others in [0, 5, 14, 15, 16, 17, 40, 900] {
                var hello = HelloBuilder(name: "a.example")
                let body =
                    hello[type]
                    ?? (type == 16 ? HelloBuilder.Extension.applicationProtocols(["h2"]).body : [])
                hello[type] = body
                hello.extensions?.insert(
                    contentsOf: (0..<UInt16(others)).map { .init(type: 0x1001 + 2 * $0, body: []) }, at: 1)
                #expect(
                    parse(hello.record()).outcome != .malformed(.extensionTwice),
                    "type \(type), \(others) others")
                hello.extensions?.append(.init(type: type, body: body))
                #expect(
                    parse(hello.record()).outcome == .malformed(.extensionTwice),
                    "type \(type), \(others) others")
            }
        }
    }

    @Test("Nothing may follow pre_shared_key")
    func preSharedKey() {
        #expect(outcome { $0.extensions?.append(.preSharedKey()) } == .name)
        #expect(outcome { $0.extensions?.insert(.preSharedKey(), at: 0) } == .malformed(.preSharedKeyNotLast))
    }

    // MARK: The name

    @Test("server_name must hold exactly one host name, and its lengths must add up")
    func serverName() {
        #expect(outcome(serverName: []) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0]) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0, 0]) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0, 1, 0]) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0, 3, 0, 0, 0]) == .malformed(.hostName(.empty)))
        #expect(outcome(serverName: [0, 4, 0, 0, 1, 0x61]) == .name)
        #expect(outcome(serverName: [0, 4, 0, 0, 1, 0x61, 0]) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0, 5, 0, 0, 1, 0x61]) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0, 5, 0, 0, 1, 0x61, 0]) == .malformed(.serverNameTwice))
        #expect(outcome(serverName: [0, 4, 0, 0, 2, 0x61]) == .malformed(.serverNameLength))
        #expect(outcome(serverName: [0, 4, 1, 0, 1, 0x61]) == .malformed(.serverNameType))
        let name = Array("a.example".utf8)
        let two = HelloBuilder.Extension.serverNames([(0, name), (0, name)]).body
        #expect(outcome(serverName: two) == .malformed(.serverNameTwice))
        let other = HelloBuilder.Extension.serverNames([(0, name), (1, name)]).body
        #expect(outcome(serverName: other) == .malformed(.serverNameTwice))
    }

    @Test("A hello of 65 bytes whose name says it has 65535 is refused and nothing behind it is read")
    func nameOfAllBytes() {
        var hello = HelloBuilder(name: nil)
        hello.sessionIdentifier = []
        hello.cipherSuites = [0x13, 0x01]
        hello.extensions = [.init(type: 0, body: [0, 3, 0, 0xff, 0xff])]
        hello[21] = []
        let bytes = hello.record()
        #expect(bytes.count == 65)
        #expect(parse(bytes).outcome == .malformed(.serverNameLength))
        // With a real page behind it, a read beyond the name would find something.
        #expect(
            parse(bytes + [UInt8](repeating: 0x61, count: 70_000)).outcome == .malformed(.serverNameLength))
    }

    @Test(
        "The name is normalised, or refused for the reason the normaliser gives",
        arguments: [
            ("WWW.Example.ORG.", nil), ("a_b.example", nil), ("", .empty), ("a..b", .emptyLabel),
            ("127.0.0.1", .ipLiteral),
            ("::1", .ipLiteral), ("a\0b", .controlByte), ("bücher.example", .nonASCIIByte), ("a b", .blank),
            ("a/b", .invalidByte),
            (String(repeating: "a", count: 64), .labelTooLong),
            (String(repeating: "ab.", count: 100) + "a", .tooLong),
            (String(repeating: "ab.", count: 5000) + "a", .tooLong),
        ] as [(String, HostNameFault.Reason?)])
    func names(text: String, reason: HostNameFault.Reason?) throws {
        let message = HelloBuilder(name: text).message()
        let expected: HelloOutcome = reason.map { .malformed(.hostName($0)) } ?? .name
        #expect(parse(HelloBuilder.record(of: message)).outcome == expected)
        // Cut into records, the name is joined before it is normalised, and the answer is the same.
        for size in [1, 2, 7, 100] where message.count / size < 2048 {
            let sizes = [Int](repeating: size, count: message.count / size)
            let (outcome, hello) = parse(
                HelloBuilder.records(of: message, sizes: sizes), limits: .init(bytesMax: 200_000))
            #expect(outcome == expected, "in records of \(size)")
            if reason == nil { #expect(hello.name == HostName.spelled(Array(text.utf8))) }
        }
    }

    @Test("A refused hello leaves no name behind, not even one that was read before the fault")
    func nothingLeft() {
        var hello = HelloBuilder(name: "a.example")
        hello.extensions?.append(.applicationProtocols([""]))
        let (outcome, result) = parse(hello.record())
        #expect(outcome == .malformed(.applicationProtocolsLength))
        #expect(result == ClientHello())
    }

    // MARK: The offers

    @Test("Each protocol offered by ALPN is told from the others")
    func applicationProtocols() {
        let offers: [([String], ApplicationProtocols)] = [
            (["h2"], .http2), (["http/1.1"], .http11), (["http/1.0"], .http10), (["h3"], .http3),
            (["acme-tls/1"], .acmeTLS1), (["h2", "http/1.1"], [.http2, .http11]), (["acme-tls/2"], .other),
            (["acme-tls/10"], .other), (["cme-tls/1"], .other), (["H2"], .other), (["\0h2"], .other),
            (["imap", "h2"], [.other, .http2]),
        ]
        for (names, expected) in offers {
            var hello = HelloBuilder(name: "a.example")
            hello.extensions?.append(.applicationProtocols(names))
            #expect(parse(hello.record()).hello.applicationProtocols == expected, "\(names)")
        }
        for body: [UInt8] in [
            [], [0], [0, 0], [0, 1, 0], [0, 2, 2, 0x68], [0, 3, 2, 0x68, 0x32, 0], [0, 4, 2, 0x68, 0x32, 0],
        ] {
            #expect(outcome { $0[16] = body } == .malformed(.applicationProtocolsLength), "\(body)")
        }
    }

    @Test("Post-quantum groups, ECH and early data are noted")
    func offers() {
        #expect(!parse(HelloBuilder(name: "a.example").record()).hello.offersPostQuantum)
        for group: UInt16 in [0x11ec, 0x11eb, 0x11ed, 0x0201, 0x6399] {
            var hello = HelloBuilder(name: "a.example")
            hello[10] = HelloBuilder.Extension.supportedGroups([0x001d, group]).body
            #expect(parse(hello.record()).hello.offersPostQuantum)
        }
        for body: [UInt8] in [[], [0], [0, 0], [0, 1, 0], [0, 2, 0], [0, 2, 0, 1, 0]] {
            #expect(outcome { $0[10] = body } == .malformed(.supportedGroupsLength), "\(body)")
        }
        let browser = parse(HelloBuilder.browser(name: "a.example").record()).hello
        #expect(browser.offersECH)
        #expect(browser.offersPostQuantum)
        #expect(browser.applicationProtocols == [.http2, .http11])
        #expect(!browser.offersEarlyData)
    }

    @Test("Each fault has a label of its own")
    func labels() {
        let faults: [HelloFault] = [
            .recordType, .recordVersion, .recordEmpty, .recordTooLong, .bytesBehindHello, .notClientHello,
            .helloTooShort,
            .obsoleteVersion, .sessionIdentifierLength, .cipherSuitesLength, .compressionMethods,
            .extensionsLength,
            .extensionLength, .extensionTwice, .preSharedKeyNotLast, .serverNameLength, .serverNameType,
            .serverNameTwice,
            .applicationProtocolsLength, .supportedGroupsLength,
        ]
        #expect(Set(faults.map { "\($0.label)" }).count == faults.count)
    }
}
