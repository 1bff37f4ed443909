import Foundation
import Linux
import Runme
import YardKit

extension SiteKeeper {
    /// What there is to know of the site, as the interface gives it.
    func report() async -> JSONValue {
        let now = monotonicSeconds()
        let capacity = runner.memoryBytes
        let kind =
            switch runme.start {
            case .docker: "docker"
            case .vagrant: "vagrant"
            case .command: "command"
            }
        let isUnchanged = SiteFolder(path: record.folder).hasManifest(record.runme)
        return .object([
            "domain": .string(domain),
            "aliases": .array(runme.aliases.map { .string($0) }),
            "state": .string(state.rawValue),
            "state_seconds": .seconds(now - stateSinceSeconds),
            "wish": .string(record.wish.rawValue),
            "kind": .string(kind),
            "folder": .string(record.folder),
            "address": .string(runner.tlsAddress.description),
            "sessions": .integer(openSessions),
            "idle_seconds": idleSeconds.map { .seconds($0) } ?? .null,
            "sleep_after_seconds": runme.sleepAfterMilliseconds.map { .seconds(Double($0) / 1000) } ?? .null,
            "memory_bytes": capacity == 0 ? .null : .number("\(capacity)"),
            "revision": .integer(record.revision),
            "runme_changed": .bool(!isUnchanged),
            "failure": state == .awake ? .null : lastFailure.map { .string($0) } ?? .null,
        ])
    }
}

extension Yardmaster {
    /// All sites, in the order of their domains.
    func reports() async -> [JSONValue] {
        var reports: [JSONValue] = []
        for (_, keeper) in keepers.sorted(by: { $0.key < $1.key }) { reports.append(await keeper.report()) }
        return reports
    }

    /// What there is to know of one site.
    func report(of domain: String) async throws(Refusal) -> JSONValue { try await keeper(domain).report() }

    /// What there is to know of yardmaster itself.
    func status() async -> JSONValue {
        var states: [SiteState: Int] = [:]
        for keeper in keepers.values { states[await keeper.state, default: 0] += 1 }
        let engineAnswer: Result<String, Refusal>
        do throws(Refusal) {
            engineAnswer = .success(
                try await engine.use { (engine) async throws(EngineError) -> String in
                    try await engine.ping()
                    return engine.version
                })
        } catch {
            engineAnswer = .failure(error)
        }
        let used = await capacity.used
        let limits = configuration.limits
        return .object([
            "version": .string(YardmasterVersion.text),
            "pid": .integer(Int(processIdentifier())),
            "sites": .integer(keepers.count),
            "states": .object(
                SiteState.allCases.map {
                    JSONMember(name: $0.rawValue, value: .integer(states[$0] ?? 0))
                }),
            "running": .integer(used.sites),
            "running_max": limits.running == .max ? .null : .integer(limits.running),
            "memory_bytes": .number("\(used.memoryBytes)"),
            "memory_bytes_max": limits.memoryBytes == .max ? .null : .number("\(limits.memoryBytes)"),
            "comparison_seconds": comparison.map { .seconds($0.seconds) } ?? .null,
            "comparison_age_seconds": comparison.map { .seconds(monotonicSeconds() - $0.atSeconds) } ?? .null,
            "engine": .object([
                "socket": .string(configuration.enginePath),
                "version": (try? engineAnswer.get()).map { .string($0) } ?? .null,
                "failure": engineAnswer.failure,
            ]),
            "edge": await edgeStatus(),
        ])
    }

    private func edgeStatus() async -> JSONValue {
        var count = JSONValue.null
        var failure: String?
        do throws(Refusal) {
            let reloads = try await edge.reloads()
            (count, failure) = (.integer(reloads.count), reloads.failure)
        } catch {
            failure =
                await publisher.untold.map { "the edge was not told of new routes: \($0)" } ?? error.text
        }
        return .object([
            "routes": .string(configuration.routesPath),
            "reloads": count,
            "failure": failure.map { .string($0) } ?? .null,
        ])
    }
}

extension Result where Failure == Refusal {
    fileprivate var failure: JSONValue {
        if case .failure(let refusal) = self { .string(refusal.text) } else { .null }
    }
}

/// The version that `yardmaster --version` and its interface tell.
package enum YardmasterVersion {
    package static let text = "0.1.0"
}

extension JSONValue {
    /// Seconds with milliseconds.
    static func seconds(_ value: Double) -> JSONValue {
        .number(String(format: "%.3f", value))
    }

    /// An entry of the journal.
    init(_ operation: Operation) {
        self = .object([
            "id": .number("\(operation.identifier)"),
            "domain": .string(operation.domain),
            "verb": .string(operation.verb),
            "began": .string(Self.time(operation.began)),
            "seconds": operation.ended.map { .seconds($0 - operation.began) } ?? .null,
            "failure": operation.failure.map { .string($0) } ?? .null,
        ])
    }

    /// RFC 3339, in UTC.
    private static func time(_ seconds: Double) -> String {
        Date(timeIntervalSince1970: seconds).ISO8601Format()
    }
}
