import Migration

/// Two hosters, a link between them, a site with visitors, operators, and somebody who forges; all by one
/// seed. One step is the smallest thing that can happen, so that everything else can happen in between.
final class World {
    static let site = "example.org"
    private static let stepsMax = 20_000

    struct Message {
        enum Content {
            case request(MigrationRequest)
            case answer(MigrationAnswer)
            case inquiry(MigrationInquiry)
            case standing(MigrationInquiry, MigrationStanding)
        }

        /// 0 and 1 are the hosters; 2 is somebody else.
        let from: Int
        let to: Int
        let content: Content
        var dueSeconds: Double
    }

    /// Something that goes wrong at one certain step.
    struct Misfortune {
        enum Kind: CaseIterable {
            case crashFirst, crashSecond, crashFirstAnswering, crashSecondAnswering
            case rebootFirst, rebootSecond, crashBoth
            case cutShort, cutLong
            case loseMessage, repeatMessage, killRsync, leaveGhost, failEffect
            case revertFirst, revertSecond, siteDies
        }

        let kind: Kind
        let step: Int
    }

    var scenario: Scenario
    var dice: Dice
    var now = 1_000_000.0
    var hosters = [Hoster(name: "a", isHere: true), Hoster(name: "b", isHere: false)]
    var messages: [Message] = []
    /// All that was ever sent, but the oldest.
    var sent: [Message] = []
    var cutUntilSeconds = 0.0
    var misfortune: Misfortune?
    /// Kinds of misfortune that wait for their opportunity.
    var pending: Set<Misfortune.Kind> = []

    /// Writes that somebody was told have been made.
    var acknowledged: Writes = 0
    var writeCount = 0
    var refusedVisitors = 0
    var nextVisitorSeconds = 0.0
    /// Where DNS leads.
    var address = 0
    var begun = 0
    var done = 0

    var steps = 0
    var isOver = false
    var faults = [Int](repeating: 0, count: Fault.allCases.count)
    var marks = [Int](repeating: 0, count: Mark.allCases.count)
    var originStates: Set<String> = []
    var destinationStates: Set<String> = []
    private var lastOriginStates: [OriginMigration.State?] = [nil, nil]
    private var lastDestinationStates: [DestinationMigration.State?] = [nil, nil]
    var judge = Judge()
    /// What happened last, if somebody wants to know.
    var trace: [String]?

    init(seed: UInt64, isTraced: Bool = false) {
        dice = Dice(seed: seed)
        scenario = Scenario(&dice)
        if isTraced { trace = [] }
    }

    /// A world in which one thing goes wrong, or nothing.
    init(seed: UInt64, scenario: Scenario, misfortune: Misfortune?) {
        dice = Dice(seed: seed)
        self.scenario = scenario
        self.misfortune = misfortune
    }

    func log(_ sentence: @autoclosure () -> String) {
        guard trace != nil else { return }
        let time = Int((now - 1_000_000) * 1000)
        trace?.append("\(steps) \(time)ms \(sentence())")
    }

    func happened(_ fault: Fault) {
        faults[fault.rawValue] += 1
        log("fault: \(fault)")
    }

    func mark(_ mark: Mark) { marks[mark.rawValue] += 1 }

    // MARK: Running

    /// Lets the world run until nothing more will happen.
    func run() {
        let wasCalm = scenario.isCalm && misfortune == nil
        while judge.failure == nil, !isOver {
            step()
            if steps == scenario.steps { calmDown() }
            if steps > Self.stepsMax { judge.fail("there is no end: \(summary)") }
        }
        guard judge.failure == nil else { return }
        judge.sweepAtTheEnd(self)
        if wasCalm { judge.sweepCalm(self) }
    }

    private func calmDown() {
        scenario.calmDown()
        log("from here on nothing goes wrong")
    }

    private func step() {
        steps += 1
        now += dice.seconds(in: 0.0005...0.008)
        for index in hosters.indices where !hosters[index].isUp && now >= hosters[index].upAgainSeconds {
            hosters[index].isUp = true
            log("\(hosters[index].name) is up")
        }
        strike()
        act()
        tendParked()
        judge.sweep(self)
    }

