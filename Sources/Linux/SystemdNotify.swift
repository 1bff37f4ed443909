import CLinux

/// The service manager that started this process, as sd_notify(3) speaks to it, without its library: a
/// datagram of lines to the socket that the environment names. Whoever was started by a shell tells nobody.
package struct ServiceManager: Sendable {
    private let address: SocketAddress?

    /// How often it wants to hear that all is well (WatchdogSec=), or nil when it does not.
    package let watchdogMicroseconds: UInt64?

    /// Reads the environment: NOTIFY_SOCKET (a path, or `@` and a name of the abstract kind), WATCHDOG_USEC
    /// and WATCHDOG_PID, which says whom the watchdog is for.
    package init() {
        address = environmentVariable("NOTIFY_SOCKET").flatMap(Self.address)
        let isForUs = environmentVariable("WATCHDOG_PID").map { $0 == "\(processIdentifier())" } ?? true
        let asked = environmentVariable("WATCHDOG_USEC").flatMap(UInt64.init) ?? 0
        watchdogMicroseconds = isForUs && asked > 0 && address != nil ? asked : nil
    }

    private static func address(_ name: String) -> SocketAddress? {
        let bytes = Array(name.utf8)
        guard bytes.count > 1, bytes.count <= SocketAddress.pathBytesMax, !bytes.contains(0) else {
            return nil
        }
        // SAFETY: a span of bytes is one of raw bytes; it lives for the call.
        switch bytes[0] {
        case UInt8(ascii: "/"): return unsafe SocketAddress(path: bytes.span.bytes)
        case UInt8(ascii: "@"): return unsafe SocketAddress(abstractName: bytes.span.bytes.extracting(1...))
        default: return nil
        }
    }

    /// Whether somebody listens.
    package var isThere: Bool { address != nil }

    /// What there is to say.
    package enum Message: Sendable {
        /// The process serves, or serves again after a reload.
        case ready
        /// A reload begins; ``ready`` ends it.
        case reloading
        /// The process is about to end.
        case stopping
        /// One line for whoever looks at `systemctl status`.
        case status(String)
        /// All is well.
        case watchdog
        /// Another process is now the service's main one. Of what two processes send, systemd acts on the
        /// earlier first, and it acts on this before it notices that the sender has ended.
        case mainProcess(Int32)

        fileprivate var text: String {
            switch self {
            case .ready: "READY=1"
            // The two belong into one datagram: by the time systemd tells this reload from an earlier one.
            case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(monotonicNanoseconds() / 1000)"
            case .stopping: "STOPPING=1"
            case .status(let text): "STATUS=\(text.split(separator: "\n").first ?? "")"
            case .watchdog: "WATCHDOG=1"
            case .mainProcess(let identifier): "MAINPID=\(identifier)"
            }
        }
    }

    /// Sends messages together, in one datagram. When the manager's queue is full this waits, up to five
    /// seconds: for the control thread alone. False: it did not arrive, or nobody listens.
    @discardableResult
    package func tell(_ messages: Message...) -> Bool {
        guard let address else { return false }
        let bytes = Array(messages.map(\.text).joined(separator: "\n").utf8)
        // A socket for each message: there are few, and a restarted manager has another one at the path.
        let descriptor = clinux_datagram_socket(AF_UNIX, 5)
        guard descriptor >= 0 else { return false }
        defer { _ = clinux_close(descriptor) }

        // SAFETY: the counts are those of the array and of the address.
        let result = unsafe bytes.withUnsafeBytes { buffer in
            unsafe address.withKernelAddress { pointer, length in
                unsafe clinux_send_to(descriptor, buffer.baseAddress, buffer.count, pointer, length)
            }
        }
        return result == bytes.count
    }

    /// Variables that were meant for this process by its number and mean nothing, or something wrong, to a
    /// program that it starts in its own place. NOTIFY_SOCKET and WATCHDOG_USEC go on: without WATCHDOG_PID
    /// the watchdog is for whoever reads it.
    package static let variablesOfThisProcess = [
        "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
    ]
}

/// A variable of the environment, or nil when there is none. For the time before the first thread is started.
package func environmentVariable(_ name: String) -> String? {
    // SAFETY: the name ends in NUL; the value is copied at once, and nobody changes the environment.
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}
