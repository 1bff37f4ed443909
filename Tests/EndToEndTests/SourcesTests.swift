import Support
import Testing

extension EndToEnd {
    /// `allow`, `deny` and the limits by client address.
    @Suite struct Sources {
        private func serves(_ edge: Edge, from address: String, _ listener: StreamListener) throws -> Bool {
            let result = try run(
                "python3",
                [
                    "-c",
                    """
                    import socket, sys
                    s = socket.socket(); s.bind((sys.argv[1], 0)); s.settimeout(5)
                    try:
                        s.connect(("127.0.0.1", int(sys.argv[2])))
                        s.settimeout(0.3)
                        print("closed" if s.recv(1) == b"" else "bytes")
                    except TimeoutError:
                        print("open")
                    except ConnectionError:
                        print("reset")
                    """, address, String(edge.port),
                ])
            #expect(["open\n", "reset\n"].contains(result.output), "\(result.everything)")
            return result.output == "open\n"
        }

        @Test func theFirstLineThatFitsDecidesAndAReloadTakesEffectAtOnceForNewConnections() throws {
            let listener = try StreamListener()
            let edge = try Edge(
                routes: "a.example \(listener.endpoint)",
                settings: "allow 127.0.0.7\ndeny 127.0.0.0/29\ndeny 2001:db8::/32")
            #expect(try serves(edge, from: "127.0.0.7", listener))
            #expect(try !serves(edge, from: "127.0.0.6", listener))
            #expect(try serves(edge, from: "127.0.0.8", listener))

            // The client that is there stays when its address is denied, and sends on.
            try Edge.writeConfiguration(
                in: edge.folder, listeners: [edge.endpoint], settings: "deny 10.0.0.0/8")
            try edge.reload()
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(HelloBuilder(name: "a.example").record())
            let server = try listener.accept()
            try Edge.writeConfiguration(in: edge.folder, listeners: [edge.endpoint], settings: "deny all")
            try edge.reload()
            #expect(try !serves(edge, from: "127.0.0.8", listener))
            try server.send("still here")
            #expect(try client.receive(exactly: 10) == Array("still here".utf8))
            client.close()
            server.close()
            edge.process.send(signal: 15)
            try edge.process.wait()
            #expect(edge.process.errors.contains("sourceDenied=2"), "\(edge.process.errors)")
            #expect(edge.accessLines.allSatisfy { !$0["client"].hasPrefix("127.0.0.6") })
        }

        @Test func fiftyThousandLinesAreLoadedAndReloaded() throws {
            let listener = try StreamListener()
            let lines = (0..<50_000).map { "deny 10.\($0 / 256 % 256).\($0 % 256).\($0 / 65536 * 16)/28" }
            let edge = try Edge(
                routes: "a.example \(listener.endpoint)",
                settings: (lines + ["deny 127.0.0.9"]).joined(separator: "\n"))
            #expect(try serves(edge, from: "127.0.0.1", listener))
            #expect(try !serves(edge, from: "127.0.0.9", listener))
            try edge.reload()
            #expect(try !serves(edge, from: "127.0.0.9", listener))
        }

        /// The flood and both ends of the other client's handshakes share the processors with the edge, so
        /// the bound is a wide one; the printed figures are the finding.
        @Test func aFloodFromOneAddressLeavesAnotherOneServed() throws {
            let backend = try Backend(.nginx, for: "a.example")
            let edge = try Edge(routes: backend.route, settings: "limit per-source=16\ntimeout hello=60s")
            let result = try run(
                "python3",
                [
                    Repository.path("Tests/Programs/source_flood.py"), String(edge.port), "a.example",
                    "20000",
                ], seconds: 120)
            #expect(result.succeeded, "\(result.everything)")
            print("flood of 20,000 connections on \(Edge.inputOutput): \(result.output)")
            let figures = Dictionary(
                uniqueKeysWithValues: result.output.split(whereSeparator: \.isWhitespace).compactMap { word in
                    let parts = word.split(separator: "=")
                    return parts.count == 2 ? (String(parts[0]), Double(parts[1]) ?? 0) : nil
                })
            let (quiet, flooded) = (figures["quiet"] ?? 0, figures["flooded"] ?? .infinity)
            #expect(flooded <= max(3 * quiet, quiet + 10_000), "\(result.output)")
            #expect(figures["p99"] ?? .infinity < 1_000_000, "\(result.output)")
            edge.process.send(signal: 15)
            try edge.process.wait()
            #expect(edge.process.errors.contains("sourceLimited=20000"), "\(edge.process.errors)")
        }
    }
}
