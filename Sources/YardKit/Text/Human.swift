/// Numbers as people read them.
package enum Human {
    /// `12,345`.
    package static func count(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    /// `999`, `1.2k`, `34M`: at most five columns.
    package static func shortCount(_ value: Double) -> String {
        scaled(value, 1000, ["", "k", "M", "G", "T"])
    }

    /// `512`, `1.2K`, `34M`, in units of 1024: at most five columns.
    package static func bytes(_ value: Double) -> String {
        scaled(value, 1024, ["B", "K", "M", "G", "T", "P"])
    }

    /// `512 B`, `1.2 KiB`.
    package static func longBytes(_ value: Double) -> String {
        let text = bytes(value)
        guard let unit = text.last, unit != "B" else { return text.dropLast() + " B" }
        return text.dropLast() + " \(unit)iB"
    }

    private static func scaled(_ value: Double, _ step: Double, _ units: [String]) -> String {
        guard value.isFinite else { return "–" }
        var value = value
        var unit = 0
        // 999.5 would be rounded to four digits.
        while abs(value) >= (unit == 0 ? min(step, 1000) : 999.5), unit < units.count - 1 {
            value /= step
            unit += 1
        }
        return (unit > 0 && abs(value) < 9.95 ? fixed(value, 1) : fixed(value, 0)) + units[unit]
    }

    /// With so many digits behind the point.
    package static func fixed(_ value: Double, _ digits: Int) -> String {
        var power = 1
        for _ in 0..<digits { power *= 10 }
        guard let whole = Int(exactly: (abs(value) * Double(power)).rounded()) else { return "–" }
        let sign = value < 0 && whole > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(whole % power)
        return "\(sign)\(whole / power).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    /// `0.25s`, `12s`, `5m03s`, `2h14m`, `3d04h`: at most six columns below a hundred days.
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e15 else { return "–" }
        if seconds < 0.9995 { return "\(fixed(max(0, seconds) * 1000, 0))ms" }
        if seconds < 9.95 { return "\(fixed(seconds, 1))s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole)s" }
        if whole < 3600 { return "\(whole / 60)m\(two(whole % 60))s" }
        if whole < 86_400 { return "\(whole / 3600)h\(two(whole / 60 % 60))m" }
        return "\(whole / 86_400)d\(two(whole / 3600 % 24))h"
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// `1 session`, `2 sessions`.
    package static func number(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(self.count(count)) \(count == 1 ? one : many ?? one + "s")"
    }

    /// What is safe to show: names come from the wire, and a terminal obeys what it shows.
    package static func clean(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 }))
    }

    /// The same for text of several lines.
    package static func cleanLines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { clean(String($0)) }
            .joined(separator: "\n")
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
            // Marks that change the direction of what follows.
            || (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    }
}
