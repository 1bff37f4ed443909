import Support
import Testing
import Wire

/// Whatever the bytes, the parser answers, the answer does not depend on how they were cut, and what it
/// writes for a backend it would take itself.
@Suite struct HTTPHeadFuzzTests {
    private static let heads = [
        "POST /a/b?c HTTP/1.1\nHost: www.example.org:80\nContent-Length: 5\nConnection: keep-alive, TE\n"
            + "TE: trailers\nX-Forwarded-For: 10.0.0.1\nAccept: */*\n\nhello",
        "GET http://a.example/.well-known/acme-challenge/x HTTP/1.1\nhost: a.example\nUpgrade: h2c\n\n",
        "PUT / HTTP/1.1\nTransfer-Encoding: chunked\nHost: a.example.\nX_Forwarded_Host: b\n\n0\n\n",
        "HEAD http://a.example HTTP/1.0\nHost: A.example\nForwarded: for=1.2.3.4\n\n",
    ].map(headBytes)

    @Test("Every prefix of a head asks for more, and the head's last byte ends it")
    func prefixes() {
        for head in Self.heads {
            let end = Int(parseHead(head).head.byteCount)
            for count in 0..<end { #expect(parseHead(Array(head.prefix(count))).outcome == .needMore) }
            #expect(parseHead(Array(head.prefix(end))).outcome == .head)
            for step in 1...head.count { _ = HTTPHeadFuzz.run(head.span.rawBytes, step: step) }
        }
    }

    @Test("Every value of every byte is answered, and what is taken stays one request when it is passed on")
    func byteValues() {
        var outcomes: (taken: Int, refused: Int, unfinished: Int) = (0, 0, 0)
        for head in Self.heads {
            for index in head.indices {
                for byte in UInt8.min...UInt8.max {
                    var bytes = head
                    bytes[index] = byte
                    check(bytes, step: 7, &outcomes)
                }
            }
        }
        #expect(outcomes.taken > 1000 && outcomes.refused > 10_000)
        say("heads with one byte changed: \(outcomes)")
    }

    @Test("Heads with several changes are answered, too")
    func mutations() {
        let pieces = [
            "\r\n", "\n", "\r", " ", "\t", ":", "\0", "Host: b.example\r\n", "Content-Length: 7\r\n",
            "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", " HTTP/1.1", "/", "http://", "..",
            "%2e",
            "\r\n\r\n", "GET /other HTTP/1.1\r\nHost: b.example\r\n\r\n", ",", "@", "\u{e9}", "chunked", "0",
        ].map { Array($0.utf8) }
        var outcomes: (taken: Int, refused: Int, unfinished: Int) = (0, 0, 0)
        for seed in UInt64(1)...100_000 {
            var random = HelloRandom(seed: seed)
            var bytes = random.element(of: Self.heads)
            for _ in 0...random.below(4) {
                let index = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes.insert(contentsOf: random.element(of: pieces), at: index)
                case 1: bytes.removeSubrange(index..<min(bytes.count, index + 1 + random.below(12)))
                case 2: bytes[index] ^= UInt8(1) << UInt8(random.below(8))
                default:
                    let other = random.element(of: Self.heads)
                    bytes.replaceSubrange(index..., with: other.dropFirst(random.below(other.count)))
                }
                if bytes.isEmpty { bytes = [0x47] }
            }
            check(bytes, step: 1 + random.below(40), &outcomes)
        }
        #expect(outcomes.taken > 1000 && outcomes.refused > 10_000)
        say("mutated heads: \(outcomes)")
    }

    /// Parses in two ways; a head that is taken is passed on, and must be the same request then.
    private func check(
        _ bytes: [UInt8], step: Int, _ outcomes: inout (taken: Int, refused: Int, unfinished: Int)
    ) {
        switch HTTPHeadFuzz.run(bytes.span.rawBytes, step: step) {
        case .needMore: outcomes.unfinished += 1
        case .refused: outcomes.refused += 1
        case .head:
            outcomes.taken += 1
            let head = parseHead(bytes).head
            let passedOn = forwarded(bytes)
            let (outcome, again) = parseHead(passedOn + Array("GET /x HTTP/1.1\r\n\r\n".utf8))
            guard outcome == .head, Int(again.byteCount) == passedOn.count, again.host == head.host,
                again.contentBytes == head.contentBytes, again.isChunked == head.isChunked,
                again.isChallenge == head.isChallenge,
                passedOn[again.method.bounds] == bytes[head.method.bounds],
                passedOn[again.path.bounds] == bytes[head.path.bounds]
                    || (head.path.count == 0 && passedOn[again.path.bounds] == [0x2f])
            else {
                Issue.record("another request: \(String(decoding: bytes, as: UTF8.self).debugDescription)")
                return
            }
        }
    }

