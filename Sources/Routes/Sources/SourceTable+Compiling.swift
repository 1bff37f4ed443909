extension SourceTable {
    /// Folds the lines into an image for ``allows(_:in:)``, in n log n steps.
    package static func compile(_ rules: SourceRules) -> [UInt8] {
        var ranges: (v4: [Range], v6: [Range]) = ([], [])
        for (index, rule) in rules.rules.enumerated() {
            let hostBits = rule.prefix.address.widthBits - rule.prefix.lengthBits
            let hosts = UInt128.max >> UInt128(128 - hostBits)
            switch rule.prefix.address {
            case .v4(let bits):
                ranges.v4.append(
                    Range(start: UInt128(bits), end: UInt128(bits) | hosts, rule: index))
            case .v6(let high, let low):
                let start = UInt128(high) << 64 | UInt128(low)
                ranges.v6.append(Range(start: start, end: start | hosts, rule: index))
            }
        }
        let verdicts = rules.rules.map(\.isAllowed)
        let v4 = Family(folding: ranges.v4, verdicts: verdicts, widthBits: 32)
        let v6 = Family(folding: ranges.v6, verdicts: verdicts, widthBits: 128)

        let v6Start = headerBytes + v4.byteCount
        var image = [UInt8](repeating: 0, count: v6Start + v6.byteCount)
        var bytes = image.mutableSpan
        v4.write(header: 0, body: headerBytes, into: &bytes)
        v6.write(header: familyBytes, body: v6Start, into: &bytes)
        return image
    }

    /// The addresses that a line speaks of; both ends count.
    private struct Range {
        var start: UInt128
        var end: UInt128
        var rule: Int
    }

    /// Where the verdicts of a family change.
    private struct Family {
        var changes: [UInt128] = []
        var firstVerdict = true
        let widthBits: Int

        /// Walks along the addresses where a line begins to fit or ceases to. The first of the lines that fit
        /// is on top of a heap, below others perhaps that have ceased, which are dropped when they come up.
        init(folding ranges: [Range], verdicts: [Bool], widthBits: Int) {
            self.widthBits = widthBits
            let sorted = ranges.sorted { $0.start < $1.start }
            var borders = sorted.map(\.start)
            let last = UInt128.max >> UInt128(128 - widthBits)
            for range in ranges where range.end != last { borders.append(range.end + 1) }
            borders.sort()

            var fitting = RuleHeap()
            var next = 0
            var verdict = true
            for border in borders {
                while next < sorted.count, sorted[next].start == border {
                    fitting.insert(RuleHeap.Entry(rule: sorted[next].rule, end: sorted[next].end))
                    next += 1
                }
                while let first = fitting.first, first.end < border { fitting.removeFirst() }
                let isAllowed = fitting.first.map { verdicts[$0.rule] } ?? true
                guard isAllowed != verdict else { continue }
                verdict = isAllowed
                if border == 0 { firstVerdict = isAllowed } else { changes.append(border) }
            }
        }

        /// Two places of the directory for each change, so that there is mostly one change to look at.
        var directoryBits: Int {
            var bits = 0
            while bits < SourceTable.directoryBitsMax, 1 << bits < 2 * changes.count { bits += 1 }
            return bits
        }

        var directoryBytes: Int { (1 << directoryBits + 1) * 4 }
        var byteCount: Int { directoryBytes + changes.count * widthBits / 8 }

        func write(header: Int, body: Int, into bytes: inout MutableSpan<UInt8>) {
            let bits = directoryBits
            let start = body + directoryBytes
            bytes.store32(UInt32(changes.count), at: header + Field.count)
            bytes[header + Field.directoryBits] = UInt8(bits)
            bytes[header + Field.firstVerdict] = firstVerdict ? 1 : 0
            bytes.store32(UInt32(body), at: header + Field.directory)
            bytes.store32(UInt32(start), at: header + Field.changes)
            var below = 0
            for place in 0..<(1 << bits) {
                let first = UInt128(place) << UInt128(widthBits - bits)
                while below < changes.count, changes[below] < first { below += 1 }
                bytes.store32(UInt32(below), at: body + place * 4)
            }
            bytes.store32(UInt32(changes.count), at: body + (1 << bits) * 4)
            for (index, change) in changes.enumerated() {
                guard widthBits == 128 else {
                    bytes.store32(UInt32(change), at: start + index * 4)
                    continue
                }
                bytes.store64(UInt64(change >> 64), at: start + index * 16)
                bytes.store64(UInt64(truncatingIfNeeded: change), at: start + index * 16 + 8)
            }
        }
    }
}

/// Lines by their place in the file, the first one on top.
private struct RuleHeap {
    struct Entry {
        var rule: Int
        /// The last address that it fits.
        var end: UInt128
    }

    private var entries: [Entry] = []

    var first: Entry? { entries.first }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var place = entries.count - 1
        while place > 0, entries[place].rule < entries[(place - 1) / 2].rule {
            entries.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func removeFirst() {
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < entries.count {
                if entries[child].rule < entries[least].rule { least = child }
            }
            guard least != place else { return }
            entries.swapAt(place, least)
            place = least
        }
    }
}
