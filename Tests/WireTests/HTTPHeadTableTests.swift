import Testing
import Wire

/// The request line, Host and the bounds: what is taken, what is refused and with which answer.
@Suite struct HTTPHeadTableTests {
    // MARK: What is taken

    @Test("A head gives method, path, host and length, and says where it ends")
    func wholeHead() {
        let text = "POST /a/b?c=d%20e HTTP/1.1\nHost: WWW.Example.ORG:8080\nContent-Length: 12\nX: y\n\n"
        let (outcome, head) = parseHead(headBytes(text) + Array("hello world!GET /".utf8))
        #expect(outcome == .head)
        #expect(Int(head.byteCount) == headBytes(text).count)
        #expect(head.host.text == "www.example.org")
        #expect(head.contentBytes == 12)
        #expect(head.isVersion11 && !head.isRead && !head.isHead && !head.isChunked && !head.isChallenge)
        #expect(part(head.method, of: text) == "POST")
        #expect(part(head.path, of: text) == "/a/b?c=d%20e")
    }

    private func part(_ range: HTTPRange, of text: String) -> String {
        String(decoding: headBytes(text)[range.bounds], as: UTF8.self)
    }

    @Test("Requests as clients really send them are taken")
    func realRequests() {
        let requests = [
            // curl
            "GET / HTTP/1.1\nHost: example.org\nUser-Agent: curl/8.14.1\nAccept: */*\n\n",
            // Firefox
            "GET /x HTTP/1.1\nHost: example.org\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\n"
                + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\n"
                + "Accept-Language: de,en-US;q=0.7,en;q=0.3\nAccept-Encoding: gzip, deflate\n"
                + "Connection: keep-alive\nUpgrade-Insecure-Requests: 1\nPriority: u=0, i\n\n",
            // A certificate authority
            "GET /.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0 HTTP/1.1\n"
                + "Host: example.org\nUser-Agent: Mozilla/5.0 (compatible; validation server)\n"
                + "Accept: */*\nAccept-Encoding: gzip\nConnection: close\n\n",
            // An upgrade to HTTP/2 in the clear
            "GET / HTTP/1.1\nHost: example.org\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n"
                + "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\n\n",
            // Blanks around values, empty values, bytes over 0x7f in values, empty list members
            "GET / HTTP/1.0\nHost: \t example.org \t \nX-Empty:\nX-Latin: caf\u{e9}\n"
                + "Connection: , close ,,\n\n",
            "OPTIONS /x HTTP/1.1\nHost:example.org\n\n",
            "M-SEARCH /x|{}^`\\\"<> HTTP/1.1\nHost: example.org\n\n",
        ]
        for request in requests {
            let (outcome, head) = parseHead(request)
            #expect(outcome == .head, "\(request)")
            #expect(head.host.text == "example.org")
        }
    }

    @Test("An absolute target is taken when it names the host of the Host field")
    func absoluteTarget() {
        func path(_ target: String, host: String) -> String? {
            let text = "GET \(target) HTTP/1.1\nHost: \(host)\n\n"
            let (outcome, head) = parseHead(text)
            return outcome == .head ? part(head.path, of: text) : nil
        }
        #expect(path("http://a.example/b?c", host: "a.example") == "/b?c")
        #expect(path("HTTP://A.example:80/b", host: "a.EXAMPLE:80") == "/b")
        #expect(path("http://a.example", host: "a.example") == "")
        for (target, host) in [
            ("http://a.example/", "b.example"), ("http://a.example:80/", "a.example"),
            ("http://user@a.example/", "a.example"), ("http://a.example?x=/", "a.example"),
            ("http://a.example%00/", "a.example"), ("http://a.example./", "a.example"),
        ] {
            #expect(fault(of: "GET \(target) HTTP/1.1\nHost: \(host)\n\n") == .hostsDiffer, "\(target)")
        }
        #expect(fault(of: "GET http://a.example/ HTTP/1.0\n\n") == .hostsDiffer)
    }

    // MARK: The request line

    @Test("What is no method, target and version with one blank between them is refused")
    func requestLines() {
        for line in [
            "GET /", "GET", "GET /  HTTP/1.1", "GET  / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ",
            "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.1x",
            "GET / HTTP/11", "GET / HTTP/1,1", "GET / HTTQ/1.1", "GET / a HTTP/1.1", "G(T / HTTP/1.1",
            "G\u{e9}T / HTTP/1.1", "SSH-2.0-OpenSSH_10.0", "EHLO mail.example", "HTTP/1.1 200 OK",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 80", "\" / HTTP/1.1", "GET: / HTTP/1.1",
        ] {
            #expect(fault(of: line + "\nHost: a.example\n\n") == .requestLine, "\(line)")
        }
        #expect(fault(of: "\nGET / HTTP/1.1\nHost: a.example\n\n") == .emptyLine)
    }