    private enum Actor { case give(Int), take(Int), keep(Int), deliver(Int), visit, write(Int), operate }

    private func act() {
        var actors: [Actor] = []
        for index in hosters.indices where hosters[index].isUp {
            if isGivingReady(index) { actors.append(.give(index)) }
            if isTakingReady(index) { actors.append(.take(index)) }
            if isKeeperReady(index) { actors.append(.keep(index)) }
        }
        if let due = messages.indices.filter({ messages[$0].dueSeconds <= now }).randomElement(&dice) {
            actors.append(.deliver(due))
        }
        if now >= nextVisitorSeconds, writeCount < 100 { actors.append(.visit) }
        if writeCount < 120, dice.hits(oneIn: 8) {
            for index in hosters.indices where hosters[index].isRunning && hosters[index].sessions > 0 {
                actors.append(.write(index))
            }
        }
        if dice.hits(oneIn: 20) { actors.append(.operate) }
        guard !actors.isEmpty else {
            wait()
            return operate()
        }
        switch dice.pick(actors) {
        case .give(let index): give(index)
        case .take(let index): take(index)
        case .keep(let index): keep(index)
        case .deliver(let index): deliver(messages.remove(at: index))
        case .visit: visit()
        case .write(let index): write(at: index)
        case .operate: operate()
        }
    }

    /// Nobody can do anything: time goes on to when somebody can.
    private func wait() {
        var next = now + 7200
        for hoster in hosters {
            guard hoster.isUp else {
                next = min(next, hoster.upAgainSeconds)
                continue
            }
            if let job = hoster.giving, job.progress > 0 { next = min(next, job.untilSeconds) }
            if let job = hoster.taking, job.progress > 0 { next = min(next, job.untilSeconds) }
            if case .wait(let until?) = hoster.ledger.outgoing?.next(atSeconds: now) {
                next = min(next, until)
            }
            if case .wait(let until) = hoster.ledger.incoming?.next(atSeconds: now) {
                next = min(next, until)
            }
            for copy in hoster.ledger.kept { next = min(next, copy.untilSeconds) }
        }
        for message in messages { next = min(next, message.dueSeconds) }
        if writeCount < 100 { next = min(next, nextVisitorSeconds) }
        now = max(now, next)
    }

    // MARK: The operators

    private func operate() {
        for index in hosters.indices where hosters[index].isUp {
            guard let outgoing = hosters[index].ledger.outgoing else { continue }
            if outgoing.state == .forwarding {
                let isLast = begun >= scenario.migrations
                if !isLast, !dice.hits(oneIn: 10) { continue }
                if !outgoing.isEndProposed {
                    return tell(index, .residual(ResidualTraffic(sessions: 0, seconds: 7200)))
                }
                _ = hosters[index].ledger.hearOutgoing(.finish, atSeconds: now)
                return
            }
            if outgoing.isStalled, steps > scenario.steps {
                mark(.stalled)
                _ = hosters[index].ledger.hearOutgoing(.resume, atSeconds: now)
                return
            }
        }
        begin()
        if steps > scenario.steps, begun >= scenario.migrations, isAtRest { isOver = true }
    }

