import CLinux
import CUring
import Linux

/// An io_uring with a ring of provided buffers; of one thread, the one that makes it.
// SAFETY: of the whole type: the handle is valid from `init` to `deinit`, is nobody else's, and no function
// keeps anything but what its own comment speaks of.
@safe struct Ring: ~Copyable {
    private let handle: OpaquePointer

    /// More entries are submitted in between.
    private static let entriesMax: UInt32 = 1024
    /// More completions wait in a list of the kernel's, which is slower; none is lost (IORING_FEAT_NODROP).
    private static let completionsMax: UInt32 = 8192

    /// `buffers`: a power of two. Throws ENOSYS (not built in), EPERM (forbidden by a filter or by
    /// kernel.io_uring_disabled), EINVAL (kernel before 6.1), ENOMEM.
    init(buffers: Int) throws(Errno) {
        var error: Int32 = 0
        guard let made = unsafe curing_make(Self.entriesMax, Self.completionsMax, UInt32(buffers), &error)
        else { throw Errno(result: Int(error)) }
        unsafe handle = made
    }

    deinit {
        // What is queued may be a close; whether it worked makes no difference any more.
        _ = unsafe curing_submit(handle)
        unsafe curing_free(handle)
    }

    /// Submits what is queued.
    func submit() { check(unsafe curing_submit(handle)) }

    /// Submits what is queued, and waits for a completion for at most so many milliseconds (-1: no limit).
    /// False: a signal has ended the wait.
    func wait(milliseconds: Int32) -> Bool {
        let result = unsafe curing_wait(handle, milliseconds)
        check(result)
        return result != -EINTR
    }

    /// EINTR, ETIME: a wait without completions. EAGAIN, EBUSY, ENOMEM: the kernel takes the rest later
    /// (io_uring_enter(2)). Anything else is a bug of ours.
    private func check(_ result: Int32) {
        precondition(
            result >= 0 || result == -EINTR || result == -ETIME || result == -EAGAIN || result == -EBUSY
                || result == -ENOMEM, "the kernel takes our own ring")
    }

    /// Takes up to `count` completions; how many.
    func take(_ completions: UnsafeMutablePointer<curing_completion>, _ count: Int) -> Int {
        // SAFETY: the caller's room for `count`.
        Int(unsafe curing_take(handle, completions, UInt32(count)))
    }

    // MARK: Provided buffers

    /// Gives the kernel a buffer of `count` bytes, which it sees after ``publish()``.
    func provide(_ identifier: UInt16, _ bytes: UnsafeMutablePointer<UInt8>, _ count: UInt32) {
        // SAFETY: the caller leaves the buffer alone until a completion says that it was taken.
        unsafe curing_provide(handle, identifier, bytes, count)
    }

    /// Shows the kernel what was provided.
    func publish() { unsafe curing_publish(handle) }

    // MARK: Operations

    /// Accepts connections until it is cancelled or fails.
    func accept(_ listener: Int32, _ operation: RingOperation) {
        unsafe curing_accept(handle, listener, operation.raw)
    }

    /// Completes once with the events that have come; errors always count.
    func poll(_ descriptor: Int32, events: UInt32, _ operation: RingOperation) {
        unsafe curing_poll(handle, descriptor, events, operation.raw)
    }

    /// Completes each time that events come.
    func pollRepeatedly(_ descriptor: Int32, events: UInt32, _ operation: RingOperation) {
        unsafe curing_poll_repeatedly(handle, descriptor, events, operation.raw)
    }

    /// Receives up to `count` bytes. `waitsFirst`: does not try before the socket is readable.
    func receive(
        _ descriptor: Int32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: UInt32, waitsFirst: Bool,
        _ operation: RingOperation
    ) {
        // SAFETY: the caller leaves the bytes alone until the completion.
        unsafe curing_receive(handle, descriptor, bytes, count, waitsFirst ? 1 : 0, operation.raw)
    }

    /// As above, into one of the provided buffers.
    func receiveProvided(
        _ descriptor: Int32, _ count: UInt32, waitsFirst: Bool, _ operation: RingOperation
    ) {
        unsafe curing_receive_provided(handle, descriptor, count, waitsFirst ? 1 : 0, operation.raw)
    }

    /// Sends without waiting (EAGAIN); `more`: the bytes may wait for the end, which follows at once.
    func send(
        _ descriptor: Int32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: UInt32, more: Bool,
        _ operation: RingOperation
    ) {
        // SAFETY: the caller leaves the bytes alone until the completion.
        unsafe curing_send(handle, descriptor, bytes, count, more ? 1 : 0, operation.raw)
    }

    /// Cancels an operation, which completes with ECANCELED if it had not finished.
    func cancel(_ operation: RingOperation) { unsafe curing_cancel(handle, operation.raw) }

    /// Closes a descriptor with the next submission.
    func close(_ descriptor: Int32) { unsafe curing_close(handle, descriptor) }
}

/// What comes back with a completion: kind (8 bits) | registration (24) | descriptor (32). Zero
/// (CURING_SILENT): nobody waits for it. Two kinds that are no operation of the ring's have a meaning of
/// their own: `writable` is the poll of ``RingStalls``, `fault` that of a listener.
struct RingOperation: BitwiseCopyable {
    let raw: UInt64

    /// The largest registration; the next is 0 again.
    static let registrationMax: UInt32 = 0xff_ffff

    init(raw: UInt64) { self.raw = raw }

    init(kind: OperationKind, registration: UInt32, descriptor: Int32) {
        raw =
            UInt64(kind.rawValue) << 56 | UInt64(registration & Self.registrationMax) << 32
            | UInt64(UInt32(bitPattern: descriptor))
    }

    var kind: OperationKind { OperationKind(rawValue: UInt8(truncatingIfNeeded: raw >> 56)) ?? .none }
    var registration: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) & Self.registrationMax }
    var descriptor: Int32 { Int32(truncatingIfNeeded: raw) }
}
