import DataPlane
import Linux
import Routes
import Synchronization

/// The thread that answers on the control socket and for `/metrics`. It touches no session: it reads
/// counters, asks workers for reports, and asks the main thread for whatever changes something.
final class ControlServer: Sendable {
    /// The listening sockets, which the thread owns once it was told.
    struct Sockets: Sendable {
        var control: Int32?
        var metrics: Int32?
    }

    private let facts: SharedFacts
    private let inbox: EdgeInbox
    private let log: Log
    /// Signalled by workers and the main thread when an answer is there.
    let event: EventDescriptor
    private let next = Mutex<Sockets?>(nil)
    /// Clients whose request was not answered as a whole.
    private let busy = Atomic<Int>(0)

    init(facts: SharedFacts, inbox: EdgeInbox, log: Log) throws(Errno) {
        self.facts = facts
        self.inbox = inbox
        self.log = log
        event = try EventDescriptor()
    }

    func start() throws(Errno) {
        try startThread("control") { [self] in run() }
    }

    /// Listens on these from now on, and closes the ones before.
    func use(_ sockets: Sockets) {
        next.withLock { $0 = sockets }
        event.signal()
    }

    /// Whether no client waits for an answer.
    var isIdle: Bool { busy.load(ordering: .acquiring) == 0 }

    // MARK: The loop

    private func run() {
        var sockets = Sockets()
        var clients: [ControlClient] = []
        var set = PollSet()
        while true {
            set.removeAll()
            set.add(event.descriptor, reads: true, writes: false)
            let control = add(sockets.control, .control, clients, &set)
            let metrics = add(sockets.metrics, .metrics, clients, &set)
            for client in clients {
                client.place = set.add(
                    client.descriptor, reads: client.wantsInput, writes: client.wantsOutput)
            }
            set.wait(milliseconds: waitMilliseconds(clients))
            if set.isReady(0) { event.clear() }

            // All, not those that are ready alone: an answer may be there for one that waits for others.
            for client in clients { step(client, isReady: set.isReady(client.place)) }
            clients.removeAll { $0.isClosed }
            busy.store(clients.count { $0.isBusy }, ordering: .releasing)
            if let control, set.isReady(control) { accept(sockets.control, .control, &clients) }
            if let metrics, set.isReady(metrics) { accept(sockets.metrics, .metrics, &clients) }
            replace(&sockets)
        }
    }

    /// A listener is looked at while there is room for one more, or can be made; others wait in its queue.
    private func add(
        _ listener: Int32?, _ kind: ControlClient.Kind, _ clients: [ControlClient], _ set: inout PollSet
    ) -> Int? {
        guard let listener, hasRoom(kind, clients) || dispensable(kind, clients) != nil else { return nil }
        return set.add(listener, reads: true, writes: false)
    }

    private func hasRoom(_ kind: ControlClient.Kind, _ clients: [ControlClient]) -> Bool {
        clients.count { $0.kind == kind } < kind.clientsMax
    }

    /// Who makes room: the client that has gone for the longest time without a whole request, also one that
    /// was answered before; when there is none, one that has taken too long to read its answer.
    private func dispensable(_ kind: ControlClient.Kind, _ clients: [ControlClient]) -> ControlClient? {
        let others = clients.filter { $0.kind == kind }
        let now = monotonicNanoseconds()
        func isSlow(_ client: ControlClient) -> Bool {
            client.wantsOutput && client.sinceNanoseconds + ControlClient.patienceNanoseconds < now
        }
        return others.filter(\.wantsInput).min { $0.sinceNanoseconds < $1.sinceNanoseconds }
            ?? others.filter(isSlow).min { $0.sinceNanoseconds < $1.sinceNanoseconds }
    }

    private func accept(_ listener: Int32?, _ kind: ControlClient.Kind, _ clients: inout [ControlClient]) {
        guard let listener else { return }
        if !hasRoom(kind, clients) {
            // Whoever takes all places and asks nothing must not keep those out who have a question.
            guard let other = dispensable(kind, clients) else { return }
            other.close()
            clients.removeAll { $0.isClosed }
        }
        guard let descriptor = acceptConnection(listener) else {
            // No descriptor, perhaps: the sessions may have them all. Not at once again.
            sleepMicroseconds(10_000)
            return
        }
        clients.append(ControlClient(descriptor, kind))
    }

    private func step(_ client: ControlClient, isReady: Bool) {
        // Nothing of it was waited for, so that it has hung up. It would be told again at once, for as long
        // as its answer takes.
        if isReady, !client.wantsInput, !client.wantsOutput { return client.close() }
        client.step { client, request in answer(client, request) }
        if monotonicNanoseconds() > client.deadlineNanoseconds { client.close() }
    }

