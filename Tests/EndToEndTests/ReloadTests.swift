import Glibc
import Support
import Testing

extension EndToEnd {
    /// SIGHUP: new routes in the same process, no connection touched.
    @Suite struct Reload {
        /// Opens a session through the edge to whoever accepts, and says hello.
        private func open(_ edge: Edge, _ name: String) throws -> StreamSocket {
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(HelloBuilder(name: name).record())
            return client
        }

        /// Whether bytes go through in both directions.
        private func flows(_ client: StreamSocket, _ server: StreamSocket) throws -> Bool {
            try client.send("ping")
            let up = try server.receive(exactly: 4)
            try server.send("pong")
            return try up == Array("ping".utf8) && client.receive(exactly: 4) == Array("pong".utf8)
        }

        @Test func openConnectionsFlowOnAndNewOnesTakeTheNewRoute() throws {
            let old = try StreamListener()
            let new = try StreamListener()
            let hello = HelloBuilder(name: "a.example").record().count
            let edge = try Edge(routes: "a.example \(old.endpoint)")
            let pid = edge.process.identifier

            let before = try open(edge, "a.example")
            let beforeServer = try old.accept()
            _ = try beforeServer.receive(exactly: hello)
            try edge.reload(routes: "a.example \(new.endpoint)")
            #expect(try flows(before, beforeServer))

            let after = try open(edge, "a.example")
            let afterServer = try new.accept()
            _ = try afterServer.receive(exactly: hello)
            #expect(try flows(after, afterServer))
            #expect(!old.hasConnection(milliseconds: 50))

            try edge.reload(routes: "other.example \(new.endpoint)")
            #expect(try flows(before, beforeServer))
            #expect(try flows(after, afterServer))
            let removed = try open(edge, "a.example")
            #expect(Bytes.isAlert(try removed.receiveToEnd(), 112))
            #expect(edge.process.isRunning && edge.process.identifier == pid)
        }

        @Test(arguments: ["a FIFO in place of a routes file", "a folder of routes that has gone"])
        func whatCannotBeReadIsAnErrorAndNotAnEmptyTable(_ mistake: String) throws {
            let listener = try StreamListener()
            let edge = try Edge(routes: "a.example \(listener.endpoint)")
            let (folder, file) = (edge.folder.path("routes.d"), edge.folder.path("routes.d/test.routes"))
            let isMade =
                if mistake.hasPrefix("a FIFO") {
                    unsafe unlink(file) == 0 && mkfifo(file, 0o600) == 0
                } else {
                    unsafe rename(folder, edge.folder.path("elsewhere")) == 0
                }
            #expect(isMade)
            edge.process.send(signal: SIGHUP)
            try edge.process.waitForErrorLine { $0.contains(Edge.Log.reloadRefused) }
            let client = try open(edge, "a.example")
            let server = try listener.accept()
            _ = try server.receive(exactly: HelloBuilder(name: "a.example").record().count)
            #expect(try flows(client, server))
            edge.process.send(signal: SIGTERM)
            client.close()
            server.close()
            #expect(try edge.process.wait(seconds: 5) == .status(0))
        }

        @Test func aBadConfigurationChangesNothingAndEveryErrorIsNamed() throws {
            let listener = try StreamListener()
            let edge = try Edge(routes: "a.example \(listener.endpoint)")
            try edge.folder.write(
                "routes.d/test.routes",
                """
                a.example 127.0.0.1:9
                b.example 127.0.0.1:70000
                c.example host.example:443
                a.example 127.0.0.1:10

                """)
            edge.process.send(signal: SIGHUP)
            try edge.process.waitForErrorLine { $0.contains(Edge.Log.reloadRefused) }
            for line in [2, 3, 4] {
                let prefix = "test.routes:\(line):"
                #expect(
                    edge.process.completeErrorLines().contains {
                        $0.contains(prefix) && $0.contains("error: ")
                    },
                    "no diagnostic for line \(line):\n\(edge.process.errors)")
            }
            _ = try open(edge, "a.example")
            _ = try listener.accept()
        }

        @Test func aMistakeInTheMainFileChangesNothingEither() throws {
            let listener = try StreamListener()
            let edge = try Edge(routes: "a.example \(listener.endpoint)")
            try Edge.writeConfiguration(
                in: edge.folder, listeners: [edge.endpoint], settings: "limt connections=5")
            edge.process.send(signal: SIGHUP)
            try edge.process.waitForErrorLine { $0.contains(Edge.Log.reloadRefused) }
            #expect(edge.process.errors.contains("switchyard.conf:4:1: error: "))
            _ = try open(edge, "a.example")
            _ = try listener.accept()
        }

        @Test func listenersAreOpenedAndClosedByAReload() throws {
            let listener = try StreamListener()
            let edge = try Edge(routes: "a.example \(listener.endpoint)")
            let added = Endpoint.ipv4(port: try FreePort.any())
            try Edge.writeConfiguration(
                in: edge.folder, listeners: [edge.endpoint, added], settings: Edge.noSettings)
            try edge.reload()
            let client = try StreamSocket(to: added)
            try client.send(HelloBuilder(name: "a.example").record())
            _ = try listener.accept()

            try Edge.writeConfiguration(
                in: edge.folder, listeners: [edge.endpoint], settings: Edge.noSettings)
            try edge.reload()
            let closed = Pause.until(seconds: 3) { (try? StreamSocket(to: added)) == nil }
            #expect(closed, "the removed listener still accepts")
            _ = try open(edge, "a.example")
            _ = try listener.accept()
        }

        /// A shorter and simpler relative of the reload storm in Benchmarks/, with real handshakes.
        @Test func reloadsUnderLoadRefuseAndMisrouteNobody() throws {
            let constant = try Backend(.python, for: "a.example")
            let other = try Backend(.python, for: "b.example")
            let edge = try Edge(routes: constant.route)
            let load = try ChildProcess(
                "python3",
                [
                    Repository.path("Tests/Programs/handshake_storm.py"), String(edge.port), "a.example",
                    constant.certificate.fingerprint, "3",
                ])
            var reloads = 0
            while load.isRunning {
                // The name moves between the lines and among others; its target stays.
                let others = (0..<(reloads % 7)).map { "n\($0).example \(other.endpoint)" }
                try edge.reload(routes: (others + [constant.route, other.route]).joined(separator: "\n"))
                reloads += 1
            }
            #expect(try load.wait() == .status(0), "\(load.output)\(load.errors)")
            #expect(reloads > 20)
        }
    }
}
