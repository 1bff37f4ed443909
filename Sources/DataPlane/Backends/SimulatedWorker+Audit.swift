import Routes

extension SimulatedWorker {
    /// Looks at everything the worker and the kernel believe of each other, between two turns. Returns what
    /// does not fit.
    package func audit() -> [String] {
        var faults: [String] = []
        auditSlots(&faults)
        auditOperations(&faults)
        auditBuffers(&faults)
        auditPipes(&faults)
        auditDescriptors(&faults)
        auditParked(&faults)
        auditCounters(&faults)
        auditTerms(&faults)
        return faults
    }

    /// Terms are given back with the session, and sessions end in time when their route has changed.
    private func auditTerms(_ faults: inout [String]) {
        var (counted, drainable): (UInt64, Int) = (0, 0)
        for slot in 0..<worker.sessions.touchedCount {
            let session = worker.sessions[slot]
            if session.phase == .free, !session.terms.isEmpty {
                faults.append("slot \(slot) is free with terms")
            }
            if session.terms.contains(.counted) { counted += 1 }
            guard session.terms.contains(.drains) else { continue }
            let terms = worker.terms[slot]
            if session.terms.contains(.ending) {
                // One that was connecting until then has its end from the moment it is connected.
                let connected = session.acceptedNanoseconds + UInt64(session.connectedMicroseconds) * 1000
                let end = max(terms.endNanoseconds, connected) + 100_000_000
                if session.phase == .relaying, worker.backend.nowNanoseconds > end {
                    faults.append("session \(slot) outlives its route")
                }
                continue
            }
            drainable += 1
            guard session.phase == .connecting || session.phase == .relaying else { continue }
            let match = worker.findRoute(slot)
            let isSame =
                match.kind != .none
                && RouteImage.route(match.routeIndex, in: worker.table.image).fingerprint == terms.fingerprint
            if !isSame { faults.append("session \(slot) has another route and no end") }
        }
        if drainable != worker.drainableCount {
            faults.append("\(worker.drainableCount) of \(drainable) sessions that drain are counted")
        }
        if counted != worker.limitedRoutes.total {
            faults.append(
                "\(worker.limitedRoutes.total) of \(counted) sessions of limited routes are counted")
        }
    }

    /// The most sessions that any route with `max=` has now.
    package var countedSessionsMax: Int {
        var counts: [UInt64: Int] = [:]
        for slot in liveSlots where worker.sessions[slot].terms.contains(.counted) {
            counts[worker.terms[slot].identity, default: 0] += 1
        }
        return counts.values.max() ?? 0
    }

    private var liveSlots: [Int] {
        (0..<worker.sessions.touchedCount).filter { worker.sessions[$0].phase != .free }
    }

    private func auditSlots(_ faults: inout [String]) {
        let slots = liveSlots
        if slots.count != worker.sessions.count {
            faults.append("\(worker.sessions.count) slots are in use, but there are \(slots.count) sessions")
        }
        let labelCount = slots.reduce(0) {
            $0 + (worker.sessions[$1].label != .none ? 1 : 0)
                + (worker.sessions[$1].destination != .none ? 1 : 0)
        }
        if labelCount != worker.labels.count {
            faults.append("\(worker.labels.count) names and addresses are kept, sessions have \(labelCount)")
        }
        for slot in slots {
            let target = worker.sessions[slot].target
            guard target >= 0 else { continue }
            let count = slots.count { worker.sessions[$0].target == target }
            if worker.targets[Int(target)].sessionCount != UInt32(count) {
                faults.append(
                    "target \(target) counts \(worker.targets[Int(target)].sessionCount) of \(count) sessions"
                )
            }
        }
    }

    /// What a session believes to be in flight is what the kernel has.
    private func auditOperations(_ faults: inout [String]) {
        for slot in liveSlots {
            let session = worker.sessions[slot]
            let client = worker.backend.connection(at: session.client)
            let origin = worker.backend.connection(at: session.origin)
            guard let client, origin != nil || session.origin < 0 else {
                faults.append("session \(slot) has a descriptor that is not open")
                continue
            }
            var inFlight = worker.backend.connections[client].inFlightCount
            if let origin { inFlight += worker.backend.connections[origin].inFlightCount }
            if inFlight != Int(session.inFlight) {
                faults.append(
                    "session \(slot) counts \(session.inFlight) operations, \(inFlight) are in flight")
            }
            // The end of one that stands still comes when it goes on.
            if session.phase != .handingOver {
                auditHeldBack(client, &faults)
                if let origin { auditHeldBack(origin, &faults) }
            }
            guard session.phase == .relaying || session.phase == .forwarding, let origin else { continue }
            auditDirection(slot, .client, from: client, to: origin, &faults)
            auditDirection(slot, .origin, from: origin, to: client, &faults)
        }
    }

    /// Bytes that wait for the end are followed by it as soon as they are taken.
    private func auditHeldBack(_ id: Int, _ faults: inout [String]) {
        let connection = worker.backend.connections[id]
        guard connection.heldBackCount > 0, connection.writing.kind == .none, !connection.hasWorkerEnded
        else { return }
        faults.append(
            "connection \(id) holds \(connection.heldBackCount) bytes back for an end that does not come")
    }