    @Test("Other versions are told so; the preface of HTTP/2 is one")
    func versions() {
        for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/0.0"] {
            let refusal = fault(of: "GET / \(version)\nHost: a.example\n\n")
            #expect(refusal == .version, "\(version)")
            #expect(refusal?.answer == .versionNotSupported)
        }
        #expect(fault(of: "PRI * HTTP/2.0\n\nSM\n\n") == .version)
    }

    @Test("CONNECT, TRACE and methods longer than any are not passed on")
    func methods() {
        for method in ["CONNECT", "TRACE", String(repeating: "A", count: 33)] {
            let refusal = fault("X: y", method: method)
            #expect(refusal == .method, "\(method)")
            #expect(refusal?.answer == .notImplemented)
        }
        // Methods are case-sensitive (RFC 9110 section 9.1): these are others, which nobody knows.
        for method in ["get", "Trace", String(repeating: "A", count: 32), "!#$%&'*+-.^_`|~"] {
            let (outcome, head) = parseHead("\(method) / HTTP/1.1\nHost: a.example\n\n")
            #expect(outcome == .head)
            #expect(!head.isRead, "\(method)")
        }
    }

    @Test("A target is a path or an http URL, of printable ASCII without a fragment")
    func targets() {
        for target in [
            "*", "a.example:443", "https://a.example/", "ftp://a.example/", "x/y", "?a", "http:/a",
            "http://", "http:///", "//", "http",
        ] {
            let expected: HTTPFault? = target == "//" ? nil : .targetForm
            #expect(fault("X: y", target: target) == expected, "\(target)")
        }
        for target in ["/a#b", "/#", "/\u{e9}", "/\u{2028}", "http://a.example/#"] {
            #expect(fault("X: y", target: target) == .targetByte, "\(target)")
        }
        #expect(fault("X: y", method: "GET", target: "/a\u{7f}") == .controlByte)
    }

    // MARK: Host

    @Test("HTTP/1.1 has one Host and no more; HTTP/1.0 may lack it")
    func hostCount() {
        #expect(fault(of: "GET / HTTP/1.1\n\n") == .hostMissing)
        #expect(fault(of: "GET / HTTP/1.1\nX-Host: a.example\n\n") == .hostMissing)
        #expect(fault(of: "GET / HTTP/1.1\nHost: a.example\nHost: b.example\n\n") == .hostTwice)
        #expect(fault(of: "GET / HTTP/1.1\nHost: a.example\nhOST: a.example\n\n") == .hostTwice)
        #expect(fault(of: "GET / HTTP/1.0\nHost: a.example\nHost: a.example\n\n") == .hostTwice)
        let (outcome, head) = parseHead("GET / HTTP/1.0\n\n")
        #expect(outcome == .head && head.host.isEmpty)
    }

    @Test("A Host that is no host and port is refused")
    func hostValues() {
        for host in [
            "user@a.example", "a.example@b.example", "a.example,b.example", "a.example, b.example",
            "a.example b.example", "a.example/", "a.example/b", "http://a.example", "a.example:80:80",
            "a.example:0x50", "a.example:+80", "a.example:-1", "a.example:65536",
            "a.example:000080", ":80", ".a.example", "a..example", "..", ".", "a.example#", "a.example?b",
            "a.example\\b", "*.example", "a\u{e9}.example", "a.example\tb", "[::1", "[::1]x", "[::1]:x",
            "[::1]:80:", "[]", "::1", "[a.example]",
            "a.example;b", "\"a.example\"", "a%2eexample", String(repeating: "a", count: 64) + ".example",
            String(repeating: "a.", count: 127) + "example",
        ] {
            #expect(fault(of: "GET / HTTP/1.1\nHost: \(host)\n\n") == .host, "\(host)")
        }
    }

    @Test("A port, a dot at the end and upper case are not part of the name")
    func hostForms() {
        for host in [
            "a.example", "A.EXAMPLE", "a.example.", "a.example:80", "a.example:", "a.example.:65535",
        ] {
            let (outcome, head) = parseHead("GET / HTTP/1.1\nHost: \(host)\n\n")
            #expect(outcome == .head)
            #expect(head.host.text == "a.example", "\(host)")
        }
    }

    @Test("An address or nothing is a Host, but no name")
    func hostWithoutName() {
        for host in [
            "", "  ", "127.0.0.1", "127.0.0.1:80", "127.1", "0x7f000001", "2130706433", "[::1]", "[::1]:80",
            "[fe80::1%25eth0]",
        ] {
            let (outcome, head) = parseHead("GET / HTTP/1.1\nHost: \(host)\n\n")
            #expect(outcome == .head, "\(host)")
            #expect(head.host.isEmpty, "\(host)")
        }
    }

    // MARK: Bounds

    @Test("A head may have as many bytes, fields and bytes of its first line as allowed, and not one more")
    func bounds() {
        func head(bytes: Int) -> [UInt8] {
            let rest = headBytes("GET / HTTP/1.1\nHost: a.example\nX: \n\n").count
            return headBytes(
                "GET / HTTP/1.1\nHost: a.example\nX: \(String(repeating: "y", count: bytes - rest))\n\n")
        }
        #expect(head(bytes: 8192).count == 8192)
        #expect(fault(ofBytes: head(bytes: 8192)) == nil)
        #expect(fault(ofBytes: head(bytes: 8193)) == .headTooLarge)
        #expect(fault(ofBytes: head(bytes: 65536)) == .headTooLarge)
        #expect(HTTPFault.headTooLarge.answer == .headTooLarge)

        func line(bytes: Int) -> [UInt8] {
            headBytes("GET /\(String(repeating: "a", count: bytes - 16)) HTTP/1.1\nHost: a.example\n\n")
        }
        #expect(fault(ofBytes: line(bytes: 8000)) == nil)
        #expect(fault(ofBytes: line(bytes: 8001)) == .requestLineTooLong)
        #expect(fault(ofBytes: line(bytes: 65536)) == .requestLineTooLong)
        #expect(HTTPFault.requestLineTooLong.answer == .targetTooLong)

        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\nHost: a.example\n" + String(repeating: "a:\n", count: count - 1) + "\n"
        }
        #expect(fault(of: fields(100)) == nil)
        #expect(fault(of: fields(101)) == .tooManyFields)
        #expect(fault(of: fields(10_000)) == .tooManyFields)
        #expect(HTTPFault.tooManyFields.answer == .headTooLarge)
        let many = HTTPHeadLimits(bytesMax: .max, fieldsMax: 255)
        #expect(parseHead(headBytes(fields(254)), limits: many).outcome == .head)
        #expect(parseHead(headBytes(fields(300)), limits: many).outcome == .refused(.tooManyFields))
    }

    @Test("A head without an end is asked for more until it is too large")
    func endlessHeads() {
        let start = headBytes("GET / HTTP/1.1\nHost: a.example\n")
        #expect(parseHead(start).outcome == .needMore)
        #expect(parseHead(start + Array(repeating: 0x61, count: 8192 - start.count)).outcome == .needMore)
        #expect(
            parseHead(start + Array(repeating: 0x61, count: 8193 - start.count)).outcome
                == .refused(.headTooLarge))
        #expect(parseHead(Array(repeating: 0x61, count: 8000)).outcome == .needMore)
        #expect(parseHead(Array(repeating: 0x61, count: 8001)).outcome == .refused(.requestLineTooLong))
    }

    @Test("TLS on a port for plain HTTP is refused at its first byte")
    func foreignProtocols() {
        #expect(parseHead([22]).outcome == .refused(.controlByte))
        #expect(parseHead([0x80, 0x2e, 0x01]).outcome == .refused(.controlByte))
        #expect(parseHead([0]).outcome == .refused(.controlByte))
        // Version 2 of the PROXY protocol, from whom none is expected.
        #expect(parseHead(headBytes("\n\n") + [0, 13, 10]).outcome == .refused(.emptyLine))
    }

    // MARK: Challenges

    @Test("The path of a challenge is the prefix and a token of base64url, and nothing else")
    func challenges() {
        func isChallenge(_ path: String) -> Bool {
            let (outcome, head) = parseHead("GET \(path) HTTP/1.1\nHost: a.example\n\n")
            #expect(outcome == .head, "\(path)")
            return head.isChallenge
        }
        let prefix = "/.well-known/acme-challenge/"
        for token in ["x", "AZaz09-_", "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0", "-", "_"] {
            #expect(isChallenge(prefix + token), "\(token)")
            #expect(isChallenge("http://a.example" + prefix + token), "\(token)")
        }
        for path in [
            prefix, "/.well-known/acme-challenge", prefix + "..", prefix + ".", prefix + "x/..",
            prefix + "x/y",
            prefix + "../../admin", prefix + "%2e%2e/%2e%2e/admin", prefix + "%2e%2e", prefix + "x%2f..",
            prefix + "x%2F", prefix + "/x", prefix + "x//", prefix + "x?y", prefix + "?x", prefix + "x;y",
            prefix + "x%00", prefix + "x=", prefix + "x.html", prefix + "x\\..\\y", prefix + "x%",
            prefix + "x+y",
            prefix + "x~", "/" + prefix + "x", "/a/.." + prefix + "x", "/.well-known//acme-challenge/x",
            "/.Well-Known/acme-challenge/x", "/%2ewell-known/acme-challenge/x",
            "/.well-known/acme-challenge%2fx", "/.well-known/acme-challenges/x",
            "/.well-known/./acme-challenge/x", "/.well-known/acme-challenge/x&y",
        ] {
            #expect(!isChallenge(path), "\(path)")
        }
    }
}
