import Foundation
import Peers
import Support
import Testing
import YardKit

/// Invitations, from the token to two who are peers.
@Suite struct InvitationTests {
    private func invite(
        _ name: String, to hoster: TestHoster, lifetime: TimeInterval = Invitation.lifetime, port: Int? = nil,
        now: Date = Date()
    ) async throws -> InvitationToken {
        let (invitation, token) = try Invitation.make(
            for: PeerName(name), from: hoster.identity, at: [PeerAddress("127.0.0.1:\(port ?? hoster.port)")],
            permissions: [.offer, .standby], lifetime: lifetime, now: now)
        try await hoster.book.add(invitation)
        return try InvitationToken(token.text)
    }

    private func accept(_ token: InvitationToken, _ hoster: TestHoster) async -> PeerError? {
        await failure { () throws(PeerError) in
            try await hoster.client.accept(
                token, ownAddress: try PeerAddress("127.0.0.1:\(hoster.port)"), keepingIn: hoster.book)
        }
    }

    // MARK: The token

    private func token() throws -> (Invitation, InvitationToken) {
        try Invitation.make(
            for: PeerName("b"), from: Identity(making: PeerName("a.example")),
            at: [PeerAddress("a.example"), PeerAddress("[2001:db8::1]:444")])
    }

    @Test func aTokenSaysWhoWhereAndUntilWhen() throws {
        let (invitation, token) = try token()
        let read = try InvitationToken(
            " " + token.text.prefix(40) + "\n  " + token.text.dropFirst(40) + "\r\n")
        #expect(read.text == token.text && token.text.hasPrefix("syp1-"))
        #expect(read.name.text == "a.example" && read.fingerprint == token.fingerprint)
        #expect(read.addresses.map(\.description) == ["a.example:7443", "[2001:db8::1]:444"])
        #expect(read.expires == invitation.expires)
        #expect(!token.text.contains(invitation.key.text))
    }

    /// No character can be mistyped unnoticed: each bit of each is turned.
    @Test func everyFlippedBitOfATokenIsNoticed() throws {
        let text = Array(try token().1.text.utf8)
        for index in text.indices {
            for bit in 0..<8 {
                var wrong = text
                wrong[index] ^= 1 << bit
                let wrongText = String(decoding: wrong, as: UTF8.self)
                #expect(throws: PeerError.self, "\(index) \(bit)") { try InvitationToken(wrongText) }
            }
        }
    }

    @Test func everyTruncatedOrLongerTokenIsNoticed() throws {
        let text = try token().1.text
        for count in 0..<text.count {
            #expect(throws: PeerError.self) { try InvitationToken(String(text.prefix(count))) }
        }
        for more in ["A", "=", "AAAA", text] {
            #expect(throws: PeerError.self) { try InvitationToken(text + more) }
        }
    }

    // MARK: Joining

