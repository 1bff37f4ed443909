import Support
import Testing

extension EndToEnd {
    /// Requests that have been, or might be, read in two ways: against the edge with nginx behind it. What
    /// the parser makes of each byte is in WireTests; here it counts what arrives.
    @Suite struct Smuggling {
        /// The edge, a site whose requests all go to nginx, and what nginx has seen.
        private struct Site {
            let server: WebServer
            let port: Requests.Port

            init() throws {
                server = try WebServer.nginx()
                port = try Requests.Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            }

            /// Sends a character a byte, and receives until the edge closes.
            func ask(_ text: String) throws -> String {
                let client = try StreamSocket(to: port.endpoint)
                // An answer may come before all of a large request is sent.
                try? client.send(text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
                return String(decoding: try client.receiveToEnd(), as: UTF8.self)
            }

            /// Whether there is one answer, of this status.
            func refuses(_ text: String, _ status: Int) throws {
                let answer = try ask(text)
                #expect(
                    answer.hasPrefix("HTTP/1.1 \(status) ") && Self.answerCount(answer) == 1,
                    "\(text.debugDescription.prefix(200)): \(answer)")
            }

            /// Lines that begin an answer.
            static func answerCount(_ answer: String) -> Int {
                answer.split(whereSeparator: \.isNewline)
                    .count { $0.hasPrefix("HTTP/1.1 ") && $0.dropFirst(9).first?.isNumber == true }
            }

            /// The request lines that have arrived.
            var arrived: [Substring] {
                (TextFile.read(server.logPath) ?? "").split(separator: "\n")
                    .compactMap { $0.split(separator: "\"").dropFirst().first }
            }
        }

        /// Where one reader's request ends and another's goes on.
        private static let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"

        @Test func fieldsThatTwoReadersUnderstandInTwoWaysAreRefusedAndReachNobody() throws {
            let site = try Site()
            for (status, lines) in Self.fields {
                for line in lines {
                    try site.refuses(
                        "POST / HTTP/1.1\r\nHost: a.example\r\n\(line)\r\n\r\n" + Self.smuggled, status)
                }
            }
            #expect(site.arrived.isEmpty, "\(site.arrived)")
        }

        @Test func requestsThatAreNoneOrAreForSomebodyElseAreRefusedAndReachNobody() throws {
            let site = try Site()
            for (status, requests) in Self.requests {
                for request in requests { try site.refuses(request, status) }
            }
            #expect(site.arrived.isEmpty, "\(site.arrived)")
        }

        @Test func whatIsTooLargeIsRefusedAndReachesNobody() throws {
            let site = try Site()
            let large = String(repeating: "a", count: 100_000)
            let start = "GET / HTTP/1.1\r\nHost: a.example\r\n"
            func many(_ count: Int) -> String { String(repeating: "X: y\r\n", count: count) }
            try site.refuses("GET /\(large) HTTP/1.1\r\nHost: a.example\r\n\r\n", 414)
            try site.refuses("\(large) / HTTP/1.1\r\nHost: a.example\r\n\r\n", 414)
            try site.refuses(
                String(repeating: "A", count: 33) + " / HTTP/1.1\r\nHost: a.example\r\n\r\n", 501)
            for fields in [
                "\(large): x\r\n", "X: \(large)\r\n", "Cookie: \(large)\r\n", many(10_000), many(100),
            ] {
                try site.refuses(start + fields + "\r\n", 431)
            }
            try site.refuses("GET / HTTP/1.1\r\nHost: \(large)\r\n\r\n", 431)
            try site.refuses("GET / HTTP/1.1\r\nHost: \(large.prefix(300))\r\n\r\n", 400)
            #expect(site.arrived.isEmpty, "\(site.arrived)")
            // As much as there may be: a hundred fields, Host among them.
            #expect(try site.ask(start + many(99) + "\r\n").hasPrefix("HTTP/1.1 200 "))
        }

