import Linux

/// Kills processes until there are none of a kind.
enum ProcessEnding {
    /// Kills all that are found, again and again: one may just be starting another. False: some are left.
    @discardableResult
    static func end(withinSeconds seconds: Double, _ find: @Sendable () -> [Int32]) async -> Bool {
        let deadline = monotonicSeconds() + seconds
        while true {
            let found = find()
            if found.isEmpty { return true }
            for process in found { SessionProcess.kill(process) }
            if monotonicSeconds() > deadline { return false }
            // Also when nobody waits for it any more: it takes a moment at most.
            await Task.detached { try? await Task.sleep(for: .milliseconds(5)) }.value
        }
    }

    /// Ends all that have a folder as their root, as rsync's daemon has the one that it writes to. An earlier
    /// yardmaster may have left some: they get no end of their stream before they have read what came. False:
    /// some are left.
    static func end(rootedIn folder: String) async -> Bool {
        // What is not there is nobody's root; what was moved is still found, by its new name.
        guard let folder = try? realPath(folder) else { return true }
        return await end(withinSeconds: 5) {
            ProcessFacts.all.filter { (try? readLink("/proc/\($0)/root")) == folder }
        }
    }
}
