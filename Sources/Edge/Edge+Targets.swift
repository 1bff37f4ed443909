import DataPlane

extension Edge {
    /// Drains a target as `yard drain` asks: no new session goes to it, on any route, until that is taken
    /// back, or until no route has it any more. Its sessions go on. Returns how many routes have the target,
    /// and how many sessions; nil: no route has it. `text` is the address as it stands in a routes file.
    package func setDrained(_ text: String, _ isOn: Bool) -> (routes: Int, sessions: Int)? {
        guard let done = checks.setDrained(text, isOn) else { return nil }
        let answer = TargetAnswer()
        waitForWorkers(workers.map { $0.links.mailbox.send(.askTarget(done.address, answer)) })
        return (done.routes, Int(answer.sessionCount))
    }

    /// What the active checks know, for the control socket.
    package func checkReports() -> [CheckReport] { checks.reports() }

    /// The targets that are drained by ``setDrained(_:_:)``, as they stand in a routes file.
    package func drainedTargets() -> [String] { checks.drainedTargets() }
}