        /// These have one meaning: one request arrives for each, whatever stands behind it.
        @Test func aRequestThatEndsInOnePlaceArrivesAloneWhateverFollowsIt() throws {
            let site = try Site()
            let second = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n"
            let length = second.utf8.count
            let heads = [
                "GET /1 HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n",
                "GET /2 HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n",
                "GET http://a.example/3 HTTP/1.1\r\nHost: a.example\r\n\r\n",
                "POST /4 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n",
                "POST /5 HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(length)\r\n\r\n",
                "GET /6 HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(length)\r\n\r\n",
                "HEAD /7 HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(length)\r\n\r\n",
                "OPTIONS /8 HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(length)\r\n\r\n",
                "POST /9 HTTP/1.1\r\nHost: a.example\r\nContent-Length:\t\(length) \r\n"
                    + "Expect: 100-continue\r\n\r\n",
                "GET /10 HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                    + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
                "GET /11 HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                "POST /12 HTTP/1.1\r\nHost: A.Example.:80\r\nContent-Length: \(length)\r\n"
                    + "X-Transfer-Encoding: chunked\r\n\r\n",
                "GET /13 HTTP/1.1\r\nHost: a.example\r\nTE: chunked, trailers\r\nTrailer: Host\r\n\r\n",
            ]
            for head in heads {
                let answer = try site.ask(head + second + second).replacing("HTTP/1.1 100 Continue", with: "")
                #expect(answer.contains("HTTP/1.1 "), "\(head)")
                #expect(Site.answerCount(answer) == 1, "\(head): \(answer)")
            }
            let paths = site.arrived.compactMap { $0.split(separator: " ").dropFirst().first }
            #expect(paths == heads.indices.map { "/\($0 + 1)" }, "\(site.arrived)")
        }
    }
}

extension EndToEnd.Smuggling {
    /// Lines behind Host, with the answer that each has.
    fileprivate static let fields: [(Int, [String])] = [
        (
            400,
            // Two lengths, in two words or in one.
            [
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked\r\nContent-Length: 30",
                "Transfer-Encoding: chunked\r\nContent-Length: 0",
                "Transfer-Encoding:\tchunked\r\nContent-Length: 5",
                "content-length: 5\r\nTRANSFER-ENCODING: CHUNKED",
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close",
                "Content-Length: 5\r\nTransfer_Encoding: chunked",
                "Content-Length: 5\r\nContent_Length: 6", "Content-Length: 5\r\nContent-Length: 5",
                "Content-Length: 0\r\nContent-Length: 44", "Content-Length: 5, 5",
                "Content-Length: 5,6", "Content-Length: 5, 5, 5", "Content-Length: +5",
                "Content-Length: -5", "Content-Length: -0", "Content-Length: 05", "Content-Length: 00",
                "Content-Length: 0x5", "Content-Length: 0o5", "Content-Length: 5.0", "Content-Length: 5e0",
                "Content-Length: 5 5", "Content-Length: 5;", "Content-Length: \"5\"", "Content-Length:",
                "Content-Length: 1_0", "Content-Length: five", "Content-Length: 5\u{a0}",
                "Content-Length: \u{b2}", "Content-Length: 5\0", "Content-Length: \u{b}5",
                "Content-Length : 5", "Content-Length\t: 5", "Content-Length\0: 5", "Content-Length:\r\n 5",
                "Content-Length: 5\r\n 6", " Content-Length: 5", "Transfer-Encoding : chunked",
                "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked",
                "X: y\r\n\tTransfer-Encoding: chunked", "X: y\r\n Transfer-Encoding: chunked",
                "Transfer-Encoding: \u{b}chunked", "Transfer-Encoding: \u{c}chunked",
                "Transfer-Encoding: chunked\0", "Transfer-Encoding: chunked\u{7f}",
                "Transfer-Encoding\0: chunked", "\0Transfer-Encoding: chunked",
                "Transfer-Encoding\u{a0}: chunked", "Transfer Encoding: chunked",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", "Transfer-Encoding",
            ]
        ),
        (
            400,
            // Line ends, names and values.
            [
                "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "X: y\n",
                "X: y\r\n\nGET /smuggled HTTP/1.1", "X: y\n\nGET /smuggled HTTP/1.1\r\nHost: a.example",
                "X: y\r\r", "X: a\0b", "X: a\u{1}b", "X: a\u{7}b", "X: a\u{1b}b", "X: a\u{7f}b", "\u{b}X: y",
                ": y", "no colon", "(x): y", "X[0]: y", "X\u{e9}: y", "\"X\": y", "X\\: y", "X;y: z",
                "X /: y",
                "Connection: Host", "Connection: close, Content-Length", "Connection: Transfer-Encoding",
                "Connection: X-Forwarded-For", "Connection: \0", "Host: a.example", "Host: b.example",
                "host: b.example", "Host : b.example", "HOST: a.example:80", " Host: b.example",
            ]
        ),
        (
            501,
            [
                "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, chunked",
                "Transfer-Encoding: identity", "Transfer-Encoding: chunked, identity",
                "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: gzip", "Transfer-Encoding:",
                "Transfer-Encoding: ,chunked", "Transfer-Encoding: chunked,",
                "Transfer-Encoding: chunked;q=1",
                "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: 'chunked'",
                "Transfer-Encoding: ch\u{fc}nked", "Transfer-Encoding: chunked\u{a0}",
                "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: xchunked\r\nContent-Length: 5",
            ]
        ),
        (
            // Chunks are never passed on, so that none of their many ways to be misread matters.
            411,
            [
                "Transfer-Encoding: chunked", "Transfer-Encoding:\tchunked \t", "TRANSFER-ENCODING: CHUNKED",
                "Transfer-Encoding: chunked\r\nTrailer: Content-Length",
                "Transfer-Encoding: chunked\r\nExpect: 100-continue",
            ]
        ),
        (
            413,
            [
                "Content-Length: 9223372036854775808", "Content-Length: 18446744073709551616",
                "Content-Length: 18446744073709551621", "Content-Length: 4294967296000000",
                "Content-Length: " + String(repeating: "9", count: 200),
            ]
        ),
    ]

