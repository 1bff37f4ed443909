import CLinux

/// What is known of a file without reading it.
package struct FileFacts: Equatable, Sendable {
    /// Permissions and kind, as in stat(2).
    package var mode: UInt32
    /// The user that owns it.
    package var user: UInt32
    package var byteCount: Int

    package init(mode: UInt32, user: UInt32, byteCount: Int) {
        self.mode = mode
        self.user = user
        self.byteCount = byteCount
    }
}

/// Looks at a file; symbolic links are followed.
package func fileFacts(_ path: String) throws(Errno) -> FileFacts {
    var mode: UInt32 = 0
    var user: UInt32 = 0
    var size: Int64 = 0
    // SAFETY: the string ends in NUL for the time of the call, and the three are written during it.
    try check(unsafe clinux_file_facts(path, &mode, &user, &size))
    return FileFacts(mode: mode, user: user, byteCount: Int(size))
}

/// What a symbolic link points to.
package func readLink(_ path: String) throws(Errno) -> String {
    var bytes = [CChar](repeating: 0, count: 4096)
    // SAFETY: the count is the array's; the string ends in NUL for the time of the call.
    let count = try check(unsafe clinux_read_link(path, &bytes, bytes.count))
    return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A path that means the same file in every folder.
package func absolutePath(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = try? readLink("/proc/self/cwd") else { return path }
    return folder == "/" ? "/" + path : folder + "/" + path
}

/// Reads a file to its end, whatever size it says that it has: those of /proc say 0.
package func readToEnd(_ path: String, bytesMax: Int = 1 << 24) throws(Errno) -> [UInt8] {
    // SAFETY: the string ends in NUL for the time of the call.
    let descriptor = try check(unsafe clinux_open(path, O_RDONLY | O_NONBLOCK, 0))
    defer { _ = clinux_close(descriptor) }

    return try readToEnd(descriptor, bytesMax: bytesMax)
}

private func readToEnd(_ descriptor: Int32, bytesMax: Int) throws(Errno) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < bytesMax {
        // SAFETY: the count is the array's.
        let count = unsafe clinux_read(descriptor, &chunk, chunk.count)
        if count == Int(-EINTR) { continue }
        guard try check(count) > 0 else { break }
        bytes += chunk[..<count]
    }
    return bytes
}

/// The name of a process that runs (proc_pid_stat(5)); nil: there is none of this number, or it has ended and
/// nobody has asked how.
package func nameOfLivingProcess(_ process: Int32) -> String? {
    // `12 (name) S …`, where the name may hold anything.
    guard let bytes = try? readToEnd("/proc/\(process)/stat", bytesMax: 4096),
        let start = bytes.firstIndex(of: UInt8(ascii: "(")),
        let end = bytes.lastIndex(of: UInt8(ascii: ")")), start < end, end + 2 < bytes.count,
        ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(bytes[end + 2])
    else { return nil }
    return String(decoding: bytes[(start + 1)..<end], as: UTF8.self)
}

/// The user that this process acts as.
package func effectiveUser() -> UInt32 { geteuid() }

/// Whether the kernel's clock is kept in step with others (adjtimex(2)).
package func clockIsSynchronised() -> Bool { clinux_clock_is_synchronised() == 1 }

/// Whether a file may be executed.
package func isExecutable(_ path: String) -> Bool {
    // SAFETY: the string ends in NUL for the time of the call.
    unsafe clinux_is_executable(path) == 1
}

/// Becomes another program; what comes back is why it could not.
package func becomeProgram(_ path: String, _ arguments: [String]) -> Errno {
    // SAFETY: the list of strings lives for the time of the call.
    let result = unsafe withArgumentList([path] + arguments) { unsafe clinux_become_program(path, $0) }
    return Errno(result: Int(result))
}

/// Runs a program to its end: its status, and what it printed to standard output and standard error.
package func runProgram(
    _ path: String, _ arguments: [String]
) throws(Errno) -> (status: Int32, output: [UInt8]) {
    var process: pid_t = 0
    // SAFETY: the list of strings lives for the time of the call.
    let started = unsafe withArgumentList([path] + arguments) {
        unsafe clinux_start_program(path, $0, &process)
    }
    let descriptor = try check(started)
    defer { _ = clinux_close(descriptor) }

    let output = try readToEnd(descriptor, bytesMax: 1 << 28)
    return (try check(clinux_wait_program(process)), output)
}

private func withArgumentList(
    _ arguments: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
) -> Int32 {
    // SAFETY: the copies are freed after the call, and the list ends with a null pointer.
    var list = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe list.indices { unsafe free(list[index]) } }

    return unsafe body(&list)
}
