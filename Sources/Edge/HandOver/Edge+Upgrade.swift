import DataPlane
import Linux
import Routes

/// The old process's part of an upgrade. Whatever fails before the new one has said `committed`: it is ended,
/// and all goes on here as if nothing had happened.
extension Edge {
    /// For the new process to start, and to read its configuration. No session waits meanwhile.
    private static var startNanoseconds: UInt64 { 10_000_000_000 }
    /// For the sessions to go over. They stand still meanwhile.
    private static var transferNanoseconds: UInt64 { 5_000_000_000 }
    /// For the new process to say that it goes on: it has nothing else to do.
    private static var commitNanoseconds: UInt64 { 10_000_000_000 }
    /// The variable that names the descriptor of the conversation.
    static var upgradeVariable: String { "SWITCHYARD_UPGRADE" }

    /// SIGUSR2: gives the listeners and all sessions to a new process of the program's file. Returns its
    /// number; then this process has only to end.
    mutating func upgrade() -> Result<Int32, UpgradeFailure> {
        do throws(UpgradeFailure) {
            return .success(try handOver())
        } catch {
            log.write(.error, "upgrade failed, all stays as it was: \(error.text)")
            return .failure(error)
        }
    }

    /// `upgrade` on the control socket.
    mutating func answerUpgrade() -> [UInt8] {
        switch upgrade() {
        case .success(let identifier):
            JSONWriter.line { writer in
                writer.pair("ok", true)
                writer.pair("pid", Int(identifier))
            }
        case .failure(let failure): JSONWriter.failure("upgrade failed, all stays as it was: \(failure.text)")
        }
    }

    private mutating func handOver() throws(UpgradeFailure) -> Int32 {
        guard successor == nil, !facts.now.isDraining else {
            throw UpgradeFailure("this process is about to end")
        }
        guard processIdentifier() != 1 else {
            throw UpgradeFailure("this is the container's first process, with which the container would end")
        }
        guard workers.allSatisfy({ !$0.isFinished }) else {
            throw UpgradeFailure("a worker has ended")
        }
        serviceManager.tell(.watchdog)
        var successor = try startSuccessor()
        do throws(UpgradeFailure) {
            try converse(successor.link, &successor.child)
            return successor.child.identifier
        } catch {
            // Says more than that it could not be told something.
            let asks = error.isUnreachable && !successor.child.isTerminated
            let ending = asks ? Self.ending(of: &successor.child) : nil
            successor.child.terminate()
            throw ending.map { UpgradeFailure("the new process \($0)") } ?? error
        }
    }

    /// The process that is to serve next, and our end of the conversation.
    private struct Successor: ~Copyable {
        let link: UpgradeLink
        var child: Child
    }

    /// Its end is closed here on return: it is by the last end's close that we notice when it has gone.
    private func startSuccessor() throws(UpgradeFailure) -> Successor {
        let (ours, theirs) = try Self.pair()
        do throws(Errno) {
            let child = try program.start(passing: theirs, variable: Self.upgradeVariable)
            return Successor(link: UpgradeLink(ours, other: "the new process"), child: child)
        } catch {
            throw UpgradeFailure("\(program.path) cannot be started: \(error)")
        }
    }

    private static func pair() throws(UpgradeFailure) -> (PacketSocket, PacketSocket) {
        do throws(Errno) {
            return try PacketSocket.pair()
        } catch {
            throw UpgradeFailure("no socket for it: \(error)")
        }
    }

    /// How a process has ended that may be about to.
    private static func ending(of child: inout Child) -> String? {
        for _ in 0..<50 {
            if let ending = child.ending() { return ending }
            sleepMicroseconds(1000)
        }
        return nil
    }

    // MARK: The conversation

