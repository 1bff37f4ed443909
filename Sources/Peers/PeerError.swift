/// Why something with a peer was not done, in one sentence that names the peer and where it is.
package struct PeerError: Error, Equatable, Sendable {
    /// What kind of a reason it is: tells the caller what to do about it.
    package enum Kind: String, CaseIterable, Sendable {
        /// Nobody answers there: no route, no listener, no such name.
        case unreachable
        /// The connection ended in the middle. What had come until then is no whole.
        case cutOff
        /// It did not come in time.
        case timedOut
        /// They have no place for us at the moment.
        case busy
        /// They show another certificate than the one we know.
        case theirCertificate
        /// They do not accept ours.
        case ourCertificate
        /// A certificate is out of its time, ours or theirs.
        case expired
        /// What came is longer than anything that is taken, or what was to be sent is.
        case tooLong
        /// What came makes no sense.
        case unclear
        /// They understood, and say no.
        case refused
        /// One of both ends has given up a stream on purpose, and says why.
        case stopped
        /// Nobody here waits for it any more.
        case cancelled
        /// An invitation is not good: mistyped, expired, used.
        case invitation
        /// A name or a certificate is in the book already.
        case conflict
        /// A file of ours, or the book of peers, cannot be used.
        case unusable
    }

    /// What kind of a reason it is.
    package var kind: Kind
    /// Starts small and has no full stop.
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// Whether the same may go well a little later, with nothing changed by anybody.
    package var isWorthRetrying: Bool {
        switch kind {
        case .unreachable, .cutOff, .timedOut, .busy: true
        case .theirCertificate, .ourCertificate, .expired, .tooLong, .unclear, .refused, .stopped, .cancelled,
            .invitation, .conflict, .unusable:
            false
        }
    }
}

/// Words of a stranger or a peer, for a line of a terminal or a log: short, and without anything that a
/// terminal would obey.
func printable(_ text: String, charactersMax: Int = 400) -> String {
    var shown = ""
    for scalar in text.unicodeScalars.prefix(charactersMax) {
        let isShown =
            scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format
        shown.unicodeScalars.append(isShown ? scalar : "\u{fffd}")
    }
    return shown
}
