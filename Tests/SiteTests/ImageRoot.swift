import Foundation
import Support

/// Roots of images, made out of this machine's files by the scripts in Tests/Programs. Whoever keeps one has
/// it for the whole run of the tests.
enum ImageRoot {
    private static let folder =
        "\(NSTemporaryDirectory())switchyard-roots-\(ProcessInfo.processInfo.processIdentifier)"
    /// The process ends without a last word to anybody.
    private static let isRemovedAtEnd: Bool = {
        atexit { try? FileManager.default.removeItem(atPath: ImageRoot.folder) } == 0
    }()

    /// The path of a tar file.
    static func make(_ script: String, _ arguments: [String] = []) throws -> String {
        let own = try TemporaryFolder()
        let made = try run(
            "sh", [Repository.path("Tests/Programs/\(script)"), own.path] + arguments, seconds: 120)
        guard made.succeeded, isRemovedAtEnd else { throw ChildProcessError(description: made.everything) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/\(UUID().uuidString).tar"
        try FileManager.default.moveItem(atPath: own.path("root.tar"), toPath: path)
        return path
    }
}