    private func replace(_ sockets: inout Sockets) {
        guard
            let new = next.withLock({ next in
                defer { next = nil }
                return next
            })
        else { return }
        if let old = sockets.control, old != new.control { closeDescriptor(old) }
        if let old = sockets.metrics, old != new.metrics { closeDescriptor(old) }
        sockets = new
    }

    /// Until the next deadline; while answers are awaited not longer than their patience needs.
    private func waitMilliseconds(_ clients: [ControlClient]) -> Int32 {
        guard !clients.isEmpty else { return -1 }
        return clients.contains { !$0.wantsInput && !$0.wantsOutput } ? 100 : 1000
    }

    // MARK: Requests

    private func answer(_ client: ControlClient, _ request: [UInt8]) -> any Producer {
        guard client.kind == .control else { return answerMetrics(request) }
        do throws(ControlRequestError) {
            return answer(try ControlRequest(request), from: client)
        } catch {
            return FixedProducer(JSONWriter.failure(error.text))
        }
    }

    private func answer(_ request: ControlRequest, from client: ControlClient) -> any Producer {
        let facts = facts.now
        switch request.command {
        case "status": return FixedProducer(Answers.status(facts))
        case "stats": return FixedProducer(Answers.stats(facts))
        case "sessions": return SessionsProducer(request, facts, event: event)
        case "routes":
            return ReportThenProducer([.targets], facts.workers, event: event) { answers in
                RoutesProducer(request, facts.current.table, TargetStates(answers, facts.checks))
            }
        case "targets":
            return ReportThenProducer([.targets, .tallies], facts.workers, event: event) { answers in
                TargetsProducer(facts.current.table, TargetStates(answers, facts.checks))
            }
        case "top":
            let limit = min(500, max(0, request.number("limit") ?? 50))
            return ReportProducer([.targets, .tallies], facts.workers, event: event) { answers in
                Answers.top(facts, MergedTallies(answers), TargetStates(answers, facts.checks), limit: limit)
            }
        case "reload":
            noteAuthor(of: request, client)
            return ask { edge in edge.answerReload() }
        case "check": return ask { edge in edge.answerCheck() }
        case "drain":
            guard let target = request.text("target"), !target.isEmpty else {
                return FixedProducer(JSONWriter.failure("drain needs a \"target\""))
            }
            noteAuthor(of: request, client)
            let isOn = !request.bool("off")
            return ask { edge in edge.answerDrain(target, isOn) }
        case "upgrade":
            noteAuthor(of: request, client)
            return ask { edge in edge.answerUpgrade() }
        default:
            return FixedProducer(JSONWriter.failure("there is no command '\(request.command.prefix(40))'"))
        }
    }

    /// Has the main thread do something and answer.
    private func ask(_ body: @escaping @Sendable (inout Edge) -> [UInt8]) -> any Producer {
        let pending = PendingAnswer(event: event)
        inbox.send { edge in pending.finish(body(&edge)) }
        return pending
    }

    /// Who changes something stands in the log.
    private func noteAuthor(of request: ControlRequest, _ client: ControlClient) {
        let peer = peerCredentials(of: client.descriptor)
        let author = peer.map { "process \($0.process) of user \($0.user)" } ?? "nobody known"
        log.write(.info, "control: \(request.command) asked for by \(author)")
    }

    private func answerMetrics(_ head: [UInt8]) -> any Producer {
        switch MetricsRequest(head) {
        case .metrics(let hasBody):
            let facts = facts.now
            return ReportProducer([.targets, .tallies], facts.workers, event: event) { answers in
                let text = MetricsText.text(
                    facts, MergedTallies(answers), TargetStates(answers, facts.checks))
                return MetricsRequest.answer("200 OK", text, hasBody: hasBody)
            }
        case .health(let hasBody):
            return FixedProducer(MetricsRequest.answer("200 OK", Array("ok\n".utf8), hasBody: hasBody))
        case .refused(let status):
            return FixedProducer(MetricsRequest.answer(status, Array("\(status)\n".utf8), hasBody: true))
        }
    }
}

/// Asks all workers, and then makes a producer of what they have said.
final class ReportThenProducer: Producer {
    private let answers: ReportAnswers
    private let make: ([WorkerReport.Answer]) -> any Producer
    private var producer: (any Producer)?

    init(
        _ requests: [WorkerReport.Request], _ workers: [WorkerHandle], event: EventDescriptor,
        make: @escaping ([WorkerReport.Answer]) -> any Producer
    ) {
        answers = ReportAnswers(requests, workers, event: event)
        self.make = make
    }

    func produce(_ output: inout [UInt8]) -> Production {
        if let producer { return producer.produce(&output) }
        guard let answers = answers.whole else { return .waiting }
        let producer = make(answers)
        self.producer = producer
        return producer.produce(&output)
    }
}
