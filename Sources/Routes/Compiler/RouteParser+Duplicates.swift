import Wire

/// Names that stand in two places.
extension RouteParser {
    /// Sorts the table's entries and reports every name that stands twice, with both places.
    mutating func reportDuplicates() {
        builder.sortEntries()
        // How often each name was already reported for a line, to point to its next place there.
        var reported: [[Int]: Int] = [:]
        for pair in builder.duplicates() {
            guard !diagnostics.isFullOfErrors else {
                diagnostics.add(.error) { preconditionFailure("a full list makes no text") }
                continue
            }
            let key = Array(builder.key(at: pair.second))
            let firstRoute = builder.route(at: pair.first)
            let secondRoute = builder.route(at: pair.second)
            let before = reported[[pair.first, secondRoute], default: 0]
            reported[[pair.first, secondRoute]] = before + 1
            let occurrence = before + (firstRoute == secondRoute ? 1 : 0)
            guard let first = place(of: key, route: firstRoute, occurrence: 0),
                let second = place(of: key, route: secondRoute, occurrence: occurrence)
            else { preconditionFailure("a name in the table stands in the line of its route") }
            let name = (key.first == UInt8(ascii: ".") ? "*" : "") + String(decoding: key, as: UTF8.self)
            let note = Diagnostic(.note, at: first.place, in: files[first.fileIndex], "it first stands here")
            diagnostics.add(.error) {
                Diagnostic(
                    .error, at: second.place, in: files[second.fileIndex], "the name `\(name)` stands twice",
                    notes: [note])
            }
        }
    }

    /// Finds a name again in the line of its route: places are not kept for a million names of which none is
    /// needed.
    private func place(
        of key: [UInt8], route: Int, occurrence: Int
    ) -> (fileIndex: Int, place: SourcePlace)? {
        let fileIndex = Int(lineStarts[route] >> Self.fileIndexShift)
        let lineStart = Int(lineStarts[route] & (1 << Self.fileIndexShift - 1))
        let source = files[fileIndex]
        let bytes = source.bytes.span
        var start = lineStart
        while bytes[start] == UInt8(ascii: " ") || bytes[start] == UInt8(ascii: "\t") { start += 1 }
        var left = occurrence
        var end = start
        while true {
            let isAtEnd = end == bytes.count || bytes[end] <= UInt8(ascii: " ")
            if isAtEnd || bytes[end] == UInt8(ascii: ",") {
                if Self.key(of: start..<end, bytes) == key {
                    if left == 0 {
                        let place = SourcePlace(
                            line: builder.line(ofRoute: route), lineStart: lineStart, start: start, end: end)
                        return (fileIndex, place)
                    }
                    left -= 1
                }
                if isAtEnd { return nil }
                start = end + 1
            }
            end += 1
        }
    }

    /// The key that a written name has in the table.
    private static func key(of range: Range<Int>, _ bytes: Span<UInt8>) -> [UInt8]? {
        let isWildcard = hasPrefix(bytes, range, "*.")
        let name = range.lowerBound + (isWildcard ? 2 : 0)..<range.upperBound
        var spelled: [UInt8] = []
        for index in name { spelled.append(bytes[index]) }
        if spelled.contains(where: { $0 >= 0x80 }) {
            do throws(GrammarError) {
                spelled = try UnicodeName.ascii(String(decoding: spelled, as: UTF8.self), at: name)
            } catch {
                return nil
            }
        }
        do throws(HostNameFault) {
            let normal = try HostName.normalise(spelled.span.rawBytes)
            var key: [UInt8] = isWildcard ? [UInt8(ascii: ".")] : []
            for index in 0..<normal.byteCount { key.append(normal.bytes.word8(at: index)) }
            return key
        } catch {
            return nil
        }
    }
}
