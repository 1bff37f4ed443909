import Glibc
import Support
import Testing

extension EndToEnd {
    /// `asleep` and `held`: sessions that wait for their route.
    @Suite struct Parking {
        /// A wake socket that prints what it is told.
        private final class WakeServer {
            let process: ChildProcess
            let path: String

            init(in folder: TemporaryFolder) throws {
                path = folder.path("wake.sock")
                process = try ChildProcess(
                    "python3", [Repository.path("Tests/Programs/wake_server.py"), path])
                try process.waitForErrorLine { $0.hasPrefix("listening ") }
            }

            /// When each message came, by its text.
            var messages: [String: [Double]] {
                var found: [String: [Double]] = [:]
                for line in process.output.split(separator: "\n") {
                    let words = line.split(separator: " ", maxSplits: 1)
                    guard words.count == 2, let seconds = Double(words[0]) else { continue }
                    found[String(words[1]), default: []].append(seconds)
                }
                return found
            }

            /// The message for a name, as the program prints bytes.
            static func message(_ name: String) -> String { "b'wake \(name)\\n'" }
        }

        private func open(_ edge: Edge, _ name: String) throws -> StreamSocket {
            let client = try StreamSocket(to: edge.endpoint)
            try client.send(HelloBuilder(name: name).record())
            return client
        }

        @Test func aSleepingRouteIsWokenOnceASecondAndServesAllThatWaited() throws {
            let folder = try TemporaryFolder()
            let server = try WakeServer(in: folder)
            let names = ["a.example", "b.example", "c.example"]
            let backends = try names.map { try Backend(.nginx, for: $0) }
            let asleep =
                names.map { "\($0) asleep wake=unix:\(server.path)" }
                + ["other.example asleep wake=unix:\(server.path)"]
            let edge = try Edge(
                routes: asleep.joined(separator: "\n"),
                settings: "workers 2\nlimit parked-per-source=1000\ntimeout wake=60s")
            // Neither a scan nor a wrong name nor half a hello wakes anybody.
            let silent = try StreamSocket(to: edge.endpoint)
            let wrong = try open(edge, "wrong.example")
            #expect(Bytes.isAlert(try wrong.receiveToEnd(), 112))
            let half = try StreamSocket(to: edge.endpoint)
            try half.send(Array(HelloBuilder(name: "other.example").record().dropLast(3)))
            #expect(server.messages.isEmpty)

            let clients = try ChildProcess(
                "python3",
                [Repository.path("Tests/Programs/waiting_clients.py"), String(edge.port), "200"]
                    + backends.map { "\($0.certificate.name)=\($0.certificate.fingerprint)" })
            let isTold = Pause.until(seconds: 10) {
                names.allSatisfy { (server.messages[WakeServer.message($0)] ?? []).count >= 3 }
            }
            #expect(isTold, "\(server.messages)")
            // Another line for the same name in between: the interval holds by the name.
            try edge.reload(routes: (["new.example held"] + asleep).joined(separator: "\n"))
            Pause.short()
            try edge.reload(routes: backends.map(\.route).joined(separator: "\n"))
            #expect(
                try clients.wait(seconds: 30) == .status(0), "\(clients.output)\(clients.errors)")
            // The servers end with their last mention.
            withExtendedLifetime(backends) {}

            let messages = server.messages
            #expect(Set(messages.keys) == Set(names.map { WakeServer.message($0) }), "\(messages)")
            for times in messages.values {
                let gaps = zip(times, times.dropFirst()).map { $1 - $0 }
                // The server's clock starts when its turn comes.
                #expect(gaps.allSatisfy { $0 > 0.9 }, "\(times)")
            }
            silent.close()
        }

