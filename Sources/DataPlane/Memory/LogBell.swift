import CLinux
package import Linux
import Synchronization

/// Wakes the thread that writes the log. Rung by workers at most once per turn, and only when it is not
/// ringing already.
package final class LogBell: Sendable {
    private let isRinging = Atomic<Bool>(false)
    private let descriptor: Int32

    package init() throws(Errno) { descriptor = try check(clinux_eventfd()) }

    deinit { _ = clinux_close(descriptor) }

    /// There are lines.
    package func ring() {
        guard !isRinging.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        // SAFETY: an event descriptor takes eight bytes.
        _ = unsafe clinux_write(descriptor, &one, 8)
    }

    /// Waits until there may be lines. For the log's thread.
    package func wait() {
        _ = clinux_wait_readable(descriptor, -1)
        var count: UInt64 = 0
        // SAFETY: an event descriptor is read as eight bytes.
        _ = unsafe clinux_read(descriptor, &count, 8)
        isRinging.store(false, ordering: .sequentiallyConsistent)
    }
}
