import Migration

/// What can go wrong in a world; a run of all seeds must have seen each of it.
enum Fault: Int, CaseIterable {
    /// The yardmaster of a hoster ends: between two things, while it does something, when it has done it and
    /// not noted it, and when it has noted a request and not answered.
    case crashBetween, crashDuring, crashBeforePersisting, crashBeforeAnswering
    /// Its machine ends, with the site, the edge and all connections.
    case reboot
    case linkCut
    case messageLost, messageDelayed, messageDuplicated
    /// A message of any time before comes once more.
    case messageRepeated
    /// The destination's end of a dead connection goes on for a while.
    case rsyncDied, rsyncGhost
    /// Something cannot be done for now, or cannot be done at all.
    case effectFailed, startRefused, announceRefused
    case diskFull, diskFilledUp, unknownProduct, expiredCertificate, liedAboutDigest, tamperedFile
    /// The destination cannot fetch the image.
    case imageMissing
    case siteDied
    case revertAtOrigin, finishAtOrigin, resumeAtOrigin, revertAtDestination, finishAtDestination,
        resumeAtDestination
    /// Somebody who has nothing to do with it asks the destination for things, or offers the site himself.
    case forgedRequest, forgedOffer
}

/// What a run of all seeds must have seen, besides every fault and every state.
enum Mark: Int, CaseIterable {
    case wentThere, wentThereAndBack, wentBackBeforeItWasFinished, reverted
    /// The origin turned back because the pause was over, before the grant; after it, because the site did
    /// not answer.
    case turnedBackInTime, releasedInTime
    /// A promise that could not be held was not given.
    case refusedBeforeFence
    /// The destination gave a grant back, and nothing was lost.
    case releasedAfterStart
    /// A destination that was away asked, and forgot.
    case askedAndObeyed
    case refusedToOpen, outdated, stalled, superseded, waitedForEarlier
    case parked, parkedThenServed, forwarded, keptCopyRemoved
    /// What came from the wrong time or person was of no effect.
    case lateAnswerIgnored, requestRefused
}

/// What one world is like.
struct Scenario {
    /// One in so many steps; 0: never.
    var crashes = 0
    var reboots = 0
    var cuts = 0
    var siteDeaths = 0
    var wishes = 0
    var forgeries = 0
    var repeats = 0
    /// One in so many messages, passes of rsync, effects.
    var losses = 0
    var delays = 0
    var duplicates = 0
    var rsyncDeaths = 0
    var failures = 0
    /// Permanent refusals, of a world.
    var diskIsFull = false
    var diskFillsUp = false
    var productIsUnknown = false
    var certificateHasExpired = false
    var liesAboutDigests = false
    var fileIsTampered = false
    var startIsRefused = false
    var imageMustBeCarried = false
    /// The data changes too fast for the promise.
    var isTooBusy = false

    var migrations = 1
    var pauseSecondsMax = 5.0
    /// So long faults happen.
    var steps = 600

    /// Nothing goes wrong.
    init() {}

    init(_ dice: inout Dice) {
        migrations = dice.number(in: 1...3)
        steps = dice.number(in: 150...700)
        imageMustBeCarried = dice.hits(oneIn: 2)
        // Every sixteenth world is calm.
        guard !dice.hits(oneIn: 16) else { return }
        func often(_ rates: [Int]) -> Int { dice.pick(rates) }
        crashes = often([0, 0, 30, 100, 300])
        reboots = often([0, 0, 0, 200, 600])
        cuts = often([0, 0, 80, 300])
        siteDeaths = often([0, 0, 0, 150])
        wishes = often([0, 0, 0, 60, 300])
        forgeries = often([0, 0, 40])
        repeats = often([0, 0, 10, 60])
        losses = often([0, 0, 5, 30])
        delays = often([0, 3, 20])
        duplicates = often([0, 0, 4, 30])
        rsyncDeaths = often([0, 0, 3, 12])
        failures = often([0, 0, 3, 15])
        pauseSecondsMax = dice.pick([0.5, 2, 5, 5, 30])
        switch dice.number(in: 1...24) {
        case 1: diskIsFull = true
        case 2: productIsUnknown = true
        case 3: certificateHasExpired = true
        case 4: liesAboutDigests = true
        case 5: fileIsTampered = true
        case 6, 7: startIsRefused = true
        case 8: isTooBusy = true
        case 9: diskFillsUp = true
        default: break
        }
    }

    /// Nothing goes wrong any more by chance; what is refused for ever stays so.
    mutating func calmDown() {
        (crashes, reboots, cuts, siteDeaths, wishes, forgeries, repeats) = (0, 0, 0, 0, 0, 0, 0)
        (losses, delays, duplicates, rsyncDeaths, failures) = (0, 0, 0, 0, 0)
    }

    /// Whether every migration comes to its end.
    var isCalm: Bool {
        crashes + reboots + cuts + siteDeaths + wishes + forgeries + repeats == 0
            && losses + delays + duplicates + rsyncDeaths + failures == 0
            && !diskIsFull && !productIsUnknown && !certificateHasExpired && !liesAboutDigests
            && !fileIsTampered && !startIsRefused && !isTooBusy && !diskFillsUp
    }
}
