import Archive
import Crypto
import Foundation

/// The digests of one folder, taken again and again while it is copied, so that there is little to read when
/// visitors wait.
final class DigestCacheOfFolder: Sendable {
    private let scan: TreeScan
    private let cache = DigestCache()

    /// `bytesMax`: more is not taken.
    init(path: String, bytesMax: UInt64? = nil) {
        var scan = TreeScan(path: path)
        if let bytesMax { scan.limits.byteCountMax = bytesMax }
        self.scan = scan
    }

    /// Reads what has changed, as long as there is time for it.
    func warm() async { _ = try? await scan.runAside(cache: cache) }

    /// The digest of everything, together with a challenge. Nothing writes any more. `isNew`: it has come
    /// from elsewhere, and is to be on the disk before anybody relies on it; learning sees to that.
    func digest(_ challenge: String, isNew: Bool) async throws(ArchiveRefusal) -> String {
        let report = try await scan.runAside(cache: cache, learning: isNew)
        let manifest = try report.stillManifest()
        let sum = SHA256.hash(data: Array("\(challenge) \(manifest.digest)".utf8))
        return sum.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
