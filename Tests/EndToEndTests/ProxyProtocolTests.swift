import Foundation
import Support
import Testing

extension EndToEnd {
    /// PROXY protocol headers, to real servers and from a real balancer.
    @Suite struct ProxyProtocol {
        /// nginx behind TLS, which wants a header and answers with what it has read there.
        private final class HeaderReader {
            private static let answer =
                "$proxy_protocol_addr $proxy_protocol_port "
                + "$proxy_protocol_server_addr $proxy_protocol_server_port"

            let certificate: TestCertificate
            let endpoint: Endpoint
            private let folder: TemporaryFolder
            private let process: ChildProcess

            init(for name: String, at endpoint: Endpoint? = nil) throws {
                let folder = try TemporaryFolder()
                self.folder = folder
                certificate = try TestCertificate(for: name, in: folder)
                let endpoint = try endpoint ?? .ipv4(port: FreePort.any())
                self.endpoint = endpoint
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map { "\($0)_temp_path \(folder.path($0));" }.joined(separator: "\n")
                let configuration = try folder.write(
                    "nginx.conf",
                    """
                    daemon off;
                    master_process off;
                    pid \(folder.path("nginx.pid"));
                    error_log stderr warn;
                    events { worker_connections 512; }
                    http {
                        access_log off;
                        \(temporary)
                        server {
                            listen \(endpoint) ssl proxy_protocol;
                            ssl_certificate \(certificate.certificatePath);
                            ssl_certificate_key \(certificate.keyPath);
                            return 200 "\(Self.answer)\\n";
                        }
                    }

                    """)
                process = try ChildProcess("nginx", ["-p", folder.path, "-c", configuration])
                let serves = Pause.until { (try? StreamSocket(to: endpoint)) != nil }
                guard serves else { throw ChildProcessError(description: "nginx: \(process.errors)") }
            }
        }

        /// haproxy in front of the edge.
        private final class Balancer {
            let endpoint: Endpoint
            private let folder: TemporaryFolder
            private let process: ChildProcess

            /// - Parameter options: of the `server` line.
            init(to edge: Edge, _ options: String) throws {
                folder = try TemporaryFolder()
                let endpoint = Endpoint.ipv4(port: try FreePort.any())
                self.endpoint = endpoint
                let configuration = try folder.write(
                    "haproxy.cfg",
                    """
                    global
                        maxconn 100
                    defaults
                        mode tcp
                        timeout connect 5s
                        timeout client 20s
                        timeout server 20s
                    frontend front
                        bind \(endpoint)
                        default_backend back
                    backend back
                        server edge \(edge.endpoint) \(options)

                    """)
                process = try ChildProcess("haproxy", ["-db", "-f", configuration])
                let serves = Pause.until { (try? StreamSocket(to: endpoint)) != nil }
                guard serves else { throw ChildProcessError(description: "haproxy: \(process.errors)") }
            }

            /// What a client at another address of this machine is answered.
            func get(_ name: String, from client: String) throws -> Finished {
                let place = "\(name):\(endpoint.port):127.0.0.1"
                return try run(
                    "curl",
                    [
                        "-sS", "--insecure", "--noproxy", "*", "--interface", client, "--resolve", place,
                        "https://\(name):\(endpoint.port)/",
                    ])
            }
        }

        private static let signature: [UInt8] = [
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
        ]

        @Test(arguments: ["v1", "v2"])
        func nginxReadsTheClientsAddress(_ version: String) throws {
            let server = try HeaderReader(for: "a.example")
            let closed = try FreePort.any()
            // A target that refuses: the next one gets a header all the same.
            let edge = try Edge(
                routes: "a.example 127.0.0.1:\(closed)@65535,\(server.endpoint)@backup proxy=\(version)")
            let page = try Curl.get("a.example", through: edge, trusting: server.certificate)
            #expect(page.succeeded, "\(page.everything)")
            let words = page.output.split(whereSeparator: \.isWhitespace)
            try #require(words.count == 4, "\(page.everything)")
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect("\(words[0]):\(words[1])" == line["client"])
            #expect("\(words[2]):\(words[3])" == edge.endpoint.description)
            // The hello and the rest count, the header does not: as many as without one.
            let plain = try Backend(.nginx, for: "b.example")
            try edge.reload(routes: plain.route + "\na.example \(server.endpoint) proxy=\(version)")
            #expect(try Curl.get("b.example", through: edge, trusting: plain.certificate).succeeded)
        }

