import CLinux
import Glibc

/// What lstat(2) tells of a file.
package struct FileStatus: Equatable, Sendable {
    /// The kinds of files.
    package enum Kind: Sendable { case file, folder, link, fifo, socket, device }

    /// What it is.
    package var kind: Kind
    /// The file system and the number in it: together they say which file it is.
    package var device: UInt64
    package var inode: UInt64
    /// How many names it has.
    package var linkCount: UInt64
    /// The permissions, with set-user, set-group and sticky: the twelve low bits.
    package var mode: UInt32
    /// Whom it belongs to.
    package var user: UInt32
    package var group: UInt32
    package var byteCount: UInt64
    /// Nanoseconds since 1970: when the content was changed; anybody can set it.
    package var modified: Int64
    /// Nanoseconds since 1970: when anything was changed; nobody can set it.
    package var changed: Int64

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFDIR: kind = .folder
        case S_IFLNK: kind = .link
        case S_IFIFO: kind = .fifo
        case S_IFSOCK: kind = .socket
        default: kind = .device
        }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        linkCount = UInt64(status.st_nlink)
        mode = status.st_mode & 0o7777
        user = status.st_uid
        group = status.st_gid
        byteCount = UInt64(clamping: status.st_size)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    /// A time that nanoseconds cannot hold (before 1677, after 2262) is the nearest that they can.
    private static func nanoseconds(_ time: timespec) -> Int64 {
        let (product, isTooLarge) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooLargeNow) = product.addingReportingOverflow(Int64(time.tv_nsec))
        return isTooLarge || isTooLargeNow ? (time.tv_sec < 0 ? .min : .max) : sum
    }
}

// MARK: Folders

