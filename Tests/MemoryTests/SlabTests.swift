import DataPlane
import Support
import Testing

@Suite struct SlabTests {
    @Test("A slab gives out each slot once, says when it is full, and goes on with what comes back")
    func exhaustion() {
        var slab = Slab<UInt64>(capacity: 5)
        var slots: Set<Int> = []
        while let slot = slab.allocate() { slots.insert(slot) }
        #expect(slots == Set(0..<5))
        var (count, free) = (slab.count, slab.freeCount)
        #expect(count == 5)
        #expect(free == 0)

        slab.free(3)
        (count, free) = (slab.count, slab.freeCount)
        #expect(count == 4)
        #expect(free == 1)
        let again = slab.allocate()
        #expect(again == 3)
    }

    @Test("Slots come into use from the front, so that memory nobody needs is never touched")
    func frugality() {
        var slab = Slab<UInt64>(capacity: 1000)
        for _ in 0..<100 {
            let slots = (0..<7).compactMap { _ in slab.allocate() }
            for slot in slots { slab.free(slot) }
        }
        let touched = slab.touchedCount
        #expect(touched == 7)
    }

    @Test("The slot given back last is given out first")
    func warmth() {
        var slab = Slab<UInt64>(capacity: 4)
        for _ in 0..<4 { _ = slab.allocate() }
        slab.free(1)
        slab.free(2)
        let (first, second) = (slab.allocate(), slab.allocate())
        #expect(first == 2)
        #expect(second == 1)
    }

    @Test("What lies in a slot stays until its tenant goes", arguments: 1...4 as ClosedRange<UInt64>)
    func contents(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var slab = Slab<UInt64>(capacity: 64)
        var model: [Int: UInt64] = [:]
        for step in 0..<20_000 as Range<UInt64> {
            if random.oneIn(2) {
                guard let slot = slab.allocate() else {
                    #expect(model.count == 64)
                    continue
                }
                #expect(model[slot] == nil, "a slot has one tenant")
                slab[slot] = step
                model[slot] = step
            } else if let slot = model.keys.sorted().randomElement(using: &random) {
                let value = slab[slot]
                #expect(value == model.removeValue(forKey: slot))
                slab.free(slot)
            }
            let (count, free) = (slab.count, slab.freeCount)
            #expect(count == model.count)
            #expect(free == 64 - model.count)
        }
    }

    @Test("A slot of a fresh slab reads as zero")
    func zeroed() {
        var slab = Slab<UInt64>(capacity: 3)
        let slot = slab.allocate()
        let value = slab[slot ?? 0]
        #expect(value == 0)
    }
}

@Suite struct CompletionQueueTests {
    @Test("Completions come out in the order in which they went in, however the ring wraps")
    func order() {
        var random = SeededRandom(seed: 1)
        var queue = CompletionQueue(capacity: 300)
        var (pushed, popped) = (0, 0)
        for _ in 0..<50_000 {
            let free = queue.freeCount
            #expect(free == 512 - (pushed - popped), "the capacity is rounded up to a power of two")
            if random.oneIn(2), free > 0 {
                queue.push(Completion(token: Token(slot: UInt32(pushed), generation: 1), result: 0))
                pushed += 1
            } else if let completion = queue.pop() {
                #expect(completion.token.slot == UInt32(popped))
                popped += 1
            } else {
                #expect(pushed == popped)
            }
            let isEmpty = queue.isEmpty
            #expect(isEmpty == (pushed == popped))
        }
    }

    @Test("A queue takes as many as it was made for, and a completion keeps its token, result and buffer")
    func capacity() {
        var queue = CompletionQueue(capacity: 1000)
        for index in 0..<1000 as Range<UInt32> {
            let token = Token(slot: index, generation: Token.generationMax, kind: .receive, side: .origin)
            queue.push(Completion(token: token, result: -104, buffer: BufferIndex(Int32(index))))
        }
        for index in 0..<1000 as Range<UInt32> {
            let completion = queue.pop()
            #expect(completion?.token.slot == index)
            #expect(completion?.token.generation == Token.generationMax)
            #expect(completion?.token.kind == .receive)
            #expect(completion?.token.side == .origin)
            #expect(completion?.result == -104)
            #expect(completion?.buffer == BufferIndex(Int32(index)))
        }
    }
}