    @Test func whoAcceptsAnInvitationIsAPeerAndTheOtherWayRound() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        let token = try await invite("bee", to: a)
        #expect(await accept(token, b) == nil)
        let atA = try #require(await a.book.peer(with: b.identity.fingerprint))
        let atB = try #require(await b.book.peer(with: a.identity.fingerprint))
        #expect(
            atA.name.text == "bee" && atA.permissions == [.offer, .standby] && atA.address.port == b.port)
        #expect(atB.name.text == "a" && atB.permissions == .standard && atB.address.port == a.port)
        #expect(try await b.client.ask(atB, "who") == .string("bee"))
        #expect(try await a.client.ask(atA, "who") == .string("a"))
        #expect(a.events.texts.contains { $0.contains("bee at 127.0.0.1:\(b.port), which calls itself b") })
    }

    @Test func anInvitationWorksOnce() async throws {
        let (a, b, c) = (try await TestHoster("a"), try await TestHoster("b"), try await TestHoster("c"))
        let token = try await invite("b", to: a)
        #expect(await accept(token, b) == nil)
        let late = await accept(token, c)
        #expect(late?.kind == .invitation, "\(String(describing: late))")
        // Also while another one is open, and so the door.
        _ = try await invite("d", to: a)
        #expect(
            await accept(token, c)
                == .init(.invitation, "a (127.0.0.1:\(a.port)) says no: \(PeerError.invitationIsUsed.text)"))
        #expect(await a.book.peers().map(\.name.text) == ["b"])
        #expect(await c.book.peers().isEmpty)
    }

    /// The answer to the first time was lost.
    @Test func theSameOnceMoreByTheSameChangesNothing() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        let token = try await invite("b", to: a)
        #expect(await accept(token, b) == nil)
        _ = try await b.book.remove(PeerName("a"))
        #expect(await accept(token, b) == nil)
        #expect(await accept(token, b) == nil)
        #expect(await a.book.peers().count == 1)
        #expect(await b.book.peers().count == 1)
    }

    @Test func ofManyWhoAcceptAtOnceExactlyOneWins() async throws {
        let a = try await TestHoster("a")
        let token = try await invite("b", to: a)
        var others: [TestHoster] = []
        for number in 0..<8 { others.append(try await TestHoster("b\(number)")) }
        let failures = await withTaskGroup(of: PeerError?.self) { group in
            for other in others { group.addTask { await self.accept(token, other) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(failures.count { $0 == nil } == 1)
        #expect(failures.compactMap { $0 }.allSatisfy { $0.kind == .invitation }, "\(failures)")
        #expect(await a.book.peers().count == 1)
    }

    @Test func anExpiredInvitationIsRefusedAndItIsSaidWhen() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        let token = try await invite("b", to: a, lifetime: -60)
        let error = await accept(token, b)
        #expect(
            error?.kind == .invitation && error?.text.contains("has expired on 20") == true,
            "\(String(describing: error))")
        _ = try await invite("c", to: a)
        let again = await accept(token, b)
        #expect(
            again?.kind == .invitation && again?.text.contains("has expired on 20") == true,
            "\(String(describing: again))")
    }

    /// Somebody has found a copy of the inviter's book, which has no secret in it; or has a token for another
    /// key.
    @Test func withoutTheSecretNobodyJoinsAndAnInvitationIsVoidAfterTenTries() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        let token = try await invite("b", to: a)
        let kept = try #require(await a.book.invitations().first)
        let folder = try TemporaryFolder()
        let line = JSONValue.object([
            "invitation": .string(kept.key.text), "name": .string("b"), "address": .string("b.example"),
            "proof": .string(String(repeating: "A", count: 86)),
        ]).line
        for attempt in 1...11 {
            let seen = try await foreignClient(
                b, to: a, in: folder, protocol: "switchyard-join/1", says: line + "\n")
            guard attempt <= 10 else { break }
            #expect(seen.contains("or with another secret"), "\(seen)")
        }
        #expect(await a.book.invitations().first?.failures == 10)
        #expect(await a.book.peers().isEmpty)
        #expect(await accept(token, b)?.kind == .invitation)
    }

    @Test func whatIsNoRequestToJoinIsRefused() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        _ = try await invite("b", to: a)
        let foreign = try await TestHoster("x")
        let folder = try TemporaryFolder()
        for line in [
            "", "{}", "[1]", "{\"invitation\":1}", String(repeating: "[", count: 3000), "\u{0}\u{1}",
        ] {
            let seen = try await foreignClient(
                foreign, to: a, in: folder, protocol: "switchyard-join/1", says: line + "\n")
            #expect(seen.contains("this is no request to join"), "\(line): \(seen)")
        }
        let giant = String(repeating: "x", count: 5000)
        let seen = try await foreignClient(
            foreign, to: a, in: folder, protocol: "switchyard-join/1", says: giant)
        #expect(!seen.contains("\"ok\":false,\"kind\":\"refused\""))
        #expect(await a.book.peers().isEmpty)
        #expect(await b.book.peers().isEmpty)
    }

    @Test func aNameThatIsTakenIsToldOnWhicheverSide() async throws {
        let (a, b, c) = (try await TestHoster("a"), try await TestHoster("b"), try await TestHoster("c"))
        // At the one who accepts: nothing was asked, and another name will do.
        let token = try await invite("b", to: a)
        try await b.book.add(
            Peer(
                name: PeerName("a"), address: PeerAddress("x"), fingerprint: c.identity.fingerprint,
                since: Date()))
        #expect(await accept(token, b) == .nameTaken(try PeerName("a")))
        let peer = try await b.client.accept(
            token, ownAddress: PeerAddress("b.example"), keepingIn: b.book, as: PeerName("a2"))
        #expect(peer.name.text == "a2")
        // At the one who invites: already when inviting, or if somebody was quicker.
        await #expect(throws: PeerError.nameTaken(try PeerName("b"))) { try await invite("b", to: a) }
        let second = try await invite("c", to: a)
        await #expect(throws: PeerError.isInvited(try PeerName("c"))) { try await invite("c", to: a) }
        let d = try await TestHoster("d")
        try await a.book.add(
            Peer(
                name: PeerName("c"), address: PeerAddress("x"), fingerprint: d.identity.fingerprint,
                since: Date()))
        let error = await accept(second, c)
        #expect(error?.kind == .conflict && error?.text.contains("called c already") == true)
    }

    @Test func aWrongAddressAndAnotherHosterThereAreTold() async throws {
        let (a, b, c) = (try await TestHoster("a"), try await TestHoster("b"), try await TestHoster("c"))
        let nowhere = try await invite("b", to: a, port: Int(FreePort.any()))
        let unreachable = await accept(nowhere, b)
        #expect(
            unreachable?.kind == .unreachable && unreachable?.text.contains("Connection refused") == true,
            "\(String(describing: unreachable))")
        let wrong = try await invite("x", to: a, port: c.port)
        let other = await accept(wrong, b)
        #expect(other?.kind == .theirCertificate && other?.text.contains("is somebody else") == true)
        let own = try await invite("y", to: a)
        #expect(await accept(own, a)?.text.contains("our own invitation") == true)
    }

    @Test func theSecondAddressOfATokenIsTried() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        let (invitation, token) = try Invitation.make(
            for: PeerName("b"), from: a.identity,
            at: [PeerAddress("127.0.0.1:\(FreePort.any())"), PeerAddress("127.0.0.1:\(a.port)")])
        try await a.book.add(invitation)
        #expect(await accept(token, b) == nil)
        #expect(await b.book.peers().first?.address.port == a.port)
    }

    /// By another invitation under its name, or by the one that it has used.
    @Test func whoIsRemovedDoesNotComeInAgain() async throws {
        let (a, b) = (try await TestHoster("a"), try await TestHoster("b"))
        let used = try await invite("b", to: a)
        #expect(await accept(used, b) == nil)
        // As long as somebody is invited, strangers are told why they may not join.
        _ = try await invite("c", to: a)
        let removed = try await a.book.remove(PeerName("b"))
        #expect(removed.peer?.fingerprint == b.identity.fingerprint && !removed.wasInvited)
        #expect(await accept(used, b)?.text.contains(PeerError.noSuchInvitation.text) == true)
        let open = try await invite("b", to: a)
        #expect(try await a.book.remove(PeerName("b")) == RemovedPeer(peer: nil, wasInvited: true))
        #expect(await accept(open, b)?.text.contains(PeerError.noSuchInvitation.text) == true)
        #expect(await a.book.peers().isEmpty)
    }

    /// A request to join is signed for the certificate that it comes with: of no use to who overhears it.
    @Test func whatWasSignedForOneCertificateIsOfNoUseWithAnother() async throws {
        let (a, b, thief) = (try await TestHoster("a"), try await TestHoster("b"), try await TestHoster("t"))
        let token = try await invite("b", to: a)
        let line = try JoinRequest(
            with: token, joiner: b.identity.fingerprint, name: PeerName("b"),
            address: PeerAddress("b.example")
        ).line.line
        let folder = try TemporaryFolder()
        let told = try await foreignClient(
            thief, to: a, in: folder, protocol: "switchyard-join/1", says: line + "\n")
        #expect(told.contains("or with another secret"), "\(told)")
        #expect(await a.book.peers().isEmpty)
        let own = try await foreignClient(
            b, to: a, in: folder, protocol: "switchyard-join/1", says: line + "\n")
        #expect(own.contains("\"ok\":true,\"stream\":false"), "\(own)")
        #expect(await a.book.peers().first?.fingerprint == b.identity.fingerprint)
    }
}
