/// What the doctor says of one thing.
package struct Finding: Equatable, Sendable {
    /// How bad it is.
    package enum Verdict: String, Sendable {
        case ok
        /// It could not be seen, and why is in `seen`.
        case unseen
        /// It will hurt under load, or in some case.
        case warning
        /// It hurts.
        case problem
    }

    /// A word for scripts.
    package let name: String
    package let verdict: Verdict
    /// The figures.
    package let seen: String
    /// Why it matters; empty when all is well.
    package let why: String
    /// Lines to type, or to put into a file that a line before them names in a comment.
    package let fix: [String]

    init(_ name: String, _ verdict: Verdict, _ seen: String, why: String = "", fix: [String] = []) {
        self.name = name
        self.verdict = verdict
        self.seen = seen
        self.why = why
        self.fix = fix
    }

    /// The finding for scripts.
    package var json: JSONValue {
        .object([
            "name": .string(name), "verdict": .string(verdict.rawValue), "seen": .string(seen),
            "why": .string(why), "fix": .array(fix.map { .string($0) }),
        ])
    }

    /// Settings of the kernel, for now and for the next start.
    static func settings(_ lines: String...) -> [String] {
        lines.flatMap { line -> [String] in
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.trimmingBlanks }
            return ["echo '\(parts[0]) = \(parts[1])' | sudo tee -a /etc/sysctl.d/90-switchyard.conf"]
        } + ["sudo sysctl --system"]
    }

    /// A drop-in of the edge's unit.
    static func unit(_ line: String) -> [String] {
        [
            "sudo systemctl edit switchyard      # these two lines:", "[Service]", line,
            "sudo systemctl restart switchyard",
        ]
    }
}

extension Substring {
    var trimmingBlanks: String {
        String(drop(while: { $0 == " " })).trimmedAtEnd
    }
}
