import Foundation
import Linux
import Migration
import Peers
import Support
import YardKit

/// A hoster that the test itself plays, for one of the two real ones: it knows the words between peers, and
/// says what it likes.
final class RoguePeer: Sendable {
    private let client: PeerClient
    private let hoster: Peer
    private let running: Task<Void, Never>

    /// Invites the hoster, who accepts, and answers it from then on by these methods.
    init(_ name: String, of hoster: MovingHoster, methods: [PeerMethod] = []) async throws {
        let identity = try Identity(making: PeerName(name))
        let book = PeerBookInMemory()
        client = try PeerClient(identity)
        let server = try await PeerServer(
            identity, book: book, listeningOn: [(hoster.testAddress, 0)], methods: methods)
        running = Task { await server.run() }
        let (invitation, token) = try Invitation.make(
            for: PeerName(hoster.name), from: identity,
            at: [PeerAddress("\(hoster.testAddress):\(server.ports[0])")])
        try await book.add(invitation)
        let accepted = try await hoster.yardAside("peer", "accept", token.text)
        guard accepted.output == "\(name) is a peer now\n", var peer = await book.peers().first else {
            running.cancel()
            throw ChildProcessError(description: accepted.everything + hoster.log)
        }
        // It has told where its peers find it, which is not where a test does.
        peer.address = try PeerAddress("\(hoster.address):7443")
        self.hoster = peer
    }

    deinit { running.cancel() }

    /// Asks the hoster.
    func ask(_ method: String, _ content: JSONValue) async throws(PeerError) -> JSONValue {
        try await client.ask(hoster, method, content)
    }

    /// Sends it something by a stream.
    func send(
        _ content: JSONValue, _ work: @escaping @Sendable (PeerStream) async throws(PeerError) -> Void
    ) async throws(PeerError) {
        try await client.stream(hoster, "send", content) { (_, stream) throws(PeerError) in
            try await work(stream)
        }
    }
}

/// rsync's two ends at streams between hosters, as a hoster that means no good may run them.
enum RogueCopy {
    /// Lets the other hoster's rsync write into a folder.
    static func receive(into folder: String, through stream: PeerStream) async throws(PeerError) {
        let configuration = """
            use chroot = yes
            uid = 0
            gid = 0
            numeric ids = yes
            munge symlinks = no
            reverse lookup = no
            log file = /dev/null
            [site]
            path = \(folder)
            read only = no
            write only = yes

            """
        let path = folder + ".rsyncd.conf"
        let (near, far) = try pair()
        let program: JoinedProgram
        do {
            try Data(configuration.utf8).write(to: URL(fileURLWithPath: path))
            program = try JoinedProgram(
                "/usr/bin/rsync", ["--daemon", "--no-detach", "--config=\(path)"], input: far)
        } catch {
            throw PeerError(.unusable, "rsync cannot be run: \(error)")
        }
        try await stream.join(socket: near)
        guard (try? await program.status()) == 0 else { throw PeerError(.unusable, program.text) }
    }

    /// Writes to the other hoster with these arguments of rsync; what rsync has said is in the error.
    static func send(_ arguments: [String], through stream: PeerStream) async throws(PeerError) {
        let (near, far) = try pair()
        let relay = "'\(Repository.path(".build/release/yardmaster"))' --relay"
        let program: JoinedProgram
        do {
            program = try JoinedProgram(
                "/bin/sh", ["-c", "exec 3<&0 </dev/null; exec rsync \"$@\"", "sh"] + arguments, input: far,
                environment: ["RSYNC_CONNECT_PROG": relay])
        } catch {
            throw PeerError(.unusable, "rsync cannot be run: \(error)")
        }
        var failure: PeerError?
        do throws(PeerError) { try await stream.join(socket: near) } catch { failure = error }
        let status = (try? await program.status()) ?? -1
        if status != 0 { throw PeerError(.stopped, "rsync \(status): \(program.text)") }
        if let failure { throw failure }
    }

    private static func pair() throws(PeerError) -> (Int32, Int32) {
        do throws(Errno) { return try streamPair() } catch {
            throw PeerError(.unusable, "there is no pair of sockets: \(error)")
        }
    }
}

extension JSONValue {
    /// A value of the machines of migrations, as it goes over the line.
    static func rogue(_ value: some Encodable) -> JSONValue {
        guard let data = try? JSONEncoder().encode(value), let read = try? JSONReader.read(Array(data)) else {
            preconditionFailure("the values of these machines are JSON")
        }
        return read
    }

    /// What has come by the line.
    func read<Value: Decodable>(as type: Value.Type) -> Value? {
        try? JSONDecoder().decode(type, from: Data(line.utf8))
    }
}
