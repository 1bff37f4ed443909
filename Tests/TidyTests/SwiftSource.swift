/// A Swift file taken apart line by line into what is code and what is comment, so that a rule about code
/// does not trip over a word in a comment or in a string, nor over this very test.
struct SwiftSource {
    struct Line {
        /// The code alone; the text inside string literals is left out, their quotes stay.
        var code = ""
        /// The text of the comments on this line, with their marks (`//`, `///`, `/*`).
        var comment = ""

        var isBlank: Bool { code.allSatisfy(\.isWhitespace) && comment.isEmpty }
        var isOnlyComment: Bool { code.allSatisfy(\.isWhitespace) && !comment.isEmpty }
        var isDocumentation: Bool { isOnlyComment && comment.hasPrefix("///") }
        /// An attribute on a line of its own belongs to the declaration below it.
        var isAttribute: Bool { code.drop(while: \.isWhitespace).first == "@" }
    }

    let path: String
    /// The first line is at index 0.
    private(set) var lines: [Line]

    init(path: String, text: String) {
        self.path = path
        var splitter = Splitter(bytes: Array(text.utf8))
        lines = splitter.split()
    }

    /// The words and the punctuation of the code, each with the number of its line, counted from 1.
    var tokens: [Token] {
        var tokens: [Token] = []
        for (index, line) in lines.enumerated() {
            var word = ""
            for character in line.code + " " {
                if character.isLetter || character.isNumber || character == "_" {
                    word.append(character)
                    continue
                }
                if !word.isEmpty { tokens.append(Token(text: word, line: index + 1)) }
                word = ""
                if !character.isWhitespace { tokens.append(Token(text: String(character), line: index + 1)) }
            }
        }
        return tokens
    }

    struct Token: Equatable {
        let text: String
        let line: Int
    }
}

/// The lexer behind `SwiftSource`. It knows nested comments, strings on one and on several lines, raw
/// strings, and code interpolated into strings. It does not know regular-expression literals: the project has
/// none.
private struct Splitter {
    private enum Context {
        /// Code; inside an interpolation with the number of open parentheses, elsewhere with nil.
        case code(openParentheses: Int?)
        case text(hashes: Int, quotes: Int)
    }

    private let bytes: [UInt8]
    private var position = 0
    private var contexts: [Context] = [.code(openParentheses: nil)]
    private var lines: [SwiftSource.Line] = []
    private var code: [UInt8] = []
    private var comment: [UInt8] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func split() -> [SwiftSource.Line] {
        while position < bytes.count {
            switch contexts[contexts.count - 1] {
            case .code(let open): stepInCode(openParentheses: open)
            case .text(let hashes, let quotes): stepInText(hashes: hashes, quotes: quotes)
            }
        }
        if !code.isEmpty || !comment.isEmpty { endLine() }
        return lines
    }

    private mutating func stepInCode(openParentheses: Int?) {
        let byte = bytes[position]
        if starts(with: "//") {
            takeLineComment()
        } else if starts(with: "/*") {
            takeBlockComment()
        } else if let (hashes, quotes) = stringStart() {
            position += hashes + quotes
            code.append(UInt8(ascii: "\""))
            contexts.append(.text(hashes: hashes, quotes: quotes))
        } else if byte == UInt8(ascii: "\n") {
            position += 1
            endLine()
        } else {
            position += 1
            code.append(byte)
            guard let openParentheses else { return }
            let change = byte == UInt8(ascii: "(") ? 1 : byte == UInt8(ascii: ")") ? -1 : 0
            contexts[contexts.count - 1] = .code(openParentheses: openParentheses + change)
            if openParentheses + change == 0 { contexts.removeLast() }
        }
    }

    private mutating func stepInText(hashes: Int, quotes: Int) {
        let hashMarks = String(repeating: "#", count: hashes)
        if starts(with: "\\" + hashMarks + "(") {
            position += hashes + 2
            code.append(UInt8(ascii: "("))
            contexts.append(.code(openParentheses: 1))
        } else if starts(with: "\\" + hashMarks) {
            // The character behind it stands for something else, a quote included; a line break stays one.
            position += hashes + 1
            if position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
        } else if starts(with: String(repeating: "\"", count: quotes) + hashMarks) {
            position += quotes + hashes
            code.append(UInt8(ascii: "\""))
            contexts.removeLast()
        } else {
            if bytes[position] == UInt8(ascii: "\n") { endLine() }
            position += 1
        }
    }

    private mutating func takeLineComment() {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") {
            comment.append(bytes[position])
            position += 1
        }
    }

    private mutating func takeBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                takeIntoComment(2)
            } else if starts(with: "*/") {
                depth -= 1
                takeIntoComment(2)
            } else if bytes[position] == UInt8(ascii: "\n") {
                endLine()
                position += 1
            } else {
                takeIntoComment(1)
            }
        } while depth > 0 && position < bytes.count
    }

    private mutating func takeIntoComment(_ count: Int) {
        comment.append(contentsOf: bytes[position..<(position + count)])
        position += count
    }

    /// The number of hash marks and of quotes, when a string literal starts here.
    private func stringStart() -> (hashes: Int, quotes: Int)? {
        var hashes = 0
        while position + hashes < bytes.count, bytes[position + hashes] == UInt8(ascii: "#") { hashes += 1 }
        guard position + hashes < bytes.count, bytes[position + hashes] == UInt8(ascii: "\"") else {
            return nil
        }
        return (hashes, starts(with: "\"\"\"", at: position + hashes) ? 3 : 1)
    }

    private func starts(with text: String, at offset: Int? = nil) -> Bool {
        bytes[(offset ?? position)...].starts(with: text.utf8)
    }

    private mutating func endLine() {
        lines.append(
            SwiftSource.Line(
                code: String(decoding: code, as: UTF8.self), comment: String(decoding: comment, as: UTF8.self)
            ))
        code.removeAll()
        comment.removeAll()
    }
}
