import Foundation
import Linux
import NIOPosix
import YardKit

/// The edge on this machine: told of routes and asked for its counters on its control socket; by a signal,
/// where that does not answer.
package struct EdgeProcess: Sendable {
    /// The name of its process; a pid file that has outlived it may name anybody's.
    static let processName = "switchyard"
    /// A million routes are read in less.
    private static let reloadMillisecondsMax: Int32 = 2000

    /// What it knows of one address.
    package struct Traffic: Equatable, Sendable {
        /// Sessions now.
        package var sessions: Int
        /// Sessions since the edge was started.
        package var connections: Int
    }

    /// What it says of its reloads.
    package struct Reloads: Equatable, Sendable {
        /// How many there were, good ones and others.
        package var count: Int
        /// Why the last one failed; nil: it did not.
        package var failure: String?
    }

    let pidPath: String
    let controlPath: String

    package init(pidPath: String, controlPath: String) {
        self.pidPath = pidPath
        self.controlPath = controlPath
    }

    /// Has it read its routes, and returns when they are in force. A conflict: it refuses them, and all stays
    /// as it was. If only a signal reaches it, nobody acknowledges.
    package func reload() async throws(Refusal) {
        let answer: Refusal
        do throws(Refusal) {
            _ = try await ask(Request.plain("reload"), nil, timeoutMilliseconds: Self.reloadMillisecondsMax)
            return
        } catch {
            answer = error
        }
        guard answer.kind == .failed else { return try signalReload() }
        // Whoever ends reads nothing; the next one reads all.
        let status = try? await ask(Request.plain("status"), nil).first
        guard status?["state"].text != "draining" else { throw Refusal(.unavailable, answer.text) }
        let line = answer.text.split(separator: "\n").first.map(String.init) ?? "it does not say why"
        throw Refusal(.conflict, "the edge refuses the routes: \(line)")
    }

    /// Sends SIGHUP.
    private func signalReload() throws(Refusal) {
        guard let text = try? String(contentsOfFile: pidPath, encoding: .utf8),
            let identifier = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)), identifier > 1
        else {
            throw Refusal(.unavailable, "nobody answers on \(controlPath), and \(pidPath) names no process")
        }
        let name = try? String(contentsOfFile: "/proc/\(identifier)/comm", encoding: .utf8)
        guard let name, name.hasPrefix(Self.processName) else {
            throw Refusal(.unavailable, "the process \(identifier) in \(pidPath) is not the edge")
        }
        send(.hangUp, to: identifier)
    }

    // MARK: What it knows

    /// Sessions by the address that they lead to.
    package func traffic() async throws(Refusal) -> [String: Traffic] {
        let items = try await ask(Request.plain("targets"), "items")
        return items.reduce(into: [:]) { traffic, item in
            guard let address = item["address"].text else { return }
            traffic[address] = Traffic(
                sessions: item["sessions"].integer ?? 0, connections: item["connections"].integer ?? 0)
        }
    }

    /// How its reloads went.
    package func reloads() async throws(Refusal) -> Reloads {
        let answer = try await ask(Request.plain("status"), nil)
        let reloads = (answer.first ?? .null)["reloads"]
        let hasFailed = reloads["last"].text == "failed"
        return Reloads(
            count: (reloads["succeeded"].integer ?? 0) + (reloads["failed"].integer ?? 0),
            failure: hasFailed ? reloads["last_error"].text ?? "it does not say why" : nil)
    }

    /// Waits until it has read what was published before, or for two seconds. A process that has ended in
    /// between may have written the file and told nobody.
    package func waitForReload() async { try? await reload() }

    /// Where else than in `file` a route for this name stands that matches it in one of these ways; nil:
    /// nowhere.
    package func otherRoute(
        for name: String, than file: String, matches: Set<String> = ["exact"]
    ) async throws(Refusal) -> String? {
        let items = try await ask(Request.with("routes", ["name": .string(name)]), "items")
        return items.lazy.filter { matches.contains($0["match"].text ?? "") }.compactMap { $0["source"].text }
            .first { !$0.hasPrefix(file + ":") }
    }

    /// The elements of a member of each line of the answer, or the lines. What it answers with no has failed;
    /// else it does not answer.
    private func ask(
        _ request: JSONValue, _ member: String?, timeoutMilliseconds: Int32 = 5000
    ) async throws(Refusal) -> [JSONValue] {
        let path = controlPath
        do {
            // The socket is waited for, in a thread that may wait.
            return try await NIOThreadPool.singleton.runIfActive {
                var client = try ControlClient(path: path, timeoutMilliseconds: timeoutMilliseconds)
                var values: [JSONValue] = []
                try client.ask(request) { answer in
                    values += member.map { answer[$0].elements } ?? [answer]
                }
                return values
            }
        } catch let error as YardError where error.status == .refused {
            throw Refusal(.failed, error.text)
        } catch let error as YardError {
            throw Refusal(.unavailable, "the edge does not answer: \(error.text)")
        } catch {
            throw Refusal(.unavailable, "the edge does not answer: \(error)")
        }
    }
}
