import Linux
import Routes

/// What a route asks of its sessions beyond a target, as one of them carries it: kept beside its slot, so
/// that the many sessions without terms do not pay for it.
package struct RouteTerms: BitwiseCopyable {
    /// `max=`: what it is counted by; see ``SessionTerms/counted``.
    package var identity: UInt64 = 0
    /// What its route was when it was chosen: another fingerprint is a changed route.
    package var fingerprint: UInt64 = 0
    /// `idle=`.
    package var idleNanoseconds: UInt64 = 0
    /// `drain=`.
    package var drainNanoseconds: UInt64 = 0
    /// When it ends at the latest; see ``SessionTerms/ending``.
    package var endNanoseconds: UInt64 = 0
}

/// Which terms the routes of a table have at all, and what their sessions are counted by. Made once for each
/// table, on the control thread.
struct TableTerms: Sendable {
    /// Whether any route has `max=`, `idle=` or `drain=`: if not, no options are read for them.
    private(set) var hasAny = false
    /// By route; empty when no route has `max=`. The identity of a route is its first name, so a route keeps
    /// its count whatever else a reload changes in it.
    private(set) var identities: [UInt64] = []

    init(_ image: RawSpan) {
        var hasLimits = false
        for index in 0..<RouteImage.optionsCount(in: image) {
            let options = RouteImage.options(UInt32(index), in: image)
            if options.sessionsMax != nil { hasLimits = true }
            if options.sessionsMax != nil || options.idleMilliseconds != nil
                || options.drainMilliseconds != nil
            {
                hasAny = true
            }
        }
        guard hasLimits else { return }
        identities = [UInt64](repeating: 0, count: RouteImage.routeCount(in: image))
        var entry = RouteImage.nameEntry(after: nil, in: image)
        while let name = entry {
            if identities[Int(name.routeIndex)] == 0 {
                identities[Int(name.routeIndex)] = RouteImage.identity(of: name, in: image)
            }
            entry = RouteImage.nameEntry(after: name, in: image)
        }
        let fallback = RouteImage.defaultMatch(in: image)
        if fallback.kind != .none, identities[Int(fallback.routeIndex)] == 0 {
            identities[Int(fallback.routeIndex)] = RouteImage.identity(of: nil, in: image)
        }
    }
}
