import Linux
import Routes
import Wire

extension Worker where Backend: ~Copyable {
    /// Fills a report. Here a worker may allocate: somebody has asked, and no more is told than a bounded
    /// number of items.
    @inline(never)
    func fill(_ request: WorkerReport.Request) -> WorkerReport.Answer {
        switch request {
        case .tallies: .tallies(names: Self.report(names), targets: Self.report(attempts))
        case .targets: .targets(targetReports())
        case .sessions(let slot): sessionReports(from: slot)
        }
    }

    private static func report(_ tally: borrowing Tally) -> [TallyReport] {
        var other = tally[Tally.otherIndex]
        other.add(tally[Tally.unassignedIndex])
        var reports = [TallyReport(key: nil, counts: other)]
        for index in 0..<tally.capacity where tally.isKey(index) {
            reports.append(TallyReport(key: tally.copyKey(index), counts: tally[index]))
        }
        return reports
    }

    private func targetReports() -> [TargetReport] {
        var reports: [TargetReport] = []
        for index in 0..<targets.touchedCount where targets.isUsed(index) {
            guard reports.count < WorkerReport.targetsMax else { break }
            let entry = targets[index]
            let now = backend.nowNanoseconds
            let until = entry.restsUntilNanoseconds
            reports.append(
                TargetReport(
                    address: entry.address, sessions: UInt64(entry.sessionCount),
                    failuresInARow: UInt64(entry.failureCount), restNanoseconds: until > now ? until - now : 0
                ))
        }
        return reports
    }

    private func sessionReports(from start: Int) -> WorkerReport.Answer {
        var reports: [SessionReport] = []
        var slot = start
        let end = min(sessions.touchedCount, start + WorkerReport.slotsMax)
        while slot < end, reports.count < WorkerReport.sessionsMax {
            if sessions[slot].phase != .free { reports.append(report(slot)) }
            slot += 1
        }
        return .sessions(reports, nextSlot: slot < sessions.touchedCount ? slot : nil)
    }

    private func report(_ slot: Int) -> SessionReport {
        let session = sessions[slot]
        let name = labels.bytes(session.label)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.byteCount)
        for offset in 0..<name.byteCount { bytes.append(name.byte(at: offset)) }
        let age = backend.nowNanoseconds &- session.acceptedNanoseconds
        let listener = Int(session.listener)
        return SessionReport(
            slot: UInt32(truncatingIfNeeded: slot), generation: session.generation, phase: session.phase,
            client: session.source,
            listener: listener < listeners.count ? listeners[listener].address : SocketAddress(),
            name: bytes, applicationProtocols: session.applicationProtocols, match: session.match,
            target: session.target >= 0 ? targets[Int(session.target)].address : nil,
            bytesUp: session.directions[0].byteCount, bytesDown: session.directions[1].byteCount,
            ageNanoseconds: age, idleNanoseconds: min(age, idleNanoseconds(slot)))
    }

    /// How long no byte has moved: told by the deadline, which every byte moves. For a session that does not
    /// relay, and after a reload that changed the timeout, it is an estimate.
    private func idleNanoseconds(_ slot: Int) -> UInt64 {
        guard sessions[slot].phase == .relaying else { return 0 }
        let limit = sessions[slot].isHalfClosed ? settings.halfCloseNanoseconds : settings.idleNanoseconds
        let left = timers.nanosecondsLeft(slot, nowNanoseconds: backend.nowNanoseconds)
        return limit > left ? limit - left : 0
    }
}
