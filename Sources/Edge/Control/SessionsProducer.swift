import DataPlane
import Linux
import Routes
import Wire

/// `sessions`: asks one worker after the other, some hundred sessions at a time.
final class SessionsProducer: Producer {
    private let workers: [WorkerHandle]
    private let event: EventDescriptor
    private let name: String?
    private let target: String?
    private var left: Int
    private var worker = 0
    private var report: WorkerReport?
    private var startNanoseconds: UInt64 = 0

    init(_ request: ControlRequest, _ facts: EdgeFacts, event: EventDescriptor) {
        workers = facts.workers
        self.event = event
        name = request.hostName("name")
        target = request.text("target")
        left = max(0, request.number("limit") ?? .max)
    }

    func produce(_ output: inout [UInt8]) -> Production {
        while left > 0, worker < workers.count {
            guard let report else {
                ask(fromSlot: 0)
                continue
            }
            guard case .sessions(let sessions, let nextSlot) = report.take() else {
                let isLate = monotonicNanoseconds() - startNanoseconds > ReportAnswers.patienceNanoseconds
                guard workers[worker].isFinished || isLate else { return .waiting }
                next(slot: nil)
                continue
            }
            let number = worker
            next(slot: nextSlot)
            let wanted = sessions.filter(isWanted).prefix(left)
            left -= wanted.count
            let isLast = left == 0 || worker == workers.count
            guard isLast || !wanted.isEmpty else { continue }
            output += ItemLines.line(more: !isLast) { writer in
                for session in wanted { writer.session(session, worker: number) }
            }
            return isLast ? .done : .more
        }
        output += ItemLines.line(more: false) { _ in }
        return .done
    }

    private func ask(fromSlot slot: Int) {
        let report = WorkerReport(.sessions(fromSlot: slot), event: event)
        startNanoseconds = monotonicNanoseconds()
        workers[worker].links.mailbox.send(.report(report))
        self.report = report
    }

    private func next(slot: Int?) {
        report = nil
        if let slot { ask(fromSlot: slot) } else { worker += 1 }
    }

    private func isWanted(_ session: SessionReport) -> Bool {
        if let name, String(decoding: session.name, as: UTF8.self) != name { return false }
        if let target, session.target?.text != target { return false }
        return true
    }
}

extension JSONWriter {
    fileprivate mutating func session(_ session: SessionReport, worker: Int) {
        object { writer in
            writer.pair("id", "\(worker):\(session.slot):\(session.generation)")
            writer.pair("worker", worker)
            writer.pair("phase", "\(session.phase)")
            writer.pair("client", session.client.description)
            writer.pair("listener", session.listener.text)
            writer.pair("name", String(decoding: session.name, as: UTF8.self))
            writer.pair("alpn", session.applicationProtocols.text)
            writer.pair("route", session.match.word)
            writer.pair("target", session.target?.text ?? "")
            writer.pair("bytes_up", session.bytesUp)
            writer.pair("bytes_down", session.bytesDown)
            writer.pair("age_seconds", nanoseconds: session.ageNanoseconds)
            writer.pair("idle_seconds", nanoseconds: session.idleNanoseconds)
        }
    }
}

extension RouteMatch.Kind {
    /// The word of the control protocol.
    var word: String {
        switch self {
        case .none: "none"
        case .exact: "exact"
        case .wildcard: "wildcard"
        case .defaultRoute: "default"
        }
    }
}

extension SocketAddress {
    /// As a routes file has it; empty for no address.
    var text: String {
        if let endpoint { return endpoint.description }
        let bytes = (0..<pathByteCount).map { pathByte($0) }
        return bytes.isEmpty ? "" : "unix:" + String(decoding: bytes, as: UTF8.self)
    }
}

extension ApplicationProtocols {
    /// As the access log has it.
    var text: String {
        var builder = LineBuilder()
        builder.append(self)
        return builder.text
    }
}

extension LineBuilder {
    /// What was built, as a String: for the control thread.
    var text: String {
        let span = bytes
        return String(decoding: (0..<span.byteCount).map { span.byte(at: $0) }, as: UTF8.self)
    }
}
