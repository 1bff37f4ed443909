import Foundation
import Support
import Testing

extension EndToEnd.Upgrade {
    /// Sessions that are no plain TLS sessions, and what routes and operators ask of them.
    @Suite struct Kinds {
        private let hello = HelloBuilder(name: "a.example").record()

        /// Ends the process that serves in the end, which is no child of ours.
        private func end(_ edge: Edge) {
            guard let identifier = try? edge.servingProcess() else { return }
            kill(identifier, SIGTERM)
            if !Pause.until(seconds: 5, { kill(identifier, 0) != 0 }) { kill(identifier, SIGKILL) }
        }

        @Test func requestsGoOnWhereverTheyStand() throws {
            let port = Endpoint.ipv4(port: try FreePort.any())
            let server = try StreamListener()
            let edge = try Edge(
                routes: "a.example 127.0.0.1:1 http=all:\(server.endpoint)",
                settings: "listen http \(port)\ntimeout drain=100ms hello=30s")
            defer { end(edge) }
            func begin(_ text: String) throws -> StreamSocket {
                let client = try StreamSocket(to: port)
                try client.send(text)
                return client
            }
            func head(of connection: StreamSocket) throws -> String {
                var text = ""
                while !text.contains("\r\n\r\n") {
                    text += String(decoding: try connection.receive(upTo: 1), as: UTF8.self)
                }
                return text
            }
            let half = try begin("GET /half HTTP/1.1\r\nHost: a.ex")
            let content = Bytes.pattern(300_000)
            let upload = try begin(
                "POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(content.count)\r\n\r\n")
            let uploadServer = try server.accept()
            #expect(try head(of: uploadServer).hasPrefix("POST /up "))
            try upload.send(Array(content[..<1000]))
            #expect(try uploadServer.receive(exactly: 1000) == Array(content[..<1000]))
            let download = try begin("GET /down HTTP/1.1\r\nHost: a.example\r\n\r\n")
            let downloadServer = try server.accept()
            _ = try head(of: downloadServer)
            try downloadServer.send("HTTP/1.1 200 OK\r\n\r\nfirst")
            #expect(try download.receive(exactly: 24) == Array("HTTP/1.1 200 OK\r\n\r\nfirst".utf8))

            for _ in 0..<2 { _ = try edge.upgrade() }
            let sender = Thread { try? upload.send(Array(content[1000...]) + Array("GET /smuggled".utf8)) }
            sender.start()
            #expect(try uploadServer.receive(exactly: content.count - 1000) == Array(content[1000...]))
            #expect(uploadServer.staysSilent(milliseconds: 200))
            try uploadServer.send("HTTP/1.1 204 No Content\r\n\r\n")
            uploadServer.close()
            #expect(try upload.receiveToEnd() == Array("HTTP/1.1 204 No Content\r\n\r\n".utf8))
            try downloadServer.send(content)
            downloadServer.close()
            #expect(try download.receiveToEnd() == content)
            try half.send("ample\r\n\r\n")
            let halfServer = try server.accept()
            #expect(try head(of: halfServer).hasPrefix("GET /half "))
            halfServer.close()
            try edge.waitForLine(Edge.Log.access) { $0["name"] == "a.example" && $0["end"] == "completed" }
        }

