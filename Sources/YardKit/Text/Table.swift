/// Rows in aligned columns.
package struct Table {
    /// A column: how it is aligned, and what happens when the rows are too wide.
    package struct Column: Sendable {
        let title: String
        let isRight: Bool
        /// Columns with the highest number go first when there is no room; 0 stays.
        let dropRank: Int
        /// It may be cut down to so many columns; nil: never.
        let widthMin: Int?
        /// So wide from the first row on, because later rows of a long list will need it.
        let widthStart: Int

        package init(
            _ title: String, isRight: Bool = false, dropRank: Int = 0, widthMin: Int? = nil,
            widthStart: Int = 0
        ) {
            self.title = title
            self.isRight = isRight
            self.dropRank = dropRank
            self.widthMin = widthMin
            self.widthStart = widthStart
        }
    }

    /// A text in a row, and what it is.
    package struct Cell: ExpressibleByStringInterpolation, Sendable {
        let text: String
        let role: Style.Role?

        package init(_ text: String, _ role: Style.Role? = nil) {
            self.text = Human.clean(text)
            self.role = role
        }

        package init(stringLiteral value: String) { self.init(value) }
    }

    private static let gap = "  "
    private let columns: [Column]
    private let style: Style
    /// The widths of the rows before these; rows that come later are aligned with them where they can be.
    private var widths: [Int]
    private var isFirst = true

    package init(_ columns: [Column], style: Style) {
        self.columns = columns
        self.style = style
        widths = columns.map { max($0.title.count, $0.widthStart) }
    }

    /// The lines of some rows, after the titles if they are the first.
    package mutating func lines(_ rows: [[Cell]]) -> [String] {
        for row in rows {
            precondition(row.count == columns.count, "a cell for each column")
            for index in row.indices { widths[index] = max(widths[index], row[index].text.count) }
        }
        let shown = fit()
        var lines: [String] = []
        if isFirst {
            isFirst = false
            lines.append(line(columns.map { Cell($0.title, .heading) }, shown))
        }
        return lines + rows.map { line($0, shown) }
    }

    /// The columns that are shown, with their widths.
    private func fit() -> [(index: Int, width: Int)] {
        var shown = columns.indices.map { (index: $0, width: widths[$0]) }
        guard let limit = style.width else { return shown }
        func excess() -> Int {
            shown.reduce(0) { $0 + $1.width } + Self.gap.count * (shown.count - 1) - limit
        }
        // What can be cut is cut first, the widest of them, down to what still says something.
        func cut() {
            while excess() > 0 {
                let wide = shown.indices.filter { position in
                    columns[shown[position].index].widthMin.map { shown[position].width > $0 } ?? false
                }
                guard let widest = wide.max(by: { shown[$0].width < shown[$1].width }) else { return }
                shown[widest].width -= 1
            }
        }
        while true {
            let before = shown
            cut()
            guard excess() > 0,
                let last = shown.indices.filter({ columns[shown[$0].index].dropRank > 0 })
                    .max(by: { columns[shown[$0].index].dropRank < columns[shown[$1].index].dropRank })
            else { return shown }
            shown = before
            shown.remove(at: last)
        }
    }

    private func line(_ row: [Cell], _ shown: [(index: Int, width: Int)]) -> String {
        var line = ""
        var blanks = ""
        for (index, width) in shown {
            let text = Self.cut(row[index].text, to: width)
            let padding = String(repeating: " ", count: max(0, width - text.count))
            let styled = row[index].role.map { style.apply($0, text) } ?? text
            if columns[index].isRight { blanks += padding }
            if !text.isEmpty {
                line += blanks + styled
                blanks = ""
            }
            if !columns[index].isRight { blanks += padding }
            blanks += Self.gap
        }
        return line
    }

    /// The beginning of a text, with a mark when that is not all.
    static func cut(_ text: String, to width: Int) -> String {
        text.count <= width ? text : text.prefix(max(0, width - 1)) + "…"
    }
}
