import Foundation
import Synchronization

/// How programs of sites have ended, which is told once and to whoever is their parent.
final class ProcessEndings: Sendable {
    static let shared = ProcessEndings()
    private let endings = Mutex<[String: String]>([:])

    func note(_ ending: String, of domain: String) { endings.withLock { $0[domain] = ending } }
    func take(of domain: String) -> String? { endings.withLock { $0.removeValue(forKey: domain) } }
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
