import Foundation
import Glibc
import NIOCore
import Peers
import Support
import Testing
import YardKit

/// Streams: whole and equal, or an error.
@Suite(.serialized) struct StreamTests {
    private static let many = 256 << 20

    /// Memory of this process, in MiB: now, and the most since it was last asked for.
    private func memory() throws -> (now: Int, peak: Int) {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        func figure(_ name: String) -> Int {
            let line = status.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
            return (Int(line.filter(\.isNumber)) ?? 0) >> 10
        }
        return (figure("VmRSS"), figure("VmHWM"))
    }

    private func resetPeak() {
        try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    }

    @Test func aQuarterOfAGibibyteComesWholeThereAndBackInLittleMemory() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let expected = ByteSource.sum(Self.many)
        resetPeak()
        let before = try memory().now
        let start = ContinuousClock.now

        let up = try await a.client.stream(peer, "sum") { (_, stream) throws(PeerError) in
            var source = ByteSource(Self.many)
            while let bytes = source.next() { try await stream.write(bytes) }
            try await stream.finish()
            var told = ByteBuffer()
            while var bytes = try await stream.read() { told.writeBuffer(&bytes) }
            return String(buffer: told)
        }
        #expect(up == expected)
        let middle = ContinuousClock.now

        let down = try await a.client.stream(peer, "send", .integer(Self.many)) {
            (_, stream) throws(PeerError) in
            var sum = ByteSum()
            while let bytes = try await stream.read() { sum.add(bytes) }
            #expect(stream.bytesRead == Self.many && stream.bytesWritten == 0)
            return sum.text
        }
        #expect(down == expected)
        let end = ContinuousClock.now
        let rates = [middle - start, end - middle].map { Int(256 / ($0 / .seconds(1))) }
        let grown = try memory().peak - before
        Measured.tell(
            "256 MiB through TLS with SHA-256 at both ends: \(rates[0]) and \(rates[1]) MiB/s, "
                + "\(grown) MiB of memory"
        )
        #expect(grown < 64)
    }

    /// Both directions at once, and a reader that dawdles: what is not read is not in our memory.
    @Test func whoReadsSlowlyHoldsUpWhoWrites() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        resetPeak()
        let before = try memory().now
        let sum = try await a.client.stream(peer, "send", .integer(64 << 20)) {
            (_, stream) throws(PeerError) in
            var sum = ByteSum()
            try? await Task.sleep(for: .milliseconds(1500))
            while let bytes = try await stream.read() { sum.add(bytes) }
            return sum.text
        }
        #expect(sum == ByteSource.sum(64 << 20))
        #expect(try memory().peak - before < 32)
    }

    @Test func bothDirectionsFlowAtOnceAndEndByThemselves() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let count = 32 << 20
        let sum = try await a.client.stream(peer, "mirror") { (_, stream) throws(PeerError) in
            let writing = Task {
                await failure { () throws(PeerError) in
                    var source = ByteSource(count)
                    while let bytes = source.next() { try await stream.write(bytes) }
                    try await stream.finish()
                }
            }
            var sum = ByteSum()
            while let bytes = try await stream.read() { sum.add(bytes) }
            #expect(await writing.value == nil)
            return sum.text
        }
        #expect(sum == ByteSource.sum(count))
    }

    /// Wherever it is cut: what has come is told to be no whole.
    @Test(arguments: [2500, 3000, 5000, 70_000, 1 << 20])
    func aLinkThatIsCutIsAnErrorAtBothEnds(bytesMax: Int) async throws {
        let (a, b) = try await twoPeers()
        let relay = try await Relay(to: b.port, after: bytesMax)
        let peer = try b.peer(port: relay.port)
        let seen = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "send", .integer(2 << 20)) { (_, stream) throws(PeerError) in
                while try await stream.read() != nil {}
            }
        }
        #expect(seen?.kind == .cutOff && seen?.isWorthRetrying == true, "\(String(describing: seen))")
        #expect(await eventually { b.events.texts.contains { $0.contains("cut off") } })
    }

    @Test func aLinkThatFallsSilentIsNoticed() async throws {
        let limits = PeerLimits.with {
            $0.silence = .milliseconds(600)
            $0.keepAlive = .milliseconds(100)
        }
        let (a, b) = try await twoPeers(limits: limits)
        let relay = try await Relay(to: b.port, after: 100_000, .silent)
        let peer = try b.peer(port: relay.port)
        let start = ContinuousClock.now
        let seen = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "send", .integer(2 << 20)) { (_, stream) throws(PeerError) in
                while try await stream.read() != nil {}
            }
        }
        #expect(
            seen?.kind == .timedOut && seen?.text.contains("a sign of life") == true,
            "\(String(describing: seen))")
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    /// Both ends have nothing to say for longer than the limit of silence, and say that they are there.
    @Test func aStreamWithNothingToSayStaysOpen() async throws {
        let limits = PeerLimits.with {
            $0.silence = .milliseconds(500)
            $0.keepAlive = .milliseconds(100)
        }
        let (a, b) = try await twoPeers(limits: limits)
        let peer = try b.peer()
        let text = try await a.client.stream(peer, "idle") { (_, stream) throws(PeerError) in
            try await stream.finish()
            return try await stream.read().map { String(buffer: $0) }
        }
        #expect(text == "at last")
    }

    /// A reader that does nothing for long is not a link that is dead.
    @Test func aReaderThatRestsIsNotMistakenForADeadLink() async throws {
        let limits = PeerLimits.with {
            $0.silence = .milliseconds(400)
            $0.keepAlive = .milliseconds(100)
        }
        let (a, b) = try await twoPeers(limits: limits)
        let peer = try b.peer()
        let sum = try await a.client.stream(peer, "send", .integer(16 << 20)) {
            (_, stream) throws(PeerError) in
            try? await Task.sleep(for: .seconds(2))
            var sum = ByteSum()
            while let bytes = try await stream.read() { sum.add(bytes) }
            return sum.text
        }
        #expect(sum == ByteSource.sum(16 << 20))
    }

    @Test func whoNeverTakesAnythingIsGivenUp() async throws {
        let limits = PeerLimits.with {
            $0.stall = .milliseconds(600)
            $0.keepAlive = .milliseconds(100)
        }
        let (a, b) = try await twoPeers(limits: limits)
        let peer = try b.peer()
        let seen = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "send", .integer(64 << 20)) { (_, stream) throws(PeerError) in
                try? await Task.sleep(for: .seconds(3))
                while try await stream.read() != nil {}
            }
        }
        #expect(seen != nil)
        #expect(
            b.events.texts.contains { $0.contains("waited too long for the other end to take something") },
            "\(b.events.texts)")
    }

    @Test func whoGivesUpTellsWhy() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        // The server, while the client reads, and while it writes all the time.
        let reading = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "give up") { (_, stream) throws(PeerError) in
                try await stream.write(ByteBuffer(string: "x"))
                while try await stream.read() != nil {}
            }
        }
        #expect(reading == PeerError(.stopped, "b (127.0.0.1:\(b.port)) has stopped: the disk is full"))
        let writing = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "give up") { (_, stream) throws(PeerError) in
                var source = ByteSource(64 << 20)
                while let bytes = source.next() { try await stream.write(bytes) }
            }
        }
        #expect(writing?.kind == .stopped || writing?.kind == .cutOff, "\(String(describing: writing))")
        // The client.
        let own = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "mirror") { (_, stream) throws(PeerError) in
                throw PeerError(.unusable, "a file has vanished")
            }
        }
        #expect(own == PeerError(.unusable, "a file has vanished"))
        #expect(
            await eventually { b.events.texts.contains { $0.contains("has stopped: a file has vanished") } })
    }

    @Test func chunksOfAForeignProgramAreUnderstoodAndNonsenseIsNot() async throws {
        let (a, b) = try await twoPeers()
        let folder = try TemporaryFolder()
        let open = "{\"method\":\"mirror\"}\n"
        func told(_ chunks: String) async throws -> String {
            try await foreignClient(a, to: b, in: folder, protocol: "switchyard-peer/1", says: open + chunks)
        }
        #expect(try await told("\0\0\0\u{5}hello\u{3}\0\0\0\0\0\0\u{6} world\u{1}\0\0\0").contains("hello"))
        for nonsense in [
            "\u{4}\0\0\0", "\u{1}\0\0\u{1}x", "\u{3}\0\0\u{1}x", "\u{2}\u{7f}\0\0", "\u{1}\0\0\0\0\0\0\u{1}x",
        ] {
            _ = try await told(nonsense)
        }
        #expect(
            await eventually {
                b.events.texts.count { $0.contains("sends a stream that makes no sense") } >= 4
            }, "\(b.events.texts)")
    }

    // MARK: Descriptors

    private func pipePair() -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        // SAFETY: the array has room for two.
        unsafe #expect(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    /// A program's input and output, through pipes, at the end of a stream.
    @Test func aProgramsPipesAreJoinedAndItsEndIsTheEnd() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let (input, output) = (pipePair(), pipePair())
        let program = try JoinedProgram(
            "/bin/sh", ["-c", "tr a-z A-Z; echo done"], input: input.reading, output: output.writing)
        let count = try await a.client.stream(peer, "idle") { (_, stream) throws(PeerError) in
            try await stream.join(input: output.reading, output: input.writing)
            return stream.bytesWritten
        }
        #expect(try await program.status() == 0)
        #expect(count == "AT LASTdone\n".utf8.count)
    }

    @Test func aSocketThatIsClosedInTheMiddleIsAnErrorAtBothEnds() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let (near, far) = socketPair()
        let seen = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "send", .integer(8 << 20)) { (_, stream) throws(PeerError) in
                close(far)
                try await stream.join(socket: near)
            }
        }
        #expect(
            seen?.text == "the program at this end has ended in the middle", "\(String(describing: seen))")
        #expect(await eventually { b.events.texts.contains { $0.contains("a request of a has failed") } })
    }

    /// Whoever takes bytes may find that they are too many, or that there is no room for them.
    @Test func anObjectionEndsAStreamAndBothEndsHearWhy() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let (near, far) = socketPair()
        let program = try JoinedProgram("/bin/sh", ["-c", "cat >/dev/null"], input: far)
        let objection = PeerError(.tooLong, "that is too much")
        let seen = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "send", .integer(512 << 20)) { (_, stream) throws(PeerError) in
                try await stream.join(socket: near) { stream.bytesRead > 1 << 20 ? objection : nil }
            }
        }
        #expect(seen == objection)
        #expect(await eventually { b.events.texts.contains { $0.contains("that is too much") } })
        #expect(try await program.status() == 0)
    }

    /// Who waits for the end of a program that a peer talks to does not wait for the peer.
    @Test func aJoinThatIsCancelledEndsThoughThePeerIsSilent() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let (near, far) = socketPair()
        let begin = ContinuousClock.now
        let seen = await failure { () throws(PeerError) in
            try await a.client.stream(peer, "idle") { (_, stream) throws(PeerError) in
                let work = Task {
                    await failure { () throws(PeerError) in try await stream.join(socket: near) }
                }
                try? await Task.sleep(for: .milliseconds(100))
                work.cancel()
                if let error = await work.value { throw error }
            }
        }
        #expect(seen?.kind == .cancelled, "\(String(describing: seen))")
        // The peer would have said something after two seconds.
        #expect(ContinuousClock.now - begin < .seconds(1))
        close(far)
    }

    @Test func noDescriptorIsLeftOpen() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        func open() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        }
        _ = try await a.client.ask(peer, "echo")
        let before = try open()
        for number in 0..<20 {
            let (near, far) = socketPair()
            if number % 4 < 2 { close(far) }
            _ = await failure { () throws(PeerError) in
                try await a.client.stream(peer, number % 2 == 0 ? "give up" : "send", .integer(1 << 20)) {
                    (_, stream) throws(PeerError) in
                    if number % 4 >= 2 {
                        Task {
                            try? await Task.sleep(for: .milliseconds(50))
                            close(far)
                        }
                    }
                    try await stream.join(socket: near)
                }
            }
            _ = await failure { () throws(PeerError) in try await a.client.ask(peer, "no") }
        }
        let after = try await eventually { try open() <= before + 2 }
        #expect(after, "\(before)")
    }
}
