import Support
import Testing

extension EndToEnd {
    /// Many bytes, and the end of a stream: orderly, half, or by a reset.
    @Suite struct Transfers {
        private static let bulkBytes = 100 << 20

        private func digest(_ path: String) throws -> String {
            let sum = try run("sha256sum", [path])
            return String(sum.output.prefix(64))
        }

        private func randomFile(_ folder: TemporaryFolder, _ name: String) throws -> String {
            try folder.write(name, "")
            let made = try run("openssl", ["rand", "-out", folder.path(name), String(Self.bulkBytes)])
            #expect(made.succeeded, "\(made.everything)")
            return folder.path(name)
        }

        @Test func aHundredMebibytesComeDownUnchanged() throws {
            let backend = try Backend(.nginx, for: "a.example")
            let original = try randomFile(backend.folder, "www/big")
            let edge = try Edge(routes: backend.route)
            let folder = try TemporaryFolder()
            let transfer = try Curl.get(
                "a.example", path: "/big", through: edge, trusting: backend.certificate,
                options: ["-o", folder.path("big")])
            #expect(transfer.succeeded, "\(transfer.everything)")
            #expect(try digest(folder.path("big")) == digest(original))
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(Int(line["down"]) ?? 0 > Self.bulkBytes, "\(line)")
        }

        @Test func aHundredMebibytesGoUpUnchanged() throws {
            let backend = try Backend(.nginx, for: "a.example")
            let folder = try TemporaryFolder()
            let original = try randomFile(folder, "big")
            let edge = try Edge(routes: backend.route)
            let transfer = try Curl.get(
                "a.example", path: "/upload/big", through: edge, trusting: backend.certificate,
                options: ["--upload-file", original])
            #expect(transfer.succeeded, "\(transfer.everything)")
            #expect(try digest(backend.folder.path("www/upload/big")) == digest(original))
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(Int(line["up"]) ?? 0 > Self.bulkBytes, "\(line)")
        }

        @Test func aServerThatReadsItAllToldTheSameDigest() throws {
            let backend = try Backend(.python, for: "a.example")
            let folder = try TemporaryFolder()
            let original = try randomFile(folder, "big")
            let edge = try Edge(routes: backend.route)
            let transfer = try Curl.get(
                "a.example", path: "/digest", through: edge, trusting: backend.certificate,
                options: ["--upload-file", original, "--http1.1"])
            #expect(try transfer.output == digest(original) + "\n", "\(transfer.everything)")
        }

        @Test func aBodyThatEndsWithAResetIsSeenAsAReset() throws {
            let backend = try Backend(.python, for: "a.example")
            let edge = try Edge(routes: backend.route)
            let transfer = try Curl.get(
                "a.example", path: "/reset", through: edge, trusting: backend.certificate,
                options: ["-o", "/dev/null"])
            // 56: failure in receiving; an orderly end in the middle would be 18 (or an SSL error about the
            // end).
            #expect(transfer.ending == .status(56), "\(transfer.everything)")
            #expect(transfer.errors.contains("reset"), "\(transfer.errors)")
        }
    }

    /// The same with both ends played by hand, so that the order of events is known.
    @Suite struct StreamEnds {
        private let listener: StreamListener
        private let edge: Edge

        init() throws {
            listener = try StreamListener()
            edge = try Edge(
                routes: "a.example \(listener.endpoint)", settings: "timeout half-close=700ms idle=5s")
        }

        /// A session in which both ends have sent and received something.
        private func session() throws -> (client: StreamSocket, server: StreamSocket) {
            let hello = HelloBuilder(name: "a.example").record()
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(hello)
            let server = try listener.accept()
            #expect(try server.receive(exactly: hello.count) == hello)
            try server.send("server hello")
            #expect(try client.receive(exactly: 12) == Array("server hello".utf8))
            return (client, server)
        }

        @Test func aClientThatEndsFirstStillGetsTheAnswer() throws {
            let (client, server) = try session()
            let question = Bytes.pattern(50_000)
            try client.send(question)
            try client.endSending()
            #expect(try server.receiveToEnd() == question)
            let answer = Bytes.pattern(60_000)
            try server.send(answer)
            server.close()
            #expect(try client.receiveToEnd() == answer)
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["end"] == "completed")
        }

