import CLinux

/// A file or a folder that is held open, so that what becomes of its names changes nothing: for trees that
/// somebody else may change at any time, while root works in them.
package final class HeldPath: Sendable {
    /// What it is; a link is never followed, and only seen on the way.
    package enum Kind: Sendable { case file, folder, link, other }

    private let descriptor: Int32
    /// What it was when it was opened; so are the others.
    package let kind: Kind
    /// The permissions, with set-user, set-group and sticky.
    package let mode: UInt32
    /// Whom it belongs to.
    package let user: UInt32
    package let group: UInt32
    /// Of a file.
    package let byteCount: UInt64
    /// When its content was changed, since 1970.
    package let modifiedNanoseconds: Int64
    /// Nobody but root and the user of this process can have put it where it was found.
    package let isOurs: Bool

    /// Opens something by its whole path. A symbolic link on the way is followed where it is ours, so that an
    /// operator may have placed some; at the end there is none (ELOOP).
    package static func open(_ path: String) throws(Errno) -> HeldPath {
        try open(path, followsOurLinks: true)
    }

    private static func open(_ path: String, followsOurLinks: Bool) throws(Errno) -> HeldPath {
        var held = try HeldPath("/", in: AT_FDCWD, isInOurs: true)
        let names = path.split(separator: "/").map(String.init)
        for (index, name) in names.enumerated() {
            var next = try held.entry(name)
            if next.kind == .link {
                guard followsOurLinks, next.isOurs, index < names.count - 1 else { throw .link }
                let target = try HeldPath(name, in: held.descriptor, isInOurs: false, follows: true)
                // The kernel knows where it led; the way there may be anybody's.
                next = try open(try readLink(target.ownPath), followsOurLinks: false)
            }
            held = next
        }
        return held
    }

    private init(_ name: String, in folder: Int32, isInOurs: Bool, follows: Bool = false) throws(Errno) {
        // SAFETY: the string ends in NUL for the time of the call.
        let descriptor = try check(unsafe clinux_open_place(folder, name, follows ? 1 : 0))
        var status = stat()
        // SAFETY: the call fills the structure.
        let result = unsafe clinux_status(descriptor, &status)
        if result < 0 {
            _ = clinux_close(descriptor)
            throw Errno(result: Int(result))
        }
        self.descriptor = descriptor
        kind =
            switch Int32(status.st_mode) & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFLNK: .link
            default: .other
            }
        mode = status.st_mode & 0o7777
        user = status.st_uid
        group = status.st_gid
        byteCount = UInt64(clamping: status.st_size)
        modifiedNanoseconds = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        isOurs = isInOurs && (user == 0 || user == geteuid())
    }

    deinit { _ = clinux_close(descriptor) }

    // MARK: Looking

    /// Something below it. No symbolic link is on the way, and it is none itself (ELOOP).
    package func inner(_ relative: String) throws(Errno) -> HeldPath {
        var held = self
        for name in relative.split(separator: "/") {
            held = try held.entry(String(name))
            guard held.kind != .link else { throw .link }
        }
        return held
    }

    private func entry(_ name: String) throws(Errno) -> HeldPath {
        guard name != ".." else { throw .invalidArgument }
        // In a folder of the kind of /tmp nobody replaces what is another's.
        let isClosed = mode & 0o022 == 0 || mode & 0o1000 != 0
        return try HeldPath(name, in: descriptor, isInOurs: isOurs && isClosed)
    }

    /// Leads to it for other programs, too, while this is held.
    package var path: String { "/proc/\(getpid())/fd/\(descriptor)" }
    private var ownPath: String { "/proc/self/fd/\(descriptor)" }

    /// The content of a regular file; anything else is EINVAL, and more than `bytesMax` bytes are EFBIG.
    package func read(bytesMax: Int) throws(Errno) -> [UInt8] {
        guard kind == .file else { throw .invalidArgument }
        return try readFile(ownPath, bytesMax: bytesMax)
    }

    // MARK: Changing

    /// Makes a folder in it.
    package func makeFolder(_ name: String, mode: UInt32) throws(Errno) {
        // SAFETY: the string ends in NUL for the time of the call.
        try check(unsafe clinux_make_folder(descriptor, name, mode))
    }

    /// Moves something in it to a place in another one, where there is nothing or an empty folder.
    package func rename(_ name: String, to other: HeldPath, _ otherName: String) throws(Errno) {
        // SAFETY: both strings end in NUL for the time of the call.
        try check(unsafe clinux_rename_between(descriptor, name, other.descriptor, otherName))
    }
}

/// The path that leads to the same by no link.
package func realPath(_ path: String) throws(Errno) -> String {
    var bytes = [CChar](repeating: 0, count: 4096)
    // SAFETY: realpath(3) writes at most PATH_MAX (4096) bytes, with the NUL; the other string ends in NUL
    // for the time of the call.
    try check(unsafe clinux_real_path(path, &bytes))
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
