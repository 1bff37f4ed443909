import Foundation
import NIOCore
import Peers
import Support
import Testing
import YardKit

/// Requests and answers, over TLS on loopback.
@Suite struct ConnectionTests {
    private func error(_ from: TestHoster, _ peer: Peer, _ method: String = "echo") async -> PeerError? {
        await failure { () throws(PeerError) in try await from.client.ask(peer, method, within: .seconds(2)) }
    }

    @Test func aPeerIsAnswered() async throws {
        let (a, b) = try await twoPeers()
        let content = JSONValue.object([
            "text": .string("line\nfeed \u{1f682}"), "list": .array([.null, .bool(true)]),
        ])
        #expect(try await a.client.ask(b.peer(), "echo", content) == content)
        let greeting = try await a.client.greet(b.peer())
        #expect(greeting.name.text == "b" && greeting.clockWarning == nil)
    }

    @Test func refusalsSayWhyAndWho() async throws {
        let (a, b) = try await twoPeers()
        let place = "b (127.0.0.1:\(b.port))"
        #expect(
            await error(a, try b.peer(), "no") == PeerError(.refused, "\(place) says no: there is no room"))
        #expect(
            await error(a, try b.peer(), "fetch")?.text
                == "\(place) says no: you may not ask us for sites of ours")
        #expect(await error(a, try b.peer(), "dance")?.text.contains("there is no `dance` here") == true)
        #expect(b.events.texts.contains { $0.contains("a request of a has failed: you may not ask us") })
    }

    @Test func anotherCertificateThanThePinnedOneIsRefused() async throws {
        let (a, b) = try await twoPeers()
        let c = try await TestHoster("c")
        let wrong = try b.peer(port: c.port)
        let seen = await error(a, wrong)
        #expect(seen?.kind == .theirCertificate)
        #expect(
            seen?.text.contains("\(c.identity.fingerprint)") == true
                && seen?.text.contains("\(b.identity.fingerprint)") == true)
        // The server that was mistaken for b has not answered anything.
        #expect(c.events.texts.isEmpty)
    }

    @Test func aStrangerIsRefusedByTheHandshakeAndWhileAnInvitationIsOpenByTheGreeting() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        for _ in 0..<20 {
            let seen = await error(a, try b.peer())
            #expect(seen?.kind == .ourCertificate, "\(String(describing: seen))")
        }
        #expect(b.events.texts.isEmpty)
        try await b.book.add(
            Invitation.make(for: PeerName("x"), from: b.identity, at: [PeerAddress("b")]).invitation)
        let seen = await error(a, try b.peer())
        #expect(seen?.kind == .ourCertificate && seen?.text.contains("no peer has the fingerprint") == true)
    }

    @Test func whoIsAPeerNoMoreIsCutOffAtOnceAndRefused() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let stream = Task {
            await failure { () throws(PeerError) in
                try await a.client.stream(peer, "mirror") { (_, stream) throws(PeerError) in
                    try await stream.write(ByteBuffer(string: "x"))
                    _ = try await stream.read()
                    await b.book.remove(a.identity.name)
                    b.server.disconnect(a.identity.fingerprint)
                    _ = try await stream.read()
                }
            }
        }
        #expect(await stream.value?.kind == .cutOff)
        #expect(await error(a, peer)?.kind == .ourCertificate)
    }

    /// Its certificate was looked at before it was removed, and its handshake ends afterwards.
    @Test func whoIsRemovedDuringItsHandshakeIsNotAnswered() async throws {
        let a = try await TestHoster("a")
        let identity = try Identity(making: PeerName("b"))
        let book = ForgetfulBook(try a.peer())
        let server = try await PeerServer(
            identity, book: book, listeningOn: [("127.0.0.1", 0)], methods: TestMethods.all, limits: .quick
        ) { _ in }
        let running = Task { await server.run() }
        let b = Peer(
            name: identity.name, address: try PeerAddress("127.0.0.1:\(server.ports[0])"),
            fingerprint: identity.fingerprint, since: Date(), permissions: .standard)
        #expect(await error(a, b)?.kind == .cutOff)
        #expect(await book.looks == 2)
        running.cancel()
        await running.value
    }

    @Test func certificatesThatAreOutOfTimeAreRefusedWithASentence() async throws {
        let day = 86_400.0
        for (lifetime, made, words) in [
            (day, Date() - 10 * day, "has expired on"), (day, Date() + 10 * day, "is not valid before"),
        ] {
            let old = try Identity(making: PeerName("old"), at: made, lifetime: lifetime)
            let (a, b) = (try await TestHoster("a"), try await TestHoster("old", identity: old))
            try await a.book.add(b.peer())
            try await b.book.add(a.peer())
            // Theirs, and our own before anything is sent.
            let theirs = await error(a, try b.peer())
            #expect(
                theirs?.kind == .expired
                    && theirs?.text.contains("the certificate of old (127.0.0.1:\(b.port)) \(words)") == true,
                "\(String(describing: theirs))")
            let ours = await error(b, try a.peer())
            #expect(ours?.kind == .expired && ours?.text.contains("our own certificate \(words)") == true)
            // Ours at the other end: by a client that does not look.
            let folder = try TemporaryFolder()
            let told = try await foreignClient(b, to: a, in: folder, protocol: "switchyard-peer/1", says: "")
            #expect(
                told.contains("\"kind\":\"expired\"") && told.contains("your certificate \(words)"), "\(told)"
            )
            // With a new certificate for the same key all is well.
            let renewed = try old.renewed()
            try b.server.use(renewed)
            #expect(await error(a, try b.peer()) == nil)
        }
    }

    @Test func nobodyThereAndNoSuchNameAreToldApart() async throws {
        let (a, b) = try await twoPeers()
        let nobody = await error(a, try b.peer(port: Int(FreePort.any())))
        #expect(
            nobody?.kind == .unreachable && nobody?.text.contains("Connection refused") == true,
            "\(String(describing: nobody))")
        let nowhere = Peer(
            name: try PeerName("b"), address: try PeerAddress("no.such.host.invalid"),
            fingerprint: b.identity.fingerprint, since: Date())
        let unknown = await error(a, nowhere)
        #expect(
            unknown?.kind == .unreachable && unknown?.text.contains("no address is known") == true,
            "\(String(describing: unknown))")
    }

    @Test func whoSaysNothingIsNotWaitedForForever() async throws {
        let limits = PeerLimits.with { $0.handshake = .milliseconds(300) }
        let a = try await TestHoster("a", limits: limits)
        let (_, b) = try await twoPeers()
        let silent = try StreamListener()
        let seen = await error(a, try b.peer(port: Int(silent.endpoint.port)))
        #expect(
            seen?.kind == .timedOut && seen?.text.contains("waited too long for the TLS handshake") == true,
            "\(String(describing: seen))")
        let (c, d) = try await twoPeers()
        let slow = await c.failure(asking: try d.peer(), "slow", within: .milliseconds(300))
        #expect(
            slow?.kind == .timedOut && slow?.text.contains("waited too long for the answer") == true,
            "\(String(describing: slow))")
    }

    @Test func whatIsTooLongIsRefusedOnBothSides() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let request = await failure { () throws(PeerError) in
            try await a.client.ask(peer, "echo", .string(String(repeating: "x", count: 1 << 20)))
        }
        #expect(request?.kind == .tooLong)
        #expect(
            try await a.client.ask(peer, "echo", .string(String(repeating: "x", count: 1_000_000))).text?.utf8
                .count == 1_000_000)
        // A server whose answer is too long tells its operator; the client does not get half of it.
        #expect(await error(a, peer, "long")?.kind == .cutOff)
        #expect(b.events.texts.contains { $0.contains("is too long") })
    }

    @Test func aCancelledRequestEndsAtOnce() async throws {
        let (a, b) = try await twoPeers()
        let peer = try b.peer()
        let start = ContinuousClock.now
        let asking = Task {
            await failure { () throws(PeerError) in try await a.client.ask(peer, "slow") }
        }
        try await Task.sleep(for: .milliseconds(200))
        asking.cancel()
        #expect(await asking.value?.kind == .cancelled)
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func aServerThatStopsEndsAllAtOnce() async throws {
        let begun = Counter()
        let a = try await TestHoster("a")
        let slow = PeerMethod("slow", for: .offer) { _ in
            begun.add()
            try? await Task.sleep(for: .seconds(30))
            return .answer(.null)
        }
        let b = try await TestHoster("b", methods: [slow])
        try await b.book.add(a.peer())
        let peer = try b.peer()
        let asking = Task {
            await failure { () throws(PeerError) in try await a.client.ask(peer, "slow") }
        }
        #expect(await eventually { begun.value == 1 })
        let start = ContinuousClock.now
        await b.stop()
        // The work was cancelled, and may have answered before its connection was closed.
        let seen = await asking.value
        #expect(seen == nil || seen?.kind == .cutOff, "\(String(describing: seen))")
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(await error(a, peer)?.kind == .unreachable)
    }
}

/// A book that has forgotten its peer when it is asked for the second time.
private actor ForgetfulBook: PeerBook {
    private let peer: Peer
    private(set) var looks = 0

    init(_ peer: Peer) { self.peer = peer }

    func peer(with fingerprint: Fingerprint) -> Peer? {
        looks += 1
        return looks == 1 && fingerprint == peer.fingerprint ? peer : nil
    }

    func peers() -> [Peer] { [] }
    func add(_ peer: Peer) {}
    @discardableResult
    func remove(_ name: PeerName) -> RemovedPeer { RemovedPeer(peer: nil, wasInvited: false) }
    func add(_ invitation: Invitation) {}
    func invitations() -> [Invitation] { [] }
    func countFailure(of key: InvitationKey) {}
    func redeem(_ key: InvitationKey, by peer: Peer) throws(PeerError) { throw .noSuchInvitation }
}