        @Test func aServerThatEndsFirstStillGetsTheRest() throws {
            let (client, server) = try session()
            try server.send("goodbye")
            try server.endSending()
            #expect(try client.receiveToEnd() == Array("goodbye".utf8))
            let rest = Bytes.pattern(50_000)
            try client.send(rest)
            client.close()
            #expect(try server.receiveToEnd() == rest)
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["end"] == "completed")
        }

        @Test func anEndBehindManyBytesComesAfterTheLastOfThem() throws {
            let (client, server) = try session()
            // More than the sockets and a pipe hold: the end has to wait in the edge.
            let bytes = Bytes.pattern(8 << 20)
            let sender = Background {
                try server.send(bytes)
                try server.endSending()
            }
            // Time for the sender to fill all that there is on the way.
            Pause.milliseconds(200)
            #expect(try client.receiveToEnd() == bytes)
            try sender.wait()
        }

        /// A read stops in front of urgent data and a splice does not pass it; neither means that there is no
        /// more.
        @Test(arguments: [100, 200_000])
        func bytesBehindUrgentDataArriveAtOnceAndToTheLast(_ count: Int) throws {
            let (client, server) = try session()
            let sender = Background {
                for _ in 0..<20 {
                    try client.send([UInt8](repeating: 1, count: count))
                    try client.sendUrgent(2)
                    try client.send([UInt8](repeating: 3, count: count))
                }
                try client.endSending()
            }
            let bytes = try server.receiveToEnd()
            try sender.wait()
            #expect(bytes.count { $0 == 1 } == 20 * count)
            #expect(bytes.count { $0 == 2 } == 20, "urgent bytes are bytes like others")
            #expect(bytes.count { $0 == 3 } == 20 * count)
        }

        @Test func bytesInFrontOfUrgentDataDoNotWaitForMore() throws {
            let (client, server) = try session()
            try client.send([UInt8](repeating: 1, count: 100))
            try client.sendUrgent(2)
            var bytes: [UInt8] = []
            while bytes.count < 101 {
                let more = try server.receive()
                try #require(!more.isEmpty)
                bytes += more
            }
            #expect(bytes == [UInt8](repeating: 1, count: 100) + [2])
        }

        @Test func aHalfOpenSessionEndsAfterItsLimit() throws {
            let (client, server) = try session()
            try client.endSending()
            #expect(try server.receiveToEnd() == [])
            let start = ContinuousClock.now
            // The server keeps silent; the edge ends what is left.
            _ = try? client.receive()
            let took = ContinuousClock.now - start
            #expect(took > .milliseconds(400) && took < .seconds(4), "\(took)")
            try edge.waitForAccessLine { $0["end"] == "half-close-timeout" }
        }

        @Test func aResetOfTheServerReachesTheClientAsAReset() throws {
            let (client, server) = try session()
            server.reset()
            #expect(throws: SocketError.connectionReset) { try client.receive() }
            try edge.waitForAccessLine { $0["end"] == "origin-reset" }
        }

        @Test func aResetOfTheClientReachesTheServerAsAReset() throws {
            let (client, server) = try session()
            client.reset()
            #expect(throws: SocketError.connectionReset) { try server.receive() }
            try edge.waitForAccessLine { $0["end"] == "client-reset" }
        }

        @Test func aSessionWithoutBytesEndsAfterTheIdleTimeout() throws {
            let quick = try Edge(routes: "a.example \(listener.endpoint)", settings: "timeout idle=1s")
            let client = try StreamSocket(to: quick.endpoint)
            try client.send(HelloBuilder(name: "a.example").record())
            let server = try listener.accept()
            // A byte now and then keeps it alive beyond the limit.
            for _ in 0..<5 {
                Pause.milliseconds(400)
                try server.send("x")
                #expect(try client.receive(exactly: 1) == [UInt8(ascii: "x")])
            }
            let start = ContinuousClock.now
            _ = try? client.receive()
            let took = ContinuousClock.now - start
            #expect(took > .milliseconds(600) && took < .seconds(5), "\(took)")
            try quick.waitForAccessLine { $0["end"] == "idle-timeout" }
        }
    }
}
