/// What a server of DNS says to one question, as `dig +comments +question +answer` prints it.
package struct NameAnswer: Equatable, Sendable {
    /// A line of the answer. Names have no dot at their end.
    package struct Record: Equatable, Sendable {
        package var name: String
        package var ttlSeconds: UInt32
        /// `A`, `CNAME`, …
        package var type: String
        package var data: String
    }

    /// What was asked for.
    package var name: String
    package var type: String
    /// `NOERROR`, `NXDOMAIN`, `REFUSED`, …
    package var status: String
    /// Whether the server has the name's zone itself.
    package var isAuthoritative: Bool
    /// The answer, aliases on the way included.
    package var records: [Record]

    /// The addresses that it leads to in the end.
    package var addresses: Set<VisitorAddress> { Set(records.compactMap { VisitorAddress($0.data) }) }

    /// All answers of one run of `dig`, in their order. What is not understood is left out.
    package static func list(_ text: String) -> [NameAnswer] {
        text.split(separator: ";; ->>HEADER<<-").dropFirst().compactMap { NameAnswer(part: $0) }
    }

    private init?(part: Substring) {
        let lines = part.split(separator: "\n")
        guard let first = lines.first, let status = Self.word(behind: "status: ", in: first),
            let question = lines.first(where: {
                $0.hasPrefix(";") && !$0.hasPrefix(";;") && $0.contains("IN")
            }),
            let flags = lines.first(where: { $0.hasPrefix(";; flags:") })
        else { return nil }
        let asked = question.dropFirst().split(whereSeparator: \.isWhitespace)
        guard asked.count == 3 else { return nil }
        self.status = String(status)
        (name, type) = (Self.plain(asked[0]), String(asked[2]))
        let words = flags.dropFirst(";; flags:".count).prefix { $0 != ";" }.split(separator: " ")
        isAuthoritative = words.contains("aa")
        records = lines.filter { !$0.hasPrefix(";") }.compactMap { line in
            let words = line.split(maxSplits: 4, whereSeparator: \.isWhitespace)
            guard words.count == 5, let ttl = UInt32(words[1]), words[2] == "IN" else { return nil }
            return Record(
                name: Self.plain(words[0]), ttlSeconds: ttl, type: String(words[3]),
                data: words[3] == "CNAME" ? Self.plain(words[4]) : String(words[4]))
        }
    }

    private static func word(behind label: String, in line: Substring) -> Substring? {
        line.firstRange(of: label).map { line[$0.upperBound...].prefix { $0 != "," } }
    }

    /// In lower case, without the dot at the end.
    private static func plain(_ name: Substring) -> String {
        let text = name.lowercased()
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
