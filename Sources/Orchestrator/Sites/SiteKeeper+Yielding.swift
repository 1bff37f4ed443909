import Runme

/// What is done before a site ends, so that nobody notices; and a look that costs little.
extension SiteKeeper {
    /// How long a migration waits for sessions that are under way. It is a part of the pause.
    private static let drainSeconds = 1.0

    /// Whether the snapshot was taken. A visitor does not wait for one that takes long: when something else
    /// is wanted, it is given up.
    func takesSnapshot() async throws(Refusal) -> Bool {
        let (wish, guidance, runner) = (record.wish, guidance, runner)
        let snapshot = Task { () -> Result<Void, Refusal> in
            do throws(Refusal) {
                return .success(try await runner.snapshot())
            } catch {
                return .failure(error)
            }
        }
        let watcher = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(50))
                guard wish == record.wish, guidance == self.guidance else { return snapshot.cancel() }
            }
        }
        let result = await snapshot.value
        watcher.cancel()
        guard wish == record.wish, guidance == self.guidance else { return false }
        try result.get()
        return true
    }

    /// Lets sessions that are under way come to their end, for a moment: those that come now wait at the
    /// edge.
    func drain() async {
        await surroundings.edge.waitForReload()
        let end = monotonicSeconds() + Self.drainSeconds
        while monotonicSeconds() < end {
            guard let traffic = try? await surroundings.edge.traffic(),
                (traffic[runner.tlsAddress.description]?.sessions ?? 0) > 0
            else { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    // MARK: Looking

    /// To ask Vagrant takes seconds of a processor; whether somebody answers can be seen at once.
    func lookAtMachine() async {
        let answers = await ReadyProbe.answers(runner.tlsAddress, name: domain, check: .tcp)
        if !isSettled || answers != (record.wish == .awake) { nudge() }
    }
}
