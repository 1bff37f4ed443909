/// `yard routes` as people read it: a row for each route, and one for each further target.
package struct RoutesText {
    private var table: Table
    private var count = 0

    package init(style: Style) {
        table = Table(
            [
                Table.Column("NAMES", widthMin: 16), Table.Column("TARGETS", widthMin: 16),
                Table.Column("STATE"), Table.Column("SESSIONS", isRight: true),
                Table.Column("OPTIONS", dropRank: 1, widthMin: 12),
                Table.Column("FROM", dropRank: 2, widthMin: 14),
            ], style: style)
    }

    /// The lines of some of the routes.
    package mutating func lines(_ routes: [JSONValue]) -> [String] {
        count += routes.count
        return routes.isEmpty ? [] : table.lines(routes.flatMap(rows))
    }

    /// What to say at the end.
    package var closing: String { Human.number(count, "route") }

    private func rows(_ route: JSONValue) -> [[Table.Cell]] {
        let names = Self.names(route).joined(separator: ",")
        let options = Self.options(route).map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        let source = route["source"].text ?? "–"
        let targets = route["targets"].elements
        guard let first = targets.first else {
            let action = route["action"].text ?? "–"
            let role: Style.Role? = ["reject", "reset"].contains(action) ? .quiet : .doubtful
            return [
                [
                    Table.Cell(names), Table.Cell(action, role), "", "", Table.Cell(options),
                    Table.Cell(source),
                ]
            ]
        }
        return [
            Self.targetCells(first, after: [Table.Cell(names)]) + [Table.Cell(options), Table.Cell(source)]
        ]
            + targets.dropFirst().map { Self.targetCells($0, after: [""]) + ["", ""] }
    }

    private static func targetCells(_ target: JSONValue, after cells: [Table.Cell]) -> [Table.Cell] {
        cells + [
            Table.Cell(address(target)), TargetsText.state(of: target),
            Table.Cell(Human.count(target["sessions"].integer ?? 0)),
        ]
    }

    /// As in the routes file: the address, and its weight unless that is 1.
    static func address(_ target: JSONValue) -> String {
        let address = target["address"].text ?? "–"
        if target["backup"].flag == true { return address + "@backup" }
        let weight = target["weight"].integer ?? 1
        return weight == 1 ? address : "\(address)@\(weight)"
    }

    static func names(_ route: JSONValue) -> [String] {
        route["names"].text.map { [$0] } ?? route["names"].elements.compactMap(\.text)
    }

    /// The options as they were written.
    static func options(_ route: JSONValue) -> [(name: String, value: String)] {
        route["options"].members.compactMap { member in
            switch member.value {
            case .null: nil
            case .string(let text): (member.name, text)
            case .number(let digits): (member.name, digits)
            case .bool, .array, .object: (member.name, member.value.line)
            }
        }
    }
}