    /// What a backend gets of a head.
    private func forwarded(_ bytes: [UInt8], client: String = "192.0.2.7") -> [UInt8] {
        let head = parseHead(bytes).head
        return written(capacity: Int(head.byteCount) + HTTPRequestHead.forwardedBytesMore) {
            head.appendForwarded(bytes.span.rawBytes, client: Array(client.utf8).span.rawBytes, to: &$0)
        }
    }

    @Test("A backend gets the head without what concerns one connection, and with who the client is")
    func forwardedHead() {
        let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        let cases: [(String, String)] = [
            (
                "POST /a/b?c HTTP/1.1\nX-One: 1\nHost: www.example.org:80\nContent-Length: 5\n"
                    + "Connection: keep-alive, Upgrade\nKeep-Alive: 5\nUpgrade: websocket\nCookie: a=b\n"
                    + "Proxy-Connection: x\nX-Forwarded-For: 10.0.0.1\nx_forwarded_proto: https\n"
                    + "X-Forwarded-Host: evil\nForwarded: for=1\nX-Real-IP: 1\nTE: trailers\n"
                    + "HTTP2-Settings: AA\nX-Two:2 \nX-Forwardedfor: 3\n\nhello",
                "POST /a/b?c HTTP/1.1\nX-One: 1\nHost: www.example.org:80\nContent-Length: 5\nCookie: a=b\n"
                    + "X-Two:2 \nX-Forwardedfor: 3\nX-Forwarded-For: \(longest)\n"
                    + "X-Forwarded-Proto: http\nConnection: close\n\n"
            ),
            (
                "GET http://a.example/x HTTP/1.0\nHost: a.example\n\n",
                "GET /x HTTP/1.0\nHost: a.example\nX-Forwarded-For: \(longest)\n"
                    + "X-Forwarded-Proto: http\nConnection: close\n\n"
            ),
            (
                "GET http://a.example HTTP/1.1\nHost: a.example\n\n",
                "GET / HTTP/1.1\nHost: a.example\nX-Forwarded-For: \(longest)\n"
                    + "X-Forwarded-Proto: http\nConnection: close\n\n"
            ),
        ]
        for (sent, expected) in cases {
            let bytes = forwarded(headBytes(sent), client: longest)
            #expect(bytes == headBytes(expected), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test("The redirection goes to the same path of the name over TLS")
    func redirects() {
        for (target, host, location) in [
            ("/", "a.example", "https://a.example/"),
            ("/a//b?c=d&e=%0d%0aX:%20y", "A.Example.:8080", "https://a.example/a//b?c=d&e=%0d%0aX:%20y"),
            ("http://a.example", "a.example", "https://a.example/"),
            ("http://a.example/x", "a.example", "https://a.example/x"),
            ("//evil.example/", "a.example", "https://a.example//evil.example/"),
        ] {
            let bytes = headBytes("GET \(target) HTTP/1.1\nHost: \(host)\n\n")
            let head = parseHead(bytes).head
            let answer = written(capacity: Int(head.path.count) + HTTPRedirect.bytesMore) {
                HTTPRedirect.append(head, bytes.span.rawBytes, to: &$0)
            }
            let expected =
                "HTTP/1.1 308 Permanent Redirect\nLocation: \(location)\nContent-Length: 0\n"
                + "Connection: close\n\n"
            #expect(String(decoding: answer, as: UTF8.self) == expected.replacing("\n", with: "\r\n"))
        }
    }

    @Test("Each fixed answer is one that closes, and its length is right")
    func fixedAnswers() throws {
        for answer in HTTPAnswer.allCases {
            let head = String(decoding: answer.head, as: UTF8.self)
            #expect(head.hasPrefix("HTTP/1.1 \(answer.rawValue) "))
            #expect(head.contains("\r\nContent-Length: \(answer.content.count)\r\n"))
            #expect(head.hasSuffix("\r\nConnection: close\r\n\r\n"))
            #expect(!head.replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" })
            #expect(answer.content.last == 10 && answer.content.filter { $0 == 10 }.count == 1)
        }
    }
}
