/// Readers over a compiled route table: one flat, position-independent run of bytes, see `RouteImageLayout`.
///
/// All functions are pure, take trivial values and spans, and neither allocate nor count references. They
/// check their bounds: an image that was not made by `RouteCompiler` can end the process, but never lead
/// outside of itself. Call `validate(_:)` once before an image is used.
package enum RouteImage {
    private typealias Header = RouteImageLayout.Header

    /// Finds the route of a name: the name itself, then `*.` and the name without its first label, then `*`.
    /// At most two probe sequences whose expected length does not depend on the size of the table.
    ///
    /// - Parameter name: a host name as `HostName` yields it: lower case, no trailing dot. Other bytes are
    ///   safe, and find nothing but the default.
    package static func find(_ name: RawSpan, in image: RawSpan) -> RouteMatch {
        let count = name.byteCount
        // No host name begins with a dot, and the keys of wildcards do.
        guard count > 0, name.word8(at: 0) != UInt8(ascii: ".") else { return defaultMatch(in: image) }
        let exact = locate(name, 0..<count, in: image)
        if exact != RouteImageLayout.none { return RouteMatch(kind: .exact, routeIndex: exact) }
        if image.word32(at: Header.wildcardCount) > 0 {
            var dot = 0
            while dot < count, name.word8(at: dot) != UInt8(ascii: ".") { dot += 1 }
            // A wildcard stands for one whole label: there must be one before the dot, and a suffix behind
            // it.
            if dot > 0, dot + 1 < count {
                let wildcard = locate(name, dot..<count, in: image)
                if wildcard != RouteImageLayout.none {
                    return RouteMatch(kind: .wildcard, routeIndex: wildcard)
                }
            }
        }
        return defaultMatch(in: image)
    }

    /// The match of a session without a name: the default route, or none.
    package static func defaultMatch(in image: RawSpan) -> RouteMatch {
        let route = image.word32(at: Header.defaultRoute)
        return route == RouteImageLayout.none ? .none : RouteMatch(kind: .defaultRoute, routeIndex: route)
    }

    /// The route index of the key in `range` of `key`, or `RouteImageLayout.none`. A key is a name, or a dot
    /// and a wildcard's suffix.
    static func locate(_ key: RawSpan, _ range: Range<Int>, in image: RawSpan) -> UInt32 {
        let seed = HashSeed(
            first: image.word64(at: Header.seedFirst), second: image.word64(at: Header.seedSecond))
        let tag = NameHash.hash(key, range, seed: seed) >> 32
        let home = (tag &* UInt64(image.word32(at: Header.bucketCount))) >> 32
        let names = Int(truncatingIfNeeded: image.word64(at: Header.names))
        let slots = Int(truncatingIfNeeded: image.word64(at: Header.slots))
        var slot = slots &+ Int(home) &* RouteImageLayout.slotBytes
        // Ends at the latest at the empty slot behind the last one.
        while true {
            let word = image.word64(at: slot)
            let offset = UInt32(truncatingIfNeeded: word)
            if offset == 0 || word >> 32 > tag { return RouteImageLayout.none }
            if word >> 32 == tag {
                let entry = names &+ Int(offset)
                if isName(at: entry, in: image, equalTo: key, range) {
                    return image.word32(at: slot &+ RouteImageLayout.slotRoute)
                }
            }
            slot &+= RouteImageLayout.slotBytes
        }
    }

    private static func isName(
        at entry: Int, in image: RawSpan, equalTo key: RawSpan, _ range: Range<Int>
    ) -> Bool {
        let count = range.count
        guard Int(image.word8(at: entry &+ 4)) == count else { return false }
        var stored = entry &+ RouteImageLayout.namePrefixBytes
        var wanted = range.lowerBound
        if count >= 8 {
            let last = range.upperBound &- 8
            let lastStored = stored &+ count &- 8
            while wanted < last {
                if image.word64(at: stored) != key.word64(at: wanted) { return false }
                stored &+= 8
                wanted &+= 8
            }
            return image.word64(at: lastStored) == key.word64(at: last)
        }
        while wanted < range.upperBound {
            if image.word8(at: stored) != key.word8(at: wanted) { return false }
            stored &+= 1
            wanted &+= 1
        }
        return true
    }

    /// How many routes the image holds; indices go from 0 to one below.
    package static func routeCount(in image: RawSpan) -> Int { Int(image.word32(at: Header.routeCount)) }

    /// How many names, wildcards included, the default route not.
    package static func nameCount(in image: RawSpan) -> Int { Int(image.word32(at: Header.nameCount)) }

    /// How many of the names are wildcards.
    package static func wildcardCount(in image: RawSpan) -> Int {
        Int(image.word32(at: Header.wildcardCount))
    }

    /// How many targets all routes have together; a table beside the image with one entry each can be indexed
    /// by `Route.targetStart` plus the target's place in the route.
    package static func targetCount(in image: RawSpan) -> Int { Int(image.word32(at: Header.targetCount)) }

    /// Refuses bytes that are no image of this layout. The names and routes themselves are not walked
    /// through: they were made by this process, and every read of them is checked.
    package static func validate(_ image: RawSpan) throws(RouteImageError) {
        guard image.byteCount >= RouteImageLayout.headerBytes else { throw .tooShort }
        guard image.word64(at: Header.magic) == RouteImageLayout.magic else { throw .notAnImage }
        guard image.word32(at: Header.version) == RouteImageLayout.version else { throw .otherVersion }
        guard image.word64(at: Header.check) == RouteImageLayout.headerCheck(image) else {
            throw .damagedHeader
        }
        guard image.word64(at: Header.imageBytes) == UInt64(image.byteCount) else {
            throw .inconsistentSections
        }

        var expected = UInt64(RouteImageLayout.headerBytes)
        func follows(_ start: Int, _ count: Int, _ bytes: Int) -> Bool {
            guard image.word64(at: start) == expected else { return false }
            expected += UInt64(image.word32(at: count)) * UInt64(bytes)
            return true
        }
        let isInOrder =
            follows(Header.slots, Header.slotCount, RouteImageLayout.slotBytes)
            && follows(Header.routes, Header.routeCount, RouteImageLayout.routeBytes)
            && follows(Header.options, Header.optionsCount, RouteImageLayout.optionsBytes)
            && follows(Header.targets, Header.targetCount, RouteImageLayout.targetBytes)
            && follows(Header.files, Header.fileCount, RouteImageLayout.fileBytes)
        let strings = image.word64(at: Header.strings)
        let names = image.word64(at: Header.names)
        let defaultRoute = image.word32(at: Header.defaultRoute)
        guard isInOrder, strings == expected, strings <= names, names < UInt64(image.byteCount),
            image.word32(at: Header.bucketCount) > 0,
            image.word32(at: Header.bucketCount) < image.word32(at: Header.slotCount),
            defaultRoute == RouteImageLayout.none || defaultRoute < image.word32(at: Header.routeCount)
        else { throw .inconsistentSections }
    }
}
