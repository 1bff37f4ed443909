import DataPlane
import Linux
import Routes

/// What workers know of targets, all together, by address as text.
struct TargetStates {
    struct State {
        var sessions: UInt64 = 0
        var failuresInARow: UInt64 = 0
        var restNanoseconds: UInt64 = 0
        var connections: UInt64 = 0
        var failures: UInt64 = 0

    }

    private(set) var states: [String: State] = [:]
    /// The active checks, by address; where there are several, one that is down before one that is not.
    private(set) var checks: [String: CheckReport] = [:]
    /// Whom an operator has drained.
    private let drained: Set<String>
    /// What targets have counted that no worker remembers by address.
    private var rest = State()

    init(_ answers: [WorkerReport.Answer], _ checks: TargetChecks) {
        drained = Set(checks.drainedTargets())
        for report in checks.reports() where self.checks[report.address]?.isDown != true {
            self.checks[report.address] = report
        }
        for answer in answers {
            switch answer {
            case .targets(let reports):
                for report in reports { add(report) }
            case .tallies(_, let targets):
                for report in targets {
                    guard let key = report.key else {
                        rest.connections &+= report.counts.connections
                        rest.failures &+= report.counts.errors
                        continue
                    }
                    let text = String(decoding: key, as: UTF8.self)
                    states[text, default: State()].connections &+= report.counts.connections
                    states[text, default: State()].failures &+= report.counts.errors
                }
            case .sessions: break
            }
        }
    }

    private mutating func add(_ report: TargetReport) {
        var state = states[report.address.text] ?? State()
        state.sessions &+= report.sessions
        state.failuresInARow = max(state.failuresInARow, report.failuresInARow)
        state.restNanoseconds = max(state.restNanoseconds, report.restNanoseconds)
        states[report.address.text] = state
    }

    /// A target's state in a word of the control protocol; `isDrained`: its routes say so.
    func word(of address: String, isDrained: Bool) -> String {
        if isDrained || drained.contains(address) { return "drained" }
        if checks[address]?.isDown == true { return "down" }
        return self[address].restNanoseconds > 0 ? "resting" : "up"
    }

    /// The targets that no session goes to because a check has failed, or because an operator wants that.
    var passedOver: Set<String> { drained.union(checks.filter(\.value.isDown).keys) }

    /// A value of all that has no address any more.
    func other(_ value: (State) -> UInt64) -> UInt64 { value(rest) }

    subscript(address: String) -> State { states[address] ?? State() }
}

/// `routes`: walks through the table as the client reads, one item for each route.
final class RoutesProducer: Producer {
    private let table: RouteTable
    private let states: TargetStates
    private let name: String?
    private var entry: RouteImage.NameEntry?
    private var hasBegun = false

    init(_ request: ControlRequest, _ table: RouteTable, _ states: TargetStates) {
        self.table = table
        self.states = states
        name = request.hostName("name")
    }

    func produce(_ output: inout [UInt8]) -> Production {
        let table = table
        if let name {
            output += ItemLines.line(more: false) { writer in match(name, &writer) }
            return .done
        }
        if !hasBegun {
            hasBegun = true
            entry = RouteImage.nameEntry(after: nil, in: table.image)
        }
        var isLast = false
        var items = JSONWriter()
        items.array { writer in
            var count = 0
            while count < ItemLines.itemsMax, let first = entry {
                writeRoute(from: first, &writer)
                count += 1
            }
            guard count < ItemLines.itemsMax else { return }
            isLast = true
            let fallback = RouteImage.defaultMatch(in: table.image)
            if fallback.kind != .none { write(fallback.routeIndex, ["*"], match: nil, &writer) }
        }
        output += Array("{\"ok\":true,\"items\":".utf8) + items.bytes
        output += Array(",\"more\":\(isLast ? "false" : "true")}\n".utf8)
        return isLast ? .done : .more
    }

    /// Names of one route stand behind each other.
    private func writeRoute(from first: RouteImage.NameEntry, _ writer: inout JSONWriter) {
        let table = table
        var names: [String] = []
        while let next = entry, next.routeIndex == first.routeIndex {
            names.append(RouteImage.text(of: next, in: table.image))
            entry = RouteImage.nameEntry(after: next, in: table.image)
        }
        write(first.routeIndex, names, match: nil, &writer)
    }