        /// SYNs to a full queue are dropped: the attempts are under way while the processes change.
        @Test func attemptsAreMadeAnew() throws {
            let full = try StreamListener(backlog: 0)
            let first = try StreamSocket(to: full.endpoint)
            let (http, tcp) = (
                Endpoint.ipv4(port: try FreePort.any()), Endpoint.ipv4(port: try FreePort.any())
            )
            let edge = try Edge(
                routes: "a.example \(full.endpoint) http=all:\(full.endpoint)",
                settings: "listen http \(http)\nlisten tcp \(tcp) to=\(full.endpoint)\n"
                    + "timeout connect=30s drain=100ms")
            defer { end(edge) }
            let clients = try [edge.endpoint, http, tcp].map { try StreamSocket(to: $0) }
            try clients[0].send(hello)
            try clients[1].send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            Pause.milliseconds(200)
            _ = try edge.upgrade()
            // Now there is room, for one after the other.
            _ = try full.accept()
            var servers: [StreamSocket] = []
            var seen: Set<String> = []
            for _ in clients {
                let server = try full.accept(seconds: 20)
                if server.staysSilent(milliseconds: 500) {
                    try server.send("220")
                } else {
                    seen.insert(String(decoding: try server.receive(exactly: 3), as: UTF8.self))
                }
                servers.append(server)
            }
            #expect(seen == ["GET", String(decoding: hello[..<3], as: UTF8.self)])
            #expect(try clients[2].receive(exactly: 3) == Array("220".utf8))
            withExtendedLifetime((first, servers)) {}
        }

        @Test func headersThatWereBelievedAreTold() throws {
            let origin = try StreamListener()
            let edge = try Edge(
                routes: "a.example held", settings: "timeout drain=100ms hello=30s held=30s",
                listener: "tls @ accept-proxy=127.0.0.1/32")
            defer { end(edge) }
            let header = "PROXY TCP4 192.0.2.7 198.51.100.9 4711 443\r\n"
            let parked = try StreamSocket(to: edge.endpoint)
            try parked.send(Array(header.utf8) + hello)
            let half = try StreamSocket(to: edge.endpoint)
            try half.send(Array(header.utf8.prefix(20)))
            Pause.milliseconds(200)
            _ = try edge.upgrade()
            try edge.folder.write("routes.d/test.routes", "a.example \(origin.endpoint) proxy=v1\n")
            _ = try edge.upgrade()
            try half.send(Array(header.utf8.dropFirst(20)) + hello)
            for _ in 0..<2 {
                let server = try origin.accept()
                #expect(
                    try server.receive(exactly: header.utf8.count + hello.count) == Array(header.utf8) + hello
                )
                server.close()
            }
            parked.close()
            half.close()
            try edge.waitForLine(Edge.Log.access) { $0["client"] == "192.0.2.7:4711" }
        }

        @Test func whatRoutesAskForStaysInForce() throws {
            let origin = try StreamListener()
            func routes(_ idle: String) -> String {
                "a.example \(origin.endpoint) max=1\nb.example \(origin.endpoint) idle=\(idle)\n"
                    + "c.example \(origin.endpoint) drain=200ms"
            }
            let edge = try Edge(routes: routes("1s"), settings: "timeout drain=100ms")
            defer { end(edge) }
            func open(_ name: String) throws -> StreamSocket {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(HelloBuilder(name: name).record())
                return client
            }
            let sessions = try ["a.example", "b.example", "c.example"].map { name in
                let client = try open(name)
                let server = try origin.accept()
                _ = try server.receive(exactly: HelloBuilder(name: name).record().count)
                return (client, server)
            }
            _ = try edge.upgrade()
            // One is counted there already.
            #expect(try open("a.example").receiveToEnd() == [21, 3, 3, 0, 2, 2, 80])
            try edge.waitForLine(Edge.Log.access) { $0["name"] == "b.example" && $0["end"] == "idle-timeout" }
            sessions[0].0.close()
            sessions[0].1.close()
            try edge.waitForLine(Edge.Log.access) { $0["name"] == "a.example" && $0["end"] == "completed" }
            let next = try open("a.example")
            _ = try origin.accept().receive(exactly: hello.count)
            // The next process reads other routes than the one before had.
            try edge.folder.write(
                "routes.d/test.routes",
                routes("1s").replacingOccurrences(of: "drain=200ms", with: "drain=300ms"))
            _ = try edge.upgrade()
            try edge.waitForLine(Edge.Log.access) { $0["name"] == "c.example" && $0["end"] == "drained" }
            withExtendedLifetime((sessions, next)) {}
        }