    /// A direction is busy exactly while its source is read from or its sink is written to.
    private func auditDirection(
        _ slot: Int, _ side: Side, from source: Int, to sink: Int, _ faults: inout [String]
    ) {
        let isReading = worker.backend.connections[source].reading.kind != .none
        let isWriting = worker.backend.connections[sink].writing.kind != .none
        let direction = worker.sessions[slot][side]
        if direction.isBusy != (isReading || isWriting) || (isReading && isWriting) {
            faults.append(
                "session \(slot), from \(side): busy \(direction.isBusy), "
                    + "read \(isReading), write \(isWriting)"
            )
        }
        if direction.interest != .nothing {
            faults.append("session \(slot), from \(side): wants \(direction.interest) and does not do it")
        }
        if isReading, (direction.buffer != .none && !direction.expectsEnd) || direction.pipe != .none {
            faults.append("session \(slot), from \(side): holds a buffer or a pipe while it waits for bytes")
        }
    }

    private func auditBuffers(_ faults: inout [String]) {
        var owners = [Int](repeating: 0, count: worker.backend.bufferUses.count)
        // The fixed answers.
        owners[Int(worker.answers.buffer.raw)] += 1
        for slot in liveSlots {
            for index in 0..<2 where worker.sessions[slot].directions[index].buffer != .none {
                owners[Int(worker.sessions[slot].directions[index].buffer.raw)] += 1
            }
        }
        for item in worker.backend.outstanding where item.completion.buffer != .none {
            // One that was lent for appending is the session's still.
            let place = Int(item.completion.buffer.raw)
            if owners[place] == 0 || worker.backend.bufferUses[place].operationCount == 0 {
                owners[place] += 1
            }
        }
        for place in owners.indices where owners[place] != (worker.backend.bufferUses[place].isInUse ? 1 : 0)
        {
            let use = worker.backend.bufferUses[place].isInUse ? "in use" : "free"
            faults.append("buffer \(place) is \(use), and \(owners[place]) refer to it")
        }
    }

    private func auditPipes(_ faults: inout [String]) {
        var owners = [Int](repeating: 0, count: worker.backend.pipes.count)
        for slot in liveSlots {
            for index in 0..<2 {
                let direction = worker.sessions[slot].directions[index]
                guard direction.pipe != .none else { continue }
                let place = Int(direction.pipe.raw)
                owners[place] += 1
                let count = worker.backend.pipes[place].bytes.count
                if count != Int(direction.pending) {
                    faults.append(
                        "session \(slot) counts \(direction.pending) bytes in a pipe that holds \(count)")
                }
            }
        }
        for place in owners.indices where owners[place] != (worker.backend.pipes[place].isInUse ? 1 : 0) {
            faults.append(
                "pipe \(place) is in use: \(worker.backend.pipes[place].isInUse), by \(owners[place])")
        }
    }

    private func auditDescriptors(_ faults: inout [String]) {
        var owners = [Int](repeating: 0, count: worker.backend.descriptors.count)
        for slot in liveSlots {
            owners[Int(worker.sessions[slot].client)] += 1
            if worker.sessions[slot].origin >= 0 { owners[Int(worker.sessions[slot].origin)] += 1 }
        }
        for item in worker.backend.outstanding
        where item.completion.token.kind == .accept && item.completion.result >= 0 {
            owners[Int(item.completion.result)] += 1
        }
        for number in owners.indices {
            switch worker.backend.descriptors[number] {
            case .connection: if owners[number] == 1 { continue }
            case .free: if owners[number] == 0 { continue }
            case .listener:
                let isOurs = worker.listeners.contains { $0.descriptor == Int32(number) }
                let isNew = worker.backend.listeners.contains {
                    $0.descriptor == Int32(number) && $0.index == nil
                }
                if owners[number] == 0, isOurs != isNew { continue }
            }
            faults.append(
                "descriptor \(number) is \(worker.backend.descriptors[number]), \(owners[number]) refer to it"
            )
        }
    }

    private func auditParked(_ faults: inout [String]) {
        var (slot, previous, count) = (worker.parkedHead, Int32(-1), 0)
        while slot >= 0, count <= worker.sessions.capacity {
            let session = worker.sessions[Int(slot)]
            if session.phase != .parked || session.parkedPrevious != previous {
                faults.append("slot \(slot) does not belong into the list of parked sessions")
                return
            }
            (previous, slot, count) = (slot, session.parkedNext, count + 1)
        }
        let parkedCount = liveSlots.count { worker.sessions[$0].phase == .parked }
        if count != parkedCount || count != worker.parkedCount {
            faults.append("\(count) are listed as parked, \(worker.parkedCount) counted, \(parkedCount) are")
        }
    }

    private func auditCounters(_ faults: inout [String]) {
        let counters = worker.links.counters
        if counters[.sessions] != UInt64(worker.sessions.count) {
            faults.append("the counter of sessions says \(counters[.sessions]) of \(worker.sessions.count)")
        }
        if counters[.parkedNow] != UInt64(worker.parkedCount) {
            faults.append(
                "the counter of parked sessions says \(counters[.parkedNow]) of \(worker.parkedCount)")
        }
        let accepted =
            counters[.ended] + counters[.sessions] + counters[.sourceLimited] + counters[.sourceDenied]
            + worker.backend.goneCount
        if counters[.accepted] != accepted {
            faults.append(
                "\(counters[.accepted]) were accepted, but \(accepted) ended, live, or were turned away")
        }
    }
}
