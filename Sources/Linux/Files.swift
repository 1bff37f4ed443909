import CLinux

/// Reads a regular file whole; at most `bytesMax` bytes, more is EFBIG.
package func readFile(_ path: String, bytesMax: Int = 1 << 31) throws(Errno) -> [UInt8] {
    // O_NONBLOCK: opening a FIFO would wait for somebody who writes to it. It means nothing to a regular
    // file.
    let descriptor = try openFile(path, O_RDONLY | O_NONBLOCK, mode: 0)
    defer { _ = clinux_close(descriptor) }

    let size = try check(clinux_file_size(descriptor))
    guard size <= bytesMax else { throw Errno(number: EFBIG) }
    var failure: Int = 0
    // SAFETY: the closure initialises the first `count` bytes.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        // The file may shrink or grow while it is read; what is there within the first size is taken.
        while count < size {
            // SAFETY: `size - count` bytes are left in the buffer.
            let result = unsafe clinux_read(descriptor, buffer.baseAddress! + count, size - count)
            if result == Int(-EINTR) { continue }
            guard result > 0 else {
                failure = result
                return
            }
            count += result
        }
    }
    try check(failure)
    return bytes
}

/// Writes a file in one step: whoever reads it sees the old content or the new one, also after a crash. It
/// belongs to `owner`, if one is given.
package func writeFileAtomically(
    _ path: String, _ bytes: [UInt8], owner: SystemUser? = nil, mode: UInt32 = 0o644
) throws(Errno) {
    let temporary = path + ".new"
    // What a crash left, or a link that somebody put there.
    removeFile(temporary)
    let descriptor = try openFile(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
    do throws(Errno) {
        defer { _ = clinux_close(descriptor) }
        if let owner { try giveDescriptor(descriptor, to: owner) }
        try writeAll(descriptor, bytes)
        try check(clinux_fsync(descriptor))
    } catch {
        removeFile(temporary)
        throw error
    }
    try renameFile(temporary, to: path)
}

/// Gives a file another name, in one step; one of that name is gone then.
package func renameFile(_ path: String, to other: String) throws(Errno) {
    // SAFETY: both strings end in NUL for the time of the call.
    try check(unsafe clinux_rename(path, other))
}

/// Writes all bytes to a descriptor, waiting where it must.
package func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) throws(Errno) {
    var written = 0
    while written < bytes.count {
        // SAFETY: the offset is below the count.
        let result = unsafe bytes.withUnsafeBytes { buffer in
            unsafe clinux_write(descriptor, buffer.baseAddress! + written, buffer.count - written)
        }
        if result == Int(-EINTR) { continue }
        if result == Int(-EAGAIN) {
            _ = clinux_wait_writable(descriptor, -1)
            continue
        }
        written += try check(result)
    }
}

/// Writes a file that exists, in its place: for one whose folder cannot be written to.
package func overwriteFile(_ path: String, _ bytes: [UInt8]) throws(Errno) {
    let descriptor = try openFile(path, O_WRONLY | O_TRUNC | O_NOFOLLOW, mode: 0)
    defer { _ = clinux_close(descriptor) }
    try writeAll(descriptor, bytes)
}

/// Removes a file; it is no error if there is none. False: it is still there.
@discardableResult
package func removeFile(_ path: String) -> Bool {
    // SAFETY: the string ends in NUL for the time of the call.
    let result = unsafe clinux_unlink(path)
    return result == 0 || result == -ENOENT
}

/// Opens a file to append to, made if need be, readable by its owner and group. A FIFO that nobody reads is
/// ENXIO and not a wait; whoever writes to one that is full has to wait for it.
package func openForAppending(_ path: String) throws(Errno) -> Int32 {
    try openFile(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, mode: 0o640)
}

/// As ``openForAppending(_:)``; a file that this makes belongs to `owner`. One that is there is left to whom
/// it belongs: it may be a link that leads to anything.
package func openForAppending(_ path: String, newFilesOwner owner: SystemUser) throws(Errno) -> Int32 {
    do throws(Errno) {
        let descriptor = try openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NONBLOCK, mode: 0o640)
        try giveDescriptor(descriptor, to: owner)
        return descriptor
    } catch {
        return try openForAppending(path)
    }
}

private func giveDescriptor(_ descriptor: Int32, to owner: SystemUser) throws(Errno) {
    try check(clinux_change_owner(descriptor, owner.userNumber, owner.groupNumber))
}

private func openFile(_ path: String, _ flags: Int32, mode: mode_t) throws(Errno) -> Int32 {
    // SAFETY: the string ends in NUL for the time of the call.
    try check(unsafe clinux_open(path, flags, mode))
}

/// Makes `descriptor` mean what `other` means, in one step, and closes `other`.
package func replaceDescriptor(_ descriptor: Int32, with other: Int32) throws(Errno) {
    try check(clinux_replace_descriptor(descriptor, other))
    _ = clinux_close(other)
}

/// The files that a pattern of the shell's kind names, in the order of their names; none is no error, but a
/// directory that cannot be read is one: it may well hold some.
package func expandPattern(_ pattern: String) throws(Errno) -> [String] {
    // SAFETY: glob fills the structure, and globfree takes apart what it filled.
    var result = unsafe glob_t()
    let status = unsafe clinux_glob(pattern, &result)
    defer { unsafe globfree(&result) }

    guard try check(status) > 0 else { return [] }
    // SAFETY: glob filled `gl_pathc` strings.
    return unsafe (0..<Int(result.gl_pathc)).map { unsafe String(cString: result.gl_pathv[$0]!) }
}

/// Another descriptor for the same open file.
package func duplicateDescriptor(_ descriptor: Int32) throws(Errno) -> Int32 {
    try check(clinux_duplicate_descriptor(descriptor))
}
