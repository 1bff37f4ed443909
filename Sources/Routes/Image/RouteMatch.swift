/// What a look-up found. Trivial.
package struct RouteMatch: Hashable, Sendable, BitwiseCopyable {
    /// By which kind of line a name was found.
    package enum Kind: UInt8, Sendable, BitwiseCopyable {
        /// No line fits and there is no default: the name is refused.
        case none
        /// The name itself stands in a line.
        case exact
        /// `*.` and the name without its first label stands in a line.
        case wildcard
        /// The `*` line.
        case defaultRoute
    }

    /// By which kind of line.
    package var kind: Kind

    /// The route's index for `RouteImage.route(_:in:)`; `UInt32.max` when the kind is `none`.
    package var routeIndex: UInt32

    /// A match from its parts.
    package init(kind: Kind, routeIndex: UInt32) {
        self.kind = kind
        self.routeIndex = routeIndex
    }

    /// Nothing fits.
    package static var none: RouteMatch { RouteMatch(kind: .none, routeIndex: .max) }
}
