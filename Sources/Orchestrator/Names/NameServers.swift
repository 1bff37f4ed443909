import Foundation
import Linux

/// The servers of DNS that this hoster knows: the one that takes its updates (RFC 2136), and those that tell
/// what visitors are told. `dig` asks and `nsupdate` changes.
struct NameServers: Sendable {
    /// Of so many names it is looked after what resolvers say; each costs questions to each of them.
    private static let namesMax = 16
    private static let seconds = 60.0

    let settings: NameSettings

    /// What resolvers say of the names of a site that has moved.
    struct Sighting: Equatable, Sendable {
        /// Those that still lead some visitors to the old address, and those that lead all to the new one.
        var old: [String] = []
        var new: [String] = []
        /// Those that say neither, or nothing.
        var other: [String] = []
    }

    // MARK: Asking

    /// Which resolvers lead visitors where.
    func sighting(of move: NameMove) async -> Sighting {
        await withTaskGroup(of: (String, Bool?).self) { group in
            for resolver in settings.resolvers.map(Optional.some) + (settings.resolvers.isEmpty ? [nil] : [])
            {
                group.addTask {
                    (resolver?.description ?? "this machine's resolver", await leads(move, at: resolver))
                }
            }
            var sighting = Sighting()
            for await (resolver, isNew) in group {
                switch isNew {
                case true?: sighting.new.append(resolver)
                case false?: sighting.old.append(resolver)
                case nil: sighting.other.append(resolver)
                }
            }
            return Sighting(
                old: sighting.old.sorted(), new: sighting.new.sorted(), other: sighting.other.sorted())
        }
    }

    /// Whether a resolver leads everybody to the new address; false: somebody to the old one.
    private func leads(_ move: NameMove, at resolver: HostPort?) async -> Bool? {
        let names = Array(move.names.prefix(Self.namesMax))
        guard let answers = try? await answers(names, at: resolver, isRecursive: true) else { return nil }
        if answers.contains(where: { !$0.addresses.isDisjoint(with: move.old) }) { return false }
        let isNew = names.allSatisfy { name in
            answers.contains { $0.name == name && !$0.addresses.isDisjoint(with: move.new) }
        }
        return isNew ? true : nil
    }

    private func answers(
        _ names: [String], at server: HostPort?, isRecursive: Bool
    ) async throws(Refusal) -> [NameAnswer] {
        var words = ["dig", "+time=2", "+tries=2", "+noall", "+comments", "+question", "+answer"]
        words.append(isRecursive ? "+recurse" : "+norecurse")
        if let server { words += ["@\(server.host)", "-p", "\(server.port)"] }
        for name in names {
            for kind in VisitorAddress.Kind.allCases { words += ["\(name).", kind.rawValue] }
        }
        return NameAnswer.list(try await Tool.run(words, seconds: Self.seconds))
    }

    // MARK: Changing

    /// Leads names elsewhere; those that have to be led by hand, and why. A refusal: it may be tried again.
    func perform(_ move: NameMove) async throws(Refusal) -> [(name: String, reason: String)] {
        guard let server = settings.server else {
            return move.names.map { ($0, "no server takes updates (dns: in yardmaster.yaml)") }
        }
        let answers = try await answers(move.names, at: server, isRecursive: false)
        var left: [(name: String, reason: String)] = []
        for name in move.names {
            switch move.step(for: name, answers) {
            case .done: break
            case .leave(let reason): left.append((name, reason))
            case .update(let lines):
                if let reason = try await update(lines, at: server) { left.append((name, reason)) }
            }
        }
        return left
    }

    /// Why the server does not do it; nil: it has. A refusal: it could not be asked.
    private func update(_ lines: [String], at server: HostPort) async throws(Refusal) -> String? {
        let words = ["nsupdate", "-t", "10"] + (settings.keyPath.map { ["-k", $0] } ?? [])
        let text = (["server \(server.host) \(server.port)"] + lines + ["send", ""]).joined(separator: "\n")
        do throws(Refusal) {
            _ = try await Tool.run(words, input: text, seconds: Self.seconds)
            return nil
        } catch {
            let passing = ["timed out", "connection refused", "unreachable", "SERVFAIL"]
            if passing.contains(where: error.text.contains) {
                throw Refusal(.unavailable, "\(server) takes no update now: \(error.text)")
            }
            // A wildcard answers for a name that has no record of its own.
            if error.text.contains("NXRRSET") { return "its records are others than those that were seen" }
            return error.text
        }
    }
}

/// What `dns:` says in yardmaster.yaml.
package struct NameSettings: Equatable, Sendable {
    /// The primary server that takes updates; nil: none does.
    package var server: HostPort?
    /// A key for that (TSIG, RFC 8945), as `tsig-keygen` writes it; nil: the server knows us by our address.
    package var keyPath: String?
    /// How long what is written there may be remembered.
    package var ttlSeconds: UInt32 = 300
    /// Asked who still leads visitors to an old address; none: the one that this machine uses.
    package var resolvers: [HostPort] = []

    package init() {}
}
