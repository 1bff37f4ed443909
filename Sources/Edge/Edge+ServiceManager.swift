import DataPlane
import Linux
import Routes

/// When the service manager is told that all is well: four times within the period that it grants, and only
/// when every worker has answered what it was asked the time before. A worker that hangs is so found out
/// within that period, and the manager starts the edge again.
struct Watchdog {
    private let intervalNanoseconds: UInt64
    private var nextNanoseconds: UInt64 = 0
    /// The numbers of the messages that the workers have to answer.
    private var asked: [Int] = []

    /// None when the manager does not watch.
    init?(periodMicroseconds: UInt64?) {
        guard let periodMicroseconds else { return nil }
        // By thousands, and not a whole period away from overflow, whatever the environment says.
        intervalNanoseconds = max(1_000_000, min(periodMicroseconds, 1 << 50) * 250)
    }

    /// Milliseconds until ``turn(of:nowNanoseconds:)`` has something to do.
    func waitMilliseconds(nowNanoseconds: UInt64) -> Int32 {
        guard nextNanoseconds > nowNanoseconds else { return 0 }
        return Int32(clamping: (nextNanoseconds - nowNanoseconds) / 1_000_000 + 1)
    }

    /// Whether the manager may be told now that all is well. Asks the workers again if so.
    mutating func turn(of workers: [WorkerHandle], nowNanoseconds: UInt64) -> Bool {
        guard nowNanoseconds >= nextNanoseconds else { return false }
        nextNanoseconds = nowNanoseconds + intervalNanoseconds
        let haveAnswered = zip(workers, asked).allSatisfy { worker, number in
            worker.isFinished || worker.links.mailbox.isAcknowledged(number)
        }
        guard haveAnswered else { return false }
        asked = workers.map { $0.links.mailbox.send(.ping) }
        return true
    }
}

extension Edge {
    /// How long the main thread may wait, at most so long, until the watchdog has to be told.
    func watchdogMilliseconds(atMost milliseconds: Int32) -> Int32 {
        guard let watchdog else { return milliseconds }
        let left = watchdog.waitMilliseconds(nowNanoseconds: monotonicNanoseconds())
        return milliseconds < 0 ? left : min(left, milliseconds)
    }

    /// Tells the watchdog that all is well, if it is time and it is so.
    mutating func feedWatchdog() {
        guard watchdog?.turn(of: workers, nowNanoseconds: monotonicNanoseconds()) == true else { return }
        serviceManager.tell(.watchdog)
    }

    /// The edge serves, or does again after a reload. What `systemctl status` shows.
    func tellReady(hasFailed: Bool) {
        let failure = hasFailed ? "; the last reload failed, see the log" : ""
        serviceManager.tell(
            .ready, .status("serving \(current.nameCount) names of \(current.routeCount) routes\(failure)"))
    }

    // MARK: Sockets that were opened before

    /// Closes sockets that were handed over and that no `listen` of the configuration names; the log says
    /// which. The others stay open to the end: a reload may give one up and another one want it again, and
    /// nobody could bind its address meanwhile.
    mutating func closeStrangers() {
        let wanted = current.configuration.listeners.map { SocketAddress($0.endpoint) }
        func isWanted(_ socket: ActivationSocket) -> Bool {
            guard let address = socket.address else { return false }
            return wanted.contains { $0.isSame(as: address) }
        }
        let strangers = activationSockets.filter { !isWanted($0) }
        activationSockets.removeAll { !isWanted($0) }
        for socket in strangers {
            let place = socket.address.map { "on \(text(of: $0))" } ?? "that does not listen for streams"
            log.write(
                .warning,
                "the service manager hands over a socket (\(socket.name)) \(place), "
                    + "and no `listen` names its address: it is closed")
            closeDescriptor(socket.descriptor)
        }
    }

    private func text(of address: SocketAddress) -> String {
        guard address.port != 0 else { return "a path" }
        let (high, low) = address.ipHalves
        let isMapped = high == 0 && low >> 32 == 0xffff
        let bits = isMapped ? IPAddress.v4(UInt32(truncatingIfNeeded: low)) : .v6(high: high, low: low)
        return IPEndpoint(address: bits, port: address.port).description
    }

    /// The socket for an address that was handed over, if any.
    func activationSocket(for address: SocketAddress) -> ActivationSocket? {
        activationSockets.first { $0.address?.isSame(as: address) == true }
    }
}
