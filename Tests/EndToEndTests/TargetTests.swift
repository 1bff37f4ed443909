import Support
import Testing

extension EndToEnd {
    /// Where a route may lead, and what happens when it leads nowhere.
    @Suite struct Targets {
        @Test(arguments: Backend.Address.allCases)
        func aTargetMayBeIPv4IPv6OrAUnixSocket(_ address: Backend.Address) throws {
            let backend = try Backend(.nginx, for: "a.example", at: address)
            let edge = try Edge(routes: backend.route)
            #expect(
                try Client.openssl.fingerprint(of: "a.example", through: edge)
                    == backend.certificate.fingerprint)
        }

        @Test func theEdgeListensOnIPv6Too() throws {
            let backend = try Backend(.openssl, for: "a.example")
            let edge = try Edge(routes: backend.route, usesIPv6: true)
            #expect(
                try Client.openssl.fingerprint(of: "a.example", through: edge)
                    == backend.certificate.fingerprint)
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["client"].hasPrefix("[::1]:"), "\(line)")
        }

        @Test func aTargetThatRefusesIsSkippedUnseenByTheClient() throws {
            let backend = try Backend(.python, for: "a.example")
            let closed = try FreePort.any()
            let edge = try Edge(routes: "a.example 127.0.0.1:\(closed),\(backend.endpoint)")
            // The first choice is a weighted one, so that several tries meet the closed port first.
            for _ in 0..<10 {
                let page = try Curl.get("a.example", through: edge, trusting: backend.certificate)
                #expect(page.succeeded, "\(page.everything)")
            }
        }

        @Test func aBackupServesOnlyWhenTheOthersDoNot() throws {
            let main = try StreamListener()
            let backup = try StreamListener()
            let closed = try FreePort.any()
            let edge = try Edge(
                routes: """
                    main.example \(main.endpoint),\(backup.endpoint)@backup
                    down.example 127.0.0.1:\(closed),\(backup.endpoint)@backup
                    """)
            for _ in 0..<10 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(HelloBuilder(name: "main.example").record())
                _ = try main.accept()
            }
            #expect(!backup.hasConnection(milliseconds: 50))
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(HelloBuilder(name: "down.example").record())
            _ = try backup.accept()
        }

        @Test func aWeightOfZeroDrainsATarget() throws {
            let live = try StreamListener()
            let drained = try StreamListener()
            let edge = try Edge(routes: "a.example \(drained.endpoint)@0,\(live.endpoint)@3")
            for _ in 0..<20 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(HelloBuilder(name: "a.example").record())
                _ = try live.accept()
            }
            #expect(!drained.hasConnection(milliseconds: 50))
        }

        @Test func weightsShareTheConnections() throws {
            let heavy = try StreamListener()
            let light = try StreamListener()
            let edge = try Edge(routes: "a.example \(heavy.endpoint)@9,\(light.endpoint)@1")
            var clients: [StreamSocket] = []
            for _ in 0..<200 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(HelloBuilder(name: "a.example").record())
                clients.append(client)
            }
            var heavyCount = 0
            while heavy.hasConnection(milliseconds: 300) {
                _ = try heavy.accept()
                heavyCount += 1
            }
            // 180 expected; a fair coin of this weight leaves 160...197 less than once in ten thousand runs.
            #expect((160...197).contains(heavyCount), "\(heavyCount) of 200 went to the heavy target")
        }

        @Test func allTargetsDownIsAnInternalError() throws {
            let closed = [try FreePort.any(), try FreePort.any()]
            let edge = try Edge(routes: "a.example 127.0.0.1:\(closed[0]),127.0.0.1:\(closed[1])")
            let openssl = try OpenSSLClient.connect(to: edge, ["-servername", "a.example"])
            #expect(openssl.errors.contains("SSL alert number 80"), "\(openssl.everything)")
            let line = try edge.waitForAccessLine { $0["name"] == "a.example" }
            #expect(line["end"] == "unreachable")
        }
    }
}
