import Foundation
import Linux
import Migration
import Peers

/// One pass of rsync through a stream between hosters: a client here, and at the other hoster a daemon that
/// knows one folder and nothing else. Neither listens anywhere.
enum CopyPass {
    /// By this word yardmaster's own program stands between rsync and the stream.
    static let relayFlag = "--relay"
    /// Everything that a site may have, at its own numbers; files are changed in place, so that a large one
    /// of which little has changed needs little, and what was cut off goes on where it was.
    private static let options = [
        "-aHAXS", "--no-devices", "--numeric-ids", "--delete-delay", "--partial", "--inplace",
        "--no-inc-recursive",
        "--modify-window=-1", "--timeout=60", "--stats", "--no-human-readable",
    ]
    /// Files that have vanished while it ran: the next pass, or the comparison, will tell.
    private static let vanishedStatus: Int32 = 24

    // MARK: Giving

    /// Sends a folder; how much there was to do.
    static func send(
        _ folder: String, through stream: PeerStream, within limit: BandwidthLimit?
    ) async throws(PeerError) -> CopyRound {
        let begin = monotonicSeconds()
        let (near, far) = try pair()
        let group = ProgramGroup()
        async let program = client(folder, far, in: group)
        let joined: PeerError?
        do throws(PeerError) {
            try await stream.join(socket: near, within: limit)
            joined = nil
        } catch {
            joined = error
        }
        let (status, text) = await program
        // Not before both have ended: what stands between rsync and the stream sends its last bytes.
        await group.end()
        // What rsync says of itself tells more than that its connection ended.
        guard status == 0 || status == vanishedStatus else {
            throw failure(status, text, joined)
        }
        if let joined { throw joined }
        return CopyRound(
            bytes: UInt64(max(0, stream.bytesWritten)),
            files: number(in: text, behind: "Number of regular files transferred: "),
            seconds: monotonicSeconds() - begin)
    }

    private static func failure(_ status: Int32, _ text: String, _ joined: PeerError?) -> PeerError {
        let words = text.split(separator: "\n").suffix(2).joined(separator: " | ")
        if text.contains("No space left on device") {
            return PeerError(.refused, "the disk there is full")
        }
        if let joined, joined.isWorthRetrying { return joined }
        return PeerError(.cutOff, "rsync has ended with status \(status): \(words)")
    }

    private static func number(in text: String, behind label: String) -> UInt64 {
        text.firstRange(of: label).flatMap { UInt64(text[$0.upperBound...].prefix { $0.isNumber }) } ?? 0
    }

    private static func pair() throws(PeerError) -> (Int32, Int32) {
        do throws(Linux.Errno) {
            return try streamPair()
        } catch {
            throw PeerError(.unusable, "there is no pair of sockets for rsync: \(error)")
        }
    }

    private static func client(
        _ folder: String, _ socket: Int32, in group: ProgramGroup
    ) async -> (status: Int32, text: String) {
        // Also when a package has put another file into the place of the one that runs.
        let own = "/proc/\(ProcessInfo.processInfo.processIdentifier)/exe"
        // rsync gives the program that connects its own two pipes; the stream is descriptor 3 for it.
        let script = "exec 3<&0 </dev/null; exec rsync \"$@\""
        return await group.run(
            "/bin/sh", ["-c", script, "sh"] + options + [folder + "/", "rsync://peer/site/"], socket,
            ["RSYNC_CONNECT_PROG": "'\(own)' \(relayFlag)"])
    }

    // MARK: Taking

    /// Lets a peer's rsync write into a folder, and nowhere else. When it returns, however, nobody writes
    /// there for it any more.
    static func receive(
        into folder: String, configuration path: String, through stream: PeerStream,
        within allowance: TransferAllowance
    ) async throws(PeerError) {
        do throws(Linux.Errno) {
            try writeFileAtomically(path, Array(configuration(of: folder).utf8))
        } catch {
            throw PeerError(.unusable, "\(path) cannot be written: \(error)")
        }
        let (near, far) = try pair()
        let group = ProgramGroup()
        async let program = group.run("rsync", ["--daemon", "--no-detach", "--config=\(path)"], far)
        let joined: PeerError?
        do throws(PeerError) {
            try await stream.join(socket: near) { allowance.objection(afterBytes: stream.bytesRead) }
            joined = nil
        } catch {
            joined = error
            // It would first do what it has read, which may be much.
            await group.end()
        }
        let (status, text) = await program
        await group.end()
        if let joined { throw joined }
        guard status == 0 else {
            throw PeerError(.refused, "rsync has failed here: \(text.split(separator: "\n").last ?? "")")
        }
    }

    /// With a root of its own nothing leads out of the folder, whatever links it has. A client asks for
    /// devices by their own option or, with all that `--archive` means, by `-D`. To reserve room takes no
    /// time, so the disk would be full before anybody looks.
    private static func configuration(of folder: String) -> String {
        """
        use chroot = yes
        uid = 0
        gid = 0
        numeric ids = yes
        munge symlinks = no
        reverse lookup = no
        log file = /dev/null
        max verbosity = 1
        [site]
        path = \(folder)
        read only = no
        write only = yes
        list = no
        refuse options = devices D preallocate
        timeout = 60

        """
    }
}
