import DataPlane
import Linux
import Routes
import Synchronization

/// What a producer has done when it was asked for more.
enum Production {
    /// Some output was appended; ask again when it is sent.
    case more
    /// Nothing yet: another thread was asked, and will signal.
    case waiting
    /// All is appended.
    case done
}

/// Makes an answer piece by piece, as the client reads it, so that a long one is never in memory as a whole.
protocol Producer: AnyObject {
    func produce(_ output: inout [UInt8]) -> Production
}

/// An answer that is there.
final class FixedProducer: Producer {
    private let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func produce(_ output: inout [UInt8]) -> Production {
        output += bytes
        return .done
    }
}

/// An answer that another thread gives.
final class PendingAnswer: Producer, Sendable {
    private let answer = Mutex<[UInt8]?>(nil)
    private let event: EventDescriptor

    init(event: EventDescriptor) { self.event = event }

    func finish(_ bytes: [UInt8]) {
        answer.withLock { $0 = bytes }
        event.signal()
    }

    func produce(_ output: inout [UInt8]) -> Production {
        guard let bytes = answer.withLock({ $0 }) else { return .waiting }
        output += bytes
        return .done
    }
}

/// What all workers say when they are asked.
struct ReportAnswers {
    /// A worker answers between two turns: one that does not is stuck or has ended.
    static let patienceNanoseconds: UInt64 = 2_000_000_000

    private let reports: [WorkerReport]
    private let startNanoseconds = monotonicNanoseconds()

    init(_ requests: [WorkerReport.Request], _ workers: [WorkerHandle], event: EventDescriptor) {
        reports = workers.filter { !$0.isFinished }.flatMap { worker in
            requests.map { request in
                let report = WorkerReport(request, event: event)
                worker.links.mailbox.send(.report(report))
                return report
            }
        }
    }

    /// All answers, or after a time those that there are; nil: not yet.
    var whole: [WorkerReport.Answer]? {
        let answers = reports.compactMap { $0.take() }
        let isLate = monotonicNanoseconds() - startNanoseconds > Self.patienceNanoseconds
        return answers.count == reports.count || isLate ? answers : nil
    }
}

/// Asks all workers for a report, and makes the answer from what they say.
final class ReportProducer: Producer {
    private let answers: ReportAnswers
    private let finish: ([WorkerReport.Answer]) -> [UInt8]

    init(
        _ requests: [WorkerReport.Request], _ workers: [WorkerHandle], event: EventDescriptor,
        finish: @escaping ([WorkerReport.Answer]) -> [UInt8]
    ) {
        answers = ReportAnswers(requests, workers, event: event)
        self.finish = finish
    }

    func produce(_ output: inout [UInt8]) -> Production {
        guard let answers = answers.whole else { return .waiting }
        output += finish(answers)
        return .done
    }
}

/// Lists as lines of at most ``itemsMax`` items.
enum ItemLines {
    static let itemsMax = 500

    /// One line. `items` writes each as a value.
    static func line(
        more: Bool, _ facts: (inout JSONWriter) -> Void = { _ in }, items: (inout JSONWriter) -> Void
    )
        -> [UInt8]
    {
        JSONWriter.line { writer in
            writer.pair("ok", true)
            writer.key("items")
            writer.array(items)
            facts(&writer)
            writer.pair("more", more)
        }
    }
}