    /// The route that a hello with the name would go.
    private func match(_ name: String, _ writer: inout JSONWriter) {
        let table = table
        var bytes = Array(name.utf8).map { (65...90).contains($0) ? $0 + 32 : $0 }
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        // Asked for a wildcard as it is written, any name that it fits.
        if bytes.first == UInt8(ascii: "*") { bytes[0] = UInt8(ascii: "x") }
        let found = find(bytes)
        guard found.kind != .none else { return }
        var names: [String] = []
        var next = RouteImage.nameEntry(after: nil, in: table.image)
        while found.kind != .defaultRoute, let entry = next {
            if entry.routeIndex == found.routeIndex {
                names.append(RouteImage.text(of: entry, in: table.image))
            }
            if entry.routeIndex > found.routeIndex, !names.isEmpty { break }
            next = RouteImage.nameEntry(after: entry, in: table.image)
        }
        write(found.routeIndex, names.isEmpty ? ["*"] : names, match: found.kind.word, &writer)
    }

    private func find(_ name: [UInt8]) -> RouteMatch {
        let table = table
        var key = LineBuilder()
        for byte in name { key.append(byte: byte) }
        return RouteImage.find(key.bytes, in: table.image)
    }

    private func write(_ index: UInt32, _ names: [String], match: String?, _ writer: inout JSONWriter) {
        let table = table
        let route = RouteImage.route(index, in: table.image)
        writer.object { writer in
            writer.key("names")
            writer.array { writer in for name in names { writer.string(name) } }
            writer.pair("action", "\(route.action)")
            writer.pair("balance", "\(route.balance)")
            writer.key("targets")
            writer.array { writer in
                for place in 0..<route.targetCount {
                    let target = RouteImage.target(route.targetStart + UInt32(place), in: table.image)
                    write(target, &writer)
                }
            }
            writer.key("options")
            writer.options(RouteImage.options(route.optionsIndex, in: table.image), in: table)
            writer.pair("source", RouteImage.source(of: route, in: table.image))
            if let match { writer.pair("match", match) }
        }
    }

    private func write(_ target: Target, _ writer: inout JSONWriter) {
        let table = table
        let address = RouteImage.text(of: target.address, in: table.image)
        let state = states[address]
        writer.object { writer in
            writer.pair("address", address)
            writer.pair("weight", target.weight)
            writer.pair("backup", target.isBackup)
            writer.pair("state", states.word(of: address, isDrained: target.isDrained))
            writer.pair("sessions", state.sessions)
        }
    }
}

extension JSONWriter {
    /// The options of a route that are not the default, each as it could be written.
    fileprivate mutating func options(_ options: RouteOptions, in table: RouteTable) {
        func text(_ address: TargetAddress) -> String { RouteImage.text(of: address, in: table.image) }
        object { writer in
            if let max = options.sessionsMax { writer.pair("max", "\(max)") }
            if let idle = options.idleMilliseconds { writer.pair("idle", Quantity.duration(UInt64(idle))) }
            if let drain = options.drainMilliseconds {
                writer.pair("drain", Quantity.duration(UInt64(drain)))
            }
            switch options.check {
            case .none: break
            case .tcp(let interval): writer.pair("check", "tcp:\(Quantity.duration(UInt64(interval)))")
            case .hello(let interval): writer.pair("check", "hello:\(Quantity.duration(UInt64(interval)))")
            }
            switch options.proxyHeader {
            case .none: break
            case .version1: writer.pair("proxy", "v1")
            case .version2: writer.pair("proxy", "v2")
            }
            if let acme = options.acme { writer.pair("acme", text(acme)) }
            switch options.http {
            case .redirect: break
            case .challenges(let address): writer.pair("http", text(address))
            case .everything(let address): writer.pair("http", "all:" + text(address))
            }
            if let wake = options.wake { writer.pair("wake", text(wake)) }
        }
    }
}
