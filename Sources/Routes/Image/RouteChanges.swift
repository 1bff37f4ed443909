/// What a reload changes: the difference between two images, by name.
package struct RouteChanges: Hashable, Sendable {
    /// How many names, and the first of them as examples, in the order of the source files.
    package struct Names: Hashable, Sendable {
        /// All of them.
        package var count = 0
        /// The first few, as they stand in a routes file.
        package var examples: [String] = []

        mutating func add(_ examplesMax: Int, _ text: () -> String) {
            count += 1
            if examples.count < examplesMax { examples.append(text()) }
        }
    }

    /// Names only in the new image.
    package private(set) var added = Names()
    /// Names only in the old image.
    package private(set) var removed = Names()
    /// Names in both, whose routes differ in content; a route that merely moved has not changed.
    package private(set) var changed = Names()

    /// True exactly when every name leads where it led before.
    package var isEmpty: Bool { added.count == 0 && removed.count == 0 && changed.count == 0 }

    /// Compares two valid images, whatever their seeds. The default route counts as a name, `*`.
    /// Linear in the names of both; keeps at most `examplesMax` examples of each kind.
    package init(from old: RawSpan, to new: RawSpan, examplesMax: Int = 10) {
        var entry = RouteImage.nameEntry(after: nil, in: new)
        var common = 0
        while let name = entry {
            let key = name.keyOffset..<name.keyOffset + name.keyBytes
            let before = RouteImage.locate(new, key, in: old)
            if before == RouteImageLayout.none {
                added.add(examplesMax) { RouteImage.text(of: name, in: new) }
            } else {
                common += 1
                if RouteImage.fingerprint(before, in: old) != RouteImage.fingerprint(name.routeIndex, in: new)
                {
                    changed.add(examplesMax) { RouteImage.text(of: name, in: new) }
                }
            }
            entry = RouteImage.nameEntry(after: name, in: new)
        }
        if common < RouteImage.nameCount(in: old) { addRemoved(from: old, to: new, examplesMax) }
        compareDefaults(from: old, to: new, examplesMax)
    }

    private mutating func addRemoved(from old: RawSpan, to new: RawSpan, _ examplesMax: Int) {
        var entry = RouteImage.nameEntry(after: nil, in: old)
        while let name = entry {
            let key = name.keyOffset..<name.keyOffset + name.keyBytes
            if RouteImage.locate(old, key, in: new) == RouteImageLayout.none {
                removed.add(examplesMax) { RouteImage.text(of: name, in: old) }
            }
            entry = RouteImage.nameEntry(after: name, in: old)
        }
    }

    private mutating func compareDefaults(from old: RawSpan, to new: RawSpan, _ examplesMax: Int) {
        let before = RouteImage.defaultMatch(in: old)
        let after = RouteImage.defaultMatch(in: new)
        switch (before.kind == .none, after.kind == .none) {
        case (true, true): return
        case (true, false): added.add(examplesMax) { "*" }
        case (false, true): removed.add(examplesMax) { "*" }
        case (false, false):
            let isSame =
                RouteImage.fingerprint(before.routeIndex, in: old)
                == RouteImage.fingerprint(after.routeIndex, in: new)
            if !isSame { changed.add(examplesMax) { "*" } }
        }
    }
}

extension RouteImage {
    /// The fingerprint alone, without decoding the rest of the route.
    static func fingerprint(_ index: UInt32, in image: RawSpan) -> UInt64 {
        let routes = Int(truncatingIfNeeded: image.word64(at: RouteImageLayout.Header.routes))
        let record = routes &+ Int(index) &* RouteImageLayout.routeBytes
        return image.word64(at: record + RouteImageLayout.RouteField.fingerprint)
    }
}
