import Linux
package import Logging
package import Runme

/// How a site is, in one word.
package enum SiteState: String, CaseIterable, Sendable {
    case stopped, asleep
    /// Made and started, until it answers.
    case starting
    case awake
    /// Its data is made consistent, and it ends; its next visitor wakes it.
    case sleeping
    case stopping, removing
    /// It should run and does not; it is tried again after a pause.
    case failing
    /// It should run, and there is no room for it.
    case waiting
    /// It is about to move: its visitors wait, and nothing of it runs.
    case held
    /// Another hoster serves it.
    case moved
}

/// What keepers share.
package struct SiteSurroundings: Sendable {
    package let store: SiteStore
    package let publisher: RoutesPublisher
    package let edge: EdgeProcess
    package let capacity: Capacity
    package let wakeSocket: String
    package let guidances: GuidanceBoard
    package let makeRunner: @Sendable (SiteRecord, Runme) -> any SiteRunner
    package let log: Logger
}

extension Operation {
    /// What the journal calls an operation that nobody typed: a visitor came, or nobody did for long.
    package static let visitorVerb = "visit"
    package static let idleVerb = "idle"
    /// An operator has added the site.
    package static let additionVerb = "add"
    /// It has come from another hoster.
    package static let arrivalVerb = "arrive"
}

/// Seconds of the monotonic clock.
func monotonicSeconds() -> Double { Double(monotonicNanoseconds()) / 1e9 }
