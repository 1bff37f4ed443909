import Foundation
import NIOCore
import Peers
import Support
import Testing
import YardKit

/// Programs that are not ours at the port of the server, and in its place.
@Suite struct ForeignTests {
    private let folder: TemporaryFolder
    private let peerProtocol = "switchyard-peer/1"

    init() throws { folder = try TemporaryFolder() }

    @Test func opensslWithAPeersCertificateIsAnswered() async throws {
        let (a, b) = try await twoPeers()
        let told = try await foreignClient(
            a, to: b, in: folder, protocol: peerProtocol, says: "{\"method\":\"echo\",\"content\":[1,2]}\n")
        #expect(told.contains("{\"ok\":true,\"name\":\"b\",\"time\":1"))
        #expect(told.contains("{\"ok\":true,\"stream\":false,\"content\":[1,2]}"), "\(told)")
    }

    @Test func whoHasNoCertificateOrAnotherProtocolOrNoneIsToldNothing() async throws {
        let (a, b) = try await twoPeers()
        let request = "{\"method\":\"echo\"}\n"
        let stranger = try await TestHoster("stranger")
        try await b.book.add(
            Invitation.make(for: PeerName("x"), from: b.identity, at: [PeerAddress("b")]).invitation)
        for (who, name) in [(nil, peerProtocol), (a, nil), (a, "h2"), (stranger, nil)]
            as [(TestHoster?, String?)]
        {
            let told = try await foreignClient(who, to: b, in: folder, protocol: name, says: request)
            #expect(!told.contains("\"ok\""), "\(told)")
        }
        // A stranger is told no, whatever it asks.
        let told = try await foreignClient(stranger, to: b, in: folder, protocol: peerProtocol, says: request)
        #expect(told.contains("\"ok\":false,\"kind\":\"ourCertificate\"") && !told.contains("\"ok\":true"))
    }

    @Test func nobodyGetsInWithAnOlderTLS() async throws {
        let (a, b) = try await twoPeers()
        for option in ["-tls1_2", "-tls1_1"] {
            let told = try await foreignClient(
                a, to: b, in: folder, protocol: peerProtocol, says: "{\"method\":\"echo\"}\n",
                options: [option])
            #expect(!told.contains("\"ok\""), "\(told)")
        }
    }

    /// TLS lets a client take up an earlier session without showing its certificate again.
    @Test func anEarlierSessionIsNoCertificate() async throws {
        let (a, b) = try await twoPeers()
        let session = folder.path("session")
        let request = "{\"method\":\"who\"}\n"
        let first = try await foreignClient(
            a, to: b, in: folder, protocol: peerProtocol, says: request, options: ["-sess_out", session])
        #expect(first.contains("\"content\":\"a\""))
        await b.book.remove(a.identity.name)
        if FileManager.default.fileExists(atPath: session) {
            for who in [a, nil] {
                let told = try await foreignClient(
                    who, to: b, in: folder, protocol: peerProtocol, says: request,
                    options: ["-sess_in", session])
                #expect(!told.contains("\"ok\":true"), "\(told)")
            }
        }
    }

