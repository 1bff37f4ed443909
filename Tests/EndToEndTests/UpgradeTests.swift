import Foundation
import Support
import Testing

extension EndToEnd {
    /// SIGUSR2: another process takes over, and nobody is cut off. The storm of them is in Benchmarks/.
    @Suite struct Upgrade {
        private func open(_ edge: Edge, _ name: String, part: Int? = nil) throws -> StreamSocket {
            let client = try StreamSocket(to: edge.endpoint)
            let hello = HelloBuilder(name: name).record()
            try client.send(part.map { Array(hello[..<$0]) } ?? hello)
            return client
        }

        /// A session of which the origin has had the hello.
        private func session(
            _ edge: Edge, _ origin: StreamListener, _ name: String = "a.example"
        ) throws -> (client: StreamSocket, server: StreamSocket) {
            let client = try open(edge, name)
            let server = try origin.accept()
            _ = try server.receive(exactly: HelloBuilder(name: name).record().count)
            return (client, server)
        }

        private func passes(_ from: StreamSocket, _ to: StreamSocket, _ count: Int) throws -> Bool {
            let bytes = Bytes.pattern(count)
            let sender = Thread { try? from.send(bytes) }
            sender.start()
            return try to.receive(exactly: count) == bytes
        }

        /// Ends a process that is no child of ours, and waits until it has.
        private func end(_ identifier: Int32) {
            kill(identifier, SIGTERM)
            if !Pause.until(seconds: 5, { kill(identifier, 0) != 0 }) { kill(identifier, SIGKILL) }
        }

        @Test func sessionsOfEveryKindGoOnInTheNextProcess() throws {
            let origin = try StreamListener()
            let edge = try Edge(
                routes: "*.example \(origin.endpoint)\nheld.example held",
                settings: "timeout drain=100ms hello=30s")
            let first = edge.process.identifier
            let hello = HelloBuilder(name: "a.example").record()
            let plain = try session(edge, origin)
            let upEnded = try session(edge, origin)
            let downEnded = try session(edge, origin)
            let stalled = try session(edge, origin)
            let bulk = Bytes.pattern(8_000_000)
            let writer = Thread {
                try? stalled.server.send(bulk)
                try? stalled.server.endSending()
            }
            writer.start()
            try upEnded.client.send("last")
            try upEnded.client.endSending()
            #expect(try upEnded.server.receiveToEnd() == Array("last".utf8))
            try downEnded.server.endSending()
            #expect(try downEnded.client.receiveToEnd() == [])
            let half = try open(edge, "a.example", part: 50)
            let silent = try StreamSocket(to: edge.endpoint)
            let parked = try open(edge, "held.example")
            Pause.milliseconds(200)

            let second = try edge.upgrade()
            defer { end(second) }
            #expect(second != first)
            #expect(try edge.process.wait(seconds: 5) == .status(0), "\(edge.process.errors)")
            #expect(try edge.servingProcess() == second)
            #expect(try passes(plain.client, plain.server, 100_000))
            #expect(try passes(plain.server, plain.client, 100_000))
            #expect(try passes(upEnded.server, upEnded.client, 1000))
            #expect(try passes(downEnded.client, downEnded.server, 1000))
            #expect(try stalled.client.receiveToEnd() == bulk)
            try half.send(Array(hello[50...]))
            #expect(try origin.accept().receive(exactly: hello.count) == hello)
            try silent.send(hello)
            #expect(try origin.accept().receive(exactly: hello.count) == hello)
            let fresh = try session(edge, origin)
            #expect(try passes(fresh.client, fresh.server, 1000))

            // The next process reloads, and has the session that waits.
            try edge.folder.write("routes.d/test.routes", "*.example \(origin.endpoint)\n")
            kill(second, SIGHUP)
            let released = try origin.accept()
            _ = try released.receive(exactly: HelloBuilder(name: "held.example").record().count)
            #expect(try passes(parked, released, 1000))

            plain.client.close()
            plain.server.close()
            let line = try edge.waitForLine(Edge.Log.access) { $0["up"] == "\(hello.count + 100_000)" }
            #expect(line["down"] == "100000" && line["name"] == "a.example", "\(line)")
            #expect(line["listener"] == edge.endpoint.description && line["target"] == "\(origin.endpoint)")
        }

        @Test func fiveInARowAndEachIsWhole() throws {
            let origin = try StreamListener()
            let edge = try Edge(
                routes: "a.example \(origin.endpoint)", settings: "timeout drain=100ms hello=30s")
            var sessions = [try session(edge, origin)]
            var last: Int32 = 0
            defer { if last > 0 { end(last) } }
            for _ in 0..<5 {
                last = try edge.upgrade()
                sessions.append(try session(edge, origin))
                for session in sessions {
                    #expect(try passes(session.client, session.server, 300))
                    #expect(try passes(session.server, session.client, 70_000))
                }
            }
        }

        @Test func listenersComeAndGoWithTheConfiguration() throws {
            let origin = try StreamListener()
            let edge = try Edge(
                routes: "a.example \(origin.endpoint)", settings: "timeout drain=100ms hello=30s")
            let old = try session(edge, origin)
            let added = Endpoint.ipv4(port: try FreePort.any())
            try Edge.writeConfiguration(in: edge.folder, listeners: [added], settings: "")
            let second = try edge.upgrade()
            defer { end(second) }
            #expect(Pause.until(seconds: 3) { (try? StreamSocket(to: edge.endpoint)) == nil })
            let client = try StreamSocket(to: added)
            try client.send(HelloBuilder(name: "a.example").record())
            _ = try origin.accept()
            #expect(try passes(old.client, old.server, 1000))
            old.client.close()
            old.server.close()
            try edge.waitForLine(Edge.Log.access) { $0["listener"] == edge.endpoint.description }
        }

