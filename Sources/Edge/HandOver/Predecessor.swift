import DataPlane
import Linux
import Routes

/// The process before this one, when this one was started to take over from it, and what it has given.
final class Predecessor {
    let link: UpgradeLink
    /// The ways on which the sessions of each worker come.
    private(set) var ways: [PacketSocket] = []
    private(set) var pipesPerWorker = 0
    /// Of each listener that is open: a socket for each worker.
    private(set) var listeners: [IPEndpoint: [Int32]] = [:]
    /// The numbers of all listeners, also of those that were closed.
    private(set) var indexes: [IPEndpoint: UInt32] = [:]
    /// Whether it has nothing to say any more.
    var isDone = false

    /// For what the old process has to do: it does it at once, or is stopped for longer than it gives us.
    private static let patienceNanoseconds: UInt64 = 20_000_000_000

    private init(_ link: UpgradeLink) { self.link = link }

    /// The process that has started this one to take over, if it was so.
    static func find() -> Predecessor? {
        guard let number = environmentVariable(Edge.upgradeVariable).flatMap(Int32.init),
            let socket = PacketSocket(adopting: number)
        else { return nil }
        return Predecessor(UpgradeLink(socket, other: "the process before"))
    }

    /// Says hello, and takes what there is before the sessions.
    func introduce() throws(UpgradeFailure) {
        try send(.hello(version: HandOverRecord.version))
        while true {
            let (message, descriptors) = try receive()
            switch (message, descriptors.first) {
            case (.worker, let descriptor?):
                guard let way = PacketSocket(adopting: descriptor) else {
                    throw UpgradeFailure("the way of a worker is no socket")
                }
                ways.append(way)
            case (.listener(let index, _, let endpoint), let descriptor?):
                listeners[endpoint, default: []].append(descriptor)
                indexes[endpoint] = index
            case (.closedListener(let index, let endpoint), nil): indexes[endpoint] = index
            case (.begin(let workers, let pipes), nil):
                guard ways.count == workers, listeners.values.allSatisfy({ $0.count == workers }),
                    Set(indexes.values).count == indexes.count,
                    indexes.values.allSatisfy({ $0 < indexes.count })
                else { throw UpgradeFailure("the process before has not given all that it has") }
                pipesPerWorker = Int(pipes)
                return
            default: throw UpgradeFailure("the process before said what it should not")
            }
        }
    }

    func send(_ message: UpgradeMessage) throws(UpgradeFailure) {
        try link.send(message, deadlineNanoseconds: monotonicNanoseconds() + Self.patienceNanoseconds)
    }

    func receive() throws(UpgradeFailure) -> (message: UpgradeMessage, descriptors: [Int32]) {
        let deadline = monotonicNanoseconds() + Self.patienceNanoseconds
        guard let received = try link.receive(deadlineNanoseconds: deadline) else {
            throw UpgradeFailure("the process before has gone")
        }
        return received
    }

    /// Says why this process cannot take over; it ends then, and nothing has happened.
    func refuse(_ text: String) {
        try? send(.refused(text))
        isDone = true
    }
}
