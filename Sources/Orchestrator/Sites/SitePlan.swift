/// How a site is, as far as its kind can tell.
package enum SiteCondition: Equatable, Sendable {
    /// There is nothing of it: it was never started, or is removed.
    case absent
    /// All that it needs is made, and what serves does not run. `isCurrent`: it was made for the revision
    /// that is wanted.
    case stopped(isCurrent: Bool)
    /// What serves does not run, but something else of the site does.
    case halfStopped(isCurrent: Bool)
    /// What serves runs. `isWhole`: all else runs, too. Another run has another `incarnation`.
    case running(isCurrent: Bool, isWhole: Bool, incarnation: String)
}

/// What leads from how a site is to how it is wanted: a pure function, asked again after each step, so that
/// it does not matter where an earlier attempt ended.
package struct SitePlan: Equatable, Sendable {
    /// Which line the edge has for it.
    package enum Route: CaseIterable, Sendable { case none, reject, asleep, target, held, elsewhere, other }

    /// What is to be done next.
    package enum Step: Equatable, Sendable {
        /// Another route is published.
        case publish(Route)
        /// Containers, network and what they need are made, and those of an earlier revision removed.
        case make
        /// What does not run is started.
        case start
        /// It is waited for an answer of the site.
        case probe
        /// The data on disk is made consistent.
        case snapshot
        case stop
        /// All that was made is removed, and then the record.
        case clear
        /// Nothing is to be done before something happens: it is as it is wanted.
        case settled
        /// Nothing may be done before the pause after a failure is over.
        case wait
    }

    /// What is wanted.
    package var wish: Wish
    /// What there is.
    package var condition: SiteCondition
    package var route: Route
    /// The run that was seen to answer.
    package var readyIncarnation: String?
    /// The run whose data was made consistent to put it to sleep.
    package var snapshotIncarnation: String?
    /// Whether it has failed and is not to be tried again yet.
    package var isBackingOff: Bool
    /// What a migration has to say.
    package var guidance: SiteGuidance

    package init(
        wish: Wish, condition: SiteCondition, route: Route, readyIncarnation: String? = nil,
        snapshotIncarnation: String? = nil, isBackingOff: Bool = false, guidance: SiteGuidance = .none
    ) {
        self.guidance = guidance
        self.wish = wish
        self.condition = condition
        self.route = route
        self.readyIncarnation = readyIncarnation
        self.snapshotIncarnation = snapshotIncarnation
        self.isBackingOff = isBackingOff
    }

    /// What is done now.
    package var next: Step {
        if !guidance.mayRun { return nextToYield }
        return switch wish {
        case .removed: nextToRemove
        case .stopped: nextToStop
        case .asleep: nextToSleep
        case .awake: nextToServe
        }
    }

    /// Somebody else is the writer, or is about to be. Visitors are led elsewhere, or let wait, before
    /// anything ends.
    private var nextToYield: Step {
        let fixed = guidance.fixedRoute ?? .none
        if route != fixed { return .publish(fixed) }
        guard case .running(_, _, let incarnation) = condition else {
            return isAnythingRunning ? .stop : .settled
        }
        // Only what is about to be copied has to be consistent.
        let isSafe =
            fixed != .held || snapshotIncarnation == incarnation || readyIncarnation != incarnation
        return isSafe ? .stop : .snapshot
    }

    /// Visitors are refused before anything ends.
    private var nextToRemove: Step {
        if route != .none { return .publish(.none) }
        return .clear
    }

    private var nextToStop: Step {
        if route != .reject { return .publish(.reject) }
        return isAnythingRunning ? .stop : .settled
    }

    private var isAnythingRunning: Bool {
        switch condition {
        case .absent, .stopped: false
        case .halfStopped, .running: true
        }
    }

    /// Visitors are let wait before anything ends, so that the first one who comes meanwhile wakes it again.
    private var nextToSleep: Step {
        if route != .asleep { return .publish(.asleep) }
        guard case .running(_, _, let incarnation) = condition else {
            return isAnythingRunning ? .stop : .settled
        }
        // Data of a site that never served is as it was.
        let isSafe = snapshotIncarnation == incarnation || readyIncarnation != incarnation
        return isSafe ? .stop : .snapshot
    }

    private var nextToServe: Step {
        // Nobody is led to it before a migration says so.
        let parked = guidance.fixedRoute ?? .asleep
        let served = guidance.fixedRoute ?? .target
        switch condition {
        case .running(isCurrent: true, let isWhole, let incarnation):
            // Visitors can be served without the rest, if at all, so the route stays.
            if !isWhole { return isBackingOff ? .wait : .start }
            if readyIncarnation != incarnation { return isBackingOff ? .wait : .probe }
            return route == served ? .settled : .publish(served)
        case .running(isCurrent: false, _, _), .halfStopped(isCurrent: false):
            return route == parked ? .stop : .publish(parked)
        case .stopped(isCurrent: false), .absent:
            if route != parked { return .publish(parked) }
            return isBackingOff ? .wait : .make
        case .stopped(isCurrent: true), .halfStopped(isCurrent: true):
            if route != parked { return .publish(parked) }
            return isBackingOff ? .wait : .start
        }
    }
}

/// How long a site that fails is left alone: longer after each failure, from nothing to a minute.
package struct BackOff: Equatable, Sendable {
    /// After so long without a failure all is forgotten.
    static let calmSeconds = 60.0
    static let pauseSecondsMax = 60.0

    /// How many failures there were without much calm between them.
    package private(set) var failures = 0
    private var lastFailureSeconds = -Double.infinity

    package init() {}

    /// Notes a failure; times are on any clock that only goes forward.
    package mutating func fail(atSeconds now: Double) {
        if now - lastFailureSeconds > Self.calmSeconds + pauseSeconds { failures = 0 }
        failures += 1
        lastFailureSeconds = now
    }

    package mutating func reset() { self = BackOff() }

    /// The first failure may have been an accident: it is tried again at once.
    private var pauseSeconds: Double {
        guard failures > 1 else { return failures == 0 ? 0 : 0.1 }
        return min(Self.pauseSecondsMax, Double(1 << min(failures - 2, 6)))
    }

    /// Until when nothing is to be tried.
    package var untilSeconds: Double { lastFailureSeconds + pauseSeconds }
}
