/// `yard status` as people read it.
package enum StatusText {
    /// Lines of the answer to `status`.
    package static func lines(_ status: JSONValue, style: Style) -> [String] {
        let state = status["state"].text ?? "–"
        let title =
            "switchyard \(status["version"].text ?? "–"), process \(status["pid"].integer ?? 0), "
            + "\(state) for \(Human.duration(status["uptime_seconds"].double ?? 0))"
        var facts: [(String, String)] = [
            ("configuration", status["configuration"].text ?? "–"),
            (
                "workers",
                "\(Human.count(status["workers"].integer ?? 0)) on \(status["io"].text ?? "–"), "
                    + "at most \(Human.count(status["connections_max"].integer ?? 0)) connections"
            ),
            ("sessions", sessions(status)),
            ("descriptors", descriptors(status["descriptors"])),
            ("memory", Human.longBytes(status["memory_bytes"].double ?? 0)),
            ("routes", routes(status)),
            ("reloads", reloads(status["reloads"])),
        ]
        if let error = status["reloads"]["last_error"].text, !error.isEmpty {
            let first = error.split(separator: "\n").first.map(String.init) ?? error
            facts.append(("", Human.clean(first)))
            facts.append(("", "all of it: yard check"))
        }
        for (index, listener) in status["listeners"].elements.enumerated() {
            facts.append((index == 0 ? "listeners" : "", self.listener(listener)))
        }
        let role: Style.Role = state == "running" ? .heading : .doubtful
        return [style.apply(role, Human.clean(title))]
            + facts.map { fact in
                // The margin, the widest word and the gap.
                let text = style.width.map { Table.cut(fact.1, to: $0 - 17) } ?? fact.1
                return "  \(style.apply(.quiet, pad(fact.0, 13)))  \(Human.clean(text))"
            }
    }

    static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func sessions(_ status: JSONValue) -> String {
        let parked = status["parked"].integer ?? 0
        return Human.count(status["sessions"].integer ?? 0)
            + (parked > 0 ? ", \(Human.count(parked)) of them parked" : "")
    }

    private static func descriptors(_ descriptors: JSONValue) -> String {
        "\(Human.count(descriptors["open"].integer ?? 0)) of \(Human.count(descriptors["max"].integer ?? 0))"
    }

    private static func routes(_ status: JSONValue) -> String {
        let age = Human.duration(status["table_age_seconds"].double ?? 0)
        return "\(Human.number(status["names"].integer ?? 0, "name")) in "
            + "\(Human.number(status["routes"].integer ?? 0, "route")), "
            + "\(Human.longBytes(status["table_bytes"].double ?? 0)), read \(age) ago"
    }

    private static func reloads(_ reloads: JSONValue) -> String {
        let last = reloads["last"].text ?? "none"
        return "\(Human.count(reloads["succeeded"].integer ?? 0)) succeeded, "
            + "\(Human.count(reloads["failed"].integer ?? 0)) failed"
            + (last == "none" ? "" : "; the last one \(last)")
    }

    private static func listener(_ listener: JSONValue) -> String {
        let accepts = listener["accept_proxy"]
        let from = accepts.text ?? accepts.elements.compactMap(\.text).joined(separator: ",")
        let behind =
            from.isEmpty ? (accepts.flag == true ? ", behind a balancer" : "") : ", PROXY from \(from)"
        return pad(listener["kind"].text ?? "–", 5) + (listener["address"].text ?? "–") + behind
    }
}
