import Wire

/// Sorting the names and writing the image.
extension RouteImageBuilder {
    /// Orders the slots by tag; equal tags keep the order of the source. Must run before `duplicates` and
    /// `image`.
    ///
    /// A radix sort in three passes of eleven bits: time is linear, and memory is walked through in order.
    mutating func sortEntries() {
        guard entries.count > 1 else { return }
        let digitBits: UInt64 = 11
        let mask: UInt64 = 1 << digitBits - 1
        var source = entries
        entries = []
        var sorted = [UInt64](repeating: 0, count: source.count)
        for pass in 0..<UInt64(3) {
            let shift = 32 + pass * digitBits
            var starts = [Int](repeating: 0, count: Int(mask) + 2)
            for entry in source { starts[Int(entry >> shift & mask) + 1] += 1 }
            for digit in 1..<starts.count { starts[digit] += starts[digit - 1] }
            for entry in source {
                let digit = Int(entry >> shift & mask)
                sorted[starts[digit]] = entry
                starts[digit] += 1
            }
            swap(&source, &sorted)
        }
        entries = source
    }

    /// Pairs of entries with the same key, as offsets in `names`: the first of the source, and each later
    /// one.
    func duplicates() -> [(first: Int, second: Int)] {
        var found: [(first: Int, second: Int)] = []
        var start = 0
        while start < entries.count {
            var end = start + 1
            while end < entries.count, entries[end] >> 32 == entries[start] >> 32 { end += 1 }
            // Runs of more than one are rare: two different names share a tag once in 2³² pairs.
            if end - start > 1 { addDuplicates(start..<end, to: &found) }
            start = end
        }
        return found.sorted { $0.second < $1.second }
    }

    private func addDuplicates(_ run: Range<Int>, to found: inout [(first: Int, second: Int)]) {
        var firsts: [ArraySlice<UInt8>: Int] = [:]
        for index in run {
            let offset = Int(entries[index] & 0xFFFF_FFFF)
            let key = key(at: offset)
            if let first = firsts[key] {
                found.append((first, offset))
            } else {
                firsts[key] = offset
            }
        }
    }

    /// The key of the entry at an offset in `names`.
    func key(at offset: Int) -> ArraySlice<UInt8> {
        let start = offset + RouteImageLayout.namePrefixBytes
        return names[start..<start + Int(names[offset + 4])]
    }

    /// The route index of the entry at an offset in `names`.
    func route(at offset: Int) -> Int {
        Int(names[offset]) | Int(names[offset + 1]) << 8 | Int(names[offset + 2]) << 16
            | Int(names[offset + 3]) << 24
    }

    /// The slot of each entry when all stand at or behind their homes, in the order of their tags.
    private func place(of entry: UInt64, behind last: Int, bucketCount: Int) -> Int {
        max(Int(((entry >> 32) * UInt64(bucketCount)) >> 32), last + 1)
    }

    /// Writes the image and gives back the builder's memory. nil when it would pass 4 GiB, which offsets of
    /// 32 bits cannot reach.
    mutating func image() -> [UInt8]? {
        typealias Header = RouteImageLayout.Header
        let bucketCount = max(1, entries.count * 4 / 3)
        var last = -1
        for entry in entries { last = place(of: entry, behind: last, bucketCount: bucketCount) }
        let leastSlots = max(last + 1, bucketCount) + 1
        let slotCount = (leastSlots + 15) / 16 * 16

        let counts = sectionCounts
        let slots = RouteImageLayout.headerBytes
        let routesStart = slots + slotCount * RouteImageLayout.slotBytes
        let optionsStart = routesStart + counts.routes * RouteImageLayout.routeBytes
        let targetsStart = optionsStart + counts.options * RouteImageLayout.optionsBytes
        let filesStart = targetsStart + counts.targets * RouteImageLayout.targetBytes
        let stringsStart = filesStart + counts.files * RouteImageLayout.fileBytes
        let namesStart = stringsStart + counts.strings
        let total = namesStart + names.count
        guard total < Int(UInt32.max) else { return nil }

        var image = [UInt8](repeating: 0, count: total)
        var span = image.mutableSpan
        span.store64(RouteImageLayout.magic, at: Header.magic)
        span.store64(UInt64(total), at: Header.imageBytes)
        let small: [(Int, Int)] = [
            (Header.version, Int(RouteImageLayout.version)), (Header.fileCount, counts.files),
            (Header.bucketCount, bucketCount), (Header.slotCount, slotCount),
            (Header.nameCount, entries.count),
            (Header.wildcardCount, counts.wildcards), (Header.routeCount, counts.routes),
            (Header.optionsCount, counts.options), (Header.targetCount, counts.targets),
            (Header.defaultRoute, Int(defaultRoute ?? RouteImageLayout.none)),
        ]
        for (offset, value) in small { span.store32(UInt32(value), at: offset) }
        let large: [(Int, Int)] = [
            (Header.slots, slots), (Header.routes, routesStart), (Header.options, optionsStart),
            (Header.targets, targetsStart), (Header.files, filesStart), (Header.strings, stringsStart),
            (Header.names, namesStart),
        ]
        for (offset, value) in large { span.store64(UInt64(value), at: offset) }
        storeSeed(in: &span)

        last = -1
        for entry in entries {
            last = place(of: entry, behind: last, bucketCount: bucketCount)
            let slot = slots + last * RouteImageLayout.slotBytes
            span.store64(entry, at: slot)
            span.store32(
                UInt32(truncatingIfNeeded: route(at: Int(entry & 0xFFFF_FFFF))),
                at: slot + RouteImageLayout.slotRoute)
        }
        storeSections(
            routes: routesStart, options: optionsStart, targets: targetsStart, files: filesStart,
            strings: stringsStart, names: namesStart, in: &span)
        let check = RouteImageLayout.headerCheck(image.span.rawBytes)
        image.withHeaderCheck(check)
        return image
    }
}

extension [UInt8] {
    fileprivate mutating func withHeaderCheck(_ check: UInt64) {
        var span = mutableSpan
        span.store64(check, at: RouteImageLayout.Header.check)
    }
}
