/// Choosing one target of a route. Pure, without allocation, linear in the route's targets (at most 64).
///
/// All three policies share these rules: drained targets are never chosen, neither are those in `skipping`
/// (already tried, or resting); backups come into question only when no other target does. The answer is the
/// target's place in the route: its index in the image is `Route.targetStart` plus this.
extension RouteImage {
    /// At random, by weight.
    ///
    /// - Parameter random: 64 evenly distributed random bits, fresh for each choice.
    /// - Returns: a place in 0..<`route.targetCount`, or nil when no target is left.
    package static func chooseWeighted(
        _ route: Route, in image: RawSpan, random: UInt64, skipping: TargetSet
    ) -> Int? {
        if skipping.isEmpty, route.totalWeight > 0 {
            return draw(route, in: image, random: random, total: route.totalWeight, skipping, backups: false)
        }
        let primary = weight(route, in: image, skipping, backups: false)
        if primary > 0 {
            return draw(route, in: image, random: random, total: primary, skipping, backups: false)
        }
        let backup = weight(route, in: image, skipping, backups: true)
        guard backup > 0 else { return nil }
        return draw(route, in: image, random: random, total: backup, skipping, backups: true)
    }

    /// The one with the fewest sessions for its weight; among equals, at random by weight.
    ///
    /// - Parameters:
    ///   - random: 64 evenly distributed random bits, to decide among equals.
    ///   - sessions: how many sessions the target with a place in this route has now.
    /// - Returns: a place in 0..<`route.targetCount`, or nil when no target is left.
    package static func chooseLeast(
        _ route: Route, in image: RawSpan, random: UInt64, skipping: TargetSet, sessions: (Int) -> UInt32
    ) -> Int? {
        var equals = leastLoaded(route, in: image, skipping, backups: false, sessions)
        if equals.isEmpty { equals = leastLoaded(route, in: image, skipping, backups: true, sessions) }
        guard !equals.isEmpty else { return nil }
        let others = TargetSet(bits: ~equals.bits)
        return chooseWeighted(route, in: image, random: random, skipping: others)
    }

    private static func leastLoaded(
        _ route: Route, in image: RawSpan, _ skipping: TargetSet, backups: Bool, _ sessions: (Int) -> UInt32
    ) -> TargetSet {
        var equals = TargetSet()
        var bestLoad: UInt64 = 0
        var bestWeight: UInt64 = 0
        for place in 0..<route.targetCount {
            let target = target(route.targetStart + UInt32(place), in: image)
            guard isEligible(target, place, skipping, backups: backups) else { continue }
            // The session to come counts too, or an empty target of weight 1 would equal one of weight 100.
            let load = UInt64(sessions(place)) + 1
            let mine = load * bestWeight
            let best = bestLoad * UInt64(target.weight)
            if equals.isEmpty || mine < best {
                equals = TargetSet()
                (bestLoad, bestWeight) = (load, UInt64(target.weight))
                equals.insert(place)
            } else if mine == best {
                equals.insert(place)
            }
        }
        return equals
    }

    /// By the client's address: weighted rendezvous hashing. Each target draws a number from the client's
    /// address and its own; the highest for its weight wins. So a target that comes or goes moves only its
    /// own share of clients, the order of the targets does not matter, and all edges with the same route
    /// agree.
    ///
    /// - Parameter client: the client's address; IPv4-mapped addresses count as IPv4.
    /// - Returns: a place in 0..<`route.targetCount`, or nil when no target is left.
    package static func chooseBySource(
        _ route: Route, in image: RawSpan, client: IPAddress, skipping: TargetSet
    ) -> Int? {
        let clientKey = key(of: client.unmapped)
        return nearest(route, in: image, clientKey, skipping, backups: false)
            ?? nearest(route, in: image, clientKey, skipping, backups: true)
    }

    private static func nearest(
        _ route: Route, in image: RawSpan, _ clientKey: UInt64, _ skipping: TargetSet, backups: Bool
    ) -> Int? {
        var bestPlace: Int?
        var bestWeight: UInt64 = 0
        var bestDistance: UInt64 = 0
        for place in 0..<route.targetCount {
            let target = target(route.targetStart + UInt32(place), in: image)
            guard isEligible(target, place, skipping, backups: backups) else { continue }
            var mixed = Fingerprint(kind: clientKey)
            mixed.combine(key(of: target.address, in: image))
            // Of evenly distributed draws u, the one with the least -log(u)/w is each target's with the
            // probability of its share of the weights.
            let distance = FixedLogarithm.distance(of: mixed.finished)
            if bestPlace == nil || distance * bestWeight < bestDistance * UInt64(target.weight) {
                (bestPlace, bestWeight, bestDistance) = (place, UInt64(target.weight), distance)
            }
        }
        return bestPlace
    }

    private static func isEligible(
        _ target: Target, _ place: Int, _ skipping: TargetSet, backups: Bool
    ) -> Bool {
        target.isBackup == backups && !target.isDrained && !skipping.contains(place)
    }

    private static func weight(
        _ route: Route, in image: RawSpan, _ skipping: TargetSet, backups: Bool
    ) -> UInt32 {
        var total: UInt32 = 0
        for place in 0..<route.targetCount {
            let target = target(route.targetStart + UInt32(place), in: image)
            if isEligible(target, place, skipping, backups: backups) { total += target.weight }
        }
        return total
    }

    /// The target under the drawn point of the line that the weights form.
    private static func draw(
        _ route: Route, in image: RawSpan, random: UInt64, total: UInt32, _ skipping: TargetSet, backups: Bool
    ) -> Int? {
        var point = UInt32(truncatingIfNeeded: random.multipliedFullWidth(by: UInt64(total)).high)
        for place in 0..<route.targetCount {
            let target = target(route.targetStart + UInt32(place), in: image)
            guard isEligible(target, place, skipping, backups: backups) else { continue }
            if point < target.weight { return place }
            point -= target.weight
        }
        preconditionFailure("the weights of the eligible targets add up to the total")
    }

    /// A digest of an address, the same in every process.
    private static func key(of address: IPAddress) -> UInt64 {
        switch address {
        case .v4(let value):
            return UInt64(value) | 4 << 32
        case .v6(let high, let low):
            var digest = Fingerprint(kind: 6)
            digest.combine(high)
            digest.combine(low)
            return digest.finished
        }
    }

    private static func key(of address: TargetAddress, in image: RawSpan) -> UInt64 {
        switch address {
        case .ip(let endpoint):
            return key(of: endpoint.address) ^ UInt64(endpoint.port) << 48
        case .unix(let pathOffset, let pathLength):
            var digest = Fingerprint(kind: 1)
            digest.combine(image, Int(pathOffset)..<Int(pathOffset) + Int(pathLength))
            return digest.finished
        }
    }
}
