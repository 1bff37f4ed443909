import Foundation
import Subprocess

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A program that is run to its end: tar, vagrant, a snapshot.
enum Tool {
    private static let outputBytesMax = 1 << 20

    /// Finds the reason of a failure in what a program wrote to its output and to its standard error.
    typealias Explanation = @Sendable (_ output: String, _ errors: String) -> String

    /// The end of what it wrote as an error.
    static let lastWords: Explanation = { _, errors in
        errors.split(separator: "\n").suffix(3).joined(separator: " | ")
    }

    /// Its output, when it has read the input. It is ended after some time. It has this process's variables,
    /// unless it inherits none.
    @discardableResult
    static func run(
        _ arguments: [String], in folder: String? = nil, environment: [String: String] = [:],
        inherits: Bool = true, input: String = "", seconds: Double = 600,
        explanation: @escaping Explanation = Tool.lastWords
    ) async throws(Refusal) -> String {
        let name = arguments[0]
        do {
            return try await withThrowingTaskGroup(of: String?.self) { group in
                group.addTask {
                    try await output(arguments, folder, environment, inherits, input, explanation)
                }
                group.addTask {
                    try await Task.sleep(for: .seconds(seconds))
                    return nil
                }
                defer { group.cancelAll() }
                guard let output = try await group.next() ?? nil else {
                    throw Refusal(.failed, "`\(name)` did not end within \(Int(seconds)) s")
                }
                return output
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.failed, "`\(name)` cannot be run: \(error)")
        }
    }

    private static func output(
        _ arguments: [String], _ folder: String?, _ environment: [String: String], _ inherits: Bool,
        _ input: String, _ explanation: Explanation
    ) async throws -> String {
        let name = arguments[0]
        let variables = environment.reduce(into: [Environment.Key: String]()) {
            $0[Environment.Key(stringLiteral: $1.key)] = $1.value
        }
        let result = try await Subprocess.run(
            name.contains("/") ? .path(FilePath(name)) : .name(name),
            arguments: Arguments(Array(arguments.dropFirst())),
            environment: inherits ? .inherit.updating(variables.mapValues { $0 }) : .custom(variables),
            workingDirectory: folder.map { FilePath($0) }, input: .string(input),
            output: .string(limit: outputBytesMax), error: .string(limit: outputBytesMax))
        guard result.terminationStatus.isSuccess else {
            let words = explanation(result.standardOutput, result.standardError)
            throw Refusal(
                .failed, "`\(name)` failed (\(result.terminationStatus))\(words.isEmpty ? "" : ": \(words)")")
        }
        return result.standardOutput
    }
}
