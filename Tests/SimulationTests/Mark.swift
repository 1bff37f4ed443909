/// What a run of all seeds must have seen at least once, besides the kernel's faults: the worlds are made by
/// chance, and this shows that chance goes everywhere.
enum Mark: Int, CaseIterable {
    /// A table came that has no targets for a name whose hello was on its way.
    case routeRemovedMidHello
    /// Five tables or more at one moment.
    case reloadStorm
    /// A parked session was led to an origin by a later table.
    case parkedThenRouted
    case parkTimedOut, parkLimited
    /// A name was asked to be woken a second time. A parked session's client left, in order.
    case askedAgain, leftWhileParked
    /// A session ended because its route had changed, or because its route had no room; one was refused while
    /// an origin was marked.
    case routeDrained, routeLimited, allMarked
    /// A hello went to a second origin after the first had failed.
    case triedAnotherOrigin
    /// All slots were taken.
    case slotsFull
    case sourceLimited, sourceDenied
    /// One side ended and the other went on.
    case clientEndedFirst, originEndedFirst
    /// Answers that clients read whole.
    case alertHandshakeFailure, alertDecodeError, alertInternalError, alertMissingExtension,
        alertUnrecognizedName
    case answerPlainHTTP
    /// Resets that were passed on.
    case clientResetPassedOn, originResetPassedOn
    case helloTimedOut, idleTimedOut, halfCloseTimedOut
    /// A session that ended by its deadline with bytes that a slow reader did not take.
    case stalledReader
    case completed, completedWithBulk
    case drainedWithSessions, stoppedWithSessions
    /// Sessions went to another worker, and ones that stood still went on where they were.
    case handedOverWithSessions, resumedWithSessions
}