        @Test func aUnixSocketAndIPv6GetTheHeaderToo() throws {
            let folder = try TemporaryFolder()
            let server = try HeaderReader(for: "a.example", at: .unix(path: folder.path("nginx")))
            let edge = try Edge(routes: "a.example \(server.endpoint) proxy=v1", usesIPv6: true)
            let page = try run(
                "curl",
                [
                    "-sS", "--insecure", "--noproxy", "*", "--resolve", "a.example:\(edge.port):[::1]",
                    "https://a.example:\(edge.port)/",
                ])
            #expect(page.output.hasPrefix("::1 "), "\(page.everything)")
            #expect(page.output.hasSuffix(" ::1 \(edge.port)\n"), "\(page.everything)")
        }

        @Test func theBinaryHeaderHasTheNameAndTheOneProtocolAndIsNotCounted() throws {
            let listener = try StreamListener()
            let edge = try Edge(routes: "a.example \(listener.endpoint) proxy=v2")
            for (offer, tlv) in [(["h2"], [1, 0, 2] + Array("h2".utf8)), (["h2", "http/1.1"], [])] {
                var hello = HelloBuilder(name: "a.example")
                hello.extensions?.append(.applicationProtocols(offer))
                let bytes = hello.record() + Array("early".utf8)
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(bytes)
                let server = try listener.accept()
                let block = 12 + tlv.count + 3 + 9
                let head = try server.receive(exactly: 16)
                #expect(head == Self.signature + [0x21, 0x11, 0, UInt8(block)])
                let rest = try server.receive(exactly: block)
                #expect(rest[0..<8] == [127, 0, 0, 1, 127, 0, 0, 1])
                #expect(rest[10..<12] == [UInt8(edge.port >> 8), UInt8(edge.port & 255)])
                #expect(Array(rest[12...]) == tlv + [2, 0, 9] + Array("a.example".utf8))
                #expect(try server.receive(exactly: bytes.count) == bytes)
                client.close()
                server.close()
                try edge.waitForAccessLine { $0["up"] == "\(bytes.count)" && $0["down"] == "0" }
            }
        }

        // MARK: In

        @Test(arguments: ["send-proxy", "send-proxy-v2"])
        func haproxyTellsTheClientAndTheBackendHearsOfIt(_ option: String) throws {
            let server = try HeaderReader(for: "a.example")
            let edge = try Edge(
                routes: "a.example \(server.endpoint) proxy=v2",
                listener: "tls @ accept-proxy=127.0.0.1/32")
            let balancer = try Balancer(to: edge, option)
            let page = try balancer.get("a.example", from: "127.0.0.2")
            #expect(page.output.hasPrefix("127.0.0.2 "), "\(page.everything)")
            // The address that the client has connected to is haproxy's, and is passed on.
            #expect(page.output.hasSuffix(" 127.0.0.1 \(balancer.endpoint.port)\n"), "\(page.everything)")
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["client"].hasPrefix("127.0.0.2:"), "\(line)")
        }

        @Test func haproxysOwnChecksAreLocalConnections() throws {
            let server = try HeaderReader(for: "a.example")
            let edge = try Edge(
                routes: "a.example \(server.endpoint) proxy=v1",
                listener: "tls @ accept-proxy=127.0.0.1/32")
            let balancer = try Balancer(to: edge, "send-proxy-v2 check check-send-proxy inter 100")
            let line = try edge.waitForAccessLine { $0["end"] == "client-gone" }
            #expect(line["client"].hasPrefix("127.0.0.1:"), "\(line)")
            let page = try balancer.get("a.example", from: "127.0.0.3")
            #expect(page.output.hasPrefix("127.0.0.3 "), "\(page.everything)")
            #expect(!edge.accessLines.contains { $0["end"] == "malformed-proxy-header" })
        }

