import Support
import Testing

extension EndToEnd {
    /// What the edge asks of targets by itself, and what a route asks of its sessions.
    @Suite struct Checks {
        private static func isDown(_ line: some StringProtocol) -> Bool { line.contains(" is down: ") }
        private static func isUp(_ line: some StringProtocol) -> Bool { line.contains(" is up again ") }

        /// A client that has sent its hello.
        private func client(_ name: String, _ edge: Edge) throws -> StreamSocket {
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(HelloBuilder(name: name).record())
            return client
        }

        @Test(arguments: Backend.Program.allCases)
        func aRealServerPassesACheckByHello(_ program: Backend.Program) throws {
            let backend = try Backend(program, for: "a.example")
            let silent = try StreamListener()
            let edge = try Edge(
                routes: """
                    a.example \(backend.endpoint) check=hello:200ms
                    plain.example \(silent.endpoint) check=hello:200ms
                    """)
            // By the time that this one has failed twice, the other has been asked as often.
            let line = try edge.process.waitForErrorLine(where: Self.isDown)
            #expect(line.contains("target \(silent.endpoint) is down"), "\(line)")
            #expect(line.contains("check=hello plain.example"), "\(line)")
            Pause.milliseconds(600)
            #expect(edge.process.completeErrorLines().count(where: Self.isDown) == 1)
            #expect(
                try Client.openssl.fingerprint(of: "a.example", through: edge)
                    == backend.certificate.fingerprint)
            let openssl = try OpenSSLClient.connect(to: edge, ["-servername", "plain.example"])
            #expect(openssl.errors.contains("SSL alert number 80"), "\(openssl.everything)")
            let refused = try edge.waitForAccessLine { $0["name"] == "plain.example" }
            #expect(refused["end"] == "unreachable" && refused["target"] == "-", "not even tried")
        }

        @Test func noClientSeesATargetDieAndItsRecoveryIsSeenWithinTheInterval() throws {
            let living = try Backend(.nginx, for: "a.example")
            let port = try FreePort.any()
            var dying: StreamListener? = try StreamListener(.ipv4(port: port))
            let edge = try Edge(
                routes: "a.example 127.0.0.1:\(port)@1000,\(living.endpoint) check=tcp:500ms balance=weighted"
            )
            #expect(dying?.hasConnection(milliseconds: 2000) == true, "the check comes")
            dying = nil
            for _ in 0..<20 {
                let page = try Curl.get("a.example", through: edge, trusting: living.certificate)
                #expect(page.succeeded, "\(page.everything)")
            }
            try edge.process.waitForErrorLine(where: Self.isDown)
            let revived = try StreamListener(.ipv4(port: port))
            #expect(revived.hasConnection(milliseconds: 700), "a check comes within its interval")
            try edge.process.waitForErrorLine(seconds: 1, where: Self.isUp)
            _ = try client("a.example", edge)
            _ = try edge.waitForAccessLine { $0["target"] == "\(living.endpoint)" }
        }

        @Test func aBackupServesWhileAllOthersFailTheirChecks() throws {
            let port = try FreePort.any()
            let backup = try StreamListener()
            let edge = try Edge(
                routes: "a.example 127.0.0.1:\(port),\(backup.endpoint)@backup check=tcp:200ms")
            try edge.process.waitForErrorLine(where: Self.isDown)
            while backup.hasConnection(milliseconds: 0) { _ = try backup.accept() }
            let held = try client("a.example", edge)
            let hello = HelloBuilder(name: "a.example").record()
            let isServed = try Pause.until {
                let session = try backup.accept()
                return (try? session.receive(exactly: hello.count)) == hello
            }
            #expect(isServed)
            held.close()
        }

        @Test func aRouteHasAsManySessionsAsItMayAlsoAfterAReload() throws {
            let target = try StreamListener()
            let route = "a.example \(target.endpoint) max=2"
            let edge = try Edge(routes: route)
            let clients = [try client("a.example", edge), try client("a.example", edge)]
            let sessions = [try target.accept(), try target.accept()]
            for _ in 0..<2 {
                #expect(Bytes.isAlert(try client("a.example", edge).receiveToEnd(), 80))
                try edge.waitForAccessLine { $0["end"] == "route-limit" }
                try edge.reload(routes: route + "\nb.example \(target.endpoint)")
            }
            clients[0].close()
            sessions[0].close()
            try edge.waitForAccessLine { $0["end"] != "route-limit" }
            let third = try client("a.example", edge)
            _ = try target.accept()
            third.close()
        }

        @Test func aRouteHasAnIdleTimeOfItsOwn() throws {
            let target = try StreamListener()
            let edge = try Edge(routes: "a.example \(target.endpoint) idle=1s")
            let client = try client("a.example", edge)
            let session = try target.accept()
            #expect(try client.receiveToEnd() == [])
            session.close()
            try edge.waitForAccessLine { $0["end"] == "idle-timeout" }
        }

        @Test func sessionsOfAChangedRouteEndAfterItsDrainTimeAndNoOthers() throws {
            let target = try StreamListener()
            let other = try StreamListener()
            func routes(_ first: StreamListener) -> String {
                """
                changed.example \(first.endpoint) drain=200ms
                same.example \(target.endpoint) drain=200ms
                patient.example \(first.endpoint)
                """
            }
            let edge = try Edge(routes: routes(target))
            let changed = try client("changed.example", edge)
            var sessions = [try target.accept()]
            let same = try client("same.example", edge)
            sessions.append(try target.accept())
            let patient = try client("patient.example", edge)
            sessions.append(try target.accept())
            try edge.reload(routes: routes(other))
            _ = try? changed.receiveToEnd()
            let line = try edge.waitForAccessLine { $0["name"] == "changed.example" }
            #expect(line["end"] == "drained")
            #expect(same.staysSilent(milliseconds: 500) && patient.staysSilent(milliseconds: 0))
            for session in sessions { session.close() }
        }
    }
}
