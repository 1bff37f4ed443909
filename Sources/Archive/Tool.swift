import Linux
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A program that is run to its end, maybe at one end of a pipe of ours. What it has said is given back when
/// it has failed; nil: it did not.
enum Tool {
    private static let wordsBytesMax = 1 << 20

    /// Its output goes to the descriptor, which is closed here as soon as the program has it, and also if it
    /// cannot be started: whoever reads the other end waits for that.
    static func write(_ arguments: [String], to descriptor: Int32) async -> String? {
        var end: PipeEnd? = PipeEnd(takingOver: descriptor)
        let output = FileDescriptor(rawValue: descriptor)
        return await run(arguments) { program, arguments in
            let result = try await Subprocess.run(
                program, arguments: arguments, environment: environment, input: .none,
                output: .fileDescriptor(output, closeAfterSpawningProcess: false),
                error: .string(limit: wordsBytesMax)
            ) { _ in _ = end.take() }
            return (result.standardError, result.terminationStatus)
        }
    }

    /// Its input comes from the descriptor, which is closed as above.
    static func read(_ arguments: [String], from descriptor: Int32) async -> String? {
        var end: PipeEnd? = PipeEnd(takingOver: descriptor)
        let input = FileDescriptor(rawValue: descriptor)
        return await run(arguments) { program, arguments in
            let result = try await Subprocess.run(
                program, arguments: arguments, environment: environment,
                input: .fileDescriptor(input, closeAfterSpawningProcess: false), output: .discarded,
                error: .string(limit: wordsBytesMax)
            ) { _ in _ = end.take() }
            return (result.standardError, result.terminationStatus)
        }
    }

    /// It has no input and no output.
    static func run(_ arguments: [String]) async -> String? {
        await run(arguments) { program, arguments in
            let result = try await Subprocess.run(
                program, arguments: arguments, environment: environment, output: .discarded,
                error: .string(limit: wordsBytesMax))
            return (result.standardError, result.terminationStatus)
        }
    }

    private static func run(
        _ arguments: [String],
        _ body: (Executable, Arguments) async throws -> (String, TerminationStatus)
    ) async -> String? {
        let name = arguments[0]
        do {
            let (words, status) = try await body(.name(name), Arguments(Array(arguments.dropFirst())))
            if status.isSuccess { return nil }
            let first = words.split(separator: "\n").prefix(3).joined(separator: " | ")
            // GNU tar tells of a write that was cut short, and not why: a disk does that when it is full.
            if words.contains("No space left on device") || words.contains(": Wrote only ") {
                return "the disk is full: \(first)"
            }
            return "`\(name)` failed (\(status))\(first.isEmpty ? "" : ": \(first)")"
        } catch {
            return "`\(name)` cannot be run: \(error)"
        }
    }

    /// Messages in one language, and no options from elsewhere.
    private static var environment: Environment {
        .inherit.updating(["LC_ALL": "C", "TAR_OPTIONS": nil, "ZSTD_CLEVEL": nil, "ZSTD_NBTHREADS": nil])
    }
}
