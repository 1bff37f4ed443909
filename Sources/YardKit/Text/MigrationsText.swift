/// Peers and migrations, for people.
package enum MigrationsText {
    /// This hoster and its peers.
    package static func peers(_ answer: JSONValue, _ style: Style) -> [String] {
        let own = "\(answer["name"].shown) at \(answer["address"].shown), key \(answer["fingerprint"].shown)"
        let peers = answer["peers"].elements
        guard !peers.isEmpty else { return [own, "there is no peer yet: yard peer invite NAME"] }
        var table = Table(
            [
                Table.Column("PEER", widthMin: 12), Table.Column("ADDRESS"),
                Table.Column("SINCE", dropRank: 1),
                Table.Column("MAY"), Table.Column("KEY", dropRank: 2),
            ], style: style)
        return [own]
            + table.lines(
                peers.map { peer in
                    [
                        Table.Cell(peer["name"].shown), Table.Cell(peer["address"].shown),
                        Table.Cell(peer["since"].shown),
                        Table.Cell(peer["may"].elements.map(\.shown).joined(separator: ", ")),
                        Table.Cell(String(peer["fingerprint"].shown.prefix(16))),
                    ]
                })
    }

    /// All migrations.
    package static func list(_ migrations: [JSONValue], _ style: Style) -> [String] {
        guard !migrations.isEmpty else { return ["no site is being migrated"] }
        var table = Table(
            [
                Table.Column("SITE", widthMin: 18), Table.Column("PEER"), Table.Column("STATE"),
                Table.Column("PAUSE", isRight: true), Table.Column("NOTE", widthMin: 10),
            ], style: style)
        return table.lines(
            migrations.map { migration in
                let arrow = migration["role"].text == "giving" ? "to" : "from"
                return [
                    Table.Cell(migration["site"].shown), Table.Cell("\(arrow) \(migration["peer"].shown)"),
                    Table.Cell(migration["state"].shown),
                    Table.Cell(migration["pause_seconds"].double.map { Human.duration($0) } ?? ""),
                    Table.Cell(note(migration)),
                ]
            })
    }

    private static func note(_ migration: JSONValue) -> String {
        if let failure = migration["failure"].text { return failure }
        if let retry = migration["retry"].text { return "tried again: \(retry)" }
        if migration["end_proposed"].flag == true {
            return "hardly anybody comes any more: yard migrations finish"
        }
        if migration["state"].text == "forwarding" { return migration["by_hand"].text ?? "" }
        return migration["step"].text ?? ""
    }

    /// What was promised and what was measured.
    package static func report(_ migration: JSONValue) -> [String] {
        let pause = migration["pause_seconds"].double.map { Human.duration($0) } ?? "none"
        let promise = Human.duration(migration["promised_pause_seconds"].double ?? 0)
        let bytes = Human.bytes(migration["bytes"].double ?? 0)
        var lines = [
            "\(migration["site"].shown) is served by \(migration["peer"].shown)",
            "pause         \(pause) (promised: at most \(promise))",
            "lost writes   \(migration["lost_writes"].integer ?? 0)",
            "copied        \(bytes) in \(migration["rounds"].integer ?? 0) rounds, the last one "
                + Human.bytes(migration["last_copy_bytes"].double ?? 0),
            "forwarded to  \(migration["forwards_to"].shown)",
        ]
        if let text = migration["by_hand"].text { lines.append("to do         \(text)") }
        return lines.map { Human.clean($0) }
    }
}
