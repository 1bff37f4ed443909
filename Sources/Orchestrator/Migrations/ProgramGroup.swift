import Subprocess
import Synchronization

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A program with all that it starts, in a process group of its own. rsync's daemon is two processes as soon
/// as it takes files, and the one that writes them goes on without the other.
final class ProgramGroup: Sendable {
    private static let outputBytesMax = 1 << 20
    private static let endSecondsMax = 5.0

    /// Whose number is the group's.
    private let leader = Mutex<Int32?>(nil)

    /// Runs it with the socket as its standard input, to its end; a task that is cancelled ends the group.
    func run(
        _ program: String, _ arguments: [String], _ socket: Int32, _ environment: [String: String] = [:]
    ) async -> (status: Int32, text: String) {
        let variables = environment.reduce(into: [Environment.Key: String?]()) {
            $0[Environment.Key(stringLiteral: $1.key)] = $1.value
        }
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
        ]
        do {
            let result = try await Subprocess.run(
                program.contains("/") ? .path(FilePath(program)) : .name(program),
                arguments: Arguments(arguments), environment: .inherit.updating(variables),
                platformOptions: options,
                input: .fileDescriptor(
                    FileDescriptor(rawValue: socket), closeAfterSpawningProcess: true),
                output: .string(limit: Self.outputBytesMax), error: .string(limit: Self.outputBytesMax)
            ) { execution in
                self.leader.withLock { $0 = execution.processIdentifier.value }
            }
            let text = result.standardOutput + result.standardError
            switch result.terminationStatus {
            case .exited(let status): return (status, text)
            case .signaled(let signal): return (-signal, text)
            }
        } catch {
            return (-1, "\(program) cannot be run: \(error)")
        }
    }

    /// Kills what is left of the group, and waits until nobody of it is; not for ever, because a disk that
    /// does not answer holds whoever waits for it.
    func end() async {
        guard let leader = leader.withLock({ $0 }) else { return }
        await ProcessEnding.end(withinSeconds: Self.endSecondsMax) {
            ProcessFacts.all.filter { ProcessFacts(of: $0)?.group == leader }
        }
    }
}
