import DataPlane
import Linux
import Routes

/// All checks of the table of now, the targets that are drained, and the marks that follow from both. A value
/// without threads or sockets: time comes with each call.
struct CheckBook: Sendable {
    private(set) var checks: [Check] = []
    private var indexes: [CheckKey: Int] = [:]
    /// Those of ``checks`` that are not running; apart from the others those whose targets are down.
    private var waiting = CheckQueue()
    private var waitingDown = CheckQueue()
    private var table: RouteTable?
    /// Drained by the operator, by text, with their indexes in the table of now.
    private(set) var drained: [String: [UInt32]] = [:]
    private var drainedIndexes: Set<UInt32> = []
    private var random: UInt64

    init(seed: UInt64) { random = seed | 1 }

    // MARK: Tables

    /// Goes by a new table, and marks in it what is down or drained; before the workers get it. What is known
    /// of a target outlives the reload as long as it stays. Returns the drained targets that are gone.
    mutating func adopt(_ next: RouteTable, nowNanoseconds: UInt64) -> [String] {
        let old = checks
        let known = indexes
        table = next
        checks = []
        indexes = [:]
        forEachCheckedRoute(next) { route, check, name, header in
            addChecks(of: route, check, name, header, in: next, nowNanoseconds: nowNanoseconds)
        }
        for (key, index) in indexes {
            guard let before = known[key].map({ old[$0] }) else { continue }
            let (targets, interval) = (checks[index].targets, checks[index].intervalNanoseconds)
            checks[index] = before
            checks[index].targets = targets
            checks[index].intervalNanoseconds = interval
            checks[index].dueNanoseconds = min(before.dueNanoseconds, nowNanoseconds + interval)
        }
        waiting = CheckQueue()
        waitingDown = CheckQueue()
        for index in checks.indices where !checks[index].isRunning { insert(index) }

        let gone = adoptDrained(next)
        for check in checks where check.isDown { mark(check) }
        return gone
    }

    private mutating func adoptDrained(_ next: RouteTable) -> [String] {
        drainedIndexes = []
        var gone: [String] = []
        for text in drained.keys.sorted() {
            let found = Self.targets(text, in: next).indexes
            drained[text] = found.isEmpty ? nil : found
            if found.isEmpty { gone.append(text) }
            for index in found { next.mark(index, true) }
            drainedIndexes.formUnion(found)
        }
        return gone
    }

    /// Each route with `check=`, with the name that its hello asks for.
    private func forEachCheckedRoute(
        _ table: RouteTable,
        _ body: (Route, RouteOptions.HealthCheck, String, RouteOptions.ProxyHeader) -> Void
    ) {
        let image = table.image
        let count = RouteImage.optionsCount(in: image)
        guard (0..<count).contains(where: { RouteImage.options(UInt32($0), in: image).check != .none }) else {
            return
        }
        func visit(_ index: UInt32, _ name: String) {
            let route = RouteImage.route(index, in: image)
            let options = RouteImage.options(route.optionsIndex, in: image)
            guard options.check != .none else { return }
            body(route, options.check, name, options.proxyHeader)
        }
        var (lastRoute, lastName, isExact) = (UInt32.max, "", false)
        let fallback = RouteImage.defaultMatch(in: image)
        var fallbackHasName = false
        // The names of a route follow each other.
        var entry = RouteImage.nameEntry(after: nil, in: image)
        while let name = entry {
            if name.routeIndex != lastRoute {
                if lastRoute != .max { visit(lastRoute, lastName) }
                (lastRoute, lastName, isExact) = (name.routeIndex, "", false)
            }
            if name.routeIndex == fallback.routeIndex { fallbackHasName = true }
            let text = isExact ? "" : RouteImage.text(of: name, in: image)
            if !isExact, lastName.isEmpty || !text.hasPrefix("*") {
                isExact = !text.hasPrefix("*")
                lastName = isExact ? text : "check" + text.dropFirst()
            }
            entry = RouteImage.nameEntry(after: name, in: image)
        }
        if lastRoute != .max { visit(lastRoute, lastName) }
        if fallback.kind != .none, !fallbackHasName { visit(fallback.routeIndex, "") }
    }

    private mutating func addChecks(
        of route: Route, _ check: RouteOptions.HealthCheck, _ name: String,
        _ header: RouteOptions.ProxyHeader,
        in table: RouteTable, nowNanoseconds: UInt64
    ) {
        let kind: CheckKey.Kind
        let milliseconds: UInt32
        switch check {
        case .none: return
        case .tcp(let interval): (kind, milliseconds) = (.tcp, interval)
        case .hello(let interval): (kind, milliseconds) = (.hello, interval)
        }
        let interval = UInt64(milliseconds) * 1_000_000
        for place in 0..<route.targetCount {
            let index = route.targetStart + UInt32(place)
            let target = RouteImage.target(index, in: table.image)
            guard !target.isDrained else { continue }
            let key = CheckKey(
                address: RouteImage.text(of: target.address, in: table.image), kind: kind,
                name: kind == .hello ? name : "", proxyHeader: header)
            if let known = indexes[key] {
                checks[known].targets.append(index)
                checks[known].intervalNanoseconds = min(checks[known].intervalNanoseconds, interval)
                continue
            }
            indexes[key] = checks.count
            // Spread, so that a table of thousands does not ask all at one moment.
            let delay = nextRandom() % min(interval, 1_000_000_000)
            checks.append(
                Check(
                    key: key, address: SocketAddress(target.address, in: table.image),
                    intervalNanoseconds: interval, targets: [index],
                    dueNanoseconds: nowNanoseconds + delay))
        }
    }

