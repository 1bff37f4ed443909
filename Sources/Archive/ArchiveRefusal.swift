package import Linux

/// Why a folder cannot be looked at, exported or imported, in one sentence for a person. What was there
/// before is as it was, and nothing was added.
package struct ArchiveRefusal: Error, Equatable, Sendable {
    /// What kind of a reason it is.
    package enum Kind: Sendable {
        /// The archive, or what stands in it, is not as it has to be.
        case invalid
        /// Something that was named is not there.
        case missing
        /// Something is there already, or was changed meanwhile.
        case conflict
        /// The disk or the system does not do it.
        case failed
    }

    /// What kind of a reason it is.
    package var kind: Kind
    /// Starts small and has no full stop.
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// The system's own words about something.
    package init(_ errno: Errno, _ subject: String, _ verb: String) {
        self.init(errno == .noEntry ? .missing : .failed, "\(subject) cannot be \(verb): \(errno)")
    }
}

/// Hears what long work is at: what is done, and how much of it is, from 0 to 1, where that is known.
package typealias ArchiveProgress = @Sendable (_ text: String, _ fraction: Double?) -> Void
