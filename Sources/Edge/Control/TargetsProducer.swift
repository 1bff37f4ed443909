import DataPlane
import Linux
import Routes

/// `targets`: every address that routes lead to or workers know, in the order of their text.
final class TargetsProducer: Producer {
    /// More different addresses are not listed; the last line says that there are.
    static let addressesMax = 65_536

    private struct Use {
        var routes = 0
        /// Whether every route that leads here has drained it.
        var isDrained = true
    }

    private let states: TargetStates
    private let uses: [(address: String, use: Use)]
    private let isTruncated: Bool
    private var place = 0

    init(_ table: RouteTable, _ states: TargetStates) {
        self.states = states
        var uses: [String: Use] = [:]
        var isTruncated = false
        for index in 0..<RouteImage.targetCount(in: table.image) {
            let target = RouteImage.target(UInt32(index), in: table.image)
            let address = RouteImage.text(of: target.address, in: table.image)
            guard uses.count < Self.addressesMax || uses[address] != nil else {
                isTruncated = true
                break
            }
            uses[address, default: Use()].routes += 1
            if !target.isDrained { uses[address, default: Use()].isDrained = false }
        }
        for (address, state) in states.states where uses[address] == nil && state.sessions > 0 {
            uses[address] = Use(routes: 0, isDrained: false)
        }
        self.uses = uses.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        self.isTruncated = isTruncated
    }

    func produce(_ output: inout [UInt8]) -> Production {
        let end = min(uses.count, place + ItemLines.itemsMax)
        let isLast = end == uses.count
        output += ItemLines.line(more: !isLast) { writer in
            if isLast, isTruncated { writer.pair("truncated", true) }
        } items: { writer in
            for (address, use) in uses[place..<end] { write(address, use, &writer) }
        }
        place = end
        return isLast ? .done : .more
    }

    private func write(_ address: String, _ use: Use, _ writer: inout JSONWriter) {
        let state = states[address]
        writer.object { writer in
            writer.pair("address", address)
            writer.pair("sessions", state.sessions)
            writer.pair("connections", state.connections)
            writer.pair("failures", state.failures)
            writer.pair("failures_in_a_row", state.failuresInARow)
            writer.pair("state", states.word(of: address, isDrained: use.isDrained))
            writer.pair("rest_seconds", nanoseconds: state.restNanoseconds)
            writer.key("check")
            write(states.checks[address], &writer)
            writer.pair("routes", use.routes)
        }
    }

    private func write(_ check: CheckReport?, _ writer: inout JSONWriter) {
        guard let check else {
            writer.null()
            return
        }
        writer.object { writer in
            writer.pair("kind", check.kind)
            writer.pair("name", check.name)
            writer.pair("result", check.hasSucceeded.map { $0 ? "succeeded" : "failed" } ?? "none")
            writer.pair("age_seconds", nanoseconds: check.ageNanoseconds)
            writer.key("error")
            if let error = check.error { writer.string(error) } else { writer.null() }
        }
    }
}
