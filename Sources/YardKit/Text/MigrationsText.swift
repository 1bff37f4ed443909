/// Peers and migrations, for people.
package enum MigrationsText {
    /// This hoster, its peers, and who may become one.
    package static func peers(_ answer: JSONValue, _ style: Style) -> [String] {
        let own = "\(answer["name"].shown) at \(answer["address"].shown), key \(answer["fingerprint"].shown)"
        let (peers, invitations) = (answer["peers"].elements, answer["invitations"].elements)
        guard !peers.isEmpty || !invitations.isEmpty else {
            return [own, "there is no peer yet: yard peer invite NAME"]
        }
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
                }
                    + invitations.map { invitation in
                        [
                            Table.Cell(invitation["name"].shown), Table.Cell("invited"),
                            Table.Cell("until \(invitation["expires"].shown)"),
                            Table.Cell(invitation["may"].elements.map(\.shown).joined(separator: ", ")),
                            Table.Cell(""),
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
        guard migration["state"].text == "forwarding" else { return migration["step"].text ?? "" }
        let notes = [migration["by_hand"].text, residual(migration)].compactMap(\.self)
        return notes.joined(separator: "; ")
    }

    /// Who still comes by the old address; nil: it is not known yet.
    private static func residual(_ migration: JSONValue) -> String? {
        let old = migration["resolvers"]["old"].elements.compactMap(\.text)
        if !old.isEmpty { return "\(old.joined(separator: ", ")) still give the old address" }
        guard let sessions = migration["residual_sessions"].integer,
            let seconds = migration["residual_seconds"].double
        else { return nil }
        return "\(sessions) connections by the old address within \(Human.duration(seconds))"
    }

    /// What was promised and what was measured.
    package static func report(_ migration: JSONValue) -> [String] {
        guard migration["role"].text == "giving" else {
            return [
                "\(migration["site"].shown) comes from \(migration["peer"].shown): "
                    + migration["state"].shown
            ].map { Human.clean($0) }
        }
        let isThere = ["announcing", "forwarding", "ending", "closing", "done"].contains(
            migration["state"].text)
        let isOver = migration["state"].text == "done"
        let pause = migration["pause_seconds"].double.map { Human.duration($0) } ?? "none"
        let promise = Human.duration(migration["promised_pause_seconds"].double ?? 0)
        let bytes = Human.bytes(migration["bytes"].double ?? 0)
        let site = "\(migration["site"].shown)"
        var lines = [
            isOver
                ? "\(site) was moved to \(migration["peer"].shown)"
                : isThere
                    ? "\(site) is served by \(migration["peer"].shown)"
                    : "\(site) goes to \(migration["peer"].shown): \(migration["state"].shown)",
            "pause         \(pause) (promised: at most \(promise))",
            "lost writes   \(migration["lost_writes"].integer ?? 0)",
            "copied        \(bytes) in \(migration["rounds"].integer ?? 0) rounds, the last one "
                + Human.bytes(migration["last_copy_bytes"].double ?? 0),
        ]
        if let failure = migration["failure"].text { lines.append("turned back   \(failure)") }
        if let transfer = migration["transfer"].text { lines.append("under way     \(transfer)") }
        if let retry = migration["retry"].text { lines.append("tried again   \(retry)") }
        if isThere { lines += afterwards(migration) }
        return lines.map { Human.clean($0) }
    }

    private static func afterwards(_ migration: JSONValue) -> [String] {
        var lines: [String] = []
        if let address = migration["forwards_to"].text { lines.append("forwarded to  \(address)") }
        if let text = migration["by_hand"].text { lines.append("to do         \(text)") }
        if let sessions = migration["residual_sessions"].integer,
            let seconds = migration["residual_seconds"].double
        {
            lines.append("still come    \(sessions) connections within \(Human.duration(seconds))")
        }
        for (label, member) in [("old address", "old"), ("new address", "new"), ("no answer", "other")] {
            let resolvers = migration["resolvers"][member].elements.compactMap(\.text)
            if !resolvers.isEmpty {
                lines.append(StatusText.pad(label, 13) + " from \(resolvers.joined(separator: ", "))")
            }
        }
        if migration["end_proposed"].flag == true { lines.append("next          yard migrations finish") }
        return lines
    }
}