    private func begin() {
        guard begun < scenario.migrations,
            let index = hosters.indices.first(where: { hosters[$0].ledger.token.isHeld })
        else { return }
        guard hosters[index].isUp, hosters[index].ledger.outgoing?.isOver ?? true,
            hosters[index].ledger.incoming?.state ?? .serving == .serving
        else { return }
        let other = 1 - index
        let offer = MigrationOffer(
            names: [Self.site, "www.example.org"], product: "wordpress", bytes: 1 << 30, files: 20_000,
            memoryBytes: 1 << 28, certificateFingerprint: hexadecimal(1) + hexadecimal(2),
            certificateEndsSeconds: now + 1e6, image: "wordpress@sha256:00")
        guard let migration = MigrationIdentifier(hexadecimal(dice.next()) + hexadecimal(dice.next())) else {
            return judge.fail("no identifier")
        }
        let plan = MigrationPlan(
            migration: migration, site: Self.site, peer: hosters[other].name, offer: offer,
            challenge: hexadecimal(dice.next()) + hexadecimal(dice.next()),
            pauseSecondsMax: scenario.pauseSecondsMax, overheadSeconds: 0.2, startSeconds: 0.05,
            roundsMax: 4, keepSeconds: dice.seconds(in: 1...100))
        let wasForwarded = hosters[other].ledger.outgoing?.state == .forwarding
        if let reason = hosters[index].ledger.begin(plan, atSeconds: now) {
            judge.fail("a migration cannot begin: \(reason)")
            return
        }
        begun += 1
        if wasForwarded { mark(.wentBackBeforeItWasFinished) }
        log("\(hosters[index].name) begins a migration of epoch \(hosters[index].ledger.token.epoch + 1)")
        observe(index)
    }

    private var isAtRest: Bool {
        hosters.allSatisfy { hoster in
            hoster.isUp && hoster.ledger.outgoing?.isOver ?? true && hoster.ledger.incoming == nil
                && hoster.parked.isEmpty && hoster.giving == nil && hoster.taking == nil
                && hoster.route == hoster.ledger.edgeRoute
                && hoster.isRunning == hoster.ledger.mayRun
        }
    }

    var summary: String {
        hosters.map { hoster in
            "\(hoster.name): token \(hoster.ledger.token.epoch)\(hoster.ledger.token.isHeld ? " held" : "")"
                + ", gives \(hoster.ledger.outgoing?.state.word ?? "-")"
                + ", takes \(hoster.ledger.incoming?.state.word ?? "-"), \(hoster.route)"
                + (hoster.isRunning ? ", runs" : "") + (hoster.isUp ? "" : ", down")
                + ", because \(hoster.ledger.outgoing?.retry.reason ?? "-")"
        }.joined(separator: "; ")
    }

    // MARK: Looking

    /// Notes which states there were, and what an operator would see.
    func observe(_ index: Int) {
        if let state = hosters[index].ledger.outgoing?.state, state != lastOriginStates[index] {
            lastOriginStates[index] = state
            originStates.insert(state.word)
        }
        if let state = hosters[index].ledger.incoming?.state, state != lastDestinationStates[index] {
            lastDestinationStates[index] = state
            destinationStates.insert(state.word)
        }
        guard trace != nil else { return }
        let ledger = hosters[index].ledger
        log(
            "\(hosters[index].name) \(ledger.token.epoch)\(ledger.token.isHeld ? "*" : "") "
                + "\(ledger.outgoing?.state.word ?? "-") \(ledger.incoming?.state.word ?? "-")")
    }

    /// What is in the ledger after this is on disk.
    func tell(_ index: Int, _ event: OriginMigration.Event) {
        let before = hosters[index].ledger.outgoing
        hosters[index].ledger.note(event, atSeconds: now)
        markChange(before, hosters[index].ledger.outgoing)
        observe(index)
    }

    private func markChange(_ before: OriginMigration?, _ after: OriginMigration?) {
        guard let before, let after, before.state != after.state else { return }
        switch (before.state, after.state) {
        case (_, .done):
            done += 1
            mark(.wentThere)
            if done > 1 { mark(.wentThereAndBack) }
        case (_, .reverted): mark(.reverted)
        case (.copying, .restoring(let reason)) where reason.contains("would be about"):
            mark(.refusedBeforeFence)
        case (_, .restoring(let reason)) where reason.contains("than promised") || reason.contains("no time"):
            mark(.turnedBackInTime)
        case (.agreeing, .restoring(let reason)) where reason.contains("later writer"): mark(.outdated)
        case (.granted, .releasing(let reason)) where reason.contains("in time"): mark(.releasedInTime)
        case (.releasing, .restoring): mark(.releasedAfterStart)
        case (.opening, .releasing): mark(.refusedToOpen)
        default: break
        }
    }
}

extension Array {
    func randomElement(_ dice: inout Dice) -> Element? { isEmpty ? nil : dice.pick(self) }
}