    /// The indexes of all targets with an address, and how many routes they belong to.
    private static func targets(_ text: String, in table: RouteTable) -> (indexes: [UInt32], routes: Int) {
        let image = table.image
        var (indexes, routes): ([UInt32], Int) = ([], 0)
        for index in 0..<RouteImage.routeCount(in: image) {
            let route = RouteImage.route(UInt32(index), in: image)
            let before = indexes.count
            for place in 0..<route.targetCount {
                let target = RouteImage.target(route.targetStart + UInt32(place), in: image)
                if RouteImage.text(of: target.address, in: image) == text {
                    indexes.append(route.targetStart + UInt32(place))
                }
            }
            if indexes.count > before { routes += 1 }
        }
        return (indexes, routes)
    }

    // MARK: Draining

    /// Drains a target, or takes that back: how many routes have it, and its address; nil: none has.
    mutating func setDrained(_ text: String, _ isOn: Bool) -> (routes: Int, address: SocketAddress)? {
        guard let table else { return nil }
        let found = Self.targets(text, in: table)
        guard let first = found.indexes.first else { return nil }
        drained[text] = isOn ? found.indexes : nil
        if isOn {
            drainedIndexes.formUnion(found.indexes)
        } else {
            drainedIndexes.subtract(found.indexes)
        }
        for index in found.indexes { table.mark(index, isOn) }
        for check in checks where check.isDown { mark(check) }
        let address = SocketAddress(RouteImage.target(first, in: table.image).address, in: table.image)
        return (found.routes, address)
    }

    private func mark(_ check: Check) {
        for index in check.targets { table?.mark(index, check.isDown || drainedIndexes.contains(index)) }
    }

    // MARK: Attempts

    /// When the next attempt is due; nil: there is nothing to check. `withDown`: those count too whose
    /// targets are down.
    func nextDueNanoseconds(withDown: Bool) -> UInt64? {
        [waiting.nextDueNanoseconds, withDown ? waitingDown.nextDueNanoseconds : nil].compactMap { $0 }.min()
    }

    /// The next check that is due, which then runs; one whose target is down if no other is, and only
    /// `withDown`.
    mutating func begin(nowNanoseconds: UInt64, withDown: Bool) -> Check? {
        var due = waiting.takeDue(nowNanoseconds: nowNanoseconds)
        if due == nil, withDown { due = waitingDown.takeDue(nowNanoseconds: nowNanoseconds) }
        guard let index = due else { return nil }
        checks[index].isRunning = true
        // From begin to begin, and never later than the interval; a little sooner, so that checks do not stay
        // in step.
        let interval = checks[index].intervalNanoseconds
        checks[index].dueNanoseconds = nowNanoseconds + interval - nextRandom() % (interval / 10)
        return checks[index]
    }

    /// An attempt is over. `error`: what was wrong; nil: nothing. `isOurs`: what was wrong is no fault of the
    /// target, and says nothing of it. Returns the check when its targets have come or gone by this.
    mutating func finish(
        _ key: CheckKey, error: String?, isOurs: Bool, nowNanoseconds: UInt64
    ) -> Check? {
        guard let index = indexes[key], checks[index].isRunning else { return nil }
        checks[index].isRunning = false
        let wasDown = checks[index].isDown
        if !isOurs {
            checks[index].error = error
            checks[index].lastNanoseconds = nowNanoseconds
            if error == nil {
                checks[index].failuresInARow = 0
                checks[index].isDown = false
            } else {
                checks[index].failuresInARow += 1
                if checks[index].failuresInARow >= Check.failuresToMark { checks[index].isDown = true }
            }
            if error != nil, !checks[index].isDown {
                checks[index].dueNanoseconds = min(
                    checks[index].dueNanoseconds, nowNanoseconds + Check.secondOpinionNanoseconds)
            }
        }
        insert(index)
        guard checks[index].isDown != wasDown else { return nil }
        mark(checks[index])
        return checks[index]
    }

    private mutating func insert(_ index: Int) {
        let due = checks[index].dueNanoseconds
        if checks[index].isDown {
            waitingDown.insert(index, dueNanoseconds: due)
        } else {
            waiting.insert(index, dueNanoseconds: due)
        }
    }

    /// xorshift64*: only spreads attempts.
    private mutating func nextRandom() -> UInt64 {
        random ^= random >> 12
        random ^= random << 25
        random ^= random >> 27
        return random &* 0x2545_f491_4f6c_dd1d
    }
}
