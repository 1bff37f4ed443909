import CLinux
package import Linux
import Synchronization

/// Wakes the thread that writes the log, or the one that tells the wake sockets. Rung by workers at most once
/// per turn, and only when it is not ringing already.
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

    /// Waits until there may be lines, or so many milliseconds have passed (-1: no limit). For the thread
    /// that it wakes.
    package func wait(milliseconds: Int32 = -1) {
        guard clinux_wait_readable(descriptor, milliseconds) > 0 else { return }
        var count: UInt64 = 0
        // SAFETY: an event descriptor is read as eight bytes.
        _ = unsafe clinux_read(descriptor, &count, 8)
        isRinging.store(false, ordering: .sequentiallyConsistent)
    }
}
