import Migration

/// Messages between the hosters, and visitors.
extension World {
    func post(_ content: Message.Content, from: Int, to: Int) {
        if pending.remove(.loseMessage) != nil || dice.hits(oneIn: scenario.losses) {
            return happened(.messageLost)
        }
        var message = Message(
            from: from, to: to, content: content, dueSeconds: now + dice.seconds(in: 0...0.01))
        if dice.hits(oneIn: scenario.delays) {
            happened(.messageDelayed)
            message.dueSeconds += dice.seconds(in: 0...20)
        }
        messages.append(message)
        if pending.remove(.repeatMessage) != nil || dice.hits(oneIn: scenario.duplicates) {
            happened(.messageDuplicated)
            message.dueSeconds += dice.seconds(in: 0...5)
            messages.append(message)
        }
        if sent.count >= 400 { sent.removeFirst() }
        sent.append(message)
    }

    func deliver(_ message: Message) {
        if message.to == 2 {
            // Somebody else knows of nothing.
            if case .inquiry(let inquiry) = message.content {
                post(.standing(inquiry, .over), from: 2, to: message.from)
            }
            return
        }
        guard hosters[message.to].isUp, now >= cutUntilSeconds else {
            return log("a message is lost: \(message.content)")
        }
        let index = message.to
        let peer = message.from == 2 ? "c" : hosters[message.from].name
        switch message.content {
        case .request(let request): answer(request, from: peer, message)
        case .answer(let answer):
            let before = hosters[index].ledger
            log("\(hosters[index].name) hears \(answer.outcome) to \(answer.request.demand)")
            tell(index, .answered(answer))
            if before == hosters[index].ledger { mark(.lateAnswerIgnored) }
        case .inquiry(let inquiry):
            let standing = hosters[index].ledger.standing(of: inquiry, from: peer)
            post(.standing(inquiry, standing), from: index, to: message.from)
        case .standing(let inquiry, let standing):
            let before = hosters[index].ledger.incoming?.state
            hosters[index].ledger.note(.told(inquiry, standing), atSeconds: now)
            if before != hosters[index].ledger.incoming?.state { mark(.askedAndObeyed) }
            observe(index)
        }
    }

    private func answer(_ request: MigrationRequest, from peer: String, _ message: Message) {
        let index = message.to
        let terms = HosterTerms(
            products: scenario.productIsUnknown ? ["static"] : ["wordpress", "static"], freeBytes: 1 << 40,
            siteBytesMax: 1 << 40, memoryBytesMax: 1 << 40, takenNames: [])
        let before = hosters[index].ledger.outgoing
        let answer = hosters[index].ledger.answer(request, from: peer, terms: terms, atSeconds: now)
        log("\(hosters[index].name) is asked for \(request.demand) by \(peer): \(answer.outcome)")
        observe(index)
        if case .refused(let reason) = answer.outcome {
            mark(.requestRefused)
            if reason.contains("unknown here") { happened(.unknownProduct) }
        }
        if case .offer = request.demand, answer.outcome == .working { mark(.waitedForEarlier) }
        if before?.state == .forwarding, hosters[index].ledger.outgoing?.state == .ending {
            mark(.superseded)
        }
        let kind: Misfortune.Kind = index == 0 ? .crashFirstAnswering : .crashSecondAnswering
        if pending.remove(kind) != nil || (scenario.crashes > 0 && dice.hits(oneIn: scenario.crashes / 4)) {
            happened(.crashBeforeAnswering)
            return crash(index)
        }
        post(.answer(answer), from: index, to: message.from)
    }

    // MARK: Visitors

    private enum Fate { case served, waits(at: Int), refused }

    func visit() {
        nextVisitorSeconds = now + dice.seconds(in: 0...0.3)
        let edge = dice.hits(oneIn: 8) ? 1 - address : address
        let write = writeCount
        writeCount += 1
        switch lead(write, from: edge) {
        case .served: break
        case .waits(let place):
            mark(.parked)
            hosters[place].parked.append(Hoster.Visitor(write: write, untilSeconds: now + 30))
        case .refused: if edge == address { refusedVisitors += 1 }
        }
    }

    private func lead(_ write: Int, from edge: Int) -> Fate {
        var place = edge
        for _ in 0..<3 {
            switch hosters[place].route {
            case .own:
                // Its keeper lets visitors wait while it starts.
                guard hosters[place].isRunning else { return .waits(at: place) }
                accept(write, at: place)
                if dice.hits(oneIn: 3) { hosters[place].sessions += 1 }
                return .served
            case .held: return .waits(at: place)
            case .elsewhere:
                guard now >= cutUntilSeconds else { return .refused }
                mark(.forwarded)
                place = 1 - place
            case .none: return .refused
            }
        }
        return .refused
    }

    private func accept(_ write: Int, at place: Int) {
        let bit: Writes = 1 << Writes(write)
        hosters[place].data = (hosters[place].data ?? 0) | bit
        acknowledged |= bit
    }

    /// A session that has reached the site long ago goes on to write.
    func write(at index: Int) {
        accept(writeCount, at: index)
        writeCount += 1
        if dice.hits(oneIn: 6) { hosters[index].sessions -= 1 }
    }

    /// Visitors who wait are led on when they can be, and sent away when their time is over.
    func tendParked() {
        for index in hosters.indices where !hosters[index].parked.isEmpty {
            let waiting = hosters[index].parked
            hosters[index].parked = []
            for visitor in waiting {
                switch lead(visitor.write, from: index) {
                case .served: mark(.parkedThenServed)
                case .waits(let place):
                    if now < visitor.untilSeconds {
                        hosters[place].parked.append(visitor)
                    } else {
                        refusedVisitors += 1
                    }
                case .refused: refusedVisitors += 1
                }
            }
        }
    }
}
