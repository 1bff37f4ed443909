/// A declaration with a body: what it is and which lines it takes. Lines are counted from 1.
struct SwiftScope: Equatable {
    enum Kind {
        case function
        case property
        case type
    }

    let kind: Kind
    let firstLine: Int
    var lastLine: Int
}

extension SwiftSource {
    /// Every function, computed property and type of the file, in the order in which they end.
    var scopes: [SwiftScope] {
        var finder = ScopeFinder()
        for token in tokens { finder.take(token) }
        return finder.found
    }

    /// The comment that stands directly above a line, attributes and further modifiers between them left out.
    func commentAbove(line: Int) -> String {
        var comments: [String] = []
        var index = line - 2
        while index >= 0, lines[index].isOnlyComment || lines[index].isAttribute {
            comments.append(lines[index].comment)
            index -= 1
        }
        return comments.reversed().joined(separator: "\n")
    }
}

/// Finds declarations by their keywords and braces. A declaration without a body, as in a protocol, is
/// forgotten when the next one starts or the brace around it closes.
private struct ScopeFinder {
    private(set) var found: [SwiftScope] = []

    private struct Pending {
        let kind: SwiftScope.Kind
        let line: Int
        let parenthesesDepth: Int
    }

    private var pending: Pending?
    /// One entry for each open brace; nil for a closure or a statement.
    private var open: [SwiftScope?] = []
    private var parenthesesDepth = 0
    private var previous = ""

    private static let kinds: [String: SwiftScope.Kind] = [
        "func": .function, "init": .function, "deinit": .function, "subscript": .function,
        "var": .property,
        "struct": .type, "class": .type, "enum": .type, "extension": .type, "protocol": .type, "actor": .type,
    ]
    /// A declaration that never has a body, or whose braces are an expression's.
    private static let withoutBody: Set<String> = ["let", "case", "import", "typealias", "associatedtype"]

    mutating func take(_ token: SwiftSource.Token) {
        defer { previous = token.text }
        switch token.text {
        case "(", "[":
            parenthesesDepth += 1
        case ")", "]":
            parenthesesDepth -= 1
        case "{":
            openBrace(token)
        case "}":
            // The brace of a default argument ends nothing.
            if let waiting = pending, waiting.parenthesesDepth >= parenthesesDepth { pending = nil }
            if var scope = open.popLast() ?? nil {
                scope.lastLine = token.line
                found.append(scope)
            }
        case "=":
            // A stored property with a first value: the braces that may follow are a closure's.
            if pending?.kind == .property, pending?.parenthesesDepth == parenthesesDepth { pending = nil }
        default:
            takeWord(token)
        }
    }

    private mutating func takeWord(_ token: SwiftSource.Token) {
        // `.init(…)`, `#selector(…)` and `` `init` `` are no declarations.
        guard previous != ".", previous != "`", previous != "#" else { return }
        if let kind = Self.kinds[token.text] {
            // `class` in `class func`, and `class` as a constraint, are overtaken by what follows.
            pending = Pending(kind: kind, line: token.line, parenthesesDepth: parenthesesDepth)
        } else if Self.withoutBody.contains(token.text), pending?.parenthesesDepth == parenthesesDepth {
            pending = nil
        } else if let waiting = pending, waiting.kind == .property, waiting.line < token.line {
            // A stored property without a first value; the next line is about something else.
            pending = nil
        }
    }

    private mutating func openBrace(_ token: SwiftSource.Token) {
        guard let waiting = pending, waiting.parenthesesDepth == parenthesesDepth else {
            open.append(nil)
            return
        }
        open.append(SwiftScope(kind: waiting.kind, firstLine: waiting.line, lastLine: waiting.line))
        pending = nil
    }
}
