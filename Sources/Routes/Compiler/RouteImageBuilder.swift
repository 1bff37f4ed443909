import Wire

/// Collects names, routes and targets in the order of the source, and lays them out as an image.
struct RouteImageBuilder {
    private let seed: HashSeed

    /// The names section as it will be; begins with the unused byte.
    private(set) var names: [UInt8] = [UInt8](repeating: 0, count: RouteImageLayout.firstName)
    /// One slot for each name: tag and offset in `names`.
    var entries: [UInt64] = []
    private var wildcardCount = 0
    /// Four words for each route.
    private var routes: [UInt64] = []
    /// Three words for each target.
    private var targets: [UInt32] = []
    private var options = InternHeap()
    private var strings = InternHeap()
    /// The record of a route without options, once there was one: most routes have none.
    private var plainOptions: (index: UInt32, digest: UInt64)?
    /// Offset and length of each file's path.
    private var files: [UInt32] = []

    /// The route of `*`.
    var defaultRoute: UInt32?

    // Of the route that is being collected.
    private var targetStart = 0
    private var totalWeight: UInt32 = 0
    private var backupCount = 0
    private var targetDigest: UInt64 = 0

    /// Four names in three quarters of the slots: a search looks at two to three slots of one cache line.
    private static let slotsPerThreeNames = 4

    init(seed: HashSeed) {
        self.seed = seed
    }

    /// How many routes were ended.
    var routeCount: Int { routes.count / 4 }

    /// How many targets the route that is being collected has.
    var targetCount: Int { targets.count / 3 - targetStart }

    /// The line in which a route stands.
    func line(ofRoute route: Int) -> Int { Int(routes[4 * route + 3] & 0xFFFF_FFFF) }

    /// Sum of its weights, backups excluded, and how many backups it has.
    var weights: (total: UInt32, backups: Int) { (totalWeight, backupCount) }

    /// All routes that follow stand in the file with this path.
    mutating func beginFile(_ path: String) {
        let bytes = path.isEmpty ? Array("?".utf8) : Array(path.utf8)
        files.append(strings.intern(bytes.span.rawBytes, 0..<bytes.count))
        files.append(UInt32(bytes.count))
    }

    /// Makes room for so many more routes with one name and one target, to spare copies while the arrays
    /// grow.
    mutating func reserve(routes count: Int, nameBytes: Int) {
        entries.reserveCapacity(entries.count + count)
        routes.reserveCapacity(routes.count + 4 * count)
        targets.reserveCapacity(targets.count + 3 * count)
        names.reserveCapacity(names.count + nameBytes)
    }

    /// Begins a route; the names and targets that follow are its own until `endRoute`.
    mutating func beginRoute() {
        targetStart = targets.count / 3
        totalWeight = 0
        backupCount = 0
        targetDigest = 0
    }

    /// Adds a name that leads to the current route; for a wildcard, its suffix without star and dot.
    mutating func addName(_ name: RawSpan, isWildcard: Bool) {
        let route = UInt32(truncatingIfNeeded: routeCount)
        let offset = names.count
        let count = name.byteCount + (isWildcard ? 1 : 0)
        names.append(UInt8(truncatingIfNeeded: route))
        names.append(UInt8(truncatingIfNeeded: route >> 8))
        names.append(UInt8(truncatingIfNeeded: route >> 16))
        names.append(UInt8(truncatingIfNeeded: route >> 24))
        names.append(UInt8(truncatingIfNeeded: count))
        if isWildcard {
            names.append(UInt8(ascii: "."))
            wildcardCount += 1
        }
        for index in 0..<name.byteCount { names.append(name.word8(at: index)) }
        let key = offset + RouteImageLayout.namePrefixBytes
        let hash = NameHash.hash(names.span.rawBytes, key..<key + count, seed: seed)
        entries.append((hash & 0xFFFF_FFFF_0000_0000) | UInt64(UInt32(truncatingIfNeeded: offset)))
    }

    /// Adds a target of the current route; paths are ranges of `source`. Returns a digest of its address.
    @discardableResult
    mutating func addTarget(
        _ address: ParsedAddress, weight: UInt16, isBackup: Bool, source: RawSpan
    ) -> UInt64 {
        let stored = store(address, source: source)
        targets.append(UInt32(stored.kind) | (isBackup ? 1 << 8 : 0) | UInt32(stored.port) << 16)
        targets.append(UInt32(weight) | UInt32(stored.pathLength) << 16)
        targets.append(stored.payload)
        if isBackup { backupCount += 1 } else { totalWeight += UInt32(weight) }
        var digest = Fingerprint(kind: stored.digest)
        digest.combine(UInt64(weight) << 1 | (isBackup ? 1 : 0))
        // A sum, so that the order in which an author writes the targets is no change.
        targetDigest &+= digest.finished
        return stored.digest
    }

