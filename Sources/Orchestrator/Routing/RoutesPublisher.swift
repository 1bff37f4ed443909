import Linux
package import Logging
import NIOPosix

/// Writes yardmaster's routes file and tells the edge of it, as an operator does: another file in its place,
/// and SIGHUP. There is no other way in.
///
/// Changes that come while a file is written go together into the next one.
package actor RoutesPublisher {
    private let path: String
    private let edge: EdgeProcess
    private let log: Logger
    /// What is wanted in the file.
    private var lines: [String: String]
    /// What is in the file.
    private var published: [String: String]
    /// Grows with each change of ``lines``; and which of them the file has.
    private var wantedVersion = 0
    private var writtenVersion = 0
    private var isWriting = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Begins with what an earlier process has published, so that sites that run stay in the table.
    package init(path: String, edge: EdgeProcess, log: Logger) {
        self.path = path
        self.edge = edge
        self.log = log
        let text = (try? readFile(path, bytesMax: 64 << 20)).map { String(decoding: $0, as: UTF8.self) }
        lines = text.map(RoutesText.lines) ?? [:]
        published = lines
    }

    /// What the file says for a key.
    package func line(of key: String) -> String? { published[key] }

    /// The keys that stand in the file.
    package var keys: Set<String> { Set(published.keys) }

    /// Sets or removes some lines, and returns when they are in the file and the edge was told.
    package func publish(_ changes: [String: String?]) async throws(Refusal) {
        var isNew = false
        for (key, line) in changes where lines[key] != line {
            lines[key] = line
            isNew = true
        }
        if isNew { wantedVersion += 1 }
        let version = wantedVersion
        while writtenVersion < version {
            if isWriting {
                await withCheckedContinuation { waiting.append($0) }
                continue
            }
            do throws(Refusal) {
                try await write()
            } catch {
                // Not in the file, so not wanted any more: whoever asked decides whether to ask again.
                for key in changes.keys { lines[key] = published[key] }
                throw error
            }
        }
    }

    /// The same for one line.
    package func publish(_ key: String, _ line: String?) async throws(Refusal) {
        try await publish([key: line])
    }

    private func write() async throws(Refusal) {
        isWriting = true
        let (version, lines, path) = (wantedVersion, lines, path)
        defer {
            isWriting = false
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
        do {
            // Disks may take their time, and other changes should be able to gather meanwhile.
            try await NIOThreadPool.singleton.runIfActive {
                try writeFileAtomically(path, Array(RoutesText.text(lines).utf8))
            }
        } catch {
            throw Refusal(.unavailable, "the routes in \(path) cannot be written: \(error)")
        }
        published = lines
        writtenVersion = version
        do throws(Refusal) {
            try edge.reload()
        } catch {
            // The file is there, and the edge reads it when it starts.
            log.warning("the edge was not told of new routes: \(error.text)")
        }
    }
}