        @Test func whoeverWaitsTooLongIsToldAndTheSocketThatIsNotThereIsNamedOnce() throws {
            let edge = try Edge(
                routes: "a.example asleep wake=unix:/nonexistent/wake.sock",
                settings: "workers 1\nlimit parked=4 parked-per-source=3\ntimeout wake=2500ms")
            let waiting = try (0..<3).map { _ in try open(edge, "a.example") }
            Thread.pause(milliseconds: 200)
            // The fourth of its address is one too many.
            let fourth = try open(edge, "a.example")
            #expect(Bytes.isAlert(try fourth.receiveToEnd(), 80))
            try edge.waitForAccessLine { $0["end"] == "park-limit" }
            for client in waiting { #expect(Bytes.isAlert(try client.receiveToEnd(), 80)) }
            try edge.waitForAccessLine { $0["end"] == "park-timeout" && $0["name"] == "a.example" }
            let lines = edge.process.completeErrorLines().filter { $0.contains("/nonexistent/wake.sock") }
            #expect(lines.count == 1, "\(lines)")
        }

        @Test(arguments: [false, true])
        func aClientThatLeavesFreesItsPlaceAtOnce(withReset: Bool) throws {
            let edge = try Edge(
                routes: "a.example asleep wake=unix:/nonexistent/wake.sock\nb.example held",
                settings: "workers 1\nlimit parked=2\ntimeout wake=60s held=60s")
            for name in ["a.example", "b.example"] {
                let first = try open(edge, name)
                let second = try open(edge, name)
                Thread.pause(milliseconds: 200)
                let third = try open(edge, name)
                #expect(Bytes.isAlert(try third.receiveToEnd(), 80))
                // Bytes that nobody has read do not hide the end.
                if !withReset { try first.send("early") }
                if withReset { first.reset() } else { first.close() }
                try edge.waitForAccessLine(seconds: 3) {
                    $0["end"] == (withReset ? "client-reset" : "client-gone") && $0["name"] == name
                }
                let fourth = try open(edge, name)
                #expect(fourth.staysSilent(milliseconds: 300))
                second.close()
                fourth.close()
                try edge.waitForAccessLine(seconds: 3) { $0["end"] == "client-gone" && $0["name"] == name }
                Thread.pause(milliseconds: 100)
            }
        }

        @Test func whatAClientSendsWhileItWaitsIsNotLostAndCostsNothing() throws {
            let listener = try StreamListener()
            let edge = try Edge(routes: "a.example held", settings: "workers 1\ntimeout held=60s")
            let client = try open(edge, "a.example")
            let early = Bytes.pattern(40_000)
            Thread.pause(milliseconds: 200)
            try client.send(early)
            let before = try Self.cpuTicks(edge.process.identifier)
            Thread.pause(milliseconds: 1000)
            #expect(try Self.cpuTicks(edge.process.identifier) - before <= 5, "it spins")
            try edge.reload(routes: "a.example \(listener.endpoint)")
            let server = try listener.accept()
            let hello = HelloBuilder(name: "a.example").record()
            #expect(try server.receive(exactly: hello.count + early.count) == hello + early)
            client.close()
        }

        @Test func aSleepingRouteMayBecomeAHeldOneAndAnotherSleepingOneWithoutMoreTime() throws {
            let wake = "asleep wake=unix:/nonexistent/wake.sock"
            let edge = try Edge(
                routes: "a.example \(wake)", settings: "workers 1\ntimeout wake=1500ms held=60s")
            let start = ContinuousClock.now
            let client = try open(edge, "a.example")
            Thread.pause(milliseconds: 300)
            try edge.reload(routes: "a.example held")
            try edge.reload(routes: "b.example held\na.example \(wake)")
            #expect(Bytes.isAlert(try client.receiveToEnd(), 80))
            let passed = ContinuousClock.now - start
            #expect(passed >= .milliseconds(1500) && passed < .milliseconds(3500))
        }

        @Test func theEndOfTheProcessDoesNotWaitForWhoWaits() throws {
            let edge = try Edge(
                routes: "a.example asleep wake=unix:/nonexistent/wake.sock",
                settings: "workers 1\ntimeout wake=60s drain=60s")
            let client = try open(edge, "a.example")
            Thread.pause(milliseconds: 200)
            edge.process.send(signal: SIGTERM)
            #expect(Bytes.isAlert(try client.receiveToEnd(), 80), "as at the end of its wait")
            client.close()
            #expect(try edge.process.wait(seconds: 5) == .status(0))
            #expect(edge.accessLines.contains { $0["end"] == "park-timeout" }, "\(edge.process.errors)")
            client.close()
        }

        private enum Thread {
            static func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
        }

        /// Hundredths of a second of processor time that a process has used.
        private static func cpuTicks(_ process: Int32) throws -> Int {
            let text = try run("cat", ["/proc/\(process)/stat"]).output
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
        }
    }
}
