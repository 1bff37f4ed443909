/// `yard doctor`: what on this machine will hurt the edge.
package enum Doctor {
    /// All that was looked at, in the order in which it is shown.
    package static func findings(_ machine: Machine) -> [Finding] {
        let checks: [(Machine) -> Finding] = [
            edge, reloads, ports, descriptors, systemDescriptors, backlog, synCookies, listenOverflows,
            connectionTracking, portRange, timeWait, dockerProxy, ring, lockedMemory, pipes, hugePages,
            memory,
            controlGroup, clock, permissions, log,
        ]
        return checks.map { $0(machine) }
    }

    /// What a script wants to know.
    package static func json(_ findings: [Finding]) -> JSONValue {
        let problems = findings.count { $0.verdict == .problem }
        let warnings = findings.count { $0.verdict == .warning }
        return .object([
            "problems": .integer(problems), "warnings": .integer(warnings),
            "findings": .array(findings.map(\.json)),
        ])
    }

    /// The findings for people.
    package static func lines(_ findings: [Finding], style: Style) -> [String] {
        let nameWidth = findings.map(\.name.count).max() ?? 0
        let indent = 9 + nameWidth + 2
        var lines: [String] = []
        for finding in findings {
            let verdict = StatusText.pad(finding.verdict.rawValue, 9)
            let role: Style.Role =
                switch finding.verdict {
                case .ok: .good
                case .unseen: .quiet
                case .warning: .doubtful
                case .problem: .bad
                }
            var text = wrap(finding.seen, (style.width ?? 100) - indent)
            let head = style.apply(role, verdict) + StatusText.pad(finding.name, nameWidth) + "  "
            lines.append((head + (text.isEmpty ? "" : text.removeFirst())).trimmedAtEnd)
            let margin = String(repeating: " ", count: indent)
            lines += (text + wrap(finding.why, (style.width ?? 100) - indent)).map { margin + $0 }
            // Not wrapped: they are to be copied.
            lines += finding.fix.map {
                String(repeating: " ", count: 9) + style.apply(.heading, Human.clean($0))
            }
        }
        let problems = findings.count { $0.verdict == .problem }
        let warnings = findings.count { $0.verdict == .warning }
        let unseen = findings.count { $0.verdict == .unseen }
        let end =
            "\(Human.number(problems, "problem")), \(Human.number(warnings, "warning"))"
            + (unseen > 0 ? ", \(unseen) not seen" : "")
        return lines + ["", style.apply(problems > 0 ? .bad : .heading, end)]
    }

    private static func wrap(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        for word in Human.clean(text).split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= max(20, width) {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
