import Foundation
import Glibc
import NIOCore
import Peers
import Support
import Synchronization
import Testing
import YardKit

/// rsync itself through a stream: its daemon at the one who receives, on one end of a pair of sockets as
/// inetd would start it, and its client at the one who sends, with the other hoster's daemon at its
/// descriptor 3.
@Suite(.serialized) struct RsyncTests {
    private let folder: TemporaryFolder
    private let helper: String

    init() throws {
        folder = try TemporaryFolder()
        helper = try folder.write("helper.py", Self.helperText)
    }

    /// Between rsync and descriptor 3, both ways, each direction with an end of its own. Two `cat` would not
    /// do: nobody would end one direction of the socket, and a daemon would wait for the rest of a client
    /// that was killed.
    private static let helperText = """
        import os, socket, threading
        link = socket.socket(fileno=3)
        def send():
            while data := os.read(0, 1 << 17): link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        threading.Thread(target=send, daemon=True).start()
        while data := link.recv(1 << 17):
            while data: data = data[os.write(1, data):]

        """

    private var isRoot: Bool { geteuid() == 0 }

    /// Serves one folder and nothing else.
    private func configuration(of path: String, _ more: String = "") throws -> String {
        try folder.write(
            "rsyncd.conf",
            """
            use chroot = \(isRoot ? "yes" : "no")
            \(isRoot ? "uid = 0\ngid = 0\n" : "")
            numeric ids = yes
            munge symlinks = no
            reverse lookup = no
            log file = \(folder.path("rsyncd.log"))
            max verbosity = 1
            [site]
            path = \(path)
            read only = no
            list = no
            timeout = 60
            \(more)

            """)
    }

    /// A hoster that receives into a folder.
    private func receiver(_ configuration: String) -> PeerMethod {
        PeerMethod("receive", for: .offer) { _ in
            .stream(.null) { (stream) throws(PeerError) in
                let (near, far) = socketPair()
                let program: JoinedProgram
                do {
                    program = try JoinedProgram(
                        "/usr/bin/rsync", ["--daemon", "--no-detach", "--config=\(configuration)"], input: far
                    )
                } catch {
                    throw PeerError(.unusable, "rsync cannot be started: \(error)")
                }
                try await stream.join(socket: near)
                guard (try? await program.status()) == 0 else {
                    throw PeerError(.refused, "rsync has failed: \(program.text)")
                }
            }
        }
    }

    /// What rsync says, how it ended, and how the stream did.
    private func send(
        _ source: String, from a: TestHoster, to peer: Peer, _ options: [String] = [],
        within limit: BandwidthLimit? = nil,
        watch: (@Sendable (JoinedProgram, PeerStream) async -> Void)? = nil
    ) async -> (status: Int32, text: String, failure: PeerError?) {
        let seen = Mutex((Int32(-1), ""))
        let failure = await PeersTests.failure { () throws(PeerError) in
            try await a.client.stream(peer, "receive") { [helper] (_, stream) throws(PeerError) in
                let (near, far) = socketPair()
                let arguments =
                    [
                        "-aHAXS", "--numeric-ids", "--delete-delay", "--partial", "--inplace",
                        "--no-inc-recursive",
                        "--info=progress2", "--outbuf=L", "--timeout=60",
                    ] + options + [source + "/", "rsync://peer/site/"]
                let program: JoinedProgram
                do {
                    program = try JoinedProgram(
                        "/bin/sh", ["-c", "exec 3<&0 </dev/null; exec rsync \"$@\"", "sh"] + arguments,
                        input: far,
                        environment: ["RSYNC_CONNECT_PROG": "python3 '\(helper)'"])
                } catch {
                    throw PeerError(.unusable, "rsync cannot be started: \(error)")
                }
                let watching = watch.map { watch in Task { await watch(program, stream) } }
                defer { watching?.cancel() }

                let joining = await PeersTests.failure { () throws(PeerError) in
                    try await stream.join(socket: near, within: limit)
                }
                let status = (try? await program.status()) ?? -1
                seen.withLock { $0 = (status, program.text) }
                if let joining { throw joining }
                guard status == 0 else { throw PeerError(.stopped, "rsync has ended with \(status)") }
            }
        }
        let (status, text) = seen.withLock { $0 }
        return (status, text, failure)
    }

    /// Everything that a site may have: owners, modes, links of both kinds, attributes, access lists, holes.
    private func makeSite(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let script = """
            set -e; cd "$1"; mkdir -p sub/deep empty; echo text >a; ln a hard; ln -s a link
            ln -s /etc/passwd absolute; ln -s ../../../../etc outside
            mkfifo fifo; head -c 8000000 /dev/urandom >big; truncate -s 50M hole
            setfattr -n user.note -v here a; setfacl -m u:777:r big; chmod 4750 big
            i=0; while [ $i -lt 500 ]; do echo $i >sub/deep/$i; i=$((i+1)); done
            if [ "$(id -u)" = 0 ]; then chown 1234:4321 a sub; fi
            touch -d '2001-02-03 04:05:06.123456789' sub; printf 'x' >"$(printf 'line\\nfeed \\303\\244')"
            """
        let ran = try run("sh", ["-c", script, "sh", path])
        try #require(ran.succeeded, "\(ran.everything)")
    }

    /// What differs, as rsync on this machine sees it with sums of everything.
    private func differences(_ a: String, _ b: String) throws -> String {
        let ran = try run(
            "rsync", ["-aHAXnic", "--numeric-ids", "--delete", "--no-D", "--specials", a + "/", b + "/"])
        return ran.output + ran.errors
    }

