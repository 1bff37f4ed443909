import Routes

/// What the grammar knows and this version does not do yet. A configuration that asks for it is refused: an
/// edge that quietly ignores `deny` or `proxy` is worse than one that does not start.
enum UnsupportedFeature {
    /// Diagnostics for the configuration file.
    static func all(in configuration: Configuration, file: SourceFile) -> [String] {
        var found: [String] = []
        func refuse(_ place: SourcePlace?, _ what: String) {
            guard let place else { return }
            let column = place.start - place.lineStart + 1
            found.append(
                "\(file.path):\(place.line):\(column): error: \(what) is not built yet in this version")
        }
        for listener in configuration.listeners {
            if listener.kind != .tls { refuse(listener.place, "`listen \(listener.kind.rawValue)`") }
            if !listener.acceptProxyFrom.isEmpty { refuse(listener.place, "`accept-proxy=`") }
        }
        for directive in [ConfigurationDirective.allow, .deny, .metrics, .control] {
            refuse(configuration.place(of: directive), "`\(directive.rawValue)`")
        }
        return found
    }

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
        if route.action == .asleep { names.append("asleep") }
        if options.proxyHeader != .none { names.append("proxy=") }
        if options.acme != nil { names.append("acme=") }
        if options.http != .redirect { names.append("http=") }
        for name in names {
            found.append(
                "\(RouteImage.source(of: route, in: image)): error: "
                    + "`\(name)` is not built yet in this version"
            )
        }
    }
}
