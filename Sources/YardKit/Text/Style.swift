/// How text is set off: in colour on a terminal, not at all elsewhere.
package struct Style: Equatable, Sendable {
    /// Whether there are colours.
    package var hasColours: Bool
    /// Columns that a line may have; nil where lines may be as long as they like, in a file or a pipe.
    package var width: Int?

    package init(hasColours: Bool, width: Int?) {
        self.hasColours = hasColours
        self.width = width
    }

    /// Without colours and limits.
    package static let plain = Style(hasColours: false, width: nil)

    /// What a text is.
    package enum Role: String, Sendable {
        case heading = "1"
        case quiet = "2"
        case good = "32"
        case doubtful = "33"
        case bad = "31"
        case inverse = "7"
    }

    /// The text, set off.
    package func apply(_ role: Role, _ text: String) -> String {
        hasColours && !text.isEmpty ? "\u{1b}[\(role.rawValue)m\(text)\u{1b}[0m" : text
    }
}
