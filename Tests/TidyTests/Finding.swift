/// One place where the source tree breaks a rule.
struct Finding: CustomStringConvertible, Equatable {
    let path: String
    /// Counted from 1; 0 when the rule is about the file as a whole.
    let line: Int
    let rule: String

    var description: String {
        line == 0 ? "\(path): \(rule)" : "\(path):\(line): \(rule)"
    }
}

extension [Finding] {
    /// One finding a line, for the message of a failed expectation.
    var list: String {
        map(\.description).joined(separator: "\n")
    }
}
