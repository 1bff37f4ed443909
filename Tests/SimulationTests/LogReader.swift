import DataPlane
import Support

/// Reads the access log of workers that run on this thread.
final class LogReader {
    private let pipe = TextPipe()

    /// The lines since the last call; fewer bytes than a pipe holds.
    func read(_ log: LogRing) -> [AccessLine] {
        guard !log.isEmpty else { return [] }
        precondition(log.drain(to: pipe.writeEnd).error == nil, "a pipe takes what a turn logs")
        return pipe.read().split(separator: "\n").map { line in
            guard let parsed = AccessLine(line) else { preconditionFailure("not an access line: \(line)") }
            return parsed
        }
    }
}
