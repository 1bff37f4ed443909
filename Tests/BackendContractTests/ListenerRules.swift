import DataPlane
import Linux
import Testing

extension BackendContractTests {
    @Test("A listener gives each connection once, under its own index", arguments: Subject.all)
    func acceptsOnce(_ subject: Subject) throws {
        try subject.check { bench in
            let first = try bench.listen(index: 3)
            let second = try bench.listen(index: 7)
            bench.backend.setAcceptBudget(100)
            let peers = try (0..<20).map { number in
                (number, try bench.world.connect(to: number % 2 == 0 ? first.address : second.address))
            }
            var accepted: [Completion] = []
            try bench.until("twenty connections are accepted") {
                accepted += bench.claimAll(.accept)
                return accepted.count >= 20
            }
            bench.pass()
            #expect(bench.isQuiet, "no connection comes twice")
            #expect(Set(accepted.map(\.result)).count == 20)

            var seen: Set<UInt8> = []
            let holds = accepted.map { (bench.adopt($0.result), $0.token.slot) }
            for (number, peer) in peers { _ = try peer.send([UInt8(number)]) }
            for (held, index) in holds {
                bench.receive(held)
                let number = try bench.bytes(try bench.completion(.receive, of: held))[0]
                seen.insert(number)
                #expect(index == (number % 2 == 0 ? 3 : 7), "the token's slot is the listener's index")
            }
            #expect(seen.count == 20)
        }
    }

    @Test(
        "The address of an accepted connection is the peer's; of one that has gone there is none",
        arguments: Subject.all)
    func peerAddress(_ subject: Subject) throws {
        try subject.check { bench in
            let (held, peer) = try bench.pair()
            let address = try peer.address
            #expect(bench.backend.peerAddress(held.descriptor)?.isSame(as: address) == true)

            let (gone, resetting) = try bench.pair()
            resetting.reset()
            try bench.until("the reset arrives") { bench.backend.peerAddress(gone.descriptor) == nil }
        }
    }

    @Test(
        "No more connections are accepted than the budget allows, and the rest keep waiting",
        arguments: Subject.all)
    func acceptBudget(_ subject: Subject) throws {
        try subject.check { bench in
            let listener = try bench.listen()
            bench.backend.setAcceptBudget(3)
            let peers = try (0..<8).map { _ in try bench.world.connect(to: listener.address) }
            var counts: [Int] = []
            for budget in [nil, 2, 0, 100] {
                if let budget { bench.backend.setAcceptBudget(budget) }
                bench.pass()
                let accepted = bench.claimAll(.accept)
                counts.append(accepted.count)
                for completion in accepted { _ = bench.adopt(completion.result) }
            }
            #expect(counts == [3, 2, 0, 3])
            #expect(try peers.allSatisfy { try $0.receive(upTo: 1) == .nothing }, "nobody was turned away")
        }
    }

    @Test(
        "While listeners are paused the queue fills; afterwards each connection is accepted once",
        arguments: Subject.all)
    func pause(_ subject: Subject) throws {
        try subject.check { bench in
            let listener = try bench.listen()
            bench.backend.setAcceptBudget(100)
            bench.backend.setAccepting(false)
            bench.backend.setAccepting(false)
            let peers = try (0..<5).map { _ in try bench.world.connect(to: listener.address) }
            // One that is added during the pause is paused, too.
            let late = try bench.listen(index: 1)
            let latePeer = try bench.world.connect(to: late.address)
            bench.pass()
            #expect(bench.isQuiet)

            bench.backend.setAccepting(true)
            bench.backend.setAccepting(true)
            var accepted: [Completion] = []
            try bench.until("the queues are accepted") {
                accepted += bench.claimAll(.accept)
                return accepted.count >= 6
            }
            bench.pass()
            #expect(bench.isQuiet)
            #expect(accepted.count { $0.token.slot == 0 } == 5)
            #expect(accepted.count { $0.token.slot == 1 } == 1)
            for completion in accepted { _ = bench.adopt(completion.result) }
            for peer in peers + [latePeer] { #expect(try peer.receive(upTo: 1) == .nothing) }
        }
    }

    @Test(
        "A listener that is removed first hands over what its queue holds", arguments: Subject.all,
        [false, true])
    func removal(_ subject: Subject, isPaused: Bool) throws {
        try subject.check { bench in
            let listener = try bench.listen(index: 9)
            bench.backend.setAcceptBudget(100)
            bench.backend.setAccepting(!isPaused)
            let peers = try (0..<4).map { _ in try bench.world.connect(to: listener.address) }
            bench.unlisten(listener.descriptor)
            let accepted = bench.claimAll(.accept)
            #expect(accepted.count == 4)
            #expect(accepted.allSatisfy { $0.token.slot == 9 && $0.result >= 0 })

            let holds = accepted.map { bench.adopt($0.result) }
            for peer in peers { _ = try peer.send([1]) }
            for held in holds {
                bench.receive(held)
                #expect(try bench.bytes(try bench.completion(.receive, of: held)) == [1])
            }
            #expect(throws: Errno.self, "nobody listens there any more") {
                try bench.world.connect(to: listener.address)
            }
            bench.pass()
            #expect(bench.isQuiet)
        }
    }

    @Test("A listener that is removed gives no more than the budget allows", arguments: Subject.all)
    func removalBudget(_ subject: Subject) throws {
        try subject.check { bench in
            let listener = try bench.listen()
            bench.backend.setAccepting(false)
            bench.backend.setAcceptBudget(2)
            let peers = try (0..<4).map { _ in try bench.world.connect(to: listener.address) }
            bench.unlisten(listener.descriptor)
            let accepted = bench.claimAll(.accept)
            #expect(accepted.count == 2)
            for completion in accepted { _ = bench.adopt(completion.result) }
            var resets = 0
            try bench.until("the others are turned away") {
                resets += try peers.count { try $0.receive(upTo: 1) == .reset }
                return resets >= 2
            }
            bench.pass()
            #expect(resets == 2)
        }
    }
}
