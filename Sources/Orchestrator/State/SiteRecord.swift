/// What is wanted of a site. It is kept across restarts; all else follows from it.
package enum Wish: String, CaseIterable, Sendable {
    /// It does not run, and its names are refused.
    case stopped
    /// It does not run; its first visitor wakes it.
    case asleep
    /// It runs.
    case awake
    /// Nothing of it is to be left but its folder; then the record goes, too.
    case removed
}

/// A site as it is kept.
package struct SiteRecord: Equatable, Sendable {
    /// The first of its names, which names it.
    package var domain: String
    /// Where its data and its runme are.
    package var folder: String
    /// Which of the networks it has; each site has one of its own.
    package var network: Int
    /// What is wanted of it.
    package var wish: Wish
    /// Grows with each change of the runme and with each restart; what was started for an earlier one is
    /// started anew.
    package var revision: Int
    /// The text of the runme that was accepted last. The file in the folder may have changed since.
    package var runme: String
}

/// Something that somebody wants of a site, from the moment when it was noted until it is done or refused.
package struct Operation: Equatable, Sendable {
    /// Grows.
    package var identifier: Int64
    package var domain: String
    /// `add`, `start`, `stop`, `restart`, `sleep`, `wake`, `remove`.
    package var verb: String
    /// What was wanted before; what is wanted again if it fails. nil: nothing.
    package var previousWish: Wish?
    /// Seconds since 1970.
    package var began: Double
    /// Seconds since 1970; nil: it is under way.
    package var ended: Double?
    /// Why it failed; nil: it did not.
    package var failure: String?
}
