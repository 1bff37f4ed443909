/// Lets only that of an archive pass which its manifest lists, in its order: so there is nothing in it twice,
/// nothing outside, no device, and never more than the manifest says, which comes first and has limits.
package struct ArchiveGuard: TarVisitor {
    /// What is not taken, whatever the manifest says.
    package struct Policy: Sendable {
        package var limits = TreeLimits()
        /// Programs that give who starts them more rights: in the folder of a site they would wait for any
        /// user of the host.
        package var allowsPrivilegedFiles = false

        package init(limits: TreeLimits = TreeLimits(), allowsPrivilegedFiles: Bool = false) {
            self.limits = limits
            self.allowsPrivilegedFiles = allowsPrivilegedFiles
        }

        /// The first thing that is not taken.
        package func check(_ manifest: TreeManifest) throws(ArchiveRefusal) {
            for entry in manifest.entries {
                guard case .file = entry.content, !allowsPrivilegedFiles else { continue }
                if entry.mode & 0o6000 != 0
                    || entry.attributes.contains(where: { $0.name == Array("security.capability".utf8) })
                {
                    throw ArchiveRefusal(
                        .invalid,
                        "\(entry.path) is a program with the rights of another user, which is not taken")
                }
            }
        }
    }

    private let policy: Policy
    private let progress: ArchiveProgress?
    private var phase = Phase.start
    private var passedByteCount: UInt64 = 0

    private enum Phase {
        case start
        case manifest(ManifestReading)
        /// The next entry is that of this index.
        case site(TreeManifest, next: Int)
    }

    init(policy: Policy, progress: ArchiveProgress?) {
        self.policy = policy
        self.progress = progress
    }

    var wantsContent: Bool {
        switch phase {
        case .manifest: true
        case .start, .site: false
        }
    }

    /// The manifest, when everything has passed.
    var manifest: TreeManifest? {
        guard case .site(let manifest, _) = phase else { return nil }
        return manifest
    }

    mutating func begin(_ member: TarMember) throws(ArchiveRefusal) {
        switch phase {
        case .start:
            guard member.kind == .file, member.path == Array(SiteArchive.manifestName.utf8) else {
                throw ArchiveRefusal(.invalid, "the archive does not begin with its manifest")
            }
            phase = .manifest(ManifestReading(limits: policy.limits))
        case .manifest(let reading):
            let manifest: TreeManifest
            do throws(ManifestFault) {
                manifest = try reading.finish()
            } catch {
                throw ArchiveRefusal(.invalid, error.text)
            }
            try policy.check(manifest)
            phase = .site(manifest, next: 0)
            try begin(member)
        case .site(let manifest, let next):
            guard next < manifest.entries.count, isListed(member, as: manifest.entries[next]) else {
                let path = EscapedText.readable(member.path)
                throw ArchiveRefusal(
                    .invalid, "the archive has \(path), which its manifest does not list there")
            }
            phase = .site(manifest, next: next + 1)
            passedByteCount &+= member.byteCount
            if next % 64 == 0 || member.byteCount >= 1 << 24 {
                progress?(
                    "the archive is unpacked",
                    Double(passedByteCount) / Double(max(1, manifest.byteCount)))
            }
        }
    }

    mutating func take(_ content: ArraySlice<UInt8>) throws(ArchiveRefusal) {
        guard case .manifest(var reading) = phase else { return }
        // Without a second owner its memory is changed in place.
        phase = .start
        do throws(ManifestFault) {
            try reading.take(content)
        } catch {
            throw ArchiveRefusal(.invalid, error.text)
        }
        phase = .manifest(reading)
    }

    mutating func finish() throws(ArchiveRefusal) {
        guard case .site(let manifest, let next) = phase else {
            throw ArchiveRefusal(.invalid, "the archive has no site in it")
        }
        guard next == manifest.entries.count else {
            throw ArchiveRefusal(.invalid, "\(manifest.entries[next].path) is not in the archive")
        }
    }

    private func isListed(_ member: TarMember, as entry: TreeManifest.Entry) -> Bool {
        var path = member.path
        if member.kind == .folder, path.last == UInt8(ascii: "/") { path.removeLast() }
        guard path == Self.place(of: entry.path) else { return false }
        switch (entry.content, member.kind) {
        case (.folder, .folder), (.fifo, .fifo): return true
        case (.file(let byteCount, _, _), .file): return byteCount == member.byteCount
        case (.link(let target, _), .link): return target == member.target
        case (.same(let first), .otherName): return Self.place(of: first) == member.target
        default: return false
        }
    }

    /// Where something of a site is in an archive.
    static func place(of path: TreePath) -> [UInt8] {
        let site = Array(SiteArchive.siteName.utf8)
        return path == .root ? site : site + [UInt8(ascii: "/")] + path.bytes
    }
}
