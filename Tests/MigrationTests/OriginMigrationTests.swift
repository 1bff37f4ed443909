import Migration
import Testing

@Suite struct OriginMigrationTests {
    private static let now = 1e9

    /// Walks the origin on, with a destination that does all it is asked, until the word is reached.
    private func ledger(at word: String, pauseSecondsMax: Double = 5) throws -> SiteLedger {
        var ledger = SiteLedger(site: Sample.site, isHere: true)
        #expect(ledger.begin(Sample.plan(pauseSecondsMax: pauseSecondsMax), atSeconds: Self.now) == nil)
        for _ in 0..<60 where ledger.outgoing?.state.word != word { Self.advance(&ledger) }
        try #require(ledger.outgoing?.state.word == word)
        return ledger
    }

    private static func advance(_ ledger: inout SiteLedger, atSeconds now: Double = now) {
        guard let action = ledger.outgoing?.next(atSeconds: now) else { return }
        switch action {
        case .ask(let request):
            var outcome = MigrationAnswer.Outcome.done
            if case .compare = request.demand { outcome = .manifest(digest: Sample.digest) }
            ledger.note(.answered(MigrationAnswer(request: request, outcome: outcome)), atSeconds: now)
        case .transfer(.copy):
            let round = CopyRound(bytes: 1000, files: 1, seconds: 0.1)
            ledger.note(.performed(action, .copied(round)), atSeconds: now)
        case .digest: ledger.note(.performed(action, .digest(Sample.digest)), atSeconds: now)
        case .transfer, .fence, .switchOver, .setAside, .announce, .endForwarding, .restore, .clear:
            ledger.note(.performed(action, .done), atSeconds: now)
        case .wait: break
        }
    }

    private static let fenced = [
        "fencing", "openingLastPass", "copyingLast", "askingManifest", "digesting",
    ]

    @Test("When the pause is over before the grant, whatever happens turns it back", arguments: fenced)
    func deadline(_ word: String) throws {
        let ledger = try ledger(at: word)
        let deadline = try #require(ledger.outgoing?.deadlineSeconds)
        #expect(deadline == Self.now + 4.5)
        #expect(ledger.outgoing?.next(atSeconds: deadline) == .wait(untilSeconds: deadline))
        var late = ledger
        late.note(.timePassed, atSeconds: deadline)
        #expect(late.outgoing?.state.word == "restoring")
        #expect(late.token.isHeld && late.token.epoch == 2 && late.mayRun)
        // The result of the action of now comes too late, too.
        let action = try #require(ledger.outgoing?.next(atSeconds: Self.now))
        late = ledger
        late.note(.performed(action, .digest(Sample.digest)), atSeconds: deadline)
        #expect(late.outgoing?.state.word == "restoring")
    }

    @Test("What fails while visitors wait is tried again at once, and not after the deadline")
    func failuresWhileFenced() throws {
        var ledger = try ledger(at: "fencing")
        for _ in 0..<30 { ledger.note(.performed(.fence, .failed(reason: "no")), atSeconds: Self.now) }
        let next = ledger.outgoing?.next(atSeconds: Self.now)
        #expect(next == .wait(untilSeconds: Self.now + 0.5))
        ledger.note(.performed(.fence, .failed(reason: "no")), atSeconds: Self.now + 4.4)
        #expect(ledger.outgoing?.next(atSeconds: Self.now + 4.4) == .wait(untilSeconds: Self.now + 4.5))
        #expect(ledger.outgoing?.isStalled == false)
    }

    @Test("It is not granted when there is no time left to start within the promise")
    func noTimeToStart() throws {
        var ledger = try ledger(at: "digesting")
        ledger.note(.timePassed, atSeconds: Self.now + 4.6)
        #expect(ledger.outgoing?.state.word == "restoring")
        #expect(ledger.outgoing?.report.failure?.contains("longer than promised") == true)
    }

    @Test("Ten failures in a row let it wait for the operator, and `resume` goes on")
    func stalls() throws {
        var ledger = try ledger(at: "certifying")
        guard case .ask(let request) = ledger.outgoing?.next(atSeconds: Self.now) else { return }
        for count in 1...10 {
            #expect(ledger.outgoing?.isStalled == false, "after \(count - 1)")
            ledger.note(.performed(.ask(request), .failed(reason: "no")), atSeconds: Self.now)
        }
        #expect(ledger.outgoing?.next(atSeconds: Self.now + 1e6) == .wait(untilSeconds: nil))
        #expect(ledger.mayRun && ledger.edgeRoute == .own)
        #expect(ledger.hearOutgoing(.resume, atSeconds: Self.now) == nil)
        #expect(ledger.outgoing?.next(atSeconds: Self.now) == .ask(request))
    }