    @Test func requestsThatMakeNoSenseAreRefused() async throws {
        let (a, b) = try await twoPeers()
        for line in [
            "", "x", "[]", "{\"method\":1}", "{\"content\":1}", "{\"method\":\"echo\"",
            String(repeating: "[", count: 100_000),
        ] {
            let told = try await foreignClient(
                a, to: b, in: folder, protocol: peerProtocol, says: line + "\n")
            #expect(told.contains("\"kind\":\"unclear\""), "\(line.prefix(20)): \(told)")
        }
        let giant = String(repeating: "x", count: (1 << 20) + 70_000)
        let told = try await foreignClient(a, to: b, in: folder, protocol: peerProtocol, says: giant)
        #expect(!told.contains("\"stream\""))
        #expect(
            b.events.texts.contains { $0.contains("sends a line of more than 1048576 bytes") },
            "\(b.events.texts)")
        #expect(await a.failure(asking: try b.peer()) == nil)
    }

    @Test func halfALineAndATrickleEndAtTheDeadline() async throws {
        let (a, b) = try await twoPeers(limits: .with { $0.request = .milliseconds(700) })
        let file = try a.pemFile(in: folder)
        let child = try ChildProcess(
            "openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(b.port)", "-quiet", "-alpn", peerProtocol, "-cert", file,
                "-key", file,
            ],
            keepsInputOpen: true)
        let start = ContinuousClock.now
        while child.isRunning, ContinuousClock.now - start < .seconds(10) {
            try? child.write("{")
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(ContinuousClock.now - start < .seconds(8))
        #expect(
            await eventually { b.events.texts.contains { $0.contains("waited too long for the request") } })
    }

    @Test func plainBytesAndASlowHandshakeAreClosed() async throws {
        let (a, b) = try await twoPeers(limits: .with { $0.handshake = .seconds(2) })
        for text in [
            "GET / HTTP/1.1\r\n\r\n", "{\"method\":\"echo\"}\n", "\u{0}\u{0}\u{0}",
            String(repeating: "\u{16}", count: 70_000),
        ] {
            let socket = try StreamSocket(to: .ipv4(port: UInt16(b.port)))
            try? socket.send(text)
            let told = (try? socket.receiveToEnd()) ?? []
            #expect(!String(decoding: told, as: UTF8.self).contains("ok"))
        }
        // A hello that never ends, a byte at a time.
        let slow = try StreamSocket(to: .ipv4(port: UInt16(b.port)))
        let start = ContinuousClock.now
        try? slow.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        while ContinuousClock.now - start < .seconds(20), (try? slow.send([0])) != nil {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(await a.failure(asking: try b.peer()) == nil)
    }

    /// Something that has the peer's certificate and does not speak its protocol, or only half of it.
    @Test func aServerThatAnswersNonsenseIsTold() async throws {
        let (a, b) = try await twoPeers()
        let file = try b.pemFile(in: folder)
        let greeting = "{\"ok\":true,\"name\":\"b\",\"time\":\(Int(Date().timeIntervalSince1970))}\n"
        let cases: [(String, PeerError.Kind)] = [
            ("hello\n", .unclear), ("{}\n", .unclear), (String(repeating: "x", count: 5000) + "\n", .tooLong),
            (greeting + "{\"ok\":1}\n", .unclear), (greeting + "{\"ok\":true", .cutOff), (greeting, .cutOff),
            ("", .cutOff),
            (greeting + String(repeating: "x", count: (1 << 20) + 1), .tooLong),
            (greeting + "{\"ok\":false,\"error\":\"\\u001b[2Jboo\"}\n", .refused),
            ("{\"ok\":false,\"kind\":\"cancelled\",\"error\":\"x\"}\n", .refused),
        ]
        for (text, kind) in cases {
            let port = Int(try FreePort.any())
            let server = try ChildProcess(
                "openssl",
                [
                    "s_server", "-accept", "127.0.0.1:\(port)", "-quiet", "-naccept", "1", "-cert", file,
                    "-key", file, "-Verify", "1",
                    "-tls1_3", "-alpn", peerProtocol,
                ],
                keepsInputOpen: true)
            let listens = await eventually {
                (try? run("sh", ["-c", "ss -ltn | grep -q 127.0.0.1:\(port)"]).succeeded) == true
            }
            #expect(listens)
            let peer = try b.peer(port: port)
            let asking = Task { await a.failure(asking: peer) }
            try await Task.sleep(for: .milliseconds(150))
            try? server.write(text)
            if kind == .cutOff {
                try await Task.sleep(for: .milliseconds(150))
                server.end()
            }
            let seen = await asking.value
            #expect(seen?.kind == kind, "\(text.prefix(80)): \(String(describing: seen)) \(server.errors)")
            #expect(seen?.text.contains("\u{1b}") == false)
            server.end()
        }
    }
}
