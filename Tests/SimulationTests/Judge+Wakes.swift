import DataPlane
import Routes

/// Wakes: is every sleeping route asked for as long as somebody waits on it, no other, and not too often?
extension Judge {
    /// The worker asks again with a tick, which is a second away at most, once nine tenths of a second are
    /// over.
    private static let askedWithinNanoseconds: UInt64 = 2_200_000_000
    private static let intervalNanoseconds: UInt64 = 900_000_000

    func judgeWakes(_ actedBefore: Int) {
        let now = world.nowNanoseconds
        // In a new table, another route may stand in the place of one that was asked for. Of what was asked
        // for in a turn with a new table nobody can tell by which of the two that was.
        let hasNewTable = world.actedTable != actedBefore
        if hasNewTable { world.askedRoutes = [:] }
        for request in world.links.wakes.take() {
            let name = String(decoding: request.name, as: UTF8.self)
            if request.socket != Array("/run/wake.sock".utf8) { fail("a wake goes to another socket") }
            if !world.tables[actedBefore...].contains(where: { $0.routes[name] == .asleep }) {
                fail("\(name) is to be woken, but sleeps in no table")
            }
            if !hasNewTable, let last = world.askedRoutes[request.route],
                now - last < Self.intervalNanoseconds
            {
                fail("\(name) is to be woken \(now - last) ns after the last time")
            }
            if world.askedNames[name] != nil { world.mark(.askedAgain) }
            if !hasNewTable { world.askedRoutes[request.route] = now }
            world.askedNames[name] = now
        }
        let table = world.tables[world.actedTable]
        for session in world.worker.sessions where session.activity == .parked {
            guard let client = world.clients[session.clientConnection], let name = client.name,
                let pattern = table.pattern(for: name), table.routes[pattern] == .asleep
            else { continue }
            let asked = world.askedNames[pattern]
            if asked == nil || now - (asked ?? 0) > Self.askedWithinNanoseconds {
                fail("client \(client.number) waits for \(pattern), which nobody is told to wake")
            }
        }
    }
}
