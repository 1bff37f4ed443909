import Routes

/// What the grammar knows and this version does not do yet. A configuration that asks for it is refused: an
/// edge that quietly ignores `max=` or `proxy` is worse than one that does not start.
enum UnsupportedFeature {
    /// Diagnostics for the compiled routes; at most ``reportedMax``.
    static func all(in image: RawSpan) -> [String] {
        var found: [String] = []
        var lastRoute = UInt32.max
        var entry = RouteImage.nameEntry(after: nil, in: image)
        while let name = entry, found.count < reportedMax {
            if name.routeIndex != lastRoute {
                lastRoute = name.routeIndex
                check(name.routeIndex, in: image, &found)
            }
            entry = RouteImage.nameEntry(after: name, in: image)
        }
        let fallback = RouteImage.defaultMatch(in: image)
        if fallback.kind != .none { check(fallback.routeIndex, in: image, &found) }
        return found
    }

    /// More of the same help nobody.
    private static let reportedMax = 100

    private static func check(_ index: UInt32, in image: RawSpan, _ found: inout [String]) {
        let route = RouteImage.route(index, in: image)
        let options = RouteImage.options(route.optionsIndex, in: image)
        var names: [String] = []
        if options.sessionsMax != nil { names.append("max=") }
        if options.idleMilliseconds != nil { names.append("idle=") }
        if options.drainMilliseconds != nil { names.append("drain=") }
        if options.check != .none { names.append("check=") }
        for name in names {
            found.append(
                "\(RouteImage.source(of: route, in: image)): error: "
                    + "`\(name)` is not built yet in this version"
            )
        }
    }
}