/// An open folder. What is in it is reached by this and a name, so that nobody who moves or replaces folders
/// on the way can lead elsewhere; a symbolic link is never followed.
// SAFETY: `withName` gives each call a name that ends in NUL and lives as long as the call; structures that a
// call fills are this function's own, and a count that goes with a buffer is that buffer's.
package struct OpenFolder: ~Copyable {
    /// The name by which a folder calls itself.
    package static let itself: [UInt8] = [UInt8(ascii: ".")]
    /// The bound of the kernel (limits.h, XATTR_LIST_MAX and XATTR_SIZE_MAX).
    private static let attributeBytesMax = 65536

    private let descriptor: Int32

    /// Opens a folder; links on the way to it are followed, as the operator may have placed some.
    package init(path: String) throws(Errno) { try self.init(AT_FDCWD, Array(path.utf8), 0) }

    private init(_ parent: Int32, _ name: [UInt8], _ flags: Int32) throws(Errno) {
        descriptor = try unsafe withName(name) { name in
            unsafe openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags)
        }
    }

    deinit { _ = close(descriptor) }

    /// A folder in it.
    package func folder(_ name: [UInt8]) throws(Errno) -> OpenFolder {
        try OpenFolder(descriptor, name, O_NOFOLLOW)
    }

    /// A file in it, for reading.
    package func file(_ name: [UInt8]) throws(Errno) -> OpenFile {
        OpenFile(descriptor: try unsafe withName(name) { unsafe clinux_open_quietly(descriptor, $0) })
    }

    /// What is in it, in the order of the names' bytes.
    package func names() throws(Errno) -> [[UInt8]] {
        // A descriptor of its own: the stream closes it, and it has the position in the folder.
        let other = try unsafe withName(Self.itself) { name in
            unsafe openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        // SAFETY: the stream takes the descriptor over and is closed below.
        guard let stream = unsafe fdopendir(other) else { throw Errno(number: errno) }
        defer { unsafe closedir(stream) }

        var names: [[UInt8]] = []
        while true {
            errno = 0
            // SAFETY: the entry lives until the next call, and its name ends in NUL.
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe UnsafeRawPointer(pointer).withMemoryRebound(to: UInt8.self, capacity: 256) {
                    unsafe Array(
                        UnsafeBufferPointer(
                            start: $0,
                            count: strlen(
                                UnsafePointer<CChar>(
                                    OpaquePointer($0)))))
                }
            }
            if name != [0x2e], name != [0x2e, 0x2e] { names.append(name) }
        }
        guard errno == 0 else { throw Errno(number: errno) }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// What is known of something in it.
    package func status(of name: [UInt8]) throws(Errno) -> FileStatus {
        var status = stat()
        try unsafe withName(name) { unsafe fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) }
        return FileStatus(status)
    }

    /// Where a link leads.
    package func target(of name: [UInt8]) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.count
        let result = try unsafe withName(name) { name in
            // SAFETY: the count is the array's.
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe readlinkat(
                    descriptor, name, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), count)
            }
        }
        return Array(bytes[..<result])
    }

    // MARK: Extended attributes

    /// Their names, in the order of their bytes; none where the file system has none.
    package func attributeNames(of name: [UInt8]) throws(Errno) -> [[UInt8]] {
        let path = pathOfProcess(name)
        // Most files have none: this asks only for the size.
        var size = try unsafe withName(path, orZeroOn: [EOPNOTSUPP]) {
            unsafe clinux_list_attributes($0, nil, 0)
        }
        guard size > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: Self.attributeBytesMax)
        size = try unsafe withName(path) { path in
            // SAFETY: the count is the buffer's.
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe clinux_list_attributes(
                    path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
            }
        }
        return bytes[..<size].split(separator: 0).map(Array.init).sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The value of one.
    package func attribute(_ attribute: [UInt8], of name: [UInt8]) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.attributeBytesMax)
        let (path, attribute) = (pathOfProcess(name) + [0], attribute + [0])
        // SAFETY: both strings end in NUL, and the count is the buffer's.
        let size = unsafe path.withUnsafeBytes { path in
            unsafe attribute.withUnsafeBytes { attribute in
                unsafe bytes.withUnsafeMutableBytes { buffer in
                    unsafe clinux_get_attribute(
                        path.baseAddress!.assumingMemoryBound(to: CChar.self),
                        attribute.baseAddress!.assumingMemoryBound(to: CChar.self),
                        buffer.baseAddress, buffer.count)
                }
            }
        }
        return Array(bytes[..<(try check(size))])
    }

    /// There is no listxattrat(2) before Linux 6.13; the folder's descriptor in /proc stands for it.
    private func pathOfProcess(_ name: [UInt8]) -> [UInt8] {
        Array("/proc/self/fd/\(descriptor)/".utf8) + name
    }

    // MARK: Changing

    /// Makes a folder in it.
    package func makeFolder(_ name: [UInt8], mode: UInt32) throws(Errno) {
        try unsafe withName(name) { unsafe mkdirat(descriptor, $0, mode) }
    }

    /// Sets the permissions of a file in it; a link would be followed.
    package func setMode(of name: [UInt8], _ mode: UInt32) throws(Errno) {
        try unsafe withName(name) { unsafe fchmodat(descriptor, $0, mode, 0) }
    }

    /// Writes a new file in it.
    package func write(_ name: [UInt8], _ bytes: [UInt8], mode: UInt32) throws(Errno) {
        let file = try unsafe withName(name) { name in
            unsafe openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        }
        try PipeEnd(takingOver: file).write(bytes, count: bytes.count)
    }

    /// Removes something in it; a folder with all that is in it. It is no error if it is not there.
    package func removeTree(_ name: [UInt8]) throws(Errno) {
        do throws(Errno) {
            try unsafe withName(name) { unsafe unlinkat(descriptor, $0, 0) }
        } catch {
            if error == .noEntry { return }
            guard error.number == EISDIR || error == .notPermitted else { throw error }
            try emptyFolder(name)
            try unsafe withName(name) { unsafe unlinkat(descriptor, $0, AT_REMOVEDIR) }
        }
    }

    private func emptyFolder(_ name: [UInt8]) throws(Errno) {
        let folder = try folder(name)
        for inner in try folder.names() { try folder.removeTree(inner) }
    }

    /// Writes the file system's changes to the disk. From then on a page that a program has mapped for
    /// writing is write-protected, until its next change, which gives the file a new time.
    package func synchronise() throws(Errno) { try check(clinux_sync_file_system(descriptor)) }

    /// Waits until its names are on the disk, so that a new one survives a crash.
    package func synchroniseNames() throws(Errno) { try checkCall(fsync(descriptor)) }
}

