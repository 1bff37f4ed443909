import Linux

/// Why a verb could not be done, in words for the one who typed it, and the exit status.
package struct YardError: Error, Equatable, Sendable {
    package let text: String
    package let status: ExitStatus

    package init(_ text: String, status: ExitStatus) {
        self.text = text
        self.status = status
    }
}

/// How `yard` ends.
package enum ExitStatus: Int32, Sendable {
    /// Done.
    case done = 0
    /// Asked and answered with no: the edge refused it, the files have errors, the doctor found a problem.
    case refused = 1
    /// Not asked: the command line is wrong, or the edge cannot be reached.
    case notAsked = 2
}

extension YardError {
    /// What a failed connection means, and what to do.
    static func connecting(to path: String, _ error: Errno) -> YardError {
        let advice =
            switch error {
            case .noEntry:
                "is switchyard running? Start it (systemctl start switchyard), or say where its socket is: "
                    + "--socket PATH, or $SWITCHYARD_CONTROL"
            case .refused:
                "switchyard left its socket there, but nobody answers: is it running? "
                    + "(systemctl status switchyard)"
            case .forbidden:
                "only root, the edge's user and its group may ask. Use sudo, or join the group: "
                    + "sudo adduser \"$USER\" switchyard, and log in again"
            default: "the edge cannot be reached"
            }
        return YardError("\(path): \(error)\n\(advice)", status: .notAsked)
    }

    /// The same for yardmaster.
    static func connectingToYardmaster(_ path: String, _ error: Errno) -> YardError {
        let advice =
            switch error {
            case .noEntry, .refused:
                "is yardmaster running? Start it (systemctl start yardmaster), or say where its socket is: "
                    + "--yardmaster PATH, or $SWITCHYARD_YARDMASTER"
            case .forbidden:
                "only root and the group switchyard may ask. Use sudo, or join the group: "
                    + "sudo adduser \"$USER\" switchyard, and log in again"
            default: "yardmaster cannot be reached"
            }
        return YardError("\(path): \(error)\n\(advice)", status: .notAsked)
    }

    static func talking(to path: String, _ failure: UnixStream.Failure) -> YardError {
        let text =
            switch failure {
            case .system(let error): "\(error)"
            case .timeout: "the edge does not answer. Its log may say why: journalctl -u switchyard -n 50"
            case .closed: "the edge closed the connection before it had answered: does it end, or restart?"
            case .tooLong: "the answer is longer than any that is expected"
            }
        return YardError("\(path): \(text)", status: .notAsked)
    }
}
