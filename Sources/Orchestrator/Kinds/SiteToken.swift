import Linux

/// What tells a site's processes from those of others, who can give theirs any name: a secret in their
/// environment, which only their user and root can read, and whose they are. It is made at the site's start
/// and kept where only root reads it.
struct SiteToken: Equatable {
    /// The variable of the processes.
    static let variable = "SWITCHYARD_TOKEN"
    private static let bytesMax = 256

    /// The user that the site was started as.
    let user: UInt32
    let secret: String

    /// A new one.
    init(user: UInt32) {
        self.user = user
        secret = [randomBits(), randomBits()].map { String($0, radix: 16) }.joined(separator: "-")
    }

    /// That of the last start; nil: there was none.
    init?(path: String) {
        guard let bytes = try? readFile(path, bytesMax: Self.bytesMax) else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let user = UInt32(words[0]) else { return nil }
        self.user = user
        secret = String(words[1])
    }

    /// Keeps it.
    func write(to path: String) throws(Refusal) {
        do throws(Errno) {
            try writeFileAtomically(path, Array("\(user) \(secret)\n".utf8), mode: 0o600)
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be written: \(error)")
        }
    }
}
