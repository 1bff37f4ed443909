import Archive
import Crypto
import Foundation
import Synchronization

/// The digests of one folder, taken again and again while it is copied, so that there is little to read when
/// visitors wait.
final class DigestCacheOfFolder: Sendable {
    private let scan: TreeScan
    private let cache = DigestCache()
    private let policy: ArchiveGuard.Policy
    private let isWarming = Atomic(false)

    /// `bytesMax`: more is not taken. `allowsPrivilegedFiles`: programs that give who starts them more
    /// rights; in the folder of a site they would wait for any user of the machine.
    init(path: String, bytesMax: UInt64? = nil, allowsPrivilegedFiles: Bool) {
        var scan = TreeScan(path: path)
        if let bytesMax { scan.limits.byteCountMax = bytesMax }
        self.scan = scan
        policy = ArchiveGuard.Policy(allowsPrivilegedFiles: allowsPrivilegedFiles)
    }

    /// Reads what has changed, as long as there is time for it; one look at a time. What is found that no
    /// hoster takes is an error.
    func warm() async throws(ArchiveRefusal) {
        guard !isWarming.exchange(true, ordering: .relaxed) else { return }
        defer { isWarming.store(false, ordering: .relaxed) }
        // Files may change meanwhile, and are read again when they stand still.
        guard let manifest = try? await scan.runAside(cache: cache).manifest else { return }
        try policy.check(manifest)
    }

    /// The digest of everything, together with a challenge. Nothing writes any more. `isNew`: it has come
    /// from elsewhere, and is to be on the disk before anybody relies on it; learning sees to that.
    func digest(_ challenge: String, isNew: Bool) async throws(ArchiveRefusal) -> String {
        let report = try await scan.runAside(cache: cache, learning: isNew)
        let manifest = try report.stillManifest()
        try policy.check(manifest)
        let sum = SHA256.hash(data: Array("\(challenge) \(manifest.digest)".utf8))
        return sum.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