    /// Whole requests, with the answer that each has.
    fileprivate static let requests: [(Int, [String])] = [
        (
            400,
            [
                "GET /\r\n", "GET /\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n", "\n", "   \r\n\r\n",
                "\0\0\0\0\r\n\r\n",
                "\u{16}\u{3}\u{1}\u{2}\0\u{1}", "SSH-2.0-x\r\n", "GET / HTTP/1.1\nHost: a.example\n\n",
                "GET / HTTP/1.1\rHost: a.example\r\r",
            ]
        ),
        (
            400,
            [
                "GET / HTTP/1.1 ", "GET  / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1",
                "GET /a b HTTP/1.1",
                " GET / HTTP/1.1", "\r\nGET / HTTP/1.1", "\nGET / HTTP/1.1", "GET / HTTP/1.10",
                "GET / HTTP/1", "GET / HTTP/1.", "GET / http/1.1", "GET / HTTP/01.1", "GET / HTP/1.1",
                "GET / HTTP 1.1", "GET /HTTP/1.1", "GET / HTTP/1.1\0", "G\u{e9}T / HTTP/1.1",
                "G(T / HTTP/1.1",
                "GET * HTTP/1.1", "OPTIONS * HTTP/1.1", "GET a.example/ HTTP/1.1", "GET x HTTP/1.1",
                "GET ?x HTTP/1.1", "GET https://a.example/ HTTP/1.1", "GET ftp://a.example/ HTTP/1.1",
                "GET http://b.example/ HTTP/1.1", "GET http://a.example@b.example/ HTTP/1.1",
                "GET http://user:pass@a.example/ HTTP/1.1", "GET http:///x HTTP/1.1",
                "GET http://a.example:81/ HTTP/1.1", "GET /#x HTTP/1.1", "GET /\0 HTTP/1.1",
                "GET /\u{7f} HTTP/1.1", "GET /\u{e9} HTTP/1.1", "GET /\u{1} HTTP/1.1",
            ].map { $0 + "\r\nHost: a.example\r\n\r\n" + smuggled }
        ),
        (
            400,
            [
                "X: y", "Host: a.example/x", "Host: user@a.example", "Host: a.example, b.example",
                "Host: a.example b.example", "Host: a.example:99999", "Host: a.example:80a",
                "Host: a.example:-1", "Host: a..example", "Host: a.example\0", "Host: a.example\u{b}",
                "Host: [::1", "Host: http://a.example", "Host: a.example#", "Host: a.example?",
                "Host: a.example\\b.example", "Host: \"a.example\"", "Host:\r\n a.example",
                " Host: a.example", "Host : a.example", "Host: a.example\r\n b.example",
            ].map { "GET / HTTP/1.1\r\n" + $0 + "\r\n\r\n" + smuggled }
        ),
        (501, ["CONNECT a.example:443", "CONNECT /", "TRACE /"].map(asked)),
        (
            505,
            [
                "GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", "GET / HTTP/1.2\r\nHost: a.example\r\n\r\n",
                "GET / HTTP/0.9\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ]
        ),
        (404, ["GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n"]),
    ]

    private static func asked(_ line: String) -> String {
        line + " HTTP/1.1\r\nHost: a.example\r\n\r\n" + smuggled
    }
}
