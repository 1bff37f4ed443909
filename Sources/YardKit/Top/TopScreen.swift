/// The screen of `yard top`, as a function of what was seen.
package struct TopScreen {
    /// By what the busiest are ordered; `s` goes to the next.
    package enum Order: String, CaseIterable, Sendable {
        case rate, sessions, bytes, errors

        /// The one after this.
        package var next: Order {
            let all = Order.allCases
            return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
        }
    }

    /// What the person at the keyboard has chosen.
    package struct Choices: Equatable, Sendable {
        package var order = Order.rate
        package var isPaused = false
        package var seconds = 2
        package init() {}
    }

    private let before: TopSample
    private let now: TopSample
    private let choices: Choices
    private let columns: Int
    private let rows: Int
    private let style: Style
    /// What went wrong with the last question, if it did.
    private let trouble: String?

    /// Of two samples; rates are their difference. The same one twice: no rates yet.
    package init(
        before: TopSample, now: TopSample, choices: Choices, columns: Int, rows: Int, hasColours: Bool,
        trouble: String? = nil
    ) {
        self.before = before
        self.now = now
        self.choices = choices
        self.columns = max(20, columns)
        self.rows = max(4, rows)
        self.style = Style(hasColours: hasColours, width: self.columns)
        self.trouble = trouble
    }

    /// At most `rows` lines of at most `columns` columns.
    package var lines: [String] {
        let head = self.head
        let foot = style.apply(.quiet, Table.cut(footText, to: columns))
        let room = rows - head.count - 1
        // Names are what one looks for; targets get what they need, up to two fifths.
        let targetRows = min(now.targets.count, max(1, room * 2 / 5 - 2))
        let nameRows = max(0, room - (now.targets.isEmpty ? 0 : targetRows + 2) - 1)
        var lines = head + table("NAME", entries(now.names, before.names, nameRows), nameRows, hasBytes: true)
        if !now.targets.isEmpty, room > 6 {
            lines.append("")
            lines += table(
                "TARGET", entries(now.targets, before.targets, targetRows), targetRows, hasBytes: false)
        }
        lines = Array(lines.prefix(rows - 1))
        return lines + Array(repeating: "", count: rows - 1 - lines.count) + [foot]
    }

    /// What to write for a whole frame, in one piece: every line over the old one, the rest of it cleared.
    package var frame: String {
        // The two at the ends keep a terminal that knows them from showing half of it.
        let body = lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n")
        return "\u{1b}[?2026h\u{1b}[H" + body + "\u{1b}[J\u{1b}[?2026l"
    }

    // MARK: The head

    private var elapsed: Double { now.seconds - before.seconds }

    private func rate(_ value: (TopSample) -> Int) -> Double? {
        guard elapsed > 0 else { return nil }
        return max(0, Double(value(now) - value(before)) / elapsed)
    }

    private func perSecond(_ value: (TopSample) -> Int) -> String {
        rate(value).map { Human.shortCount($0) + "/s" } ?? "–"
    }

    private func bytesPerSecond(_ value: (TopSample) -> Int) -> String {
        rate(value).map { Human.bytes($0) + "/s" } ?? "–"
    }

    private var head: [String] {
        let status = now.status
        let descriptors = status["descriptors"]
        let title =
            " switchyard \(status["version"].text ?? "–")  \(status["io"].text ?? "–")  "
            + "\(Human.number(status["workers"].integer ?? 0, "worker"))  "
            + "up \(Human.duration(status["uptime_seconds"].double ?? 0))  "
            + "\(Human.number(status["names"].integer ?? 0, "name"))  \(status["state"].text ?? "–")"
        let facts: [[(String, String)]] = [
            [
                ("new", perSecond { $0.total("accepted") }),
                ("sessions", Human.count(status["sessions"].integer ?? 0)),
                ("parked", Human.count(status["parked"].integer ?? 0)),
                ("errors", perSecond(\.errors)),
            ],
            [
                ("up", bytesPerSecond { $0.total("bytes_up", "bytesUp") }),
                ("down", bytesPerSecond { $0.total("bytes_down", "bytesDown") }),
                ("memory", Human.bytes(status["memory_bytes"].double ?? 0)),
                (
                    "files",
                    Human.shortCount(descriptors["open"].double ?? 0) + "/"
                        + Human.shortCount(descriptors["max"].double ?? 0)
                ),
            ],
        ]
        var lines = [
            style.apply(.inverse, StatusText.pad(Table.cut(Human.clean(title), to: columns), columns))
        ]
        let width = columns / 4
        for row in facts {
            lines.append(
                row.map { fact in
                    let text = " " + StatusText.pad(fact.0, 9) + fact.1
                    let isBad = fact.0 == "errors" && (rate(\.errors) ?? 0) > 0
                    let padded = StatusText.pad(Table.cut(text, to: width - 1), width)
                    return isBad ? style.apply(.bad, padded) : padded
                }.joined().trimmedAtEnd)
        }
        if let trouble {
            let first = trouble.split(separator: "\n").last.map(String.init) ?? trouble
            lines.append(style.apply(.bad, Table.cut(" " + Human.clean(first), to: columns)))
        } else {
            lines.append("")
        }
        return lines
    }

    private var footText: String {
        " q quit   s sort: \(choices.order.rawValue)   p \(choices.isPaused ? "go on (paused)" : "pause")   "
            + "1-9 seconds: \(choices.seconds)"
    }

    // MARK: The busiest

    private struct Busy {
        let entry: TopSample.Entry
        let connections: Double?
        let up: Double?
        let down: Double?
        let errors: Double?
    }

    private func entries(
        _ entries: [TopSample.Entry], _ earlier: [TopSample.Entry], _ most: Int
    ) -> [Busy] {
        let old = Dictionary(earlier.map { ($0.label, $0) }) { first, _ in first }
        let busy = entries.map { entry in
            let last = old[entry.label]
            let difference = { (value: KeyPath<TopSample.Entry, Int>) -> Double? in
                guard let last, elapsed > 0 else { return nil }
                return max(0, Double(entry[keyPath: value] - last[keyPath: value]) / elapsed)
            }
            return Busy(
                entry: entry, connections: difference(\.connections), up: difference(\.bytesUp),
                down: difference(\.bytesDown), errors: difference(\.errors))
        }
        // In order of what was chosen; what is equal in that, by sessions and by name, so that nothing jumps.
        return busy.sorted { first, second in
            let (a, b) = (weight(first), weight(second))
            if a != b { return a > b }
            if first.entry.sessions != second.entry.sessions {
                return first.entry.sessions > second.entry.sessions
            }
            return first.entry.label < second.entry.label
        }.prefix(max(0, most)).map { $0 }
    }

    private func weight(_ busy: Busy) -> Double {
        let entry = busy.entry
        return switch choices.order {
        case .rate: busy.connections ?? Double(entry.connections)
        case .sessions: Double(entry.sessions)
        case .bytes: busy.up.map { $0 + (busy.down ?? 0) } ?? Double(entry.bytesUp + entry.bytesDown)
        case .errors: busy.errors ?? Double(entry.errors)
        }
    }

    private func table(_ title: String, _ busy: [Busy], _ rows: Int, hasBytes: Bool) -> [String] {
        let all =
            hasBytes
            ? ["new/s", "sessions", "up/s", "down/s", "errors/s"] : ["new/s", "sessions", "failed/s"]
        // A narrow window shows fewer figures, and always enough of the label to know what it is.
        let heads = all.prefix(max(0, (columns - 1 - 10) / 9))
        let label = columns - 1 - heads.count * 9
        var lines = [
            style.apply(
                .heading,
                Table.cut(" " + StatusText.pad(title, label) + heads.map(right).joined(), to: columns))
        ]
        for item in busy {
            let number = { (value: Double?) in value.map { $0 == 0 ? "0" : small($0) } ?? "–" }
            let bytes = { (value: Double?) in value.map(Human.bytes) ?? "–" }
            let sessions = Human.shortCount(Double(item.entry.sessions))
            let errors = number(item.errors)
            let figures =
                [number(item.connections), sessions]
                + (hasBytes ? [bytes(item.up), bytes(item.down), errors] : [errors])
            let name = Table.cut(Human.clean(item.entry.label), to: label - 1)
            let cells = figures.prefix(heads.count).enumerated().map { index, figure in
                let isBad = index == figures.count - 1 && (item.errors ?? 0) > 0
                return isBad ? style.apply(.bad, right(figure)) : right(figure)
            }
            lines.append(" " + StatusText.pad(name, label) + cells.joined())
        }
        if busy.isEmpty, rows > 0 { lines.append(style.apply(.quiet, " nothing yet")) }
        return lines
    }

    /// Rates below ten have a digit behind the point: one in two seconds is not none.
    private func small(_ value: Double) -> String {
        value < 9.95 ? Human.fixed(value, 1) : Human.shortCount(value)
    }

    private func right(_ text: String) -> String {
        String(repeating: " ", count: max(1, 9 - text.count)) + Table.cut(text, to: 8)
    }
}

extension String {
    /// Without the blanks at its end.
    var trimmedAtEnd: String {
        var text = self[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
