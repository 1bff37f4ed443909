import Linux

/// One connection to the control socket or to the metrics: what was received and not yet understood, what is
/// to be sent, and until when. For the control thread alone.
final class ControlClient {
    /// What it speaks.
    enum Kind {
        case control
        case metrics

        /// So many at once.
        var clientsMax: Int {
            switch self {
            case .control: 64
            case .metrics: 32
            }
        }
    }

    /// A longer request is refused.
    static let requestBytesMax = 65_536
    /// A request that has begun, an answer that nobody reads: each has so long, again with every byte sent.
    static let patienceNanoseconds: UInt64 = 10_000_000_000
    /// Without a request.
    static let idleNanoseconds: UInt64 = 300_000_000_000

    let descriptor: Int32
    let kind: Kind
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0
    private var producer: (any Producer)?
    private(set) var deadlineNanoseconds: UInt64
    /// When it was accepted, had its last answer, or made its last request: the last of these. Neither parts
    /// of a request nor of an answer move this.
    private(set) var sinceNanoseconds: UInt64
    /// No more requests come.
    private var hasEnded = false
    /// Ends when the answer is sent.
    private var isLast = false
    private(set) var isClosed = false
    /// Its place in the set that is waited for.
    var place = 0

    init(_ descriptor: Int32, _ kind: Kind) {
        self.descriptor = descriptor
        self.kind = kind
        let patience = kind == .metrics ? Self.patienceNanoseconds : Self.idleNanoseconds
        sinceNanoseconds = monotonicNanoseconds()
        deadlineNanoseconds = sinceNanoseconds + patience
    }

    /// A request is read only when the one before it was answered, so that neither grows.
    var wantsInput: Bool { producer == nil && output.isEmpty && !hasEnded && !isLast }
    var wantsOutput: Bool { sent < output.count }
    /// Whether a request is being answered.
    var isBusy: Bool { producer != nil || wantsOutput }

    /// Does what can be done now. `answer` makes the producer for a request.
    func step(_ answer: (ControlClient, [UInt8]) -> any Producer) {
        do throws(Errno) {
            if wantsInput { try read() }
            while !isClosed {
                if wantsOutput {
                    let hasRoom = try write()
                    guard hasRoom else { return }
                }
                if let producer {
                    if !produce(producer) { return }
                } else if isLast {
                    close()
                } else if let request = takeRequest() {
                    sinceNanoseconds = monotonicNanoseconds()
                    producer = answer(self, request)
                } else {
                    if hasEnded { close() }
                    return
                }
            }
        } catch {
            close()
        }
    }

    private func read() throws(Errno) {
        let room = Self.requestBytesMax + 1 - input.count
        guard let count = try receive(descriptor, appendingTo: &input, atMost: min(room, 16_384)) else {
            return
        }
        if count == 0 { hasEnded = true }
        // From the first byte on, and not from each: who sends one a second must not hold a place for ever.
        if count > 0, input.count == count { extend() }
    }

    /// False when the client takes no more now.
    private func write() throws(Errno) -> Bool {
        let count = try send(descriptor, output, from: sent)
        guard count > 0 else { return false }
        sent += count
        extend()
        if sent == output.count {
            output.removeAll(keepingCapacity: true)
            sent = 0
        }
        return true
    }

    /// False when the producer waits for others.
    private func produce(_ producer: any Producer) -> Bool {
        switch producer.produce(&output) {
        case .more: break
        case .waiting: return false
        case .done:
            self.producer = nil
            sinceNanoseconds = monotonicNanoseconds()
            extend(by: Self.idleNanoseconds)
        }
        return true
    }

    /// The next whole request: a line, or for metrics a head.
    private func takeRequest() -> [UInt8]? {
        switch kind {
        case .control:
            if let end = input.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(input[..<end])
                input.removeSubrange(...end)
                if !input.isEmpty { extend() }
                return line
            }
            guard input.count > Self.requestBytesMax else { return nil }
            isLast = true
            input.removeAll()
            // Not a JSON object, so the answer is an error.
            return []
        case .metrics:
            guard let head = MetricsRequest.takeHead(&input, hasEnded: hasEnded) else { return nil }
            isLast = true
            return head
        }
    }

    private func extend(by nanoseconds: UInt64 = patienceNanoseconds) {
        deadlineNanoseconds = monotonicNanoseconds() + nanoseconds
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        closeDescriptor(descriptor)
    }
}
