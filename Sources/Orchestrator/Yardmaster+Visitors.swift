import Logging
import Runme

/// Who is waited for, and who is not visited any more.
extension Yardmaster {
    /// Somebody waits for a name. Unknown ones and sites that run are none of our business.
    func visit(_ name: String) async {
        // Many tell of the same site at once.
        guard let domain = domains[name], visited.insert(domain).inserted else { return }
        defer { visited.remove(domain) }

        guard let keeper = keepers[domain], await keeper.mayBeWoken else { return }
        let runme = await keeper.runme
        do throws(Refusal) {
            let (record, operation) = try await store.change(domain, to: .awake, verb: Operation.visitorVerb)
            await keeper.take(record, runme, operation, .none)
        } catch {
            log.warning("\(domain): a visitor cannot be let in: \(error.text)")
        }
    }

    /// Asks the edge each second who is there, and puts to sleep whose time is over.
    func watchVisitors() async {
        var wasAway = false
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            var awake: [SiteKeeper] = []
            for keeper in keepers.values where await keeper.state == .awake { awake.append(keeper) }
            guard !awake.isEmpty else { continue }
            do throws(Refusal) {
                let traffic = try await edge.traffic()
                wasAway = false
                for keeper in awake {
                    await keeper.note(traffic[keeper.runner.tlsAddress.description])
                    await putToSleepIfIdle(keeper)
                }
            } catch {
                if !wasAway { log.warning("nobody is put to sleep: \(error.text)") }
                wasAway = true
            }
        }
    }

    private func putToSleepIfIdle(_ keeper: SiteKeeper) async {
        guard let limit = await keeper.runme.sleepAfterMilliseconds, let idle = await keeper.idleSeconds,
            idle * 1000 >= Double(limit), await !keeper.isBackingOff
        else { return }
        await putToSleep(keeper)
    }

    private func putToSleep(_ keeper: SiteKeeper) async {
        let runme = await keeper.runme
        do throws(Refusal) {
            let (record, operation) = try await store.change(
                keeper.domain, to: .asleep, verb: Operation.idleVerb)
            await keeper.take(record, runme, operation, .none)
        } catch {
            log.warning("\(keeper.domain): it cannot be put to sleep: \(error.text)")
        }
    }

    /// Puts the longest idle to sleep until so much is free; whether any is on its way.
    func putIdleToSleep(sites: Int, bytes: UInt64) async -> Bool {
        var idle: [(keeper: SiteKeeper, seconds: Double, bytes: UInt64)] = []
        var leaving = 0
        for keeper in keepers.values {
            if await keeper.record.wish == .asleep, await keeper.state != .asleep { leaving += 1 }
            guard await keeper.runme.sleepAfterMilliseconds != nil, let seconds = await keeper.idleSeconds
            else { continue }
            idle.append((keeper, seconds, await keeper.runner.memoryBytes))
        }
        // Those that are leaving already will make room.
        if leaving > 0 { return true }
        var (sites, bytes) = (sites, bytes)
        var chosen = 0
        for (keeper, _, memory) in idle.sorted(by: { $0.seconds > $1.seconds }) where sites > 0 || bytes > 0 {
            await putToSleep(keeper)
            chosen += 1
            sites -= 1
            bytes = bytes > memory ? bytes - memory : 0
        }
        return chosen > 0
    }
}
