import Linux
package import Logging
import NIOPosix

/// Writes yardmaster's routes file and has the edge read it, as an operator does: another file in the place
/// of the old one, and a reload. What the edge refuses is taken back.
///
/// Changes that come while a file is written go together into the next one.
package actor RoutesPublisher {
    /// What somebody wants to be in the file, and waits for.
    private struct Change {
        var lines: [String: String?]
        var waiting: CheckedContinuation<Refusal?, Never>
    }

    private let path: String
    private let edge: EdgeProcess
    private let log: Logger
    /// What is in the file.
    private var lines: [String: String]
    private var changes: [Change] = []
    private var isWorking = false
    /// Why the edge could not be told of the file as it is; it reads it when it starts. nil: it was told.
    package private(set) var untold: String?

    /// Begins with what an earlier process has published, so that sites that run stay in the table.
    package init(path: String, edge: EdgeProcess, log: Logger) {
        self.path = path
        self.edge = edge
        self.log = log
        let text = (try? readFile(path, bytesMax: 64 << 20)).map { String(decoding: $0, as: UTF8.self) }
        lines = text.map(RoutesText.lines) ?? [:]
    }

    /// What the file says for a key.
    package func line(of key: String) -> String? { lines[key] }

    /// The names in it that are of containers.
    package var containerNames: Set<String> { RoutesText.containerNames(lines) }

    /// The keys that stand in the file.
    package var keys: Set<String> { Set(lines.keys) }

    /// Sets or removes some lines, and returns when they are in the file and the edge has read it, if it can
    /// be reached. A conflict: the edge refuses them.
    package func publish(_ wanted: [String: String?]) async throws(Refusal) {
        // Behind what is under way even that has to be said which is so now.
        guard isWorking || wanted.contains(where: { lines[$0.key] != $0.value }) else { return }
        let refusal = await withCheckedContinuation { waiting in
            changes.append(Change(lines: wanted, waiting: waiting))
            guard !isWorking else { return }
            isWorking = true
            Task { await work() }
        }
        if let refusal { throw refusal }
    }

    /// The same for one line.
    package func publish(_ key: String, _ line: String?) async throws(Refusal) {
        try await publish([key: line])
    }

    private func work() async {
        while !changes.isEmpty {
            let batch = changes
            changes = []
            await write(batch)
        }
        isWorking = false
    }

    private func write(_ batch: [Change]) async {
        var wanted = lines
        for change in batch { for (key, line) in change.lines { wanted[key] = line } }
        let refusal: Refusal?
        do throws(Refusal) {
            try await put(RoutesText.settled(wanted))
            refusal = nil
        } catch {
            refusal = error
        }
        if refusal?.kind == .conflict, batch.count > 1 {
            // The others have nothing to do with it.
            for change in batch { await write([change]) }
            return
        }
        for change in batch { change.waiting.resume(returning: refusal) }
    }

    private func put(_ wanted: [String: String]) async throws(Refusal) {
        guard wanted != lines else { return }
        try await save(wanted)
        guard let refusal = await tell() else {
            lines = wanted
            return
        }
        // A name of a container that somebody has written into another file, too, must not stand in the way
        // of sites.
        let others = await otherPlaces(of: RoutesText.containerNames(wanted))
        let fewer = RoutesText.without(Set(others.keys), inContainers: wanted)
        if fewer != wanted {
            try await save(fewer)
            if await tell() == nil {
                log.warning(
                    "containers have no routes for names that stand elsewhere: \(others.values.sorted())")
                lines = fewer
                return
            }
        }
        try await save(lines)
        _ = await tell()
        throw refusal
    }

    /// Why the edge refuses what is in the file; nil: it does not, or cannot be reached.
    private func tell() async -> Refusal? {
        do throws(Refusal) {
            try await edge.reload()
            untold = nil
        } catch {
            if error.kind == .conflict {
                untold = nil
                return error
            }
            // The file is there, and the edge reads it when it starts.
            if untold == nil { log.warning("the edge was not told of new routes: \(error.text)") }
            untold = error.text
        }
        return nil
    }

    private func save(_ wanted: [String: String]) async throws(Refusal) {
        do {
            // Disks may take their time, and other changes should be able to gather meanwhile.
            try await NIOThreadPool.singleton.runIfActive { [path] in
                try writeFileAtomically(path, Array(RoutesText.text(wanted).utf8))
            }
        } catch {
            throw Refusal(.unavailable, "the routes in \(path) cannot be written: \(error)")
        }
    }

    /// Where names stand in the files beside ours.
    package func otherPlaces(of names: Set<String>) async -> [String: String] {
        guard !names.isEmpty else { return [:] }
        let neighbours = NeighbourRoutes(of: path)
        return (try? await NIOThreadPool.singleton.runIfActive { neighbours.places(of: names) }) ?? [:]
    }
}