    @Test("A pass that dies again and again stalls, though its staging is opened in between")
    func passesStall() throws {
        var ledger = try ledger(at: "copying")
        for _ in 0..<40 where ledger.outgoing?.isStalled == false {
            let later = Self.now + 100
            let action = try #require(ledger.outgoing?.next(atSeconds: later))
            if case .transfer = action {
                ledger.note(.performed(action, .failed(reason: "died")), atSeconds: Self.now)
            } else {
                Self.advance(&ledger, atSeconds: later)
            }
        }
        #expect(ledger.outgoing?.isStalled == true)
        #expect(ledger.outgoing?.pass ?? 0 >= 10)
    }

    @Test("After the switch an operator who wants to go back is told how")
    func notRevertible() throws {
        for word in ["opening", "switching", "settingAside", "announcing", "forwarding"] {
            var ledger = try ledger(at: word)
            let before = ledger
            let reason = ledger.hearOutgoing(.revert, atSeconds: Self.now)
            #expect(reason?.contains("only a migration back leads back") == true, "\(word)")
            #expect(ledger == before)
        }
    }

    @Test("The end is proposed when hardly anybody comes, and made by the operator")
    func end() throws {
        var ledger = try ledger(at: "forwarding")
        #expect(ledger.outgoing?.isEndProposed == false)
        ledger.note(.residual(ResidualTraffic(sessions: 0, seconds: 60)), atSeconds: Self.now)
        #expect(ledger.outgoing?.isEndProposed == false, "a minute says nothing")
        ledger.note(.residual(ResidualTraffic(sessions: 100, seconds: 86400)), atSeconds: Self.now)
        #expect(ledger.outgoing?.isEndProposed == false)
        ledger.note(.residual(ResidualTraffic(sessions: 10, seconds: 86400)), atSeconds: Self.now)
        #expect(ledger.outgoing?.isEndProposed == true)
        #expect(ledger.hearOutgoing(.finish, atSeconds: Self.now) == nil)
        Self.advance(&ledger)
        Self.advance(&ledger)
        #expect(ledger.outgoing?.state == .done && ledger.edgeRoute == .none)
        let copy = try #require(ledger.expiredCopy(atSeconds: Self.now + 7 * 86400))
        #expect(ledger.expiredCopy(atSeconds: Self.now + 7 * 86400 - 1) == nil)
        ledger.noteRemoved(copy)
        #expect(ledger.kept.isEmpty)
    }

    @Test("The report has what was promised and what was measured")
    func report() throws {
        var ledger = try ledger(at: "switching")
        Self.advance(&ledger, atSeconds: Self.now + 1.5)
        let report = try #require(ledger.outgoing?.report)
        #expect(report.promisedPauseSeconds == 5 && report.pauseSeconds == 1.5)
        #expect(report.rounds == 3 && report.bytes == 3000 && report.lastCopyBytes == 1000)
        #expect(report.lostWrites == 0 && report.failure == nil && report.seconds == nil)
    }

    @Test("A plan whose promise cannot be given is refused before anything begins")
    func plans() {
        let changes: [(String, (inout MigrationPlan) -> Void)] = [
            ("cannot be promised", { $0.overheadSeconds = 6 }),
            ("cannot be promised", { $0.pauseSecondsMax = .nan }),
            ("2 rounds", { $0.roundsMax = 1 }),
            ("challenge", { $0.challenge = "" }),
            ("first", { $0.site = "other.example" }),
        ]
        for (sentence, change) in changes {
            var plan = Sample.plan(pauseSecondsMax: 5)
            change(&plan)
            var ledger = SiteLedger(site: Sample.site, isHere: true)
            let reason = ledger.begin(plan, atSeconds: Self.now)
            #expect(reason?.contains(sentence) == true, "\(reason ?? "begun")")
            #expect(ledger.outgoing == nil)
        }
        var elsewhere = SiteLedger(site: Sample.site, isHere: false)
        #expect(elsewhere.begin(Sample.plan(), atSeconds: Self.now) != nil)
    }

    @Test("The plan's lines tell the promise and, of each step, the undo")
    func lines() {
        let lines = Sample.plan(pauseSecondsMax: 5).lines
        #expect(lines.count == MigrationStep.allCases.count + 1)
        #expect(lines[0] == "example.org goes to b: a pause of at most 5.0 s, no write lost")
        #expect(lines[5].hasSuffix("(undo: the site is started, and visitors are led to it)"))
        #expect(lines[9].hasSuffix("(no way back)"))
    }
}
