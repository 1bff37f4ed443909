import Foundation

/// What went wrong with a program that a test runs.
package struct ChildProcessError: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

/// How a program ended.
package enum Ending: Equatable, Sendable {
    /// It ended by itself, with this status.
    case status(Int32)
    /// A signal ended it.
    case signal(Int32)
}

/// A program that a test has started. It never outlives the reference: it is ended by its process id.
///
/// What it prints goes to files, not to pipes: a pipe that nobody reads would stop it.
package final class ChildProcess {
    private let process: SpawnedProcess
    private let folder: TemporaryFolder
    private let input: Pipe?
    private let name: String

    /// The files that the program's standard output and standard error go to.
    package var outputPath: String { folder.path("stdout") }
    package var errorPath: String { folder.path("stderr") }

    /// Everything that it has printed so far.
    package var output: String { folder.read("stdout") }
    package var errors: String { folder.read("stderr") }

    /// The process id: to send signals, or to look it up under /proc.
    package var identifier: Int32 { process.identifier }
    package var isRunning: Bool { process.isRunning }

    /// Starts a program.
    /// - Parameters:
    ///   - program: an absolute path, or a name to find in the search path and the system's folders.
    ///   - keepsInputOpen: gives it an input that stays open, for programs that end with their input.
    ///   - environment: variables to set beside those of this process.
    package init(
        _ program: String, _ arguments: [String], keepsInputOpen: Bool = false,
        folder workingFolder: String? = nil,
        environment: [String: String] = [:]
    ) throws {
        guard let executable = ProgramPath.find(program) else {
            throw ChildProcessError(description: "no program '\(program)': run scripts/setup test")
        }
        name = ([program] + arguments).joined(separator: " ")
        folder = try TemporaryFolder()
        input = keepsInputOpen ? Pipe() : nil
        try folder.write("stdout", "")
        try folder.write("stderr", "")
        process = try SpawnedProcess(
            executable, arguments,
            environment: ProcessInfo.processInfo.environment.merging(environment) { _, new in new },
            folder: workingFolder, input: input?.fileHandleForReading.fileDescriptor,
            output: folder.path("stdout"), errors: folder.path("stderr"))
        try input?.fileHandleForReading.close()
    }

    deinit {
        end()
    }

    /// Waits until it has ended by itself.
    @discardableResult
    package func wait(seconds: Double = 30) throws -> Ending {
        guard let ending = process.wait(seconds: seconds) else {
            let text = "'\(name)' did not end within \(seconds) s\n\(output)\(errors)"
            end()
            throw ChildProcessError(description: text)
        }
        return ending
    }

    /// Waits until a line on its standard error matches, and gives that line.
    /// - Parameter count: how many lines must match; the last one of them is given.
    @discardableResult
    package func waitForErrorLine(
        seconds: Double = 10, count: Int = 1, where matches: (Substring) -> Bool
    ) throws -> String {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            // Looked at before the lines: what it printed last is then not missed.
            let wasRunning = isRunning
            let found = completeErrorLines().filter(matches)
            if found.count >= count { return String(found[count - 1]) }
            guard wasRunning, ContinuousClock.now < deadline else {
                let state = wasRunning ? "after \(seconds) s" : "and the program has ended"
                throw ChildProcessError(description: "'\(name)': no such line \(state); stderr:\n\(errors)")
            }
            Pause.short()
        }
    }

    /// The lines on standard error that are complete.
    package func completeErrorLines() -> [Substring] {
        errors.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }

    /// Sends a signal, unless it has ended.
    package func send(signal: Int32) {
        process.send(signal)
    }

    /// Closes an input that was kept open.
    package func closeInput() {
        _ = try? input?.fileHandleForWriting.close()
    }

    /// Writes to an input that was kept open.
    package func write(_ text: String) throws {
        try input?.fileHandleForWriting.write(contentsOf: Array(text.utf8))
    }

    /// Ends it at once, if it has not ended, and waits until the kernel has taken it back.
    package func end() {
        guard process.isRunning else { return }
        process.send(SIGKILL)
        _ = process.wait(seconds: 10)
    }
}

/// What a program that ran to its end has left.
package struct Finished: Sendable {
    package let ending: Ending
    package let output: String
    package let errors: String

    /// Whether it ended with status 0.
    package var succeeded: Bool { ending == .status(0) }
    /// Both texts, for the message of a failed expectation.
    package var everything: String { "\(ending)\n\(output)\n\(errors)" }
}

/// Runs a program to its end.
@discardableResult
package func run(
    _ program: String, _ arguments: [String], seconds: Double = 60, folder: String? = nil,
    environment: [String: String] = [:]
) throws -> Finished {
    let child = try ChildProcess(program, arguments, folder: folder, environment: environment)
    let ending = try child.wait(seconds: seconds)
    return Finished(ending: ending, output: child.output, errors: child.errors)
}

/// Where programs are.
package enum ProgramPath {
    /// The absolute path of a program; nil when there is none of that name.
    package static func find(_ program: String) -> String? {
        if program.hasPrefix("/") {
            return FileManager.default.isExecutableFile(atPath: program) ? program : nil
        }
        let search = ProcessInfo.processInfo.environment["PATH"] ?? ""
        // nginx is in /usr/sbin, which is not in every user's search path.
        let folders =
            search.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        return folders.lazy.map { $0 + "/" + program }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Short waits of tests that look again and again.
package enum Pause {
    /// Five milliseconds: short enough to be cheap, long enough to leave the processors to the others.
    package static func short() {
        usleep(5_000)
    }

    /// So long; for tests of time limits.
    package static func milliseconds(_ count: UInt32) {
        usleep(count * 1000)
    }

    /// Looks until it is so; with longer pauses where a look starts a program. False when it was not within
    /// the time.
    package static func until(
        seconds: Double = 10, everyMilliseconds pause: UInt32 = 5, _ isSo: () throws -> Bool
    ) rethrows -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isSo() {
            guard ContinuousClock.now < deadline else { return false }
            milliseconds(pause)
        }
        return true
    }
}
