/// `yard sessions` as people read it.
package struct SessionsText {
    private var table: Table
    private var count = 0

    package init(style: Style) {
        table = Table(
            [
                Table.Column("CLIENT", widthMin: 21), Table.Column("NAME", widthMin: 12),
                Table.Column("TARGET", widthMin: 12), Table.Column("PHASE", widthStart: 8),
                Table.Column("UP", isRight: true, widthStart: 4),
                Table.Column("DOWN", isRight: true),
                Table.Column("AGE", isRight: true, widthStart: 6),
                Table.Column("IDLE", isRight: true, dropRank: 1, widthStart: 6),
                Table.Column("LISTENER", dropRank: 2), Table.Column("ALPN", dropRank: 3),
                Table.Column("ROUTE", dropRank: 4), Table.Column("ID", dropRank: 5),
            ], style: style)
    }

    /// The lines of some of the sessions.
    package mutating func lines(_ sessions: [JSONValue]) -> [String] {
        count += sessions.count
        guard !sessions.isEmpty else { return [] }
        return table.lines(
            sessions.map { session in
                let phase = session["phase"].text ?? "–"
                return [
                    Table.Cell(session["client"].shown), Table.Cell(session["name"].shown),
                    Table.Cell(session["target"].shown),
                    Table.Cell(phase, phase.contains("park") ? .doubtful : nil),
                    Table.Cell(Human.bytes(session["bytes_up"].double ?? 0)),
                    Table.Cell(Human.bytes(session["bytes_down"].double ?? 0)),
                    Table.Cell(Human.duration(session["age_seconds"].double ?? 0)),
                    Table.Cell(Human.duration(session["idle_seconds"].double ?? 0)),
                    Table.Cell(session["listener"].shown), Table.Cell(session["alpn"].shown),
                    Table.Cell(session["route"].shown), Table.Cell(session["id"].shown),
                ]
            })
    }

    /// What to say at the end.
    package var closing: String { Human.number(count, "session") }
}