// MARK: Files

/// An open file, for reading.
package struct OpenFile: ~Copyable {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = close(descriptor) }

    /// What is known of it.
    package func status() throws(Errno) -> FileStatus {
        var status = stat()
        // SAFETY: the call fills the structure.
        try checkCall(unsafe fstat(descriptor, &status))
        return FileStatus(status)
    }

    /// Fills the buffer from its start; the count is 0 at the end of the file.
    package func read(into buffer: inout [UInt8]) throws(Errno) -> Int {
        try readBytes(descriptor, into: &buffer)
    }
}

/// Both ends of a pipe, for whoever closes them: some are given to other programs.
package struct DescriptorPair: Sendable {
    package let reading: Int32
    package let writing: Int32

    package init(reading: Int32, writing: Int32) {
        self.reading = reading
        self.writing = writing
    }

    /// A pipe that other programs do not inherit.
    package static func pipe() throws(Errno) -> DescriptorPair {
        var ends: (Int32, Int32) = (-1, -1)
        // SAFETY: the tuple is two C ints in a row.
        let result = unsafe withUnsafeMutablePointer(to: &ends) { pointer in
            unsafe pointer.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe clinux_program_pipe($0) }
        }
        try check(result)
        return DescriptorPair(reading: ends.0, writing: ends.1)
    }

    /// Closes both.
    package func close() {
        _ = Glibc.close(reading)
        _ = Glibc.close(writing)
    }
}

/// One end of a pipe, or whatever else bytes come from and go to.
package struct PipeEnd: ~Copyable {
    private let descriptor: Int32

    /// Closes the descriptor when it goes.
    package init(takingOver descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = close(descriptor) }

    /// Waits for bytes; the count is 0 when the other end is closed.
    package func read(into buffer: inout [UInt8]) throws(Errno) -> Int {
        try readBytes(descriptor, into: &buffer)
    }

    /// Writes the first `count` bytes; EPIPE when nobody reads any more.
    package func write(_ buffer: [UInt8], count: Int) throws(Errno) {
        precondition(count <= buffer.count, "no more is written than there is")
        var written = 0
        while written < count {
            // SAFETY: the offset is below the count, which is at most the buffer's.
            let result = unsafe buffer.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress! + written, count - written)
            }
            if result < 0 {
                guard errno == EINTR else { throw Errno(number: errno) }
            } else {
                written += result
            }
        }
    }
}

/// Lets a write to a pipe that nobody reads fail in this thread, instead of ending the process.
package func blockBrokenPipeSignal() {
    var signals = sigset_t()
    // SAFETY: the set is initialised before its use.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
}

// MARK: Calls

private func readBytes(_ descriptor: Int32, into buffer: inout [UInt8]) throws(Errno) -> Int {
    while true {
        // SAFETY: the count is the buffer's.
        let result = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe Glibc.read(descriptor, bytes.baseAddress, bytes.count)
        }
        if result >= 0 { return result }
        guard errno == EINTR else { throw Errno(number: errno) }
    }
}

/// Nothing may run between a call and the reading of errno; so it is read in here, before anything is freed.
@inline(never)
@discardableResult
private func withName<Result: SignedInteger>(
    _ name: [UInt8], orZeroOn ignored: [Int32] = [], _ call: (UnsafePointer<CChar>) -> Result
) throws(Errno) -> Result {
    let text = name + [0]
    // SAFETY: the string ends in NUL for the time of the call.
    let (result, number) = unsafe text.withUnsafeBytes { bytes in
        let result = unsafe call(bytes.baseAddress!.assumingMemoryBound(to: CChar.self))
        // The system's own calls give -1; those of CLinux the number.
        return (result, result >= 0 ? 0 : result == -1 && errno != 0 ? errno : Int32(-result))
    }
    if ignored.contains(number) { return 0 }
    guard result >= 0 else { throw Errno(number: number) }
    return result
}

@inline(never)
private func checkCall(_ result: Int32) throws(Errno) {
    guard result >= 0 else { throw Errno(number: errno) }
}
