import Foundation
import Support
import Testing

extension EndToEnd {
    /// Port 80: requests in the clear, redirected or passed on.
    @Suite struct Requests {
        /// The edge with a listener for HTTP.
        struct Port {
            let edge: Edge
            let endpoint: Endpoint

            init(routes: String, settings: String = "") throws {
                endpoint = .ipv4(port: try FreePort.any())
                edge = try Edge(routes: routes, settings: "listen http \(endpoint)\n\(settings)")
            }

            /// Sends the bytes, and receives until the edge closes.
            func ask(_ text: String) throws -> String {
                let client = try StreamSocket(to: endpoint)
                try client.send(text)
                return String(decoding: try client.receiveToEnd(), as: UTF8.self)
            }

            func curl(_ host: String, _ path: String, _ options: [String] = []) throws -> Finished {
                try run(
                    "curl",
                    [
                        "-sS", "--noproxy", "*", "--resolve", "\(host):\(endpoint.port):127.0.0.1",
                        "http://\(host):\(endpoint.port)\(path)",
                    ] + options)
            }
        }

        private static let challenge = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7-_SC"

        @Test func aKnownHostIsSentToHTTPSAndAnotherIsNotFound() throws {
            let port = try Port(
                routes: "a.example 127.0.0.1:1\nheld.example held\ngone.example reject\nhard.example reset\n"
                    + "*.wild.example 127.0.0.1:1")
            for host in ["a.example", "held.example", "x.wild.example"] {
                let answer = try port.ask("GET /b//c?d=e%20f HTTP/1.1\r\nHost: \(host):80\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 308 "), "\(answer)")
                #expect(answer.contains("\r\nLocation: https://\(host)/b//c?d=e%20f\r\n"), "\(answer)")
                #expect(answer.hasSuffix("\r\nConnection: close\r\n\r\n"))
                let line = try port.edge.waitForAccessLine { $0["name"] == host }
                #expect(line["end"] == "redirected")
                #expect(line["target"] == "-")
            }
            for host in ["b.example", "a.b.wild.example", "gone.example", "127.0.0.1", "[::1]:80", ""] {
                let answer = try port.ask("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 404 "), "\(host): \(answer)")
                #expect(answer.hasSuffix("\r\n\r\nThere is no site of this name here.\n"))
            }
            try port.edge.waitForAccessLine { $0["name"] == "b.example" && $0["end"] == "not-found" }
            try port.edge.waitForAccessLine { $0["name"] == "gone.example" && $0["end"] == "rejected" }
            #expect(try port.ask("GET / HTTP/1.0\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
            let head = try port.ask("HEAD / HTTP/1.1\r\nHost: b.example\r\n\r\n")
            #expect(head.hasSuffix("\r\n\r\n"), "an answer to HEAD has no content: \(head)")
            #expect(throws: SocketError.connectionReset) {
                try port.ask("GET / HTTP/1.1\r\nHost: hard.example\r\n\r\n")
            }
        }

        /// curl has to be told where the port for TLS is, because the redirection names none.
        @Test func curlFollowsTheRedirectionToTheSiteOverTLS() throws {
            let backend = try Backend(.nginx, for: "a.example")
            let port = try Port(routes: backend.route)
            let page = try port.curl(
                "a.example", "/",
                [
                    "-L", "--cacert", backend.certificate.certificatePath, "--connect-to",
                    "a.example:443:127.0.0.1:\(port.edge.port)",
                ])
            #expect(page.succeeded, "\(page.everything)")
            #expect(page.output == "a.example answered by nginx\n")
        }

        @Test func requestsOfASiteAreUnderTheTermsOfItsRoute() throws {
            let server = try StreamListener()
            let port = try Port(
                routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint) max=1 idle=1s\n"
                    + "b.example 127.0.0.1:1 http=all:\(server.endpoint) drain=200ms")
            let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
            let first = try StreamSocket(to: port.endpoint)
            try first.send(request)
            let session = try server.accept()
            let refused = try port.ask(request)
            #expect(refused.hasPrefix("HTTP/1.1 503 ") && refused.hasSuffix(" now.\n"), "\(refused)")
            try port.edge.waitForAccessLine { $0["end"] == "route-limit" && $0["name"] == "a.example" }
            // Its time without a byte is over, and its place is free.
            _ = try? first.receiveToEnd()
            try port.edge.waitForAccessLine(seconds: 3) { $0["end"] == "idle-timeout" }
            session.close()
            for _ in 0..<3 {
                let next = try StreamSocket(to: port.endpoint)
                try next.send(request)
                let answering = try server.accept()
                _ = try answering.receive()
                try answering.send("HTTP/1.1 204 No Content\r\n\r\n")
                answering.close()
                #expect(String(decoding: try next.receiveToEnd(), as: UTF8.self).contains(" 204 "))
            }
            let changed = try StreamSocket(to: port.endpoint)
            try changed.send("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n")
            let patient = try server.accept()
            try port.edge.reload(routes: "a.example reject\nb.example reject")
            _ = try? changed.receiveToEnd()
            try port.edge.waitForAccessLine(seconds: 3) { $0["end"] == "drained" }
            patient.close()
        }

        @Test func requestsThatMightEndInTwoPlacesAreRefusedAndReachNobody() throws {
            let server = try StreamListener()
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            let lines: [(String, String)] = [
                ("Content-Length: 5\r\nTransfer-Encoding: chunked", "400"),
                ("Content-Length: 5\r\nContent-Length: 6", "400"), ("Content-Length: +5", "400"),
                ("Content-Length: 5, 5", "400"), ("Content-Length : 5", "400"),
                ("X: y\r\n Transfer-Encoding: chunked", "400"), ("Transfer-Encoding: xchunked", "501"),
                ("Transfer-Encoding: chunked", "411"), ("X: y\nZ: w", "400"), ("Host: b.example", "400"),
                ("Connection: Content-Length", "400"), ("X: \0", "400"), ("Content_Length: 5", "400"),
                ("Content-Length: 99999999999999999999", "413"),
                (Array(repeating: "X: y", count: 200).joined(separator: "\r\n"), "431"),
                ("X: " + String(repeating: "y", count: 10_000), "431"),
            ]
            for (line, status) in lines {
                let answer = try port.ask("POST / HTTP/1.1\r\nHost: a.example\r\n\(line)\r\n\r\nhello")
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(line.debugDescription): \(answer)")
            }
            for (request, status) in [
                ("GET / HTTP/2.0\r\n\r\n", "505"), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
                ("GET /\r\n", "400"), ("\u{16}\u{3}\u{1}\u{2}\0\u{1}", "400"), ("\r\n\r\n", "400"),
                ("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", "501"),
                ("GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "400"),
                ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n", "414"),
                ("GET / HTTP/1.1\r\nHost: a.example@b.example\r\n\r\n", "400"),
            ] {
                let answer = try port.ask(request)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(request.prefix(40)): \(answer)")
            }
            #expect(!server.hasConnection(milliseconds: 50), "nothing of that reaches a backend")
        }

        @Test func aChallengeReachesItsBackendAndEverythingElseIsRedirected() throws {
            let server = try WebServer()
            let port = try Port(routes: "a.example held http=\(server.endpoint)")
            let answer = try port.curl("a.example", Self.challenge, ["-i"])
            #expect(answer.output.contains("\r\n\r\nGET \(Self.challenge) 0 "), "\(answer.everything)")
            let line = try port.edge.waitForAccessLine { $0["target"] == server.endpoint.description }
            #expect(line["end"] == "completed" && line["route"] == "a.example")

            for path in [
                "/", "/.well-known/acme-challenge/", Self.challenge + "/../x", Self.challenge + "?x",
                "/.well-known/acme-challenge/%2e%2e/x", "/.well-known/acme-challenge/a.b", "/x",
                "/.well-known/acme-challenge/..", "/." + Self.challenge, "//.well-known/acme-challenge/x",
            ] {
                let answer = try port.ask("GET \(path) HTTP/1.1\r\nHost: a.example\r\n\r\n")
                #expect(answer.contains("\r\nLocation: https://a.example\(path)\r\n"), "\(path): \(answer)")
            }
            for (request, status) in [
                ("POST \(Self.challenge) HTTP/1.1\r\nContent-Length: 2\r\n", "405"),
                ("GET \(Self.challenge) HTTP/1.1\r\nContent-Length: 2\r\n", "400"),
                ("GET \(Self.challenge) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", "400"),
            ] {
                let answer = try port.ask(request + "Host: a.example\r\n\r\nhi")
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(request): \(answer)")
            }
            #expect(server.requests.count == 1, "\(server.requests)")
        }

        @Test func aSecondRequestBehindTheFirstReachesNobody() throws {
            let server = try WebServer()
            let other = try WebServer()
            let port = try Port(
                routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)\n"
                    + "b.example 127.0.0.1:1 http=all:\(other.endpoint)")
            let second = "GET /second HTTP/1.1\r\nHost: b.example\r\n\r\n"
            for first in [
                "GET /first HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n",
                "POST /first HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello",
                "POST /first HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n",
            ] {
                // At once, and in a segment of its own, while the first is answered.
                let answer = try port.ask(first + second + second)
                #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
                #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2, "one answer: \(answer)")
                let client = try StreamSocket(to: port.endpoint)
                try client.send(first)
                Pause.milliseconds(20)
                try? client.send(second)
                let later = String(decoding: try client.receiveToEnd(), as: UTF8.self)
                #expect(later.components(separatedBy: "HTTP/1.1 ").count == 2, "one answer: \(later)")
            }
            #expect(server.requests.count == 6, "\(server.requests)")
            #expect(server.requests.allSatisfy { $0.contains(" /first ") }, "\(server.requests)")
            #expect(other.requests.isEmpty)
        }

        /// Played by hand, so that every byte is seen.
        @Test func aBackendGetsOneRequestAndNotAByteMore() throws {
            let server = try StreamListener()
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            let content = Bytes.pattern(70_000)
            let client = try StreamSocket(to: port.endpoint)
            let head =
                "PUT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 70000\r\nConnection: keep-alive\r\n"
                + "X-Forwarded-For: 10.9.8.7\r\n\r\n"
            // The first read takes a whole buffer: the head that goes out is longer than the one that came.
            try client.send(Array(head.utf8) + content + Array("GET /evil HTTP/1.1\r\n\r\n".utf8))
            let connection = try server.accept()
            let expected =
                "PUT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 70000\r\n"
                + "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n"
            let received = try connection.receive(exactly: expected.utf8.count + content.count)
            #expect(received == Array(expected.utf8) + content)
            #expect(connection.staysSilent(milliseconds: 100), "not a byte more, and no end")
            try connection.send("HTTP/1.1 200 OK\r\n\r\nanswer")
            connection.close()
            #expect(try client.receiveToEnd() == Array("HTTP/1.1 200 OK\r\n\r\nanswer".utf8))
        }

        @Test func aLargeUploadArrivesUnchanged() throws {
            let server = try WebServer()
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            let folder = try TemporaryFolder()
            let file = folder.path("upload")
            _ = try run("dd", ["if=/dev/urandom", "of=\(file)", "bs=1M", "count=5"])
            let sum = try run("sha256sum", [file]).output.prefix(64)
            for options in [["-T", file], ["--data-binary", "@\(file)"], ["-T", file, "-H", "Expect:"]] {
                let answer = try port.curl("a.example", "/upload", options)
                #expect(answer.output.contains(" /upload 5242880 \(sum)"), "\(answer.everything)")
            }
        }

        @Test func aSlowHeadIsToldSoAndASilentClientIsNot() throws {
            let port = try Port(routes: "a.example 127.0.0.1:1", settings: "timeout hello=500ms")
            let start = ContinuousClock.now
            let slow = try StreamSocket(to: port.endpoint)
            let silent = try StreamSocket(to: port.endpoint)
            for byte in "GET / HTTP/1.1\r\nHost: a.exa".utf8 {
                guard (try? slow.send([byte])) != nil, slow.staysSilent(milliseconds: 50) else { break }
            }
            let answer = String(decoding: try slow.receiveToEnd(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
            #expect(try silent.receiveToEnd() == [])
            let took = ContinuousClock.now - start
            #expect(took > .milliseconds(300) && took < .seconds(4), "\(took)")
            try port.edge.waitForAccessLine { $0["end"] == "request-timeout" }
        }

        @Test func aBackendHearsTheClientThatABalancerNames() throws {
            let server = try StreamListener()
            let endpoint = Endpoint.ipv4(port: try FreePort.any())
            let edge = try Edge(
                routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)",
                settings: "listen http \(endpoint) accept-proxy=127.0.0.0/8")
            for cut in [0, 20, 46, 60] {
                let bytes = Array(
                    ("PROXY TCP4 192.0.2.9 198.51.100.1 1234 80\r\n"
                        + "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").utf8)
                let client = try StreamSocket(to: endpoint)
                if cut > 0 { try client.send(Array(bytes.prefix(cut))) }
                Pause.milliseconds(20)
                try client.send(Array(bytes.dropFirst(cut)))
                let expected =
                    "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.9\r\n"
                    + "X-Forwarded-Proto: http\r\nConnection: close\r\n\r\n"
                let connection = try server.accept()
                #expect(try connection.receive(exactly: expected.utf8.count) == Array(expected.utf8))
                connection.close()
                #expect(try client.receiveToEnd() == [])
            }
            try edge.waitForAccessLine { $0["client"] == "192.0.2.9:1234" }
        }

        @Test func anAnswerBeforeTheContentIsWholeReachesTheClient() throws {
            let server = try StreamListener()
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            let client = try StreamSocket(to: port.endpoint)
            try client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\nsome")
            let connection = try server.accept()
            var received: [UInt8] = []
            while !received.ends(with: "some") { received += try connection.receive() }
            try connection.send("HTTP/1.1 413 Too Large\r\n\r\n")
            connection.close()
            #expect(try client.receive() == Array("HTTP/1.1 413 Too Large\r\n\r\n".utf8))
            // Once the edge has seen the server's end: content that still goes there is answered by a reset.
            Pause.milliseconds(200)
            // More of the content, which nobody wants, does not turn the answer into a reset.
            try client.send("more")
            #expect(try client.receiveToEnd() == [])
            client.close()
            let line = try port.edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["end"] == "completed")
        }

        @Test func aClientThatIsResetTakesItsRequestAlong() throws {
            let server = try StreamListener()
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            let client = try StreamSocket(to: port.endpoint)
            try client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            let connection = try server.accept()
            var received: [UInt8] = []
            while !received.ends(with: "\r\n\r\n") { received += try connection.receive() }
            client.reset()
            #expect(throws: SocketError.connectionReset) { try connection.receive() }
            try port.edge.waitForAccessLine { $0["end"] == "client-reset" }
        }

        @Test func aClientThatFloodsBehindItsRequestKeepsNoPlace() throws {
            let server = try StreamListener()
            let port = try Port(
                routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)",
                settings: "timeout half-close=500ms")
            let client = try StreamSocket(to: port.endpoint)
            try client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            let connection = try server.accept()
            // More than is read and thrown away, so that the end behind it is never seen.
            try client.send([UInt8](repeating: 120, count: 300 * 1024))
            client.close()
            try port.edge.waitForAccessLine { $0["end"] == "half-close-timeout" }
            connection.close()
        }

        @Test func aTargetThatIsDownIsABadGateway() throws {
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:127.0.0.1:1")
            let answer = try port.ask("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 502 "), "\(answer)")
            try port.edge.waitForAccessLine { $0["end"] == "unreachable" }
        }

        @Test func nginxAnswersRequestsThatArePassedOn() throws {
            let server = try WebServer.nginx()
            let port = try Port(routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)")
            let page = try port.curl("a.example", "/index.html")
            #expect(page.output == "a page\n", "\(page.everything)")
            // The answer is passed on although the client has ended its side.
            let client = try StreamSocket(to: port.endpoint)
            try client.send("GET /index.html HTTP/1.1\r\nHost: a.example\r\n\r\nGET /evil HTTP/1.1\r\n")
            try client.endSending()
            let answer = String(decoding: try client.receiveToEnd(), as: UTF8.self)
            #expect(answer.hasSuffix("\r\n\r\na page\n"), "\(answer)")
            let log = try #require(TextFile.read(server.logPath))
            #expect(log.split(separator: "\n").count == 2 && !log.contains("evil"), "\(log)")
        }
    }
}

extension [UInt8] {
    fileprivate func ends(with text: String) -> Bool { suffix(text.utf8.count) == Array(text.utf8)[...] }
}
