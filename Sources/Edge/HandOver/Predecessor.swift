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
    /// What each of them is for.
    private(set) var plans: [IPEndpoint: ListenerPlan] = [:]
    /// What its service manager opened, for it or for one before it.
    private(set) var activationSockets: [ActivationSocket] = []
    private(set) var controlSockets = InheritedControl()
    /// The targets that are drained there.
    private(set) var drainedTargets: [String] = []
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

    /// Says hello, and takes what there is before the sessions. Returns how many workers there are.
    func introduced() throws(InvalidConfiguration) -> Int {
        do throws(UpgradeFailure) {
            try introduce()
            return ways.count
        } catch {
            throw InvalidConfiguration(text: error.text)
        }
    }

    private func introduce() throws(UpgradeFailure) {
        try send(.hello(version: HandOverRecord.version, process: UInt32(processIdentifier())))
        while true {
            let (message, descriptors) = try receive()
            switch (message, descriptors.first) {
            case (.worker, let descriptor?):
                guard let way = PacketSocket(adopting: descriptor) else {
                    throw UpgradeFailure("the way of a worker is no socket")
                }
                ways.append(way)
            case (.listener(let index, _, let endpoint, let plan), let descriptor?):
                listeners[endpoint, default: []].append(descriptor)
                indexes[endpoint] = index
                plans[endpoint] = plan
            case (.closedListener(let index, let endpoint, let plan), nil):
                indexes[endpoint] = index
                plans[endpoint] = plan
            case (.activation(let name), let descriptor?):
                activationSockets.append(ActivationSocket(descriptor: descriptor, name: name))
            case (.control(let path, let number), let descriptor?):
                controlSockets.path = path
                controlSockets.fileNumber = number
                controlSockets.sockets.control = descriptor
            case (.metrics(let endpoint), let descriptor?):
                controlSockets.metrics = endpoint
                controlSockets.sockets.metrics = descriptor
            case (.drained(let target), nil): drainedTargets.append(target)
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
