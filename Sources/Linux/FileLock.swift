import CLinux

/// A file that only one process has at a time. The kernel takes it back when that ends, however it does; the
/// file itself stays, since whoever removed it would let two in.
package final class FileLock: Sendable {
    private let descriptor: Int32

    /// Makes the file if need be. EWOULDBLOCK: another process has it.
    package init(path: String) throws(Errno) {
        // SAFETY: the string ends in NUL for the time of the call. Programs that are started do not inherit
        // it.
        descriptor = try check(unsafe clinux_open(path, O_RDWR | O_CREAT, 0o600))
        do throws(Errno) {
            try check(clinux_lock(descriptor))
        } catch {
            _ = clinux_close(descriptor)
            throw error
        }
    }

    deinit { _ = clinux_close(descriptor) }
}
