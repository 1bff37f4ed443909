/// `yard stats` as people read it.
package enum StatsText {
    /// Lines of the answer to `stats`.
    package static func lines(_ stats: JSONValue, style: Style) -> [String] {
        var lines = counts("COUNTED SINCE THE START", stats["counters"].members, style: style)
        let endings = stats["endings"].members.filter { $0.value.integer != 0 }
        if !endings.isEmpty { lines += [""] + counts("SESSIONS BY THEIR END", endings, style: style) }
        for histogram in stats["histograms"].members { lines += self.histogram(histogram, style: style) }
        return lines + workers(stats["workers"].elements, style: style)
    }

    private static func counts(_ title: String, _ counters: [JSONMember], style: Style) -> [String] {
        let width = counters.map(\.name.count).max() ?? 0
        return [style.apply(.heading, title)]
            + counters.map { counter in
                let value = counter.value.integer.map(Human.count) ?? counter.value.line
                let long =
                    counter.name.hasPrefix("bytes") ? " (\(Human.longBytes(counter.value.double ?? 0)))" : ""
                let padding = String(repeating: " ", count: max(0, 16 - value.count))
                return "  \(StatusText.pad(Human.clean(counter.name), width))  \(padding)\(value)\(long)"
            }
    }

    /// The buckets that are not empty, each with its share as a bar. `counts` is a number for each bound of
    /// `le` and one for what is above the last; each counts its own bucket alone.
    private static func histogram(_ histogram: JSONMember, style: Style) -> [String] {
        let bounds = histogram.value["le"].elements.map { $0.double ?? .infinity }
        let counts = histogram.value["counts"].elements.map { $0.integer ?? 0 }
        let total = histogram.value["count"].integer ?? counts.reduce(0, +)
        guard total > 0 else { return [] }
        let isSeconds = histogram.name.hasSuffix("seconds")
        let mean = (histogram.value["sum"].double ?? 0) / Double(total)
        let show = { (value: Double) in isSeconds ? fine(value) : Human.bytes(value) }
        let title = "\(histogram.name.uppercased()): \(Human.count(total)), mean \(show(mean))"
        var lines = ["", style.apply(.heading, Human.clean(title))]
        for (index, count) in counts.enumerated() where count > 0 {
            let label = index < bounds.count ? "≤ " + show(bounds[index]) : "more"
            let share = Double(count) / Double(total)
            let bar = String(repeating: "▇", count: max(1, Int(share * 36)))
            let number = Human.count(count)
            let padding = String(repeating: " ", count: max(0, 12 - number.count))
            lines.append("  \(StatusText.pad(label, 10))\(padding)\(number)  \(bar)")
        }
        return lines
    }

    /// Times below a millisecond matter here.
    private static func fine(_ seconds: Double) -> String {
        seconds < 0.01 ? "\(Human.count(Int(seconds * 1e6)))µs" : Human.duration(seconds)
    }

    private static func workers(_ workers: [JSONValue], style: Style) -> [String] {
        guard !workers.isEmpty else { return [] }
        var table = Table(
            ["WORKER", "CPU", "SESSIONS", "PARKED", "TURNS"].map { Table.Column($0, isRight: true) },
            style: style)
        let rows = workers.enumerated().map { index, worker -> [Table.Cell] in
            [
                Table.Cell("\(index)"), Table.Cell(Human.duration(worker["cpu_seconds"].double ?? 0)),
                Table.Cell(Human.count(worker["sessions"].integer ?? 0)),
                Table.Cell(Human.count(worker["parked"].integer ?? 0)),
                Table.Cell(worker["turns"].integer.map(Human.count) ?? ""),
            ]
        }
        return [""] + table.lines(rows)
    }
}
