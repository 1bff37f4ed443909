import DataPlane
import Linux
import Routes

/// A route table as the tests understand it: written out as text for the real compiler, and read in the
/// plainest way for the judgement of what the worker does with it.
struct TableModel {
    enum Action: Equatable {
        case targets([TargetModel])
        case held, asleep, reject, reset
    }

    struct TargetModel: Equatable {
        /// Which origin, by its place in the world.
        let origin: Int
        let weight: Int
        let isBackup: Bool
    }

    /// What a route asks of its sessions beyond a target.
    struct Terms: Equatable {
        var sessionsMax: Int?
        var idleMilliseconds: Int?
        var drainMilliseconds: Int?

        var text: String {
            (sessionsMax.map { " max=\($0)" } ?? "") + (idleMilliseconds.map { " idle=\($0)ms" } ?? "")
                + (drainMilliseconds.map { " drain=\($0)ms" } ?? "")
        }
    }

    /// By pattern; mostly none.
    var terms: [String: Terms] = [:]
    /// By pattern: a name, `*.` and a suffix, or `*`.
    var routes: [String: Action] = [:]
    var balance = "weighted"

    /// What the table says to a name; nil for the name: the hello has none.
    func find(_ name: String?) -> Action? { pattern(for: name).flatMap { routes[$0] } }

    /// What the route of a name asks of its sessions.
    func findTerms(_ name: String?) -> Terms { terms[pattern(for: name) ?? "*"] ?? Terms() }

    /// The pattern that fits a name.
    func pattern(for name: String?) -> String? {
        if let name {
            if routes[name] != nil { return name }
            if let dot = name.firstIndex(of: "."), routes["*" + name[dot...]] != nil {
                return "*" + name[dot...]
            }
        }
        return routes["*"] == nil ? nil : "*"
    }

    func text(origins: [OriginAddress]) -> String {
        routes.sorted { $0.key < $1.key }.map { pattern, action in
            switch action {
            case .targets(let targets):
                let words = targets.map { target in
                    let mark = target.isBackup ? "@backup" : target.weight == 1 ? "" : "@\(target.weight)"
                    return origins[target.origin].text + mark
                }
                return "\(pattern) \(words.joined(separator: ",")) balance=\(balance)"
                    + (terms[pattern]?.text ?? "") + "\n"
            case .held: return "\(pattern) held\n"
            case .asleep: return "\(pattern) asleep wake=unix:/run/wake.sock\n"
            case .reject: return "\(pattern) reject\n"
            case .reset: return "\(pattern) reset\n"
            }
        }.joined()
    }

    func compiled(origins: [OriginAddress]) -> RouteTable {
        do throws(InvalidSource) {
            let file = SourceFile(path: "simulation.routes", text: text(origins: origins))
            let routes = try RouteCompiler.compile([file], seed: HashSeed(first: 17, second: 42))
            return RouteTable(copying: routes.image)
        } catch {
            preconditionFailure("the tests write good tables: \(error)")
        }
    }

    // MARK: Chance

    static let patterns = [
        "a.example", "b.example", "*.wild.example", "exact.wild.example", longName, "*",
    ]
    /// Needs one of the larger slots in which a worker keeps names.
    static let longName = String(repeating: "l", count: 60) + ".long.example"
    /// What clients ask for; some of it no table ever has.
    static let names = [
        "a.example", "b.example", "any.wild.example", "exact.wild.example", "too.deep.wild.example", longName,
        "nowhere.example",
    ]

    /// In an easy world every route leads to origins.
    static func random(
        _ random: inout SimulatedRandom, originCount: Int, _ temper: Scenario.Temper
    ) -> TableModel {
        let isEasy = temper.isEasy
        var table = TableModel()
        table.balance = random.pick(["weighted", "least", "source"])
        for pattern in patterns where random.chance(perMille: isEasy ? 900 : pattern == "*" ? 400 : 750) {
            let isHeld = temper.isParking && random.chance(perMille: 600)
            table.routes[pattern] =
                isHeld
                ? random.chance(perMille: 500) ? .held : .asleep
                : action(&random, originCount: originCount, isEasy: isEasy)
        }
        for (pattern, action) in table.routes.sorted(by: { $0.key < $1.key }) where !isEasy {
            guard case .targets = action, random.chance(perMille: 300) else { continue }
            var terms = Terms()
            if random.chance(perMille: 500) { terms.sessionsMax = temper.sessionsPerRouteMax }
            if random.chance(perMille: 500) { terms.idleMilliseconds = random.pick([1000, 5000]) }
            if random.chance(perMille: 700) { terms.drainMilliseconds = random.pick([0, 50, 1000]) }
            table.terms[pattern] = terms
        }
        if isEasy { table.routes["*"] = action(&random, originCount: originCount, isEasy: true) }
        return table
    }

    private static func action(
        _ random: inout SimulatedRandom, originCount: Int, isEasy: Bool
    ) -> Action {
        switch isEasy ? 99 : random.number(in: 0...99) {
        case 0..<12: return .held
        case 12..<16: return .asleep
        case 16..<21: return .reject
        case 21..<26: return .reset
        default:
            let count = random.magnitude(in: 1...min(4, originCount))
            var places = Array(0..<originCount)
            let targets = (0..<count).map { place in
                let origin = places.remove(at: random.number(in: 0...(places.count - 1)))
                let isBackup = place > 0 && random.chance(perMille: 250)
                let weight = isBackup ? 1 : random.pick([1, 1, 1, 98, isEasy ? 1 : 0])
                return TargetModel(origin: origin, weight: weight, isBackup: isBackup)
            }
            return .targets(targets)
        }
    }
}

/// Where an origin is: as text in a routes file, and as the worker's connects name it.
struct OriginAddress {
    let text: String
    let address: SocketAddress

    init(_ number: Int) {
        switch number % 3 {
        case 0:
            text = "10.1.0.\(number + 1):443"
            address = SocketAddress(ipv4: 0x0a01_0001 + UInt32(number), port: 443)
        case 1:
            text = "[fd00::\(number + 1)]:443"
            address = SocketAddress(ipv6: 0xfd00_0000_0000_0000, UInt64(number + 1), port: 443)
        default:
            let path = "/run/origin-\(number).sock"
            text = "unix:" + path
            let bytes = Array(path.utf8)
            unsafe address = SocketAddress(path: bytes.span.bytes)
        }
    }
}