    private mutating func converse(_ link: UpgradeLink, _ child: inout Child) throws(UpgradeFailure) {
        let startDeadline = monotonicNanoseconds() + Self.startNanoseconds
        guard case .hello(let version, let process) = try expect(link, &child, until: startDeadline) else {
            throw UpgradeFailure("the new process does not say hello")
        }
        guard version == HandOverRecord.version else {
            throw UpgradeFailure(
                "the new process speaks version \(version) of the hand-over, and this one "
                    + "version \(HandOverRecord.version)")
        }
        // What is started is what is announced as the main process, gets signals, and is ended when it fails.
        guard process == UInt32(child.identifier) else {
            throw UpgradeFailure("\(program.path) is a script that stays: it has to `exec` the program")
        }
        let ways = try sendListeners(link, until: startDeadline)
        guard case .prepared = try expect(link, &child, until: startDeadline) else {
            throw UpgradeFailure("the new process does not prepare")
        }

        serviceManager.tell(.watchdog)
        let start = monotonicNanoseconds()
        let deadline = start + Self.transferNanoseconds
        let channels = ways.map { HandOverChannel($0, deadlineNanoseconds: deadline) }
        for (worker, channel) in zip(workers, channels) { worker.links.mailbox.send(.handOver(channel)) }
        do throws(UpgradeFailure) {
            let count = try transfer(link, channels, &child, until: deadline)
            conclude(&child, sessions: count, nanoseconds: monotonicNanoseconds() - start)
        } catch {
            // It must have no session any more when they go on here.
            child.terminate()
            waitForWorkers(workers.map { $0.links.mailbox.send(.resumeSessions) })
            throw error
        }
    }

    /// The next message, when it is no refusal.
    private func expect(
        _ link: UpgradeLink, _ child: inout Child, until deadline: UInt64
    ) throws(UpgradeFailure) -> UpgradeMessage {
        guard let (message, descriptors) = try link.receive(deadlineNanoseconds: deadline) else {
            throw UpgradeFailure("the new process \(Self.ending(of: &child) ?? "has gone")")
        }
        for descriptor in descriptors { closeDescriptor(descriptor) }
        if case .refused(let text) = message {
            throw UpgradeFailure("the new process cannot take over:\n\(text)")
        }
        return message
    }

    /// As in `startSuccessor`, the other end is closed here on return.
    private func sendWay(
        of number: Int, _ link: UpgradeLink, until deadline: UInt64
    ) throws(UpgradeFailure) -> PacketSocket {
        let (ours, theirs) = try Self.pair()
        try withExtendedLifetime(theirs) { () throws(UpgradeFailure) in
            try link.send(
                .worker(number: UInt32(number)), descriptor: theirs.descriptor, deadlineNanoseconds: deadline)
        }
        return ours
    }

    /// Sends what the new process needs before it can start workers; returns our ends of their ways.
    private func sendListeners(
        _ link: UpgradeLink, until deadline: UInt64
    ) throws(UpgradeFailure) -> [PacketSocket] {
        var ways: [PacketSocket] = []
        for number in workers.indices {
            ways.append(try sendWay(of: number, link, until: deadline))
        }
        for (endpoint, index) in listenerIndexes {
            let plan = listenerPlans[endpoint] ?? ListenerPlan()
            guard let descriptors = listenerDescriptors[endpoint] else {
                try link.send(
                    .closedListener(index: index, endpoint: endpoint, plan: plan),
                    deadlineNanoseconds: deadline)
                continue
            }
            for (number, descriptor) in descriptors.enumerated() {
                try link.send(
                    .listener(index: index, worker: UInt32(number), endpoint: endpoint, plan: plan),
                    descriptor: descriptor, deadlineNanoseconds: deadline)
            }
        }
        try sendRest(link, until: deadline)
        try link.send(
            .begin(workers: UInt32(workers.count), pipesPerWorker: UInt32(limits.pipesPerWorker)),
            deadlineNanoseconds: deadline)
        return ways
    }

