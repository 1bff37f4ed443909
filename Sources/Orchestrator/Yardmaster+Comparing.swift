import Linux
import Logging

/// Whether all is as it is wanted.
extension Yardmaster {
    /// Hears from the engine what happens to containers. Whenever the stream begins anew, things may have
    /// happened that nobody told.
    func watchEngine() async {
        var wasAway = false
        while !Task.isCancelled {
            do {
                let events = try await engine.use { (engine) throws(EngineError) in try engine.events() }
                await compare()
                if wasAway { log.info("the container engine answers again") }
                wasAway = false
                for try await event in events { await note(event) }
            } catch {
                let text = (error as? Refusal)?.text ?? (error as? EngineError)?.text ?? "\(error)"
                if !wasAway { log.warning("\(text)") }
                wasAway = true
            }
            for keeper in keepers.values { await keeper.noteEngineGone() }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func note(_ event: EngineEvent) async {
        if event.attributes[DockerSite.Label.yardmaster] == store.identity {
            guard let domain = event.attributes[DockerSite.Label.site] else { return }
            // What we have ended ourselves is seen by the step that did it.
            if event.action == "die" || event.action == "destroy" || event.action == "start" {
                keepers[domain]?.nudge()
            }
        } else if event.attributes[LabelledContainers.namesLabel] != nil {
            await publishLabelled()
        }
    }

    func compareNowAndThen() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(Int64(configuration.compareMilliseconds)))
            await compare()
        }
    }

    /// Looks at all containers with one question, and wakes the keepers of those that are not as they were.
    package func compare() async {
        let begin = monotonicSeconds()
        do throws(Refusal) {
            let all = try await engine.use { (engine) throws(EngineError) in
                try await engine.containers(labelled: DockerSite.Label.site)
            }
            let own = all.filter { DockerSite.isOwn($0, store.identity) }
            let bySite = Dictionary(grouping: own) { $0.labels[DockerSite.Label.site] ?? "" }
            for (domain, keeper) in keepers { await keeper.compare(bySite[domain] ?? []) }
            await publishLabelled()
        } catch {
            log.debug("no comparison: \(error.text)")
            // Programs and machines need no engine.
            for keeper in keepers.values { await keeper.compare(nil) }
        }
        let now = monotonicSeconds()
        comparison = (now - begin, now)
    }

    /// Routes for containers that others have started and labelled.
    private func publishLabelled() async {
        do throws(Refusal) {
            let containers = try await engine.use { (engine) throws(EngineError) in
                try await engine.containers(labelled: LabelledContainers.namesLabel)
            }
            let others = containers.filter { !DockerSite.isOwn($0, store.identity) }
            let places = await placesElsewhere(LabelledContainers(others, taken: []).names)
            let found = LabelledContainers(others, taken: Set(domains.keys), elsewhere: places)
            for warning in labelled.newWarnings(found.warnings) { log.warning("\(warning)") }
            let before = await publisher.keys.filter { $0.hasPrefix(LabelledContainers.keyPrefix) }
            var changes: [String: String?] = found.lines.mapValues { $0 }
            for key in before where found.lines[key] == nil { changes.updateValue(nil, forKey: key) }
            try await publisher.publish(changes)
        } catch {
            log.warning("routes of labelled containers: \(error.text)")
        }
    }

    /// Where names of containers stand in other files: by those files themselves, and by the edge, which may
    /// read more of them. It is asked about each name once, until a file changes.
    private func placesElsewhere(_ names: Set<String>) async -> [String: String] {
        let neighbours = NeighbourRoutes(of: configuration.routesPath)
        let new = labelled.newNames(names, neighbours)
        guard !new.isEmpty else { return labelled.places }
        var found = await publisher.otherPlaces(of: new)
        for name in new where found[name] == nil {
            let place = try? await edge.otherRoute(for: name, than: configuration.routesPath)
            found[name] = place ?? nil
        }
        labelled.note(new, found)
        return labelled.places
    }
}
