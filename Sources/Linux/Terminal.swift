import CLinux

/// Whether a descriptor means anything.
package func isOpen(_ descriptor: Int32) -> Bool { clinux_is_open(descriptor) == 1 }

/// Whether a descriptor is a terminal.
package func isTerminal(_ descriptor: Int32) -> Bool { clinux_is_terminal(descriptor) == 1 }

/// Columns and rows of a terminal; nil when the descriptor is none, or it does not know.
package func terminalSize(_ descriptor: Int32) -> (columns: Int, rows: Int)? {
    var columns: Int32 = 0
    var rows: Int32 = 0
    // SAFETY: both are written during the call.
    guard unsafe clinux_terminal_size(descriptor, &columns, &rows) == 0 else { return nil }
    return (Int(columns), Int(rows))
}

/// What a program that owns the screen hears.
package enum TerminalEvent: Equatable, Sendable {
    /// A key, as the byte that it sends.
    case key(UInt8)
    /// The window has another size.
    case resized
    /// The process was stopped and goes on; the screen is taken anew.
    case resumed
    /// Somebody wants it to end.
    case ended
    /// The time is over.
    case timeout
}

/// A terminal that belongs to this process until it ends, however it ends.
package struct TakenTerminal: ~Copyable {
    private let signals: Int32
    /// Switches to the alternate screen and hides the cursor; and back.
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l"
    private static let leave = "\u{1b}[?25h\u{1b}[?1049l"

    /// Takes the terminal of standard input and output.
    package init() throws(Errno) {
        let heard = [SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGTSTP]
        // SAFETY: the count is the array's.
        let signals = try check(unsafe clinux_signal_descriptor(heard, Int32(heard.count)))
        do throws(Errno) {
            try Self.take()
        } catch {
            _ = clinux_close(signals)
            throw error
        }
        self.init(signals: signals)
    }

    private init(signals: Int32) { self.signals = signals }

    deinit {
        clinux_terminal_give_back()
        _ = clinux_close(signals)
    }

    private static func take() throws(Errno) {
        // SAFETY: both texts end in NUL for the time of the call.
        try check(unsafe clinux_terminal_take(1, enter, leave))
    }

    /// The next thing that happens, within so many milliseconds.
    package borrowing func next(waitingMilliseconds: Int32) -> TerminalEvent {
        let ready = clinux_wait_either(0, signals, waitingMilliseconds)
        if ready < 0 { return .ended }
        if ready & 2 != 0 {
            switch clinux_read_signal(signals) {
            case SIGWINCH: return .resized
            case SIGTSTP:
                clinux_terminal_give_back()
                clinux_stop_self()
                return (try? Self.take()) == nil ? .ended : .resumed
            default: return .ended
            }
        }
        guard ready & 1 != 0 else { return .timeout }
        var byte: UInt8 = 0
        // SAFETY: one byte is read into one.
        return unsafe clinux_read(0, &byte, 1) == 1 ? .key(byte) : .ended
    }
}
