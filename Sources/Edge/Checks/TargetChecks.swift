import DataPlane
import Linux
import Routes
import Synchronization
import Wire

/// Checks targets, and keeps what operators say of them. One thread makes the attempts; whatever is known
/// lies behind one lock, which nobody holds while waiting.
final class TargetChecks: Sendable {
    private let book: Mutex<CheckBook>
    private let workers: Mutex<[WorkerLinks]>
    private let connectNanoseconds: Mutex<UInt64>
    private let log: Log
    private let wakeUp: EventDescriptor
    private let attemptsMax: Int
    /// To targets that are down: such an attempt mostly lasts until its deadline, and many of them must not
    /// keep the others from being checked in time.
    private let attemptsToDownMax: Int

    /// `attemptsMax`: so many attempts at once, each of which has a descriptor.
    init(log: Log, attemptsMax: Int) throws(Errno) {
        self.log = log
        self.attemptsMax = attemptsMax
        attemptsToDownMax = max(1, attemptsMax / 2)
        book = Mutex(CheckBook(seed: randomBits()))
        workers = Mutex([])
        connectNanoseconds = Mutex(5_000_000_000)
        wakeUp = try EventDescriptor()
    }

    /// Starts the thread; `links` are those of the workers, which are told of targets that answer.
    func start(_ links: [WorkerLinks]) throws(Errno) {
        workers.withLock { $0 = links }
        try startThread("checks") { [self] in
            do throws(Errno) {
                let poll = try DescriptorPoll()
                try poll.add(wakeUp.descriptor, number: 0)
                run(poll)
            } catch {
                log.write(.error, "targets are not checked: \(error)")
            }
        }
    }

    /// Goes by a new table; before the workers get it.
    func adopt(_ table: RouteTable, connectMilliseconds: UInt32) {
        connectNanoseconds.withLock { $0 = UInt64(connectMilliseconds) * 1_000_000 }
        let gone = book.withLock { $0.adopt(table, nowNanoseconds: monotonicNanoseconds()) }
        for text in gone { log.write(.info, "target \(text) is no longer drained: no route has it") }
        wakeUp.signal()
    }

    // MARK: For those who ask

    /// What is known of each check.
    func reports() -> [CheckReport] {
        let now = monotonicNanoseconds()
        return book.withLock(\.checks).map { check in
            CheckReport(
                address: check.key.address, kind: check.key.kind.rawValue, name: check.key.name,
                isDown: check.isDown,
                hasSucceeded: check.lastNanoseconds == 0 ? nil : check.error == nil, error: check.error,
                ageNanoseconds: check.lastNanoseconds == 0 ? 0 : now - min(now, check.lastNanoseconds),
                intervalNanoseconds: check.intervalNanoseconds, failuresInARow: check.failuresInARow)
        }
    }

    /// The targets that an operator has drained, as they stand in a routes file.
    func drainedTargets() -> [String] { book.withLock { $0.drained.keys.sorted() } }

    /// Drains a target, or takes that back; nil: no route has it. See ``CheckBook/setDrained(_:_:)``.
    func setDrained(_ text: String, _ isOn: Bool) -> (routes: Int, address: SocketAddress)? {
        let done = book.withLock { $0.setDrained(text, isOn) }
        if let done {
            log.write(.info, "target \(text) is \(isOn ? "" : "no longer ")drained routes=\(done.routes)")
        }
        return done
    }

    // MARK: The thread

    /// For ever.
    private func run(_ poll: consuming DescriptorPoll) {
        var round = CheckRound()
        while true {
            let now = monotonicNanoseconds()
            let withDown = round.downCount < attemptsToDownMax
            let due =
                round.attempts.count < attemptsMax
                ? book.withLock { $0.nextDueNanoseconds(withDown: withDown) } : nil
            var wait = Int32(-1)
            if let next = [due, round.nextDeadline, round.nextTelling].compactMap({ $0 }).min() {
                wait = next > now ? Int32(clamping: (next - now) / 1_000_000 + 1) : 0
            }
            let numbers = poll.wait(milliseconds: wait)
            let then = monotonicNanoseconds()
            for number in numbers {
                if number == 0 { wakeUp.clear() } else { step(number, poll, &round, then) }
            }
            for (number, running) in round.attempts where running.deadlineNanoseconds <= then {
                let error = running.isConnected ? "no answer in time" : "no connection in time"
                finish(number, error, &round, then)
            }
            while round.attempts.count < attemptsMax,
                let check = book.withLock({
                    $0.begin(nowNanoseconds: then, withDown: round.downCount < attemptsToDownMax)
                })
            {
                begin(check, poll, &round, then)
            }
            tellWorkers(&round, then)
        }
    }