    /// Ends the current route.
    mutating func endRoute(action: Route.Action, options parsed: ParsedOptions, line: Int, source: RawSpan) {
        let (optionsIndex, optionsDigest) = store(parsed, source: source)
        var digest = Fingerprint(kind: UInt64(action.rawValue) << 8 | UInt64(parsed.balance.rawValue))
        digest.combine(targetDigest)
        digest.combine(optionsDigest)
        let count = UInt64(min(targetCount, Route.targetCountMax))
        routes.append(digest.finished)
        routes.append(UInt64(targetStart) | UInt64(optionsIndex) << 32)
        routes.append(
            UInt64(totalWeight) | count << 32 | UInt64(action.rawValue) << 40
                | UInt64(parsed.balance.rawValue) << 48 | UInt64(min(backupCount, Route.targetCountMax)) << 56
        )
        routes.append(UInt64(UInt32(truncatingIfNeeded: line)) | UInt64(files.count / 2 - 1) << 32)
    }

    /// An address as the image stores it, and a digest of what it means.
    struct StoredAddress {
        var kind: UInt8
        var port: UInt16 = 0
        var pathLength: UInt16 = 0
        var payload: UInt32
        var digest: UInt64
    }

    private mutating func store(_ address: ParsedAddress, source: RawSpan) -> StoredAddress {
        switch address {
        case .ip(let endpoint):
            switch endpoint.address {
            case .v4(let value):
                var digest = Fingerprint(kind: UInt64(RouteImageLayout.AddressKind.ipv4))
                digest.combine(UInt64(value) << 16 | UInt64(endpoint.port))
                return StoredAddress(
                    kind: RouteImageLayout.AddressKind.ipv4, port: endpoint.port, payload: value,
                    digest: digest.finished)
            case .v6(let high, let low):
                var digest = Fingerprint(kind: UInt64(RouteImageLayout.AddressKind.ipv6))
                digest.combine(high)
                digest.combine(low)
                digest.combine(UInt64(endpoint.port))
                return StoredAddress(
                    kind: RouteImageLayout.AddressKind.ipv6, port: endpoint.port,
                    payload: intern(high, low), digest: digest.finished)
            }
        case .unix(let path):
            var digest = Fingerprint(kind: UInt64(RouteImageLayout.AddressKind.unix))
            digest.combine(source, path)
            return StoredAddress(
                kind: RouteImageLayout.AddressKind.unix, pathLength: UInt16(path.count),
                payload: strings.intern(source, path), digest: digest.finished)
        }
    }

    private mutating func intern(_ high: UInt64, _ low: UInt64) -> UInt32 {
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        var span = bytes.mutableSpan
        span.store64(high, at: 0)
        span.store64(low, at: 8)
        return strings.intern(bytes.span.rawBytes, 0..<16)
    }

    private mutating func store(_ parsed: ParsedOptions, source: RawSpan) -> (index: UInt32, digest: UInt64) {
        if !parsed.hasAny, let plainOptions { return plainOptions }
        let stored = storeRecord(parsed, source: source)
        if !parsed.hasAny { plainOptions = stored }
        return stored
    }

    private mutating func storeRecord(
        _ parsed: ParsedOptions, source: RawSpan
    ) -> (index: UInt32, digest: UInt64) {
        typealias Field = RouteImageLayout.OptionsField
        var record = OptionsRecord()
        record.set(parsed)
        if let address = parsed.acme { record.set(store(address, source: source), at: Field.acme) }
        if let address = parsed.http { record.set(store(address, source: source), at: Field.http) }
        if let address = parsed.wake { record.set(store(address, source: source), at: Field.wake) }
        let offset = options.intern(record.bytes.span.rawBytes, 0..<RouteImageLayout.optionsBytes)
        return (offset / UInt32(RouteImageLayout.optionsBytes), record.digest.finished)
    }

    /// How many records each section has; the strings in bytes.
    var sectionCounts: (routes: Int, options: Int, targets: Int, files: Int, strings: Int, wildcards: Int) {
        (
            routes: routeCount, options: options.bytes.count / RouteImageLayout.optionsBytes,
            targets: targets.count / 3, files: files.count / 2, strings: strings.bytes.count,
            wildcards: wildcardCount
        )
    }

    func storeSeed(in image: inout MutableSpan<UInt8>) {
        image.store64(seed.first, at: RouteImageLayout.Header.seedFirst)
        image.store64(seed.second, at: RouteImageLayout.Header.seedSecond)
    }

    /// Copies all sections but the slots to their places, and frees each as soon as it was copied.
    mutating func storeSections(
        routes routesStart: Int, options optionsStart: Int, targets targetsStart: Int, files filesStart: Int,
        strings stringsStart: Int, names namesStart: Int, in image: inout MutableSpan<UInt8>
    ) {
        for index in 0..<routes.count {
            image.store64(routes[index], at: routesStart + 8 * index)
        }
        routes = []
        for index in 0..<targets.count {
            image.store32(targets[index], at: targetsStart + 4 * index)
        }
        targets = []
        for index in 0..<files.count {
            image.store32(files[index], at: filesStart + 4 * index)
        }
        Self.copy(options.bytes, to: optionsStart, in: &image)
        Self.copy(strings.bytes, to: stringsStart, in: &image)
        Self.copy(names, to: namesStart, in: &image)
        options.clear()
        strings.clear()
        names = []
        entries = []
    }

    private static func copy(_ source: [UInt8], to offset: Int, in image: inout MutableSpan<UInt8>) {
        for index in 0..<source.count {
            image[offset + index] = source[index]
        }
    }
}
