import Support
import Testing

extension EndToEnd {
    /// Hellos as real clients send them, and as nobody should.
    @Suite struct Hellos {
        /// A backend played by hand, the edge in front of it, and a client that has said nothing yet.
        private struct Peers {
            let listener: StreamListener
            let edge: Edge
            let client: StreamSocket

            init(settings: String = Edge.noSettings) throws {
                listener = try StreamListener()
                edge = try Edge(routes: "a.example \(listener.endpoint)", settings: settings)
                client = try StreamSocket(to: edge.endpoint)
            }
        }

        @Test(arguments: [[], ["--hello-bytes", "1"], ["--hello-records", "1"], ["--hello-records", "37"]])
        func aRealHandshakeWorksHoweverTheHelloIsCut(_ options: [String]) throws {
            let backend = try Backend(.nginx, for: "a.example")
            let edge = try Edge(routes: backend.route)
            let page = try PythonClient.get("a.example", through: edge, options: options)
            #expect(page.output.contains(backend.certificate.fingerprint), "\(page.everything)")
            #expect(page.output.contains("answered by nginx"), "\(page.everything)")
        }

        /// The first flights of OpenSSL, curl, Python, Node.js, Java, GnuTLS and Chromium, whose hello
        /// carries a post-quantum key share.
        @Test func theHellosOfRealClientsArriveUnchanged() throws {
            let named = try StreamListener()
            let fallback = try StreamListener()
            let edge = try Edge(routes: "www.example.org \(named.endpoint)\n* \(fallback.endpoint)")
            let fixtures = HelloFixture.all
            #expect(fixtures.contains { $0.offersPostQuantum && $0.bytes.count > 1500 })
            for fixture in fixtures {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(fixture.bytes)
                let server = try (fixture.name == nil ? fallback : named).accept()
                #expect(try server.receive(exactly: fixture.bytes.count) == fixture.bytes, "\(fixture)")
            }
        }

        @Test func aHelloInSegmentsOfOneByteArrivesUnchanged() throws {
            let peers = try Peers()
            let hello = HelloBuilder(name: "a.example").record()
            try peers.client.sendByteByByte(hello)
            let server = try peers.listener.accept()
            #expect(try server.receive(exactly: hello.count) == hello)
        }

        @Test func bytesBehindTheHelloAreForwardedFirst() throws {
            let peers = try Peers()
            let bytes = HelloBuilder(name: "a.example").record() + Bytes.pattern(5000)
            try peers.client.send(bytes)
            let server = try peers.listener.accept()
            try peers.client.send("later")
            #expect(try server.receive(exactly: bytes.count + 5) == bytes + Array("later".utf8))
        }

        @Test func aClientThatEndsRightBehindItsHelloIsServed() throws {
            let peers = try Peers()
            let hello = HelloBuilder(name: "a.example").record()
            try peers.client.send(hello)
            try peers.client.endSending()
            let server = try peers.listener.accept()
            #expect(try server.receiveToEnd() == hello)
            try server.send("answer")
            server.close()
            #expect(try peers.client.receiveToEnd() == Array("answer".utf8))
        }

        @Test func aSilentClientIsCutAfterTheDeadline() throws {
            let peers = try Peers(settings: "timeout hello=500ms")
            let start = ContinuousClock.now
            #expect(try peers.client.receive() == [])
            let took = ContinuousClock.now - start
            #expect(took > .milliseconds(300) && took < .seconds(3), "\(took)")
            try peers.edge.waitForAccessLine { $0["end"] == "hello-timeout" }
        }

        @Test func aTrickleDoesNotExtendTheDeadline() throws {
            let peers = try Peers(settings: "timeout hello=700ms")
            let hello = HelloBuilder(name: "a.example").record()
            let start = ContinuousClock.now
            for byte in hello {
                guard (try? peers.client.send([byte])) != nil, peers.client.staysSilent(milliseconds: 50)
                else { break }
            }
            let took = ContinuousClock.now - start
            #expect(took > .milliseconds(400) && took < .seconds(4), "\(took)")
            try peers.edge.waitForAccessLine { $0["end"] == "hello-timeout" }
        }

        @Test func anAddressAsANameIsADecodeError() throws {
            let peers = try Peers()
            try peers.client.send(HelloBuilder(name: "192.0.2.1").record())
            #expect(Bytes.isAlert(try peers.client.receiveToEnd(), 50))
            try peers.edge.waitForAccessLine { $0["end"] == "malformed-hello" }
        }

        @Test func aHelloOverTheLimitIsADecodeError() throws {
            let peers = try Peers(settings: "limit hello=4KiB")
            var hello = HelloBuilder(name: "a.example")
            hello.extensions?.append(.padding(6000))
            try peers.client.send(hello.record())
            #expect(Bytes.isAlert(try peers.client.receiveToEnd(), 50))
            try peers.edge.waitForAccessLine { $0["end"] == "hello-too-large" }
        }

        @Test func anSSLv2HelloIsAHandshakeFailure() throws {
            let peers = try Peers()
            // Length 46 with the high bit, type 1, version 3.1, 21 bytes of ciphers, no session, 16 of
            // challenge.
            let header: [UInt8] = [0x80, 0x2e, 0x01, 0x03, 0x01, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10]
            try peers.client.send(header + [UInt8](repeating: 7, count: 37))
            #expect(Bytes.isAlert(try peers.client.receiveToEnd(), 40))
            try peers.edge.waitForAccessLine { $0["end"] == "sslv2" }
        }

        @Test func otherBytesAreClosedWithoutAWord() throws {
            let peers = try Peers()
            try peers.client.send("SSH-2.0-OpenSSH_9.2\r\n")
            #expect(try peers.client.receiveToEnd() == [])
            try peers.edge.waitForAccessLine { $0["end"] == "not-tls" }
        }

        @Test func controlBytesInANameDoNotReachTheLog() throws {
            let peers = try Peers()
            try peers.client.send(HelloBuilder(name: "a\u{1b}[2Jb\n.example").record())
            #expect(Bytes.isAlert(try peers.client.receiveToEnd(), 50))
            let line = try peers.edge.waitForAccessLine { $0["end"] == "malformed-hello" }
            #expect(!line.description.contains("\u{1b}"))
        }
    }
}
