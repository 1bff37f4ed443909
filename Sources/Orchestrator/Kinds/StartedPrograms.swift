import Foundation
import Synchronization

/// The programs of sites that this process has started, and how they have ended: that is told once, and to
/// nobody but their parent.
final class StartedPrograms: Sendable {
    /// One that runs.
    struct Program {
        var identifier: Int32
        var revision: String
    }

    static let shared = StartedPrograms()
    private let programs = Mutex<[String: Program]>([:])
    private let endings = Mutex<[String: String]>([:])

    func noteStart(_ program: Program, of domain: String) { programs.withLock { $0[domain] = program } }

    func noteEnd(_ identifier: Int32, _ ending: String?, of domain: String) {
        programs.withLock { if $0[domain]?.identifier == identifier { $0[domain] = nil } }
        if let ending { endings.withLock { $0[domain] = ending } }
    }

    func program(of domain: String) -> Program? { programs.withLock { $0[domain] } }
    func takeEnding(of domain: String) -> String? { endings.withLock { $0.removeValue(forKey: domain) } }
}

/// The end of a file that a program writes into.
struct LogTail {
    private static let bytesMax: UInt64 = 1 << 20
    let path: String

    func lines(_ count: Int) throws(Refusal) -> [LogLine] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            let size = try handle.seekToEnd()
            try handle.seek(toOffset: size > Self.bytesMax ? size - Self.bytesMax : 0)
            let data = try handle.read(upToCount: Int(Self.bytesMax)) ?? Data()
            return String(decoding: data, as: UTF8.self).split(separator: "\n").suffix(count).map {
                LogLine(part: DockerSite.mainPart, isError: false, text: String($0))
            }
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be read: \(error.localizedDescription)")
        }
    }
}
