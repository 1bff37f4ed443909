/// `yard targets` as people read it.
package struct TargetsText {
    private var table: Table

    package init(style: Style) {
        table = Table(
            [
                Table.Column("TARGET", widthMin: 18), Table.Column("STATE"),
                Table.Column("SESSIONS", isRight: true), Table.Column("CONNECTIONS", isRight: true),
                Table.Column("FAILURES", isRight: true), Table.Column("ROUTES", isRight: true, dropRank: 1),
                Table.Column("CHECK", widthMin: 10),
            ], style: style)
    }

    /// The lines of some of the targets.
    package mutating func lines(_ targets: [JSONValue]) -> [String] {
        guard !targets.isEmpty else { return [] }
        return table.lines(
            targets.map { target in
                [
                    Table.Cell(target["address"].text ?? "–"), Self.state(of: target),
                    Table.Cell(Human.count(target["sessions"].integer ?? 0)),
                    Table.Cell(Human.count(target["connections"].integer ?? 0)),
                    Table.Cell(Human.count(target["failures"].integer ?? 0)),
                    Table.Cell(routes(target["routes"])), Table.Cell(check(target["check"])),
                ]
            })
    }

    /// A target's state, with the rest that it takes.
    static func state(of target: JSONValue) -> Table.Cell {
        let state = target["state"].text ?? "–"
        let rest = target["rest_seconds"].double ?? 0
        let text = state == "resting" && rest > 0 ? "resting \(Human.duration(rest))" : state
        return Table.Cell(text, role(of: state))
    }

    static func role(of state: String) -> Style.Role? {
        switch state {
        case "up": .good
        case "resting", "drained": .doubtful
        case "down": .bad
        default: nil
        }
    }

    private func routes(_ routes: JSONValue) -> String {
        Human.count(routes.integer ?? routes.elements.count)
    }

    private func check(_ check: JSONValue) -> String {
        guard !check.isNull else { return "" }
        let error = check["error"].text ?? ""
        let age = check["age_seconds"].double.map { " \(Human.duration($0)) ago" } ?? ""
        return "\(check["kind"].text ?? "check") \(check["result"].text ?? "–")\(age)"
            + (error.isEmpty ? "" : ": \(error)")
    }
}