    /// What the main thread itself has.
    private func sendRest(_ link: UpgradeLink, until deadline: UInt64) throws(UpgradeFailure) {
        for socket in activationSockets {
            try link.send(
                .activation(name: socket.name), descriptor: socket.descriptor, deadlineNanoseconds: deadline)
        }
        let inherited = control.inheritance
        if let path = inherited.path, let descriptor = inherited.sockets.control {
            try link.send(
                .control(path: path, number: inherited.fileNumber), descriptor: descriptor,
                deadlineNanoseconds: deadline)
        }
        if let endpoint = inherited.metrics, let descriptor = inherited.sockets.metrics {
            try link.send(.metrics(endpoint), descriptor: descriptor, deadlineNanoseconds: deadline)
        }
        for target in drainedTargets() {
            try link.send(.drained(target), deadlineNanoseconds: deadline)
        }
    }

    /// Waits until the workers have sent their sessions and the new process has them, and asks it to go on.
    /// Returns how many there are.
    private func transfer(
        _ link: UpgradeLink, _ channels: [HandOverChannel], _ child: inout Child, until deadline: UInt64
    ) throws(UpgradeFailure) -> Int {
        var count = 0
        // It may have the last session before we have noticed that it was sent.
        var answer: UpgradeMessage?
        for channel in channels {
            while channel.outcome == nil {
                guard monotonicNanoseconds() < deadline else {
                    throw UpgradeFailure("the sessions do not come to a stand in time")
                }
                if answer != nil {
                    sleepMicroseconds(200)
                } else if link.socket.hasPacket(waitingMilliseconds: 1) {
                    answer = try expect(link, &child, until: deadline)
                }
            }
            switch channel.outcome {
            case .done(let sessions): count += sessions
            case .failed(let text): throw try refusal(link, &child, until: deadline) ?? UpgradeFailure(text)
            case nil: break
            }
        }
        if answer == nil { answer = try expect(link, &child, until: deadline) }
        guard case .adopted(let adopted)? = answer, adopted == count else {
            throw UpgradeFailure("the new process does not have all \(count) sessions")
        }
        try link.send(.commit, deadlineNanoseconds: deadline)
        // From here on it may have begun: more patience, rather than two that have the same sessions.
        let commitDeadline = monotonicNanoseconds() + Self.commitNanoseconds
        guard case .committed = try expect(link, &child, until: commitDeadline) else {
            throw UpgradeFailure("the new process does not commit")
        }
        return count
    }

    /// Why the new process reads no more, if it says so: better than that a worker could not write.
    private func refusal(
        _ link: UpgradeLink, _ child: inout Child, until deadline: UInt64
    ) throws(UpgradeFailure) -> UpgradeFailure? {
        guard link.socket.hasPacket(waitingMilliseconds: 100) else { return nil }
        _ = try expect(link, &child, until: deadline)
        return nil
    }

    // MARK: The end of this process

    /// The new process goes on with everything: tells whom it concerns.
    private mutating func conclude(_ child: inout Child, sessions: Int, nanoseconds: UInt64) {
        let successor = child.identifier
        self.successor = successor
        for worker in workers { worker.links.mailbox.send(.giveUpSessions) }
        child.letGo()
        serviceManager.tell(.mainProcess(successor))
        facts.update { $0.isDraining = true }
        control.giveUp()
        log.write(
            .info,
            "upgrade: pid \(successor) takes over sessions=\(sessions) "
                + "listeners=\(listenerDescriptors.count) in \(nanoseconds / 1_000_000)ms")
    }

    /// Waits for what is left here: sessions that are being refused have their time still, and whoever has
    /// asked something hears the answer.
    mutating func endReplaced() {
        guard let successor else { return }
        let deadline = monotonicNanoseconds() + 10_000_000_000
        while !(workers.allSatisfy(\.isFinished) && control.isIdle), monotonicNanoseconds() < deadline {
            let signal = signals.next(waitingMilliseconds: 10, or: inbox.event)
            for task in inbox.take() { task(&self) }
            guard let signal else { continue }
            // Meant for the service, which is the other process by now.
            send(signal, to: successor)
        }
        // Also those that came while this thread was at the upgrade: the workers may end sooner than they are
        // read.
        while let signal = signals.next(waitingMilliseconds: 0, or: inbox.event) {
            send(signal, to: successor)
        }
    }
}