    private func begin(
        _ check: Check, _ poll: borrowing DescriptorPoll, _ round: inout CheckRound, _ now: UInt64
    ) {
        do throws(Errno) {
            let attempt = try Attempt(to: check.address)
            round.lastNumber += 1
            let limit = min(check.intervalNanoseconds, connectNanoseconds.withLock { $0 })
            round.attempts[round.lastNumber] = RunningCheck(
                key: check.key, address: check.address, attempt: attempt, deadlineNanoseconds: now + limit,
                wasDown: check.isDown)
            if check.isDown { round.downCount += 1 }
            do throws(Errno) {
                try poll.add(attempt.descriptor, number: round.lastNumber, forWriting: true)
            } catch {
                finish(round.lastNumber, "\(error)", &round, now, isOurs: true)
            }
        } catch {
            note(check.key, check.address, "\(error)", isOurs: error.isOwnShortage, &round, now)
        }
    }

    /// There is something to do with an attempt.
    private func step(
        _ number: UInt64, _ poll: borrowing DescriptorPoll, _ round: inout CheckRound, _ now: UInt64
    ) {
        guard let running = round.attempts[number] else { return }
        do throws(Errno) {
            if running.isConnected {
                try receive(number, &round, now)
                return
            }
            if let failure = running.attempt.failure { throw failure }
            round.attempts[number]?.isConnected = true
            var bytes = CheckKey.bytes(of: running.key.proxyHeader)
            if running.key.kind == .hello {
                var random = InlineArray<96, UInt8>(repeating: 0)
                for index in 0..<96 { random[index] = UInt8(truncatingIfNeeded: randomBits()) }
                bytes += ClientHelloBuilder(name: Array(running.key.name.utf8), random: random).record
            }
            if !bytes.isEmpty { try running.attempt.send(bytes) }
            guard running.key.kind == .hello else { return finish(number, nil, &round, now) }
            try poll.awaitReadable(running.attempt.descriptor, number: number)
        } catch {
            finish(number, "\(error)", &round, now, isOurs: error.isOwnShortage)
        }
    }

    private func receive(_ number: UInt64, _ round: inout CheckRound, _ now: UInt64) throws(Errno) {
        guard let running = round.attempts[number] else { return }
        guard let more = try running.attempt.receive(ServerGreeting.bytesMax * 2 - running.received.count)
        else { return }
        guard !more.isEmpty else { return finish(number, "closed without an answer", &round, now) }
        round.attempts[number]?.received += more
        switch ServerGreeting(running.received + more) {
        case .needMore: return
        case .serverHello: finish(number, nil, &round, now)
        case .alert(let description): finish(number, "TLS alert \(description)", &round, now)
        case .notTLS: finish(number, "the answer is not TLS", &round, now)
        }
    }

    private func finish(
        _ number: UInt64, _ error: String?, _ round: inout CheckRound, _ now: UInt64, isOurs: Bool = false
    ) {
        guard let running = round.attempts.removeValue(forKey: number) else { return }
        if running.wasDown { round.downCount -= 1 }
        // A target that was told who asks should be able to read that; a reset might come before it.
        running.attempt.close(reset: running.key.proxyHeader == .none || running.key.kind == .hello)
        note(running.key, running.address, error, isOurs: isOurs, &round, now)
    }

    private func note(
        _ key: CheckKey, _ address: SocketAddress, _ error: String?, isOurs: Bool, _ round: inout CheckRound,
        _ now: UInt64
    ) {
        if error == nil { round.answered.append(address) }
        let changed = book.withLock {
            $0.finish(key, error: error, isOurs: isOurs, nowNanoseconds: now)
        }
        guard let changed else { return }
        if changed.isDown {
            log.write(.warning, "target \(key.address) is down: \(error ?? "-") (\(key.text))")
        } else {
            log.write(.info, "target \(key.address) is up again (\(key.text))")
        }
    }

    /// A target that answers need not rest any longer. Workers are told only when any of them has a target
    /// that failed it, and no more than four times a second.
    private func tellWorkers(_ round: inout CheckRound, _ now: UInt64) {
        guard !round.answered.isEmpty, now >= round.toldNanoseconds + CheckRound.tellNanoseconds else {
            return
        }
        round.toldNanoseconds = now
        for links in workers.withLock({ $0 }) where links.counters[.targetsFailing] > 0 {
            links.mailbox.send(.targetsAnswered(round.answered))
        }
        round.answered = []
    }
}

/// What the thread has in hand.
private struct CheckRound {
    static let tellNanoseconds: UInt64 = 250_000_000

    /// By the number that the poll knows; 0 is the wake-up's.
    var attempts: [UInt64: RunningCheck] = [:]
    /// Those of them to targets that were down when they began.
    var downCount = 0
    var lastNumber: UInt64 = 0
    /// Targets that have answered since the workers were told.
    var answered: [SocketAddress] = []
    var toldNanoseconds: UInt64 = 0

    var nextDeadline: UInt64? { attempts.values.map(\.deadlineNanoseconds).min() }
    var nextTelling: UInt64? { answered.isEmpty ? nil : toldNanoseconds + Self.tellNanoseconds }
}

/// An attempt on its way.
private struct RunningCheck {
    let key: CheckKey
    let address: SocketAddress
    let attempt: Attempt
    let deadlineNanoseconds: UInt64
    let wasDown: Bool
    var isConnected = false
    var received: [UInt8] = []
}
