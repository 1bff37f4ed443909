/// Why something that was asked for is not done, in one sentence for a person. Everything is as it was
/// before.
package struct Refusal: Error, Equatable, Sendable {
    /// What kind of a reason it is: tells a client of the interface what to do about it.
    package enum Kind: String, Sendable {
        /// What was asked for makes no sense as it stands: a mistake in a runme, an unknown verb.
        case invalid
        /// There is no such site, image or container.
        case missing
        /// It does not go with what is there: a name that another site has, a port that is taken.
        case conflict
        /// Somebody who is needed does not answer: the engine, the edge, the disk.
        case unavailable
        /// It was tried and did not work.
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

    /// The engine's own words.
    package init(_ error: EngineError) {
        self.init(
            error.isUnreachable ? .unavailable : error.isMissing ? .missing : .failed, error.text)
    }
}
