/// `yard routes NAME`: what a client that asks for a name gets, and why.
package struct RouteExplanation {
    private let name: String
    private let style: Style

    package init(name: String, style: Style) {
        self.name = name
        self.style = style
    }

    /// The lines; `answer` is a line of the edge's, with the one route that matches or none.
    package func lines(_ answer: JSONValue) -> [String] {
        let route = answer["items"].elements.first ?? .null
        guard !route.isNull else { return unknown }
        let match = route["match"].text ?? answer["match"].text ?? "–"
        let title = style.apply(.heading, Human.clean(name))
        return ["\(title): \(why(match, route))", "  \(Human.clean(route["source"].text ?? "–"))", ""]
            + outcome(route) + optionLines(route)
    }

    private var unknown: [String] {
        [
            "\(style.apply(.heading, Human.clean(name))): no route has it, and there is no default (*)",
            "",
            "A client that asks for it is refused with the TLS alert unrecognized_name (112).",
            "To change that, add a line to a routes file, and `yard reload`.",
        ]
    }

    private func why(_ match: String, _ route: JSONValue) -> String {
        let names = RoutesText.names(route)
        let shown = names.prefix(4).joined(separator: ",") + (names.count > 4 ? ",… (\(names.count))" : "")
        let of = shown.isEmpty ? "" : " of " + Human.clean(shown)
        return switch match {
        case "exact": "its own name\(of)"
        case "wildcard": "the wildcard\(of)"
        case "default": "no route has this name; the default (*) takes it"
        case "none": "no route has this name"
        default: match
        }
    }

    private func outcome(_ route: JSONValue) -> [String] {
        let options = Dictionary(RoutesText.options(route).map { ($0.name, $0.value) }) { first, _ in first }
        switch route["action"].text ?? "–" {
        case "reject": return ["A client is refused with the TLS alert unrecognized_name (112)."]
        case "reset": return ["A client is refused with a TCP reset, without a word."]
        case "held":
            return ["A client waits, at most `timeout held`, until a reload says where this name goes."]
        case "asleep":
            return [
                "A client waits, at most `timeout wake`, until a reload says where this name goes.",
                "Meanwhile `wake \(Human.clean(name))` is sent once a second to",
                "  \(Human.clean(options["wake"] ?? "its wake socket"))",
            ]
        default: return targets(route)
        }
    }

    private func targets(_ route: JSONValue) -> [String] {
        let targets = route["targets"].elements
        let usable = targets.filter { ["up", "–"].contains($0["state"].text ?? "–") }
        var lines: [String] = []
        let balance = route["balance"].text ?? "weighted"
        switch (targets.count, usable.count) {
        case (1, 1): lines.append("A client is connected to this target:")
        case (_, 0):
            let text = "No target can be used now: unless one that rests answers, a client gets alert 80."
            lines.append(style.apply(.bad, text))
        default: lines.append("A client is connected to one of these, \(Self.balanceText(balance)):")
        }
        var table = Table(
            [
                Table.Column("  TARGET", widthMin: 20), Table.Column("WEIGHT", isRight: true),
                Table.Column("SHARE", isRight: true), Table.Column("STATE"),
                Table.Column("SESSIONS", isRight: true),
            ], style: style)
        let sum = usable.filter { $0["backup"].flag != true }.reduce(0) { $0 + ($1["weight"].integer ?? 1) }
        return lines
            + table.lines(
                targets.map { target in
                    [
                        Table.Cell("  " + (target["address"].text ?? "–")),
                        Table.Cell(Self.weight(target)), Table.Cell(Self.share(target, of: sum)),
                        TargetsText.state(of: target),
                        Table.Cell(Human.count(target["sessions"].integer ?? 0)),
                    ]
                })
    }

    private static func balanceText(_ balance: String) -> String {
        switch balance {
        case "least": "the least busy for its weight"
        case "source": "by the client's address, the same one each time"
        default: "by weight"
        }
    }

    private static func weight(_ target: JSONValue) -> String {
        target["backup"].flag == true ? "backup" : "\(target["weight"].integer ?? 1)"
    }

    private static func share(_ target: JSONValue, of sum: Int) -> String {
        guard target["backup"].flag != true, ["up", "–"].contains(target["state"].text ?? "–") else {
            return ""
        }
        let weight = target["weight"].integer ?? 1
        guard sum > 0, weight > 0 else { return "none" }
        return Human.fixed(100 * Double(weight) / Double(sum), sum > 99 ? 1 : 0) + "%"
    }

    private func optionLines(_ route: JSONValue) -> [String] {
        let options = RoutesText.options(route)
        guard !options.isEmpty else { return [] }
        let width = options.map { "\($0.name)=\($0.value)".count }.max() ?? 0
        return [""]
            + options.map { option in
                let text = StatusText.pad("\(option.name)=\(option.value)", min(width, 32))
                let meaning = Self.meanings[option.name] ?? ""
                return "  \(Human.clean(text))  \(style.apply(.quiet, meaning))"
            }
    }

    /// What the options of a route do.
    private static let meanings = [
        "acme": "hellos that offer acme-tls/1 go there",
        "balance": "how a target is chosen",
        "check": "targets are asked whether they live",
        "drain": "ends sessions so long after the route changes",
        "http": "where port 80 goes; the rest is sent to https",
        "idle": "ends a session without a byte for so long",
        "max": "at most so many sessions at once",
        "proxy": "tells the target the client's address",
        "wake": "is told when somebody asks for the name",
    ]
}