        @Test func drainedTargetsStayDrainedAndTheMetricsAreServed() throws {
            let folder = try TemporaryFolder()
            let (first, second) = (try StreamListener(), try StreamListener())
            let metrics = Endpoint.ipv4(port: try FreePort.any())
            let edge = try Edge(
                routes: "a.example \(first.endpoint),\(second.endpoint)",
                settings: "control \(folder.path("control.sock"))\nmetrics \(metrics)\ntimeout drain=100ms")
            defer { end(edge) }
            func yard(_ arguments: [String]) throws -> Finished {
                try run(
                    URL(fileURLWithPath: Edge.binary).deletingLastPathComponent().appendingPathComponent(
                        "yard"
                    ).path,
                    arguments + ["--socket", folder.path("control.sock")])
            }
            #expect(try yard(["drain", "\(first.endpoint)"]).succeeded)
            let upgraded = try yard(["upgrade"])
            // The new process writes it when it has been given all, and that is when the old one answers.
            #expect(Pause.until { (try? edge.servingProcess()) != edge.process.identifier })
            let serving = try edge.servingProcess()
            #expect(upgraded.succeeded && serving != edge.process.identifier, "\(upgraded.everything)")
            #expect(upgraded.output == "upgraded: process \(serving) serves now\n")
            #expect(try yard(["status", "--json"]).output.contains("\"pid\":\(serving)"))
            for _ in 0..<12 {
                let client = try StreamSocket(to: edge.endpoint)
                try client.send(hello)
                _ = try second.accept().receive(exactly: hello.count)
            }
            let reader = try StreamSocket(to: metrics)
            try reader.send("GET /metrics HTTP/1.0\r\n\r\n")
            let text = String(decoding: try reader.receiveToEnd(), as: UTF8.self)
            #expect(
                text.hasPrefix("HTTP/1.1 200 OK\r\n") || text.hasPrefix("HTTP/1.0 200 OK\r\n"),
                "\(text.prefix(100))")
        }

        @Test func signalsThatComeMeanwhileReachTheNewProcess() throws {
            for _ in 0..<8 {
                let edge = try Edge(routes: "a.example 127.0.0.1:1", settings: "control off")
                defer { end(edge) }
                edge.process.send(signal: SIGUSR2)
                // It is about to start the new process, for which it waits.
                Thread.sleep(forTimeInterval: 0.002)
                edge.process.send(signal: SIGHUP)
                edge.process.send(signal: SIGTERM)
                #expect(
                    Pause.until(seconds: 5) {
                        let lines = edge.process.completeErrorLines()
                        return lines.contains { $0.contains(Edge.Log.reloaded) }
                            && lines.contains { $0.contains(" info drained") }
                    })
            }
        }

        @Test func filesThatNameAProcessThatHasGoneAreRemoved() throws {
            let edge = try Edge(routes: "a.example 127.0.0.1:1", settings: "control off")
            let folder = edge.folder
            let old = folder.path("switchyard.pid")
            let configuration = folder.read("switchyard.conf")
            try folder.write(
                "switchyard.conf",
                configuration.replacing(old, with: folder.path("new.pid"))
                    .replacing("control off", with: "control \(folder.path("new.sock"))"))
            edge.process.send(signal: SIGUSR2)
            #expect(Pause.until { !FileManager.default.fileExists(atPath: old) })
            let serving = try #require(
                Int32(folder.read("new.pid").trimmingCharacters(in: .whitespacesAndNewlines)))
            defer { kill(serving, SIGKILL) }
            #expect(kill(serving, 0) == 0)

            // One that cannot take over leaves no socket behind, and none of the other's is missing.
            let moved = folder.read("switchyard.conf").replacing("new.sock", with: "third.sock")
            try folder.write("switchyard.conf", moved + "user nobody-there\n")
            kill(serving, SIGUSR2)
            // Not by the process that was started first: it has ended.
            #expect(
                Pause.until {
                    edge.process.completeErrorLines().contains { $0.contains(Edge.Log.upgradeFailed) }
                })
            #expect(!FileManager.default.fileExists(atPath: folder.path("third.sock")))
            #expect(FileManager.default.fileExists(atPath: folder.path("new.sock")))
        }
    }
}