        /// A program that cannot take over, and a word of the line that says so.
        enum Failure: CaseIterable {
            case wrongConfiguration, exits, isNoProgram, otherVersion, diesWaiting, diesWithTheSessions
            case hangsWithTheSessions, saysNonsense, isScriptThatStays

            /// What stands in the place of the program's file; nil: the program itself.
            var program: String? {
                let start = """
                    #!/usr/bin/env python3
                    import os, socket, struct, sys, time
                    s = socket.socket(fileno=3)
                    s.setblocking(True)
                    receive = lambda: socket.recv_fds(s, 65536, 8)
                    hello = struct.pack("<BII", 1, \(self == .otherVersion ? 99 : 1), os.getpid())

                    """
                let prepare = """
                    s.send(hello)
                    ways = []
                    while True:
                        message, descriptors, _, _ = receive()
                        if message[0] == 3: ways.append(socket.socket(fileno=descriptors[0]))
                        if message[0] == 6: break
                    s.send(bytes([7]))
                    count = 0
                    for way in ways:
                        way.setblocking(True)
                        while (message := socket.recv_fds(way, 65536, 8)[0])[0]: count += 1

                    """
                switch self {
                case .wrongConfiguration: return nil
                case .exits: return "#!/bin/sh\nexit 3\n"
                case .isNoProgram: return "nothing\n"
                case .isScriptThatStays: return "#!/bin/sh\n'\(Edge.binary)' \"$@\"\n:\n"
                case .otherVersion: return start + "s.send(hello)\ntime.sleep(60)\n"
                case .diesWaiting: return start + "s.send(hello)\nos.kill(os.getpid(), 9)\n"
                case .diesWithTheSessions: return start + prepare + "os.kill(os.getpid(), 9)\n"
                case .hangsWithTheSessions: return start + prepare + "time.sleep(60)\n"
                case .saysNonsense: return start + prepare + "s.send(b'nonsense')\ntime.sleep(60)\n"
                }
            }

            var word: String {
                switch self {
                case .wrongConfiguration: "switchyard.conf:4:1: error: "
                case .exits: "exited with status 3"
                case .isNoProgram: "cannot be started"
                case .otherVersion: "version 99"
                case .diesWaiting, .diesWithTheSessions: "was ended by signal 9"
                case .hangsWithTheSessions: "does not answer"
                case .saysNonsense: "the new process sent"
                case .isScriptThatStays: "has to `exec`"
                }
            }
        }

        @Test(arguments: Failure.allCases)
        func whateverFailsTheOldProcessServesOn(_ failure: Failure) throws {
            let origin = try StreamListener()
            let edge = try Edge(
                routes: "*.example \(origin.endpoint)\nheld.example held",
                settings: "timeout drain=100ms hello=30s",
                ownBinary: true)
            let plain = try session(edge, origin)
            let stalled = try session(edge, origin)
            let bulk = Bytes.pattern(8_000_000)
            let writer = Thread {
                try? stalled.server.send(bulk)
                try? stalled.server.endSending()
            }
            writer.start()
            let hello = HelloBuilder(name: "a.example").record()
            let half = try open(edge, "a.example", part: 50)
            let parked = try open(edge, "held.example")
            Pause.milliseconds(200)
            if let program = failure.program {
                try edge.folder.write("next", program)
                let isReplaced =
                    try run("chmod", ["755", edge.folder.path("next")]).succeeded
                    && run("mv", [edge.folder.path("next"), edge.folder.path("switchyard")]).succeeded
                #expect(isReplaced)
            } else {
                try Edge.writeConfiguration(
                    in: edge.folder, listeners: [edge.endpoint], settings: "limt connections=5")
            }
            edge.process.send(signal: SIGUSR2)
            try edge.process.waitForErrorLine(seconds: 15) { $0.contains(Edge.Log.upgradeFailed) }
            #expect(
                Pause.until(seconds: 1) { edge.process.errors.contains(failure.word) },
                "\(edge.process.errors)")

            #expect(try edge.servingProcess() == edge.process.identifier)
            #expect(try passes(plain.client, plain.server, 100_000))
            #expect(try passes(plain.server, plain.client, 100_000))
            #expect(try stalled.client.receiveToEnd() == bulk)
            try half.send(Array(hello[50...]))
            #expect(try origin.accept().receive(exactly: hello.count) == hello)
            let fresh = try session(edge, origin)
            #expect(try passes(fresh.client, fresh.server, 1000))
            try Edge.writeConfiguration(in: edge.folder, listeners: [edge.endpoint], settings: "")
            try edge.reload(routes: "*.example \(origin.endpoint)")
            let released = try origin.accept()
            _ = try released.receive(exactly: HelloBuilder(name: "held.example").record().count)
            #expect(try passes(parked, released, 1000))
            plain.client.close()
            plain.server.close()
            try edge.waitForLine(Edge.Log.access) {
                $0["up"] == "\(hello.count + 100_000)" && $0["down"] == "100000"
            }
        }
    }
}
