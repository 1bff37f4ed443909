import Foundation
import NIOCore
import Peers
import Support
import Testing
import YardKit

/// Who gets a place when there are few: with servers of small limits and connections that say nothing.
@Suite struct CrowdTests {
    @Test func aHundredStrangersBesideAWorkingPeerDoNotHinderIt() async throws {
        let (a, b) = try await twoPeers(
            limits: .with {
                $0.pendingMax = 64
                $0.pendingPerSource = 64
            })
        let peer = try b.peer()
        // All from one address, and so is the peer: the crowd may be the peer's neighbours. They come again
        // and again, some say something, and none lets go by itself.
        let crowd = Task {
            var strangers: [StreamSocket] = []
            while !Task.isCancelled {
                guard let stranger = try? StreamSocket(to: .ipv4(port: UInt16(b.port))) else { continue }
                if strangers.count % 2 == 0 { try? stranger.send("GET / HTTP/1.1\r\n\r\n") }
                strangers.append(stranger)
                if strangers.count > 100 { strangers.removeFirst() }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
        defer { crowd.cancel() }

        try await Task.sleep(for: .seconds(2))
        let work = Task {
            var failures: [String] = []
            for number in 0..<60 {
                let error = await failure { () throws(PeerError) in
                    try await a.client.ask(peer, "echo", .integer(number))
                }
                if let error { failures.append(error.text) }
            }
            return failures
        }
        let bytes = try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try await a.client.stream(peer, "send", .integer(64 << 20)) { (_, stream) throws(PeerError) in
                    while let _ = try await stream.read() {}
                    return stream.bytesRead
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(bytes == 64 << 20)
        #expect(await work.value == [])
    }

    /// A connection that a peer has had stays, whatever crowds outside.
    @Test func aStreamGoesOnWhileStrangersTakeAllOtherPlaces() async throws {
        let limits = PeerLimits.with {
            $0.pendingMax = 16
            $0.pendingPerSource = 16
            $0.handshake = .milliseconds(500)
        }
        let (a, b) = try await twoPeers(limits: limits)
        let peer = try b.peer()
        let strangers = try (0..<100).map { _ in try StreamSocket(to: .ipv4(port: UInt16(b.port))) }
        // They have not let go of their sockets; the server has.
        let answered = await eventually {
            await a.failure(asking: peer) == nil
        }
        #expect(answered)
        var open = 0
        for stranger in strangers where stranger.staysSilent(milliseconds: 0) { open += 1 }
        #expect(open <= 16)
        let seen = await a.failure(asking: peer)
        #expect(seen == nil)
    }

    @Test func whoHasStoodThereLongestWithoutAWordGoesFirst() async throws {
        let limits = PeerLimits.with {
            $0.pendingMax = 4
            $0.pendingPerSource = 100
            $0.handshake = .seconds(30)
        }
        let (a, b) = try await twoPeers(limits: limits)
        let strangers = try (0..<40).map { _ in try StreamSocket(to: .ipv4(port: UInt16(b.port))) }
        let hasSettled = await eventually { strangers.count { $0.staysSilent(milliseconds: 0) } <= 4 }
        #expect(hasSettled)
        // The others still stand there, and yet a peer comes in at once.
        let start = ContinuousClock.now
        let peer = try b.peer()
        let seen = await a.failure(asking: peer)
        #expect(seen == nil)
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(strangers.count { $0.staysSilent(milliseconds: 0) } <= 4)
    }

    @Test func aPeerHasNoMoreThanItsPlaces() async throws {
        let (a, b) = try await twoPeers(limits: .with { $0.admittedPerPeer = 2 })
        let peer = try b.peer()
        let begun = Counter()
        var streams: [Task<PeerError?, Never>] = []
        for _ in 0..<2 {
            streams.append(
                Task {
                    await failure { () throws(PeerError) in
                        try await a.client.stream(peer, "mirror") { (_, _) throws(PeerError) in
                            begun.add()
                            _ = try? await Task.sleep(for: .seconds(20))
                            throw PeerError(.cancelled, "enough")
                        }
                    }
                })
        }
        #expect(await eventually { begun.value == 2 })
        let seen = await a.failure(asking: peer)
        #expect(seen?.kind == .busy && seen?.isWorthRetrying == true)
        for stream in streams { stream.cancel() }
        for stream in streams { #expect(await stream.value?.kind == .cancelled) }
        let again = await eventually {
            await a.failure(asking: peer) == nil
        }
        #expect(again)
    }
}
