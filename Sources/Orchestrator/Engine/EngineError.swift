/// Why the container engine did not do what it was asked for.
package enum EngineError: Error, Equatable {
    /// Nobody answers on its socket.
    case unreachable(socket: String, reason: String)
    /// It was asked, and did not answer in time.
    case late(seconds: Int64)
    /// It refuses, with its own message.
    case refused(status: Int, message: String)
    /// What it says makes no sense, or it stopped in between.
    case unclear(String)
    /// A file that it was to be given cannot be read.
    case unreadable(path: String, reason: String)
    /// A file that was to take what it gives cannot be written.
    case unwritable(path: String, reason: String)

    /// One sentence for a person.
    package var text: String {
        switch self {
        case .unreachable(let socket, let reason): "no container engine answers on \(socket): \(reason)"
        case .late(let seconds): "the container engine did not answer within \(seconds) s"
        case .refused(_, let message): "the container engine says: \(message)"
        case .unclear(let what): "the container engine's answer is not to be understood: \(what)"
        case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)"
        case .unwritable(let path, let reason): "\(path) cannot be written: \(reason)"
        }
    }

    /// Whether nobody was there to ask, or answered.
    package var isUnreachable: Bool {
        switch self {
        case .unreachable, .late: true
        case .refused, .unclear, .unreadable, .unwritable: false
        }
    }

    /// Whether it did not answer in time.
    package var isLate: Bool {
        if case .late = self { true } else { false }
    }

    /// Whether what was asked about is not there.
    package var isMissing: Bool {
        if case .refused(status: 404, _) = self { true } else { false }
    }

    /// Whether there is something of that name already, or it is in a state that does not go with it.
    package var isConflict: Bool {
        if case .refused(status: 409, _) = self { true } else { false }
    }
}
