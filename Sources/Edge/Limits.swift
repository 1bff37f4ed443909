package import Routes

/// What follows from the configured limits and from what the system grants: how much each worker allocates.
package struct Limits: Equatable, Sendable {
    /// Worker threads.
    package var workers: Int
    /// Sessions of one worker.
    package var sessionsPerWorker: Int
    /// Pipes of one worker.
    package var pipesPerWorker: Int
    /// Checks of targets at once.
    package var checksAtOnce: Int
    /// Every descriptor's number is below this.
    package var descriptorsMax: Int
    /// Whether each worker can have a session at all. One that could not would still own a part of each
    /// port's queue, and let clients wait there.
    package var hasRoom: Bool
    /// What the operator should know: a limit that had to be lowered.
    package var warnings: [String] = []

    /// Descriptors that are neither a session's nor a pipe's: listeners, epoll, the log, the routes being
    /// read.
    static let descriptorsReserved = 64
    static let checksAtOnceMax = 256
    /// A session has a client and an origin.
    static let descriptorsPerSession = 2
    static let descriptorsPerPipe = 2
    /// Few sessions are bulky at the same time; the others get a pipe of the pool, or copy.
    static let sessionsPerPipe = 16
    static let pipesPerWorkerMax = 512
    /// A hello must fit a buffer, with room for what comes behind it.
    package static let helloBytesMax = 16 * 1024

    /// Derives the limits, and lowers the number of sessions to what the descriptors allow.
    package init(_ configuration: Configuration, processors: Int, descriptorsMax: Int) {
        self.descriptorsMax = descriptorsMax
        switch configuration.workers {
        case .automatic: workers = processors
        case .exactly(let count): workers = count
        }
        let wanted = (Int(configuration.limits.connections) + workers - 1) / workers
        let listeners = configuration.listeners.count
        // A process of few descriptors has few targets.
        checksAtOnce = min(Self.checksAtOnceMax, max(8, descriptorsMax / 64))
        let reserved = Self.descriptorsReserved + checksAtOnce
        let perWorker = max(0, descriptorsMax - reserved) / workers - listeners - 4
        // s sessions need 2 s descriptors and s / 16 pipes, which is s / 8 descriptors.
        let possible =
            perWorker * Self.sessionsPerPipe
            / (Self.descriptorsPerSession * Self.sessionsPerPipe + Self.descriptorsPerPipe)
        hasRoom = possible >= 1
        sessionsPerWorker = max(1, min(wanted, possible))
        pipesPerWorker = min(Self.pipesPerWorkerMax, max(1, sessionsPerWorker / Self.sessionsPerPipe))
        if possible < wanted {
            warnings.append(
                "limit connections=\(configuration.limits.connections) "
                    + "needs more descriptors than this process may "
                    + "have (\(descriptorsMax)): \(sessionsPerWorker * workers) connections at most; "
                    + "raise LimitNOFILE= in the unit, or ulimit -n")
        }
        if Int(configuration.limits.helloBytes) > Self.helloBytesMax {
            warnings.append(
                "limit hello=\(configuration.limits.helloBytes) is lowered to \(Self.helloBytesMax) bytes")
        }
    }
}
