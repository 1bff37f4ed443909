import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// An origin, or a client, has taken bytes. Counted at once, and not at the session's end: a stream that
    /// lasts for hours must show in the rates. It is two additions beside a system call.
    @inline(always)
    func countBytes(_ slot: Int, _ direction: Int, _ amount: UInt64) {
        count.add(direction == 0 ? .bytesUp : .bytesDown, amount)
        names.addBytes(Int(sessions[slot].tally), direction: direction, amount)
    }

    /// A session begins to relay: from now on it is one of its name's.
    mutating func countRelay(_ slot: Int) {
        let index = tallyEntry(sessions[slot])
        names.countBegin(index)
        sessions[slot].tally = UInt16(truncatingIfNeeded: index)
    }

    /// A session ends: one that never relayed is counted now.
    mutating func countEnd(_ session: Session) {
        let isError = session.ending.isError
        if session.hasRelayed {
            names.countEnd(Int(session.tally), isError: isError)
            return
        }
        names.countAttempt(tallyEntry(session), succeeded: !isError, isConnection: true)
    }

    /// An attempt at a target has succeeded or failed.
    mutating func countAttempt(at target: Int, succeeded: Bool) {
        let address = targets[target].address
        line.clear()
        line.append(address)
        let index = line.entry(in: &attempts)
        attempts.countAttempt(index, succeeded: succeeded)
    }

    /// The entry of the name by which a session was matched: as the route has it, so that there are no more
    /// of them than an operator has written.
    private mutating func tallyEntry(_ session: Session) -> Int {
        line.clear()
        switch session.match {
        case .none: line.append("-")
        case .exact: labels.append(session.label, to: &line)
        case .wildcard:
            line.append("*")
            labels.append(session.label, fromFirstDot: true, to: &line)
        case .defaultRoute: line.append("*")
        }
        return line.entry(in: &names)
    }
}

extension LineBuilder {
    /// The entry of what was built as a key.
    fileprivate borrowing func entry(in tally: inout Tally) -> Int { tally.entry(for: bytes) }
}

extension Ending {
    /// Whether something went wrong that the operator of the name may want to know: not that a client was
    /// refused by rule, that a side reset what had begun, or that an idle one was cut.
    package var isError: Bool {
        switch self {
        case .unreachable, .parkTimeout, .parkLimit, .originReset: true
        default: false
        }
    }
}
