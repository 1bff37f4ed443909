import DataPlane
import Linux
import Routes
import Synchronization

/// What the control thread may know of the edge: a copy that the main thread replaces when something has
/// changed.
struct EdgeFacts: Sendable {
    var path: String
    var limits: Limits
    var inputOutput = InputOutput.epoll
    var workers: [WorkerHandle] = []
    var current: LoadedConfiguration
    /// What is known of targets without asking the workers.
    var checks: TargetChecks
    var log: Log
    /// When the table in force was taken into use, and when the process began.
    var tableNanoseconds: UInt64
    var startNanoseconds: UInt64
    var startRealtimeNanoseconds: UInt64
    var reloads = 0
    var failedReloads = 0
    /// `none`, `succeeded` or `failed`.
    var lastReload = "none"
    /// The diagnostics of the last reload, when it failed.
    var lastError = ""
    var isDraining = false

    func sum(_ counter: Counter) -> UInt64 {
        let others = counter == .logDropped ? log.lostLines : 0
        return workers.reduce(others) { $0 &+ $1.links.counters[counter] }
    }

    func sum(_ ending: Ending) -> UInt64 { workers.reduce(0) { $0 &+ $1.links.counters[ending] } }

    func sum(_ histogram: Histogram) -> HistogramCounts {
        var total = HistogramCounts(
            buckets: Array(repeating: 0, count: Histogram.boundCount + 1), sum: 0)
        for worker in workers {
            let counts = worker.links.counters[histogram]
            for (index, count) in counts.buckets.enumerated() { total.buckets[index] &+= count }
            total.sum &+= counts.sum
        }
        return total
    }
}

/// ``EdgeFacts`` between the threads.
final class SharedFacts: Sendable {
    private let facts: Mutex<EdgeFacts>

    init(_ facts: EdgeFacts) { self.facts = Mutex(facts) }

    var now: EdgeFacts { facts.withLock { $0 } }

    func update(_ body: (inout sending EdgeFacts) -> Void) {
        facts.withLock { body(&$0) }
    }
}

extension Counter {
    /// Its name as a word of the control protocol: `hello_no_name`.
    var word: String {
        var word = ""
        var wasUpperCase = false
        for character in "\(self)" {
            // A run of capitals is one word: `helloPlainHTTP` is `hello_plain_http`.
            if character.isUppercase, !wasUpperCase { word.append("_") }
            wasUpperCase = character.isUppercase
            word += character.lowercased()
        }
        return word
    }
}
