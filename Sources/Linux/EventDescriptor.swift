import CLinux

/// Wakes a thread that waits in poll(2): readable from ``signal()`` until ``clear()`` (eventfd(2)).
package final class EventDescriptor: Sendable {
    /// For waiting only.
    package let descriptor: Int32

    package init() throws(Errno) { descriptor = try check(clinux_eventfd()) }

    deinit { _ = clinux_close(descriptor) }

    /// Wakes who waits, or who will.
    package func signal() {
        var one: UInt64 = 1
        // SAFETY: an event descriptor takes eight bytes.
        _ = unsafe clinux_write(descriptor, &one, 8)
    }

    /// Forgets all signals so far; before looking at what they told of.
    package func clear() {
        var count: UInt64 = 0
        // SAFETY: an event descriptor is read as eight bytes.
        _ = unsafe clinux_read(descriptor, &count, 8)
    }
}
