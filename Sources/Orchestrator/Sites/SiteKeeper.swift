import Logging
import Runme

/// Keeps one site as it is wanted: looks how it is, asks ``SitePlan`` for the next step, does it, and looks
/// again. One step at a time; whoever wants something else says so, and is heard after the step.
package actor SiteKeeper {
    /// Which one it keeps.
    nonisolated package let domain: String
    let surroundings: SiteSurroundings
    private(set) var record: SiteRecord
    private(set) var runme: Runme
    private(set) var runner: any SiteRunner

    private(set) var state: SiteState
    private(set) var lastFailure: String?
    /// When a visitor was there last, as far as the edge tells, in seconds of the monotonic clock.
    private(set) var lastVisitSeconds = monotonicSeconds()
    private var connections = 0
    private(set) var openSessions = 0
    private(set) var stateSinceSeconds = monotonicSeconds()

    private var backOff = BackOff()
    private var readyIncarnation: String?
    private var snapshotIncarnation: String?
    /// Whether it was started and not yet seen to run.
    private var isStarting = false
    /// Whether the engine did not answer; what has ended meanwhile did not fail.
    private var wasEngineAway = false
    /// What the containers looked like in the last list of them, or after the last step.
    private var seenContainers: [ContainerSummary]?
    private(set) var isSettled = false
    /// What a migration said when it was so.
    private var settledGuidance = SiteGuidance.none
    /// What it said when the last step was chosen.
    private var plannedGuidance = SiteGuidance.none

    private var operations: [Operation] = []
    /// Which of them the last step was chosen for; those that have come since have nothing to do with it.
    private var plannedOperations: Set<Int64> = []
    /// The runme that served before one that was not seen to serve yet.
    private var former: (text: String, runme: Runme)?
    private var waiting: [Int64: [CheckedContinuation<Refusal?, Never>]] = [:]
    private var listeners: [Int64: Progress] = [:]
    /// Who waits until what a migration has said is so.
    private var followers: [Int: CheckedContinuation<Refusal?, Never>] = [:]
    private var followerCount = 0

    private let nudges: AsyncStream<Void>
    private let nudged: AsyncStream<Void>.Continuation
    private var timer: Task<Void, Never>?

    init(_ record: SiteRecord, _ runme: Runme, _ operations: [Operation], _ surroundings: SiteSurroundings) {
        domain = record.domain
        self.record = record
        self.runme = runme
        self.operations = operations
        self.surroundings = surroundings
        runner = surroundings.makeRunner(record, runme)
        state = record.wish == .awake ? .starting : record.wish == .asleep ? .asleep : .stopped
        (nudges, nudged) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What is wanted

    /// Takes another record over, and tells who waits for the operation how it ends.
    func take(_ record: SiteRecord, _ runme: Runme, _ operation: Operation, _ progress: Progress) {
        if state == .awake, runme != self.runme { former = (self.record.runme, self.runme) }
        adopt(record, runme)
        operations.append(operation)
        listeners[operation.identifier] = progress
        // Somebody asks now: what failed before is tried again at once.
        if operation.verb != Operation.visitorVerb { backOff.reset() }
        if record.wish == .awake { lastVisitSeconds = monotonicSeconds() }
        nudge()
    }

    /// What a migration has to say at this moment.
    var guidance: SiteGuidance { surroundings.guidances[domain] }

    /// Waits until all is as the guidance says; or the reason why it cannot be.
    func follow() async throws(Refusal) {
        nudge()
        followerCount += 1
        let number = followerCount
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Refusal?, Never>) in
                if isSettled, settledGuidance == guidance { return continuation.resume(returning: nil) }
                if Task.isCancelled { return continuation.resume(returning: Self.unwanted) }
                followers[number] = continuation
            }
        } onCancel: {
            Task { await self.dismissFollower(number) }
        }
        if let failure { throw failure }
    }

    private static let unwanted = Refusal(.unavailable, "it is not waited for any longer")

    private func dismissFollower(_ number: Int) {
        followers.removeValue(forKey: number)?.resume(returning: Self.unwanted)
    }

    private func dismissFollowers(_ failure: Refusal?) {
        let waiting = followers.values
        followers = [:]
        for continuation in waiting { continuation.resume(returning: failure) }
    }

    /// Nobody waits for anything any more: the site is forgotten.
    func abandon() async {
        let gone = Refusal(.missing, "\(domain) is not kept here any more")
        await finish(gone)
        dismissFollowers(gone)
    }

    private func adopt(_ record: SiteRecord, _ runme: Runme) {
        self.record = record
        self.runme = runme
        runner = surroundings.makeRunner(record, runme)
        isSettled = false
    }

    /// Waits until an operation is over; why it failed, or nil.
    func end(of operation: Operation) async -> Refusal? {
        guard operations.contains(where: { $0.identifier == operation.identifier }) else { return nil }
        return await withCheckedContinuation { waiting[operation.identifier, default: []].append($0) }
    }

    /// Whether a visitor may wake it now.
    var mayBeWoken: Bool {
        record.wish == .asleep && guidance == .none && monotonicSeconds() >= backOff.untilSeconds
    }

    /// Looks again soon.
    nonisolated func nudge() { nudged.yield() }

    /// Looks again if its containers are not as they were; nil: nobody can tell.
    func compare(_ containers: [ContainerSummary]?) {
        switch runme.start {
        case .docker: if let containers, !isSettled || containers != seenContainers { nudge() }
        case .command: nudge()
        case .vagrant: Task { await lookAtMachine() }
        }
    }

    /// What ends now does so because its engine did.
    func noteEngineGone() { if case .docker = runme.start { wasEngineAway = true } }

    /// What the edge tells of it.
    func note(_ traffic: EdgeProcess.Traffic?) {
        openSessions = traffic?.sessions ?? 0
        let count = traffic?.connections ?? 0
        if openSessions > 0 || count != connections { lastVisitSeconds = monotonicSeconds() }
        connections = count
    }

    /// For how long nobody was there; nil: it does not serve, or may not be put to sleep.
    var idleSeconds: Double? {
        guard state == .awake, record.wish == .awake, guidance == .none, openSessions == 0 else { return nil }
        return monotonicSeconds() - lastVisitSeconds
    }

    /// Whether an arrival is under way, or has just been.
    var isFresh: Bool { operations.contains { $0.verb == Operation.arrivalVerb } || state == .awake }

    /// Whether something of it has failed and is not to be tried again yet.
    var isBackingOff: Bool { monotonicSeconds() < backOff.untilSeconds }

    // MARK: Working

    /// Works until the site is removed, or the task is cancelled.
    func run() async {
        nudge()
        for await _ in nudges {
            timer?.cancel()
            turns: while !Task.isCancelled {
                switch await turn() {
                case .again: continue
                case .rest: break turns
                case .pause(let seconds):
                    timer = Task {
                        try? await Task.sleep(for: .seconds(seconds))
                        if !Task.isCancelled { nudge() }
                    }
                    break turns
                case .over: return
                }
            }
        }
    }

    private enum Turn {
        case again, rest, over
        case pause(seconds: Double)
    }

    private func turn() async -> Turn {
        let (wish, revision, guidance) = (record.wish, record.revision, guidance)
        plannedOperations = Set(operations.map(\.identifier))
        let condition: SiteCondition
        do throws(Refusal) {
            condition = try await runner.condition()
        } catch {
            _ = await fail(error)
            // There is no plan without it, which would hold the next look back.
            return .pause(seconds: max(1, backOff.untilSeconds - monotonicSeconds()))
        }
        do throws(Refusal) {
            try await noteCondition(condition)
            // Something else may be wanted since.
            guard wish == record.wish, revision == record.revision, guidance == self.guidance else {
                return .again
            }
            plannedGuidance = guidance
            let plan = SitePlan(
                wish: wish, condition: condition,
                route: await publishedRoute, readyIncarnation: readyIncarnation,
                snapshotIncarnation: snapshotIncarnation,
                isBackingOff: monotonicSeconds() < backOff.untilSeconds, guidance: guidance)
            let step = plan.next
            if step != .settled { isSettled = false }
            return try await perform(step, condition)
        } catch {
            return await fail(error)
        }
    }

    /// Learns what became of the last run.
    private func noteCondition(_ condition: SiteCondition) async throws(Refusal) {
        defer { wasEngineAway = false }
        if case .running = condition {
            isStarting = false
            await surroundings.capacity.note(domain, memoryBytes: runner.memoryBytes)
            return
        }
        if record.wish != .awake, condition == .absent || condition == .stopped(isCurrent: true) {
            await surroundings.capacity.release(domain)
        }
        // What ran, or was just started, does not run: unless that was wanted, it has failed.
        guard readyIncarnation != nil || isStarting else { return }
        readyIncarnation = nil
        isStarting = false
        guard record.wish == .awake, guidance.mayRun, !wasEngineAway else { return }
        throw Refusal(.failed, await runner.lastWords() ?? "it does not run any more")
    }

    private var publishedRoute: SitePlan.Route {
        get async {
            guard let line = await surroundings.publisher.line(of: domain) else { return .none }
            let kinds: [SitePlan.Route] = [.reject, .asleep, .target, .held, .elsewhere]
            return kinds.first { line == self.line($0) } ?? .other
        }
    }

    private func line(_ route: SitePlan.Route) -> String? {
        let names = [runme.domain] + runme.aliases
        return switch route {
        case .none, .other: nil
        case .held: SiteRoute.held.line(for: names)
        case .elsewhere:
            if case .elsewhere(let tls, let http) = guidance.route {
                SiteRoute.elsewhere(tls: tls, http: http).line(for: names)
            } else {
                nil
            }
        case .reject: SiteRoute.reject.line(for: names)
        case .asleep: SiteRoute.asleep(wakeSocket: surroundings.wakeSocket).line(for: names)
        case .target: runner.route.line(for: names)
        }
    }

    private func perform(_ step: SitePlan.Step, _ condition: SiteCondition) async throws(Refusal) -> Turn {
        switch step {
        case .publish(let route):
            try await surroundings.publisher.publish(domain, line(route))
            if route == .asleep, try await hasVisitorAfterAll() { try await wakeAgain() }
        case .make:
            enter(.starting)
            try await runner.make(progress)
        case .start:
            guard await mayRun() else { return .pause(seconds: 1) }
            enter(.starting)
            progress("it is started")
            isStarting = true
            try await runner.start(progress)
        case .probe:
            guard case .running(_, _, let incarnation) = condition else { return .again }
            enter(state == .awake ? .awake : .starting)
            if try await becomesReady() { readyIncarnation = incarnation }
        case .snapshot:
            enter(.sleeping)
            if !guidance.mayRun { await drain() }
            progress("its data is made consistent")
            if try await takesSnapshot(), case .running(_, _, let incarnation) = condition {
                snapshotIncarnation = incarnation
            }
        case .stop:
            if !guidance.mayRun, runme.snapshot == nil { await drain() }
            enter(record.wish == .asleep ? .sleeping : record.wish == .awake ? .starting : .stopping)
            progress("it is stopped")
            try await runner.stop()
            readyIncarnation = nil
            isStarting = false
        case .clear:
            enter(.removing)
            progress("what was made for it is removed")
            try await runner.clear()
            await surroundings.capacity.release(domain)
            try await surroundings.store.forget(domain)
            await finish(nil)
            return .over
        case .settled:
            // Something else may be said meanwhile.
            guard plannedGuidance == guidance else { return .again }
            await settle()
            return plannedGuidance == guidance ? .rest : .again
        case .wait:
            enter(.failing)
            return .pause(seconds: max(0.01, backOff.untilSeconds - monotonicSeconds()))
        }
        return .again
    }

    private func settle() async {
        snapshotIncarnation = nil
        isSettled = true
        settledGuidance = plannedGuidance
        switch record.wish {
        case _ where !guidance.mayRun:
            switch guidance.route {
            case .held: enter(.held)
            case .elsewhere: enter(.moved)
            case .some(.none), nil: enter(.stopped)
            }
        case .stopped: enter(.stopped)
        case .asleep: enter(.asleep)
        case .awake:
            if state != .awake { lastVisitSeconds = monotonicSeconds() }
            enter(.awake)
            lastFailure = nil
            former = nil
        case .removed: break
        }
        if record.wish != .awake || !guidance.mayRun { await surroundings.capacity.release(domain) }
        if case .docker = runme.start { seenContainers = try? await (runner as? DockerSite)?.containers() }
        await finish(nil)
        if settledGuidance == guidance { dismissFollowers(nil) }
    }

    private func enter(_ new: SiteState) {
        guard new != state else { return }
        surroundings.log.info("\(domain): \(new.rawValue)")
        state = new
        stateSinceSeconds = monotonicSeconds()
    }

    // MARK: Starting

    private func mayRun() async -> Bool {
        let shortage = await surroundings.capacity.admit(domain, memoryBytes: runner.memoryBytes)
        guard let shortage else { return true }
        enter(.waiting)
        lastFailure = shortage
        progress(shortage)
        return false
    }

    /// Waits for an answer; false: something else is wanted meanwhile.
    private func becomesReady() async throws(Refusal) -> Bool {
        let begin = monotonicSeconds()
        let (wish, revision, guidance) = (record.wish, record.revision, guidance)
        let limit = Double(runme.ready.withinMilliseconds) / 1000
        var nextLook = begin + 0.25
        while true {
            if await ReadyProbe.answers(
                runner.tlsAddress, name: domain, check: runme.ready.check, proxy: runner.ports.proxy)
            {
                return true
            }
            let now = monotonicSeconds()
            guard now - begin < limit else {
                throw Refusal(.failed, "it did not answer on \(runner.tlsAddress) within \(Int(limit)) s")
            }
            if now >= nextLook {
                if case .running = try await runner.condition() {
                } else {
                    throw Refusal(.failed, await runner.lastWords() ?? "it ended before it answered")
                }
                // Vagrant needs seconds to say how its machine is, and visitors wait for an answer.
                let after = monotonicSeconds()
                nextLook = after + max(0.25, 4 * (after - now))
            }
            // Visitors wait: in the first second every millisecond counts.
            let pause = now - begin < 1 ? 3 : now - begin < 5 ? 50 : 500
            try? await Task.sleep(for: .milliseconds(pause))
            guard wish == record.wish, revision == record.revision, guidance.mayRun == self.guidance.mayRun
            else { return false }
        }
    }

    // MARK: Sleeping

    /// Whether somebody came between the decision that nobody is there and the moment when new visitors were
    /// let wait.
    private func hasVisitorAfterAll() async throws(Refusal) -> Bool {
        guard record.wish == .asleep, guidance.mayRun, operations.last?.verb == Operation.idleVerb else {
            return false
        }
        await surroundings.edge.waitForReload()
        let traffic = try await surroundings.edge.traffic()[runner.tlsAddress.description]
        note(traffic)
        return openSessions > 0
    }

    private func wakeAgain() async throws(Refusal) {
        adopt(try await surroundings.store.revert(domain, to: .awake), runme)
        await finish(Refusal(.conflict, "a visitor came"))
    }

    // MARK: Ends of operations

    private var progress: Progress {
        let listeners = Array(listeners.values)
        return Progress { text, fraction in for listener in listeners { listener(text, fraction) } }
    }

    /// Ends operations: those that the last step was chosen for, or all.
    private func finish(_ refusal: Refusal?, isStep: Bool = false) async {
        let ended = isStep ? operations.filter { plannedOperations.contains($0.identifier) } : operations
        operations.removeAll { operation in ended.contains { $0.identifier == operation.identifier } }
        for operation in ended {
            let refusal = refusal ?? supersession(of: operation)
            do throws(Refusal) {
                try await surroundings.store.end([operation], failure: refusal?.text)
            } catch {
                surroundings.log.error("\(domain): \(error.text)")
            }
            listeners[operation.identifier] = nil
            for continuation in waiting.removeValue(forKey: operation.identifier) ?? [] {
                continuation.resume(returning: refusal)
            }
        }
    }

    /// What has become of an operation when the site is as something else wanted it.
    private func supersession(of operation: Operation) -> Refusal? {
        if operation.verb == Operation.arrivalVerb, !guidance.mayRun {
            return Refusal(.conflict, "it went back to where it came from")
        }
        let isSo =
            switch operation.verb {
            case Operation.visitorVerb, Operation.arrivalVerb: record.wish == .awake
            case Operation.idleVerb: record.wish == .asleep
            default: Yardmaster.Verb(rawValue: operation.verb).map { $0.wish == record.wish } ?? true
            }
        return isSo ? nil : Refusal(.conflict, "something else was wanted meanwhile: it is \(record.wish)")
    }

    private func fail(_ refusal: Refusal) async -> Turn {
        var refusal = refusal
        lastFailure = refusal.text
        surroundings.log.warning("\(domain): \(refusal.text)")
        let failed = operations.filter { plannedOperations.contains($0.identifier) }
        // Something else is wanted by now; what has failed was for something that is not.
        let isOutdated = operations.count > failed.count
        let wish = record.wish
        let isAway = refusal.kind == .unavailable
        if isAway { wasEngineAway = true } else { backOff.fail(atSeconds: monotonicSeconds()) }
        // Who has asked for something gets it or leaves things as they were; what runs already is kept
        // running as well as it goes.
        if let previous = failed.first?.previousWish, !isOutdated {
            do throws(Refusal) {
                if let former, !isAway {
                    let names = [former.runme.domain] + former.runme.aliases
                    let record = try await surroundings.store.revert(
                        domain, to: previous, runme: (former.text, names))
                    adopt(record, former.runme)
                    self.former = nil
                    backOff.reset()
                    refusal.text += "; the runme that served before is in force again"
                } else if previous != record.wish {
                    adopt(try await surroundings.store.revert(domain, to: previous), runme)
                }
            } catch {
                surroundings.log.error("\(domain): \(error.text)")
                return .pause(seconds: 1)
            }
        }
        await finish(refusal, isStep: true)
        dismissFollowers(refusal)
        if state == .starting, record.wish == .awake { enter(.failing) }
        if isOutdated { return .again }
        if isAway { return .pause(seconds: 1) }
        // Of a site that should run the plan knows what to do meanwhile; of the others it is the same step
        // again.
        return record.wish != wish || record.wish == .awake && guidance.mayRun
            ? .again : .pause(seconds: max(0.1, backOff.untilSeconds - monotonicSeconds()))
    }
}
