/// Sites, for people.
package enum SitesText {
    /// A table of all.
    package static func table(_ sites: [JSONValue], _ style: Style) -> [String] {
        guard !sites.isEmpty else {
            return ["there is no site yet: yard site add FOLDER"]
        }
        var table = Table(
            [
                Table.Column("SITE", widthMin: 18), Table.Column("STATE"), Table.Column("FOR", isRight: true),
                Table.Column("SESSIONS", isRight: true), Table.Column("ADDRESS", dropRank: 1),
                Table.Column("NOTE", widthMin: 10),
            ], style: style)
        return table.lines(
            sites.map { site in
                [
                    Table.Cell(site["domain"].shown), state(of: site),
                    Table.Cell(Human.duration(site["state_seconds"].double ?? 0)),
                    Table.Cell(Human.count(site["sessions"].integer ?? 0)), Table.Cell(site["address"].shown),
                    Table.Cell(note(on: site)),
                ]
            })
    }

    private static func state(of site: JSONValue) -> Table.Cell {
        let state = site["state"].shown
        let role: Style.Role? =
            switch state {
            case "awake": .good
            case "failing", "waiting": .bad
            case "stopped", "asleep": .quiet
            default: .doubtful
            }
        return Table.Cell(state, role)
    }

    private static func note(on site: JSONValue) -> String {
        if let failure = site["failure"].text { return failure }
        return site["runme_changed"].flag == true ? "its runme has changed" : ""
    }

    /// Everything about one.
    package static func details(_ site: JSONValue) -> [String] {
        var pairs: [(String, String)] = [
            ("site", site["domain"].shown),
            ("also", site["aliases"].elements.map(\.shown).joined(separator: ", ")),
            ("state", "\(site["state"].shown) for \(Human.duration(site["state_seconds"].double ?? 0))"),
            ("wanted", site["wish"].shown),
            ("kind", site["kind"].shown),
            ("folder", site["folder"].shown),
            ("address", site["address"].shown),
            ("sessions", "\(site["sessions"].integer ?? 0)"),
            ("idle for", site["idle_seconds"].double.map { Human.duration($0) } ?? ""),
            (
                "sleeps after",
                site["sleep_after_seconds"].double.map { Human.duration($0) } ?? "never"
            ),
            ("memory", site["memory_bytes"].integer.map { Human.bytes(Double($0)) } ?? ""),
            ("revision", "\(site["revision"].integer ?? 0)"),
            ("failure", site["failure"].text ?? ""),
        ]
        if site["runme_changed"].flag == true {
            pairs.append(("note", "its runme has changed since it was started: yard site restart"))
        }
        return pairs.filter { !$0.1.isEmpty }.map { pair in
            pair.0 + String(repeating: " ", count: 14 - pair.0.count) + Human.clean(pair.1)
        }
    }

    /// The journal.
    package static func operations(_ operations: [JSONValue], _ style: Style) -> [String] {
        var table = Table(
            [
                Table.Column("BEGAN"), Table.Column("SITE", widthMin: 18), Table.Column("VERB", widthMin: 10),
                Table.Column("TOOK", isRight: true), Table.Column("FAILURE", widthMin: 10),
            ], style: style)
        return table.lines(
            operations.map { operation in
                [
                    Table.Cell(operation["began"].shown), Table.Cell(operation["domain"].shown),
                    Table.Cell(operation["verb"].shown),
                    Table.Cell(operation["seconds"].double.map { Human.duration($0) } ?? "under way"),
                    Table.Cell(operation["failure"].text ?? ""),
                ]
            })
    }

    /// A line of a site's log; the part stands in front when there are several.
    package static func logLine(_ line: JSONValue, hasParts: Bool) -> String {
        (hasParts ? "\(line["part"].shown): " : "") + Human.clean(line["text"].text ?? "")
    }

    /// A path that an audit has found.
    package static func finding(_ finding: JSONValue) -> String {
        let path = Human.clean(finding["path"].shown)
        let note = finding["temporary"].flag == true ? "a place for what nobody misses" : "no volume"
        return "written outside of its volumes: \(path) (\(finding["change"].shown); \(note))"
    }

    /// What long work is at; a bar where it is known how much is done.
    package static func progress(_ line: JSONValue, width: Int = 30) -> String {
        let text = Human.clean(line["progress"].shown)
        guard let fraction = line["fraction"].double else { return text }
        let count = max(0, min(width, Int(fraction * Double(width))))
        let bar = String(repeating: "#", count: count) + String(repeating: ".", count: width - count)
        return "\(text) [\(bar)] \(Int(fraction * 100)) %"
    }
}
