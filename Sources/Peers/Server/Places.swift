/// Who has a connection to the server. Those who have not shown yet who they are have places of their own, so
/// that no crowd of them takes a place from a peer; and where they crowd, the one who has stood there longest
/// without a word goes first, for a peer needs its place only for a moment. Addresses from which a peer has
/// come lately are not sent away for others.
struct Places {
    /// What happens to somebody new.
    enum Verdict: Equatable {
        case welcome
        /// Welcome, and this one goes.
        case instead(of: Int)
        case refused
    }

    private struct Pending {
        let number: Int
        let source: String
    }

    private let limits: PeerLimits
    /// The one who has waited longest first; never more than a few dozen.
    private var pending: [Pending] = []
    private var admitted: [Int: Fingerprint] = [:]
    /// Where each peer has come from last: as many as there are peers.
    private var sources: [Fingerprint: String] = [:]

    init(_ limits: PeerLimits) { self.limits = limits }

    /// Somebody has come.
    mutating func arrive(_ number: Int, from source: String) -> Verdict {
        var leaving: Int?
        if pending.count(where: { $0.source == source }) >= limits.pendingPerSource {
            leaving = pending.firstIndex { $0.source == source }
        } else if pending.count >= limits.pendingMax {
            let known = Set(sources.values)
            leaving = pending.firstIndex { !known.contains($0.source) }
            if leaving == nil, known.contains(source) { leaving = 0 }
            guard leaving != nil else { return .refused }
        }
        let verdict = leaving.map { Verdict.instead(of: pending.remove(at: $0).number) } ?? .welcome
        pending.append(Pending(number: number, source: source))
        return verdict
    }

    /// One has shown that it is a peer. False: the peer, or all of them, have too many already.
    mutating func admit(_ number: Int, as fingerprint: Fingerprint) -> Bool {
        guard let index = pending.firstIndex(where: { $0.number == number }) else { return false }
        sources[fingerprint] = pending[index].source
        guard admitted.count < limits.admittedMax,
            admitted.values.count(where: { $0 == fingerprint }) < limits.admittedPerPeer
        else { return false }
        pending.remove(at: index)
        admitted[number] = fingerprint
        return true
    }

    /// One has gone.
    mutating func leave(_ number: Int) {
        admitted[number] = nil
        pending.removeAll { $0.number == number }
    }

    /// A peer is one no more. These are its connections.
    mutating func forget(_ fingerprint: Fingerprint) -> [Int] {
        sources[fingerprint] = nil
        return admitted.filter { $0.value == fingerprint }.map(\.key)
    }
}

/// Connections from one source are counted together: from one IPv4 address, or from one /64 of IPv6, of which
/// everybody has at least one whole.
func connectionSource(_ address: String?) -> String {
    guard let address, address.contains(":") else { return address ?? "?" }
    // An address that carries an IPv4 one: `::ffff:192.0.2.1`.
    if address.hasPrefix("::ffff:"), address.contains(".") { return String(address.dropFirst(7)) }
    let halves = address.prefix { $0 != "%" }.split(
        separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
    let front = halves[0].split(separator: ":")
    guard halves.count == 2 else { return front.prefix(4).joined(separator: ":") + "::/64" }
    let back = halves[1].split(separator: ":")
    let zeros = Array(repeating: Substring("0"), count: max(0, 8 - front.count - back.count))
    return (front + zeros + back).prefix(4).joined(separator: ":") + "::/64"
}