    private func twoWithFolders(
        _ more: String = "", path: String? = nil
    ) async throws -> (a: TestHoster, b: TestHoster, source: String, target: String) {
        let (source, target) = (folder.path("source"), path ?? folder.path("target"))
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        let a = try await TestHoster("a")
        let b = try await TestHoster("b", methods: [receiver(try configuration(of: target, more))])
        try await b.book.add(a.peer())
        return (a, b, source, target)
    }

    @Test func aSiteComesWholeWithEverythingAndASecondRoundSendsOnlyWhatHasChanged() async throws {
        let (a, b, source, target) = try await twoWithFolders()
        try makeSite(source)
        try Data("gone".utf8).write(to: URL(fileURLWithPath: target + "/old"))
        let start = ContinuousClock.now
        let first = await send(source, from: a, to: try b.peer())
        #expect(first.status == 0 && first.failure == nil, "\(first)")
        Measured.tell("rsync of 58 MB in 510 files through a stream: \(ContinuousClock.now - start)")
        #expect(try differences(source, target) == "")
        #expect(!FileManager.default.fileExists(atPath: target + "/old"))
        #expect(first.text.contains("to-chk=0/"), "\(first.text)")
        #expect(try run("sh", ["-c", "test $(du -k '\(target)/hole' | cut -f1) -lt 100"]).succeeded)

        try run(
            "sh",
            [
                "-c",
                "cd '\(source)'; printf changed | dd of=big bs=1 seek=4000000 conv=notrunc; rm sub/deep/7",
            ])
        let written = Mutex(0)
        let second = await send(source, from: a, to: try b.peer()) { _, stream in
            while !Task.isCancelled {
                written.withLock { $0 = stream.bytesWritten }
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(second.status == 0 && second.failure == nil, "\(second)")
        #expect(try differences(source, target) == "")
        #expect(written.withLock { $0 } < 500_000, "\(written.withLock { $0 })")
    }

    @Test func aTransferThatIsCutIsRetriedAndGoesOnWhereItWas() async throws {
        let (a, b, source, target) = try await twoWithFolders()
        try makeSite(source)
        let relay = try await Relay(to: b.port)
        let cut = await send(
            source, from: a, to: try b.peer(port: relay.port), within: BandwidthLimit(bytesPerSecond: 8 << 20)
        ) { _, stream in
            while stream.bytesWritten < 3 << 20 { try? await Task.sleep(for: .milliseconds(2)) }
            relay.cut()
        }
        #expect(cut.failure?.isWorthRetrying == true && cut.status != 0, "\(cut)")
        #expect([10, 12, 30, 35].contains(cut.status), "\(cut)")
        let again = await send(source, from: a, to: try b.peer())
        #expect(again.status == 0 && again.failure == nil, "\(again)")
        #expect(try differences(source, target) == "")
    }

    @Test func anRsyncThatIsKilledAtEitherEndIsAFailureAtBoth() async throws {
        let (a, b, source, _) = try await twoWithFolders()
        try makeSite(source)
        let killed = await send(
            source, from: a, to: try b.peer(), within: BandwidthLimit(bytesPerSecond: 8 << 20)
        ) { program, stream in
            while stream.bytesWritten < 2 << 20 { try? await Task.sleep(for: .milliseconds(2)) }
            program.kill()
        }
        #expect(killed.status != 0, "\(killed)")
        #expect(killed.failure == PeerError(.stopped, "rsync has ended with \(killed.status)"), "\(killed)")
        #expect(await eventually { b.events.texts.contains { $0.contains("a request of a has failed") } })
    }

    @Test func aFullDiskIsToldByItsOwnStatus() async throws {
        guard isRoot else { return }
        let small = folder.path("small")
        try FileManager.default.createDirectory(atPath: small, withIntermediateDirectories: true)
        try #require(try run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]).succeeded)
        defer { _ = try? run("umount", [small]) }

        let (a, b, source, _) = try await twoWithFolders(path: small)
        try makeSite(source)
        let seen = await send(source, from: a, to: try b.peer())
        #expect(seen.status == 11 || seen.status == 12, "\(seen)")
        #expect(seen.text.contains("No space left on device"), "\(seen)")
        #expect(seen.failure != nil)
    }

    /// The one who sends may want to write elsewhere.
    @Test func nothingIsWrittenOutsideTheFolder() async throws {
        let (a, b, source, target) = try await twoWithFolders()
        try makeSite(source)
        let victim = folder.path("victim")
        try FileManager.default.createDirectory(atPath: victim, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: target + "/sub", withDestinationPath: victim)
        try FileManager.default.createSymbolicLink(atPath: target + "/a", withDestinationPath: victim + "/a")
        _ = await send(source, from: a, to: try b.peer())
        _ = await send(source, from: a, to: try b.peer(), ["--keep-dirlinks", "--relative"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: victim) == [])
    }

    @Test func whatTheDaemonRefusesIsRefused() async throws {
        let (a, b, source, _) = try await twoWithFolders("read only = yes")
        try makeSite(source)
        let seen = await send(source, from: a, to: try b.peer())
        #expect(seen.status != 0 && seen.text.contains("module is read only"), "\(seen)")
    }

    @Test func aTransferKeepsToItsLimit() async throws {
        let (a, b, source, _) = try await twoWithFolders()
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        try run("sh", ["-c", "head -c 8388608 /dev/urandom > '\(source)/file'"])
        let start = ContinuousClock.now
        let seen = await send(
            source, from: a, to: try b.peer(), within: BandwidthLimit(bytesPerSecond: 4 << 20))
        #expect(seen.status == 0 && seen.failure == nil, "\(seen)")
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        #expect(seconds > 1.7, "\(seconds)")
    }
}