        /// Two trusted lines and one that is not: what comes first decides.
        @Test func aHeaderMustStandWhereItIsExpectedAndNowhereElse() throws {
            let listener = try StreamListener()
            let edge = try Edge(
                routes: "a.example \(listener.endpoint)", settings: "timeout hello=500ms",
                listener: "tls @ accept-proxy=127.0.0.9/32")
            let hello = HelloBuilder(name: "a.example").record()
            let header = Array("PROXY TCP4 192.0.2.7 203.0.113.1 4711 443\r\n".utf8)

            let spoofer = try StreamSocket(to: edge.endpoint)
            try spoofer.send(header + hello)
            #expect((try? spoofer.receive()) ?? [] == [])
            let spoofed = try edge.waitForAccessLine { $0["end"] == "not-tls" }
            #expect(spoofed["client"].hasPrefix("127.0.0.1:"), "\(spoofed)")

            // From now on it is trusted, on the socket that stays open.
            try Edge.writeConfiguration(
                in: edge.folder, listeners: [edge.endpoint], as: "tls @ accept-proxy=127.0.0.0/8",
                settings: "timeout hello=500ms")
            try edge.reload()
            let trusted = try StreamSocket(to: edge.endpoint)
            try trusted.sendByteByByte(header + hello)
            let server = try listener.accept()
            #expect(try server.receive(exactly: hello.count) == hello, "no header goes on unasked")
            trusted.close()
            server.close()
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["client"] == "192.0.2.7:4711" && line["up"] == "\(hello.count)", "\(line)")

            let forgetful = try StreamSocket(to: edge.endpoint)
            try forgetful.send(hello)
            #expect((try? forgetful.receive()) ?? [] == [])
            try edge.waitForAccessLine { $0["end"] == "malformed-proxy-header" }

