import Foundation
import Glibc

/// A program whose input, and perhaps output, is a descriptor.
package final class JoinedProgram: Sendable {
    private let process: Process
    private let textPath: String
    private let ended: Task<Int32, Never>

    /// The descriptors are closed here once the program has them.
    package init(
        _ path: String, _ arguments: [String], input: Int32, output: Int32? = nil,
        environment: [String: String] = [:]
    ) throws {
        let process = Process()
        self.process = process
        textPath =
            FileManager.default.temporaryDirectory.path + "/switchyard-text-"
            + String(UInt64.random(in: .min ... .max), radix: 36)
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle(fileDescriptor: input, closeOnDealloc: false)
        try Data().write(to: URL(fileURLWithPath: textPath))
        let text = FileHandle(forWritingAtPath: textPath)
        process.standardOutput = output.map { FileHandle(fileDescriptor: $0, closeOnDealloc: false) } ?? text
        process.standardError = text
        let (ends, sender) = AsyncStream.makeStream(of: Int32.self)
        process.terminationHandler = { process in
            sender.yield(
                process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus)
        }
        ended = Task { await ends.first { _ in true } ?? -1 }
        defer {
            close(input)
            if let output { close(output) }
        }
        // A program inherits the signal mask of the thread that starts it, and these block nearly everything.
        var none = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: textPath)
    }

    /// Ends it at once.
    package func kill() { if process.isRunning { _ = Glibc.kill(process.processIdentifier, SIGKILL) } }

    /// How it has ended; a signal is negative.
    package func status() async throws -> Int32 { await ended.value }

    /// What it has printed.
    package var text: String { TextFile.read(textPath) ?? "" }
}
