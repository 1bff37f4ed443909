package import DataPlane

/// When which wake socket is told: makes one message a second for each route out of the requests of all
/// workers. Time is a parameter.
package struct WakeSchedule {
    private struct Route: Hashable {
        var identity: UInt64
        var socket: [UInt8]
    }

    private struct Name: Hashable {
        var socket: [UInt8]
        var name: [UInt8]
    }

    /// From message to message of a route.
    package static let intervalNanoseconds: UInt64 = 1_000_000_000
    /// More routes at once than this are a table that nobody runs on one machine: their requests are dropped,
    /// and come again.
    package static let routesMax = 65_536

    /// When a message of the route was last due.
    private var routes: [Route: UInt64] = [:]
    /// The same by name: a reload may give a route another identity, but its name goes out no more often.
    private var names: [Name: UInt64] = [:]
    /// What has to wait for its second to be over.
    private var waiting: [Route: WakeRing.Request] = [:]
    private var nextLookNanoseconds: UInt64 = 0
    private var nextSweepNanoseconds: UInt64 = 0

    /// Nobody was told of anything yet.
    package init() {}

    /// A worker's request; true when it is to be sent now.
    package mutating func admits(_ request: WakeRing.Request, nowNanoseconds: UInt64) -> Bool {
        let route = Route(identity: request.route, socket: request.socket)
        guard nowNanoseconds >= dueNanoseconds(route, request.name) else {
            if waiting.count < Self.routesMax { waiting[route] = request }
            return false
        }
        guard routes.count < Self.routesMax, names.count < Self.routesMax else { return false }
        note(route, request.name, nowNanoseconds)
        waiting[route] = nil
        return true
    }

    /// Requests whose second is over.
    package mutating func takeDue(nowNanoseconds: UInt64) -> [WakeRing.Request] {
        guard nowNanoseconds >= nextLookNanoseconds else { return [] }
        // Not for each of ten thousand routes by itself.
        nextLookNanoseconds = nowNanoseconds + 20_000_000
        let due = waiting.filter { nowNanoseconds >= dueNanoseconds($0.key, $0.value.name) }
        for (route, request) in due {
            note(route, request.name, nowNanoseconds)
            waiting[route] = nil
        }
        if nowNanoseconds >= nextSweepNanoseconds {
            nextSweepNanoseconds = nowNanoseconds + Self.intervalNanoseconds
            routes = routes.filter { nowNanoseconds - $0.value < Self.intervalNanoseconds }
            names = names.filter { nowNanoseconds - $0.value < Self.intervalNanoseconds }
        }
        return Array(due.values)
    }

    /// Milliseconds until ``takeDue(nowNanoseconds:)`` has something to do; -1: nothing is to be done.
    package func millisecondsToNext(nowNanoseconds: UInt64) -> Int32 {
        guard !waiting.isEmpty else { return routes.isEmpty ? -1 : 1000 }
        var next = UInt64.max
        for (route, request) in waiting { next = min(next, dueNanoseconds(route, request.name)) }
        next = max(next, nextLookNanoseconds)
        return next > nowNanoseconds ? Int32(clamping: (next - nowNanoseconds) / 1_000_000 + 1) : 0
    }

    private func dueNanoseconds(_ route: Route, _ name: [UInt8]) -> UInt64 {
        let byRoute = routes[route].map { $0 + Self.intervalNanoseconds } ?? 0
        let byName = names[Name(socket: route.socket, name: name)].map { $0 + Self.intervalNanoseconds } ?? 0
        return max(byRoute, byName)
    }

    private mutating func note(_ route: Route, _ name: [UInt8], _ nowNanoseconds: UInt64) {
        routes[route] = nowNanoseconds
        names[Name(socket: route.socket, name: name)] = nowNanoseconds
    }
}