            let slow = try StreamSocket(to: edge.endpoint)
            try slow.send("PROXY TCP4 192.0.2.7")
            #expect(slow.staysSilent(milliseconds: 250))
            #expect((try? slow.receive()) ?? [] == [])
            try edge.waitForAccessLine { $0["end"] == "proxy-header-timeout" }
        }

        @Test func theLimitOfASourceIsTheHeadersClients() throws {
            let listener = try StreamListener()
            let edge = try Edge(
                routes: "a.example \(listener.endpoint)", settings: "limit per-source=1",
                listener: "tls @ accept-proxy=127.0.0.1/32")
            let hello = HelloBuilder(name: "a.example").record()
            var sessions: [StreamSocket] = []
            for number in 1...5 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(Array("PROXY TCP4 192.0.2.\(number) 203.0.113.1 4711 443\r\n".utf8) + hello)
                sessions += [client, try listener.accept()]
            }
            let second = try StreamSocket(to: edge.endpoint)
            try second.send(Array("PROXY TCP4 192.0.2.3 203.0.113.1 4712 443\r\n".utf8) + hello)
            let line = try edge.waitForAccessLine { $0["end"] == "source-refused" }
            #expect(line["client"] == "192.0.2.3:4712", "\(line)")
            sessions.forEach { $0.close() }
            try edge.waitForAccessLine { $0["client"] == "192.0.2.3:4711" }
            // Both counts were taken back.
            let third = try StreamSocket(to: edge.endpoint)
            try third.send(Array("PROXY TCP4 192.0.2.3 203.0.113.1 4713 443\r\n".utf8) + hello)
            let server = try listener.accept()
            #expect(try server.receive(exactly: hello.count) == hello)
        }
    }

    /// `acme=`: where a certificate authority's question goes.
    @Suite struct ACME {
        @Test func anACMEHelloReachesTheResponderAlsoWhileTheSiteIsHeld() throws {
            let site = try Backend(.openssl, for: "site.example")
            let responder = try Backend(.openssl, for: "responder.example")
            let edge = try Edge(
                routes: """
                    a.example \(site.endpoint) acme=\(responder.endpoint)
                    held.example held acme=\(responder.endpoint)
                    """)
            for name in ["a.example", "held.example"] {
                let asked = try OpenSSLClient.connect(
                    to: edge, ["-servername", name, "-alpn", "acme-tls/1"])
                #expect(asked.output.contains("responder.example"), "\(asked.everything)")
                try edge.waitForAccessLine {
                    $0["name"] == name && $0["target"] == responder.endpoint.description
                        && $0["alpn"] == "acme-tls/1"
                }
            }
            let visited = try OpenSSLClient.connect(
                to: edge, ["-servername", "a.example", "-alpn", "http/1.1"])
            #expect(visited.output.contains("site.example"), "\(visited.everything)")
        }

        @Test func theResponderGetsNoProxyHeaderAndNoSiteStandsInForIt() throws {
            let site = try StreamListener()
            let responder = try StreamListener()
            let edge = try Edge(
                routes: "a.example \(site.endpoint) proxy=v1 acme=\(responder.endpoint)")
            var hello = HelloBuilder(name: "a.example")
            hello.extensions?.append(.applicationProtocols(["acme-tls/1"]))
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(hello.record())
            let server = try responder.accept()
            #expect(try server.receive(exactly: hello.record().count) == hello.record())

            try edge.reload(routes: "a.example \(site.endpoint) acme=127.0.0.1:\(try FreePort.any())")
            let unlucky = try StreamSocket(to: edge.endpoint)
            try unlucky.send(hello.record())
            #expect(Bytes.isAlert(try unlucky.receiveToEnd(), 80))
            #expect(!site.hasConnection(milliseconds: 50))
        }
    }

    /// `listen tcp`: no hello, no name, one target.
    @Suite struct TCPListeners {
        private struct Peers {
            let listener: StreamListener
            let edge: Edge

            init(options: String = "", settings: String = Edge.noSettings) throws {
                listener = try StreamListener()
                edge = try Edge(
                    routes: "", settings: settings, listener: "tcp @ to=\(listener.endpoint) \(options)")
            }
        }

        /// As ssh does, and mail.
        @Test func aTargetMaySpeakFirst() throws {
            let peers = try Peers()
            let client = try StreamSocket(to: peers.edge.endpoint)
            let start = ContinuousClock.now
            let server = try peers.listener.accept()
            try server.send("SSH-2.0-Test\r\n")
            #expect(try client.receive(exactly: 14) == Array("SSH-2.0-Test\r\n".utf8))
            // An acknowledgement of the handshake that waits for bytes would take 200 ms.
            #expect(ContinuousClock.now - start < .milliseconds(150))
            try client.send(Bytes.pattern(100_000))
            #expect(try server.receive(exactly: 100_000) == Bytes.pattern(100_000))
            try client.endSending()
            #expect(try server.receiveToEnd() == [])
            try server.send("bye")
            server.close()
            #expect(try client.receiveToEnd() == Array("bye".utf8))
            let line = try peers.edge.waitForAccessLine { $0["end"] == "completed" }
            #expect(line["name"] == "-" && line["route"] == "-" && line["up"] == "100000", "\(line)")
            #expect(line["target"] == peers.listener.endpoint.description)
        }

        @Test func aTargetThatRefusesIsAReset() throws {
            let edge = try Edge(routes: "", listener: "tcp @ to=127.0.0.1:\(try FreePort.any())")
            let client = try StreamSocket(to: edge.endpoint)
            #expect(throws: SocketError.self) { _ = try client.receive() }
            try edge.waitForAccessLine { $0["end"] == "unreachable" }
        }

        @Test func bytesBehindAHeaderGoFirstAndNoneAreNeeded() throws {
            let peers = try Peers(options: "accept-proxy=127.0.0.1")
            let eager = try StreamSocket(to: peers.edge.endpoint)
            try eager.send("PROXY TCP6 2001:db8::7 2001:db8::1 4711 22\r\nhello")
            #expect(try peers.listener.accept().receive(exactly: 5) == Array("hello".utf8))
            let patient = try StreamSocket(to: peers.edge.endpoint)
            try patient.send("PROXY UNKNOWN\r\n")
            let server = try peers.listener.accept()
            try server.send("220 ready")
            #expect(try patient.receive(exactly: 9) == Array("220 ready".utf8))
            eager.close()
            try peers.edge.waitForAccessLine { $0["client"] == "[2001:db8::7]:4711" }
        }

        @Test func aReloadMovesTheTargetOfAPortThatStays() throws {
            let peers = try Peers()
            let before = try StreamSocket(to: peers.edge.endpoint)
            let old = try peers.listener.accept()
            let other = try StreamListener()
            try Edge.writeConfiguration(
                in: peers.edge.folder, listeners: [peers.edge.endpoint], as: "tcp @ to=\(other.endpoint)",
                settings: "")
            try peers.edge.reload()
            let after = try StreamSocket(to: peers.edge.endpoint)
            try other.accept().send("new")
            #expect(try after.receive(exactly: 3) == Array("new".utf8))
            try before.send("still")
            #expect(try old.receive(exactly: 5) == Array("still".utf8))
        }
    }
}
