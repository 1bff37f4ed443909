import Synchronization

/// What a migration says of a site, above what its operator wants. It follows from the ledger alone.
package struct SiteGuidance: Equatable, Sendable {
    /// Where the edge leads the site's names, whatever else is so.
    package enum Route: Equatable, Sendable {
        /// Nowhere yet: visitors wait.
        case held
        /// To the edge of another hoster: the addresses for TLS and for plain HTTP.
        case elsewhere(tls: String, http: String?)
        /// There is no route.
        case none
    }

    /// Whether it may be started here.
    package var mayRun: Bool
    /// nil: as the site is wanted.
    package var route: Route?

    package init(mayRun: Bool, route: Route?) {
        self.mayRun = mayRun
        self.route = route
    }

    /// There is no migration.
    package static let none = SiteGuidance(mayRun: true, route: nil)

    /// The route that a plan is told.
    var fixedRoute: SitePlan.Route? {
        switch route {
        case nil: nil
        case .held: .held
        case .elsewhere: .elsewhere
        case .some(.none): SitePlan.Route.none
        }
    }
}

/// What migrations say of all sites. It is changed when a ledger is on the disk and before anything else is
/// done, and looked at before each step of a site.
package final class GuidanceBoard: Sendable {
    private let guidances = Mutex<[String: SiteGuidance]>([:])

    package init() {}

    /// Sites of which nothing is said are as their operators want them.
    package subscript(domain: String) -> SiteGuidance {
        get { guidances.withLock { $0[domain] ?? .none } }
        set { guidances.withLock { $0[domain] = newValue == .none ? nil : newValue } }
    }
}
