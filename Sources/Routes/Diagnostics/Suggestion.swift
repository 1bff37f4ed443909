/// Guesses which of some known words an author meant.
package enum Suggestion {
    /// The known word nearest to `word`, or nil if none is near: at most one edit for each three characters
    /// of the shorter word, and one in any case. Otherwise a known word that contains it. Case counts as no
    /// difference.
    static func nearest(to word: String, among known: [String]) -> String? {
        let wanted = Array(word.lowercased().utf8)
        guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
        var best: (distance: Int, word: String)?
        for candidate in known {
            let distance = editDistance(wanted, Array(candidate.lowercased().utf8))
            let allowed = max(1, min(wanted.count, candidate.utf8.count) / 3)
            if distance <= allowed, distance < (best?.distance ?? .max) { best = (distance, candidate) }
        }
        if let best { return best.word }
        return wanted.count < 3 ? nil : known.first { $0.contains(word.lowercased()) }
    }

    /// A hint that names the nearest known word, or else all of them.
    package static func hint(for word: String, among known: [String]) -> String {
        if let near = nearest(to: word, among: known) { return "did you mean `\(near)`?" }
        return "known here: " + known.joined(separator: ", ")
    }

    /// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
    static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [Int](repeating: row + 1, count: right.count + 1)
            for column in 0..<right.count {
                let cost = left[row] == right[column] ? 0 : 1
                var distance = min(last[column + 1] + 1, current[column] + 1, last[column] + cost)
                let isSwap =
                    row > 0 && column > 0 && left[row] == right[column - 1]
                    && left[row - 1] == right[column]
                if isSwap { distance = min(distance, beforeLast[column - 1] + 1) }
                current[column + 1] = distance
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
