/// Leads names to another hoster in DNS: which records are changed, and which are not ours to change.
package struct NameMove: Equatable, Sendable {
    /// A sentence with more names is hard to read.
    private static let namesShownMax = 5

    /// What is to be done about one name.
    package enum Step: Equatable, Sendable {
        /// It leads there.
        case done
        /// These lines are given to `nsupdate`, behind `server` and before `send`.
        case update([String])
        /// It has to be done by hand, and why.
        case leave(String)
    }

    /// All names of a site.
    package var names: [String]
    /// Where they lead, and where they are to lead.
    package var old: Set<VisitorAddress>
    package var new: Set<VisitorAddress>
    package var ttlSeconds: UInt32

    package init(
        names: [String], old: Set<VisitorAddress>, new: Set<VisitorAddress>, ttlSeconds: UInt32
    ) {
        self.names = names
        // An address of both is not to be taken away.
        self.old = old.subtracting(new)
        self.new = new
        self.ttlSeconds = ttlSeconds
    }

    /// What is to be done about a name of which the zone's own server has said this.
    package func step(for name: String, _ answers: [NameAnswer]) -> Step {
        let own = answers.filter { $0.name == name }
        guard Set(own.map(\.type)).isSuperset(of: VisitorAddress.Kind.allCases.map(\.rawValue)) else {
            return .leave("the server does not say where it leads")
        }
        guard own.allSatisfy(\.isAuthoritative) else {
            return .leave("its zone is not at the server that takes updates")
        }
        let alias = own.lazy.flatMap(\.records).first { $0.name == name && $0.type == "CNAME" }
        if let alias {
            // Its target is led there itself.
            return names.contains(alias.data)
                ? .done : settled(own) ?? .leave("it is an alias of \(alias.data)")
        }
        if let settled = settled(own) { return settled }
        let here = own.reduce(into: Set()) { $0.formUnion($1.addresses) }
        if here.isEmpty { return .leave("it has no address there") }
        guard !here.isDisjoint(with: old) else {
            return .leave("it leads to \(here.map(\.description).sorted().joined(separator: ", "))")
        }
        return .update(lines(name, here))
    }

    private func settled(_ answers: [NameAnswer]) -> Step? {
        let here = answers.reduce(into: Set()) { $0.formUnion($1.addresses) }
        return !here.isEmpty && here.isDisjoint(with: old) && !here.isDisjoint(with: new) ? .done : nil
    }

    /// Only what was seen is changed: whoever has changed it since is not overruled (RFC 2136, section
    /// 2.4.2).
    private func lines(_ name: String, _ here: Set<VisitorAddress>) -> [String] {
        func sorted(_ addresses: Set<VisitorAddress>) -> [VisitorAddress] {
            addresses.sorted { ($0.kind.rawValue, $0.description) < ($1.kind.rawValue, $1.description) }
        }
        func record(_ address: VisitorAddress) -> String { "IN \(address.kind.rawValue) \(address)" }
        return sorted(here).map { "prereq yxrrset \(name). \(record($0))" }
            + sorted(here.intersection(old)).map { "update delete \(name). \(record($0))" }
            + sorted(new.subtracting(here)).map {
                "update add \(name). \(ttlSeconds) \(record($0))"
            }
    }

    /// What to type where it has to be done by hand.
    package func handwork(_ names: [String]) -> String {
        let records = new.sorted { $0.kind.rawValue < $1.kind.rawValue }.map { "\($0.kind.rawValue) \($0)" }
        let first = names.prefix(Self.namesShownMax).joined(separator: ", ")
        let rest = names.count - Self.namesShownMax
        let more = rest > 0 ? " and \(rest) other names of it" : ""
        return "let \(first)\(more) lead to \(records.joined(separator: ", ")) in DNS"
    }
}
