import CLinux

/// The number of this process.
package func processIdentifier() -> Int32 { getpid() }

/// How many processors this process may run on, at least 1.
package func processorCount() -> Int { max(1, Int(clinux_processor_count())) }

/// Raises the soft limit of open descriptors to the hard one, and returns it.
package func raiseDescriptorLimit() throws(Errno) -> Int { try check(clinux_raise_descriptor_limit()) }

/// Random bits from the kernel.
package func randomBits() -> UInt64 {
    var bits: UInt64 = 0
    // SAFETY: eight bytes are written into eight bytes. getrandom(2) cannot fail for so few, but for an early
    // boot.
    _ = unsafe clinux_random(&bits, 8)
    return bits
}

/// Ends the process at once.
package func exitProcess(_ status: Int32) -> Never { exit(status) }

/// A broken pipe is an error of the write that finds it, not a signal that ends the process.
package func ignoreBrokenPipeSignal() { clinux_ignore_sigpipe() }

/// The signals that the edge answers to.
package enum Signal: CaseIterable, Sendable {
    /// SIGHUP: read the configuration anew.
    case hangUp
    /// SIGTERM: let sessions end, then exit.
    case terminate
    /// SIGINT: exit.
    case interrupt
    /// SIGUSR1: open the log anew.
    case reopen
    /// SIGUSR2: give everything to a new binary.
    case upgrade

    /// As in signal(7).
    package var number: Int32 {
        switch self {
        case .hangUp: SIGHUP
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .reopen: SIGUSR1
        case .upgrade: SIGUSR2
        }
    }
}

/// Reads signals, instead of being interrupted by them.
package struct SignalReader: ~Copyable {
    private let descriptor: Int32

    /// Blocks every ``Signal`` for this thread and all that it starts afterwards.
    package init() throws(Errno) {
        let signals = Signal.allCases.map(\.number)
        // SAFETY: the count is the array's.
        descriptor = try check(unsafe clinux_signal_descriptor(signals, Int32(signals.count)))
    }

    deinit { _ = clinux_close(descriptor) }

    /// The next signal, or nil when none has come within so many milliseconds (-1: no limit), or when `event`
    /// was signalled meanwhile.
    package func next(waitingMilliseconds: Int32, or event: EventDescriptor) -> Signal? {
        _ = clinux_wait_readable_either(descriptor, event.descriptor, waitingMilliseconds)
        let number = clinux_read_signal(descriptor)
        return Signal.allCases.first { $0.number == number }
    }
}

/// Starts a thread that runs `body` and then ends. `name` has at most 15 bytes (prctl(2), PR_SET_NAME).
package func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    // SAFETY: released by the thread, or below when there is none.
    let box = unsafe Unmanaged.passRetained(ThreadBody(name: name, run: body))
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    // SAFETY: the attributes are initialised before their use and destroyed after it.
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }

    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // SAFETY: the thread takes the box over, exactly once.
    let failure = unsafe pthread_create(
        &thread, &attributes,
        { argument in
            let body = unsafe Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue()
            _ = unsafe clinux_set_thread_name(body.name)
            body.run()
            return nil
        }, box.toOpaque())
    guard failure == 0 else {
        // SAFETY: no thread has taken the box.
        unsafe box.release()
        throw Errno(number: failure)
    }
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}
