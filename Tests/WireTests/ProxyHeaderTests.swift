import Testing
import Wire

/// PROXY protocol headers, read and written; see haproxy's doc/proxy-protocol.txt.
@Suite struct ProxyHeaderTests {
    private static let client = ProxyEndpoint(ipv4: 0xc000_0201, port: 56324)
    private static let edge = ProxyEndpoint(ipv4: 0xcb00_7107, port: 443)
    private static let client6 = ProxyEndpoint(high: 0x2001_0db8_0000_0000, low: 0x1, port: 56324)
    private static let edge6 = ProxyEndpoint(high: 0x2001_0db8_0000_0001, low: 0xff, port: 443)

    private static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]

    private func parse(_ bytes: [UInt8]) -> ProxyHeaderOutcome {
        ProxyHeaderParser.parse(bytes.span.rawBytes)
    }
    private func parse(_ text: String) -> ProxyHeaderOutcome { parse(Array(text.utf8)) }

    private func version2(_ command: UInt8, _ family: UInt8, _ block: [UInt8]) -> [UInt8] {
        Self.signature + [command, family, UInt8(block.count >> 8), UInt8(block.count & 255)] + block
    }

    private func isMalformed(_ outcome: ProxyHeaderOutcome) -> Bool {
        if case .malformed = outcome { true } else { false }
    }

    private func written(_ set: (inout ProxyHeader) -> Void) -> [UInt8] {
        var header = ProxyHeader()
        set(&header)
        let bytes = header.bytes
        return (0..<bytes.byteCount).map { bytes.byte(at: $0) }
    }

    private func version1(_ source: ProxyEndpoint?, _ destination: ProxyEndpoint?) -> [UInt8] {
        written { $0.setVersion1(source: source, destination: destination) }
    }

    private func version2(
        _ source: ProxyEndpoint?, _ destination: ProxyEndpoint?, name: String = "",
        protocol applicationProtocol: StaticString = ""
    ) -> [UInt8] {
        let name = Array(name.utf8)
        return written {
            $0.setVersion2(
                source: source, destination: destination, authority: name.span.rawBytes,
                applicationProtocol: applicationProtocol)
        }
    }

    // MARK: Version 1

    @Test("The examples of the specification are read: TCP4, TCP6, UNKNOWN, and the longest lines there are")
    func version1Examples() {
        let longest =
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
            + "65535 65535\r\n"
        let all = UInt64.max
        #expect(
            parse("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n")
                == .addresses(
                    source: ProxyEndpoint(ipv4: .max, port: 65535),
                    destination: ProxyEndpoint(ipv4: .max, port: 65535), byteCount: 56))
        #expect(
            parse(longest)
                == .addresses(
                    source: ProxyEndpoint(high: all, low: all, port: 65535),
                    destination: ProxyEndpoint(high: all, low: all, port: 65535), byteCount: 104))
        #expect(parse("PROXY UNKNOWN\r\n") == .local(byteCount: 15))
        let unknown = longest.replacing("TCP6", with: "UNKNOWN")
        #expect(unknown.utf8.count == ProxyHeader.version1BytesMax)
        #expect(parse(unknown) == .local(byteCount: 107))
        #expect(
            parse("PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\r\nGET / HTTP/1.1\r\n")
                == .addresses(source: Self.client, destination: Self.edge, byteCount: 44))
        #expect(
            parse("PROXY TCP6 2001:db8::1 ::ffff:203.0.113.7 56324 443\r\n")
                == .addresses(source: Self.client6, destination: Self.edge, byteCount: 53))
    }

    @Test(
        "A line that is not exactly as it should be is refused",
        arguments: [
            "PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\n",
            "PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\r\r\n",
            "PROXY TCP4  192.0.2.1 203.0.113.7 56324 443\r\n",
            "PROXY TCP4 192.0.2.1 203.0.113.7 56324 443 \r\n", "PROXY TCP4 192.0.2.1 203.0.113.7 56324\r\n",
            "PROXY TCP4 192.0.2.1 203.0.113.7 56324 443 1\r\n",
            "PROXY TCP4 192.0.2.1 203.0.113.7 056324 443\r\n",
            "PROXY TCP4 192.0.2.1 203.0.113.7 56324 65536\r\n",
            "PROXY TCP4 192.0.2.1 203.0.113.7 -1 443\r\n", "PROXY TCP4 192.0.2.1 203.0.113.7 56324 +443\r\n",
            "PROXY TCP4 192.0.02.1 203.0.113.7 56324 443\r\n",
            "PROXY TCP4 192.0.2 203.0.113.7 56324 443\r\n", "PROXY TCP4 ::1 ::1 56324 443\r\n",
            "PROXY TCP6 192.0.2.1 203.0.113.7 56324 443\r\n", "PROXY TCP6 ::1 ::1%eth0 56324 443\r\n",
            "PROXY TCP6 1::2::3 ::1 56324 443\r\n", "PROXY UDP4 192.0.2.1 203.0.113.7 56324 443\r\n",
            "PROXY tcp4 192.0.2.1 203.0.113.7 56324 443\r\n", "PROXY UNKNOWNS\r\n", "PROXY  UNKNOWN\r\n",
            "PROXY \r\n", "PROXY TCP4\r\n", "proxy UNKNOWN\r\n", "PROXX", "PRI * HTTP/2.0\r\n", "POST / H",
            "\u{16}\u{3}\u{1}", "GET /", "\0",
        ])
    func version1Strict(_ text: String) {
        #expect(isMalformed(parse(text)), "\(text)")
    }

    @Test("A line without an end is refused with its 107th byte, and not before")
    func version1Endless() {
        let bytes = Array("PROXY UNKNOWN ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 200)
        for count in 1..<107 { #expect(parse(Array(bytes[..<count])) == .needMore) }
        for count in [107, 108, 214] { #expect(parse(Array(bytes[..<count])) == .malformed(.line)) }
        #expect(parse(Array(bytes[..<106]) + [13, 10]) == .malformed(.line), "the line feed is the 108th")
    }

    // MARK: Version 2

    /// 192.0.2.1 → 203.0.113.7, 56324 → 443.
    private static let block4: [UInt8] = [192, 0, 2, 1, 203, 0, 113, 7, 0xdc, 0x04, 0x01, 0xbb]

    @Test("Binary headers of each family are read; what names no TCP client is local")
    func version2Families() {
        let addresses4 = ProxyHeaderOutcome.addresses(
            source: Self.client, destination: Self.edge, byteCount: 28)
        #expect(parse(version2(0x21, 0x11, Self.block4)) == addresses4)
        #expect(parse(version2(0x21, 0x11, Self.block4) + [0x16, 3, 1]) == addresses4)
        let block6: [UInt8] =
            [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
            + [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff] + [0xdc, 0x04, 0x01, 0xbb]
        #expect(
            parse(version2(0x21, 0x21, block6))
                == .addresses(source: Self.client6, destination: Self.edge6, byteCount: 52))
        let block: [UInt8] = [UInt8](repeating: 0, count: 216)
        #expect(parse(version2(0x21, 0x31, block)) == .local(byteCount: 232), "unix sockets")
        #expect(parse(version2(0x21, 0x12, Self.block4)) == .local(byteCount: 28), "datagrams")
        #expect(parse(version2(0x21, 0x00, [])) == .local(byteCount: 16), "unspecified")
        #expect(parse(version2(0x20, 0x00, [])) == .local(byteCount: 16), "as haproxy checks")
        #expect(parse(version2(0x20, 0xff, [1, 2, 3])) == .local(byteCount: 19), "LOCAL: all is skipped")
    }

    @Test("TLVs are stepped over, and must not lead out of the header")
    func version2Extensions() {
        let one: [UInt8] = [0x04, 0, 1, 9]
        #expect(!isMalformed(parse(version2(0x21, 0x11, Self.block4 + one + one + [0x30, 0, 0]))))
        for wrong: [UInt8] in [[4], [4, 0], [4, 0, 1], one + [4, 0, 2, 1], [4, 255, 255, 1]] {
            #expect(parse(version2(0x21, 0x11, Self.block4 + wrong)) == .malformed(.extensions))
        }
    }

    @Test("What the binary form does not know, or is too short or too long, is refused as soon as it is seen")
    func version2Strict() {
        for command: UInt8 in [0x00, 0x01, 0x11, 0x22, 0x2f, 0x31] {
            #expect(parse(Self.signature + [command]) == .malformed(.command))
        }
        for family: UInt8 in [0x41, 0xf0, 0x13, 0x1f] {
            #expect(parse(Self.signature + [0x21, family]) == .malformed(.family))
        }
        for (family, count): (UInt8, Int) in [(0x11, 11), (0x21, 35), (0x31, 215)] {
            let short = version2(0x21, family, [UInt8](repeating: 0, count: count))
            #expect(parse(short) == .malformed(.length))
        }
        let longest = ProxyHeaderParser.bytesMax - 16
        let fits = version2(0x20, 0, [UInt8](repeating: 0, count: longest))
        #expect(parse(fits) == .local(byteCount: ProxyHeaderParser.bytesMax))
        #expect(parse(Array(fits[..<(fits.count - 1)])) == .needMore)
        let tooLong = version2(0x20, 0, [UInt8](repeating: 0, count: longest + 1))
        #expect(parse(Array(tooLong[..<16])) == .malformed(.length))
    }

    // MARK: Both

    private var samples: [[UInt8]] {
        [
            version1(Self.client, Self.edge), version1(Self.client6, Self.edge6), version1(nil, nil),
            version2(Self.client, Self.edge, name: "www.example.org", protocol: "h2"),
            version2(Self.client6, Self.edge6), version2(nil, nil),
            version2(0x21, 0x31, [UInt8](repeating: 47, count: 216) + [4, 0, 1, 0]), version2(0x20, 0, [1]),
        ]
    }

    @Test("No prefix of a header is one, or is refused; bytes behind a header change nothing")
    func prefixes() {
        for sample in samples {
            for count in 0..<sample.count { #expect(parse(Array(sample[..<count])) == .needMore) }
            let outcome = parse(sample)
            #expect(outcome != .needMore && !isMalformed(outcome))
            for tail: [UInt8] in [[0], [13, 10], Array("PROXY UNKNOWN\r\n".utf8)] {
                #expect(parse(sample + tail) == outcome)
            }
        }
    }

    @Test("Every flipped bit, changed byte and missing byte gets an answer, within the bytes received")
    func damages() {
        for sample in samples {
            for place in sample.indices {
                var damaged = sample
                damaged.remove(at: place)
                check(damaged)
                for value in 0...255 as ClosedRange<UInt8> {
                    damaged = sample
                    damaged[place] = value
                    check(damaged)
                }
            }
        }
    }

    private func check(_ bytes: [UInt8]) {
        switch parse(bytes) {
        case .needMore, .malformed: break
        case .addresses(_, _, let count), .local(let count):
            if count > bytes.count { Issue.record("a header ends behind the bytes received: \(bytes)") }
        }
    }

    @Test("Version 1 is written to the byte, and IPv6 as RFC 5952 wants it")
    func writesVersion1() {
        func text(_ source: ProxyEndpoint?, _ destination: ProxyEndpoint?) -> String {
            String(decoding: version1(source, destination), as: UTF8.self)
        }
        #expect(text(Self.client, Self.edge) == "PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\r\n")
        #expect(
            text(Self.client6, Self.edge6) == "PROXY TCP6 2001:db8::1 2001:db8:0:1::ff 56324 443\r\n")
        // One of both is not IPv4: then neither is written so.
        #expect(text(Self.client, Self.edge6).hasPrefix("PROXY TCP6 ::ffff:c000:201 2001:db8:0:1::ff "))
        #expect(text(nil, Self.edge) == "PROXY UNKNOWN\r\n")
        #expect(text(Self.client, nil) == "PROXY UNKNOWN\r\n")
        let zero = ProxyEndpoint(high: 0, low: 0, port: 0)
        #expect(text(zero, zero) == "PROXY TCP6 :: :: 0 0\r\n")
    }

    @Test("Version 2 is written to the byte, with the name and the one protocol as TLVs")
    func writesVersion2() {
        #expect(
            version2(Self.client, Self.edge, name: "a.example", protocol: "h2")
                == Self.signature
                // Version 2, PROXY; IPv4, stream; 12 bytes of addresses and 5 + 12 of TLVs.
                + [0x21, 0x11, 0, 29] + Self.block4
                + [0x01, 0, 2] + Array("h2".utf8)  // PP2_TYPE_ALPN
                + [0x02, 0, 9] + Array("a.example".utf8))  // PP2_TYPE_AUTHORITY
        #expect(version2(Self.client, Self.edge) == Self.signature + [0x21, 0x11, 0, 12] + Self.block4)
        // PROXY with an unspecified family: nobody is named, the name still is.
        #expect(
            version2(nil, Self.edge, name: "a.b")
                == Self.signature + [0x21, 0x00, 0, 6] + [0x02, 0, 3] + Array("a.b".utf8))
        let longest = version2(
            Self.client6, Self.edge6, name: String(repeating: "x", count: 253), protocol: "acme-tls/1")
        #expect(longest.count == 16 + 36 + 3 + 10 + 3 + 253 && longest.count <= ProxyHeader.byteCountMax)
    }

    @Test("What is written is read again as the same addresses")
    func roundTrips() {
        for source in [Self.client, Self.edge, Self.client6, Self.edge6] {
            for destination in [Self.client, Self.edge, Self.client6, Self.edge6] {
                for bytes in [
                    version1(source, destination), version2(source, destination),
                    version2(source, destination, name: "www.example.org", protocol: "http/1.1"),
                ] {
                    #expect(
                        parse(bytes + [22, 3, 1])
                            == .addresses(source: source, destination: destination, byteCount: bytes.count))
                }
            }
        }
        #expect(parse(version1(nil, nil)) == .local(byteCount: 15))
        #expect(parse(version2(nil, nil, name: "a.b")) == .local(byteCount: 22))
    }

    @Test("The protocol is named when just one is offered, and known")
    func singleProtocol() {
        #expect("\(ApplicationProtocols.http2.single)" == "h2")
        #expect("\(ApplicationProtocols.acmeTLS1.single)" == "acme-tls/1")
        #expect("\(([.http2, .http11] as ApplicationProtocols).single)" == "")
        #expect("\(([.http2, .other] as ApplicationProtocols).single)" == "")
        #expect(
            "\(ApplicationProtocols.other.single)" == "" && "\((([]) as ApplicationProtocols).single)" == "")
    }
}
