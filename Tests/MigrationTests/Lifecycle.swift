import Support

/// LIFECYCLE.md and the comments of the states, as far as they can be compared with the code.
enum Lifecycle {
    struct Transition: Hashable, Comparable, CustomStringConvertible {
        let from: String
        let to: String

        var description: String { "\(from) --> \(to)" }

        static func < (first: Self, second: Self) -> Bool { first.description < second.description }
    }

    private static let lines = text(of: "LIFECYCLE.md").split(separator: "\n")

    private static func text(of file: String) -> String {
        TextFile.read(Repository.path("Sources/Migration/\(file)")) ?? ""
    }

    /// Lines of the form `a --> b : why` below a heading.
    static func transitions(below heading: String) -> [Transition] {
        lines.drop { $0 != "## \(heading)" }.dropFirst().prefix { !$0.hasPrefix("## ") }.compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 3, words[1] == "-->" else { return nil }
            return Transition(from: String(words[0]), to: String(words[2]))
        }
    }

    static let originStates = states(below: "The origin")
    static let destinationStates = states(below: "The destination")

    private static func states(below heading: String) -> Set<String> {
        Set(transitions(below: heading).flatMap { [$0.from, $0.to] }).subtracting(["[*]"])
    }

    /// Rows of the table of steps, without their words of code.
    static var rows: [[String]] {
        lines.filter { $0.hasPrefix("| `") }.map { row in
            row.dropFirst(2).dropLast(2).split(separator: " | ").map { $0.filter { $0 != "`" } }
        }
    }

    /// What the comments of the states say after their arrow: `→ a, b (why), c`.
    static func commentedTransitions(in file: String) -> [Transition] {
        var transitions: [Transition] = []
        var comment = ""
        let code = text(of: file)
        let start = code.firstRange(of: "enum State")?.upperBound ?? code.endIndex
        for line in code[start...].split(separator: "\n") {
            let words = line.drop { $0 == " " }
            if words.hasPrefix("///") {
                comment += words.dropFirst(3)
            } else if words.hasPrefix("case ") {
                let name = words.dropFirst(5).prefix { $0.isLetter }
                let exits = comment.split(separator: "→").dropFirst().joined()
                transitions += exits.split(separator: ",").map { exit in
                    let word = exit.drop { $0 == " " }.prefix { $0.isLetter }
                    return Transition(from: String(name), to: String(word))
                }
                comment = ""
            } else if words.hasPrefix("}") {
                break
            }
        }
        return transitions.filter { $0.from != $0.to }
    }
}
