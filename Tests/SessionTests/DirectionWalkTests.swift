import DataPlane
import Support
import Testing

/// Walks at random through everything that can happen to a direction, in the way in which a worker makes it
/// happen, and sweeps over the invariants after each step.
@Suite struct DirectionWalkTests {
    @Test(
        "Whatever happens to a direction, its invariants hold after each step",
        arguments: 1...16 as ClosedRange<UInt64>)
    func walk(seed: UInt64) {
        var walker = Walker(seed: seed)
        for _ in 0..<400 {
            walker.begin()
            for _ in 0..<500 where !walker.isOver { walker.step() }
            walker.finish()
        }
        #expect(walker.reached == Walker.everything, "the walk has been everywhere")
    }
}

private struct Walker {
    /// What a direction waits for.
    enum Operation {
        case receive, send, readable, writable
    }

    static let everything: Set<String> = [
        "receive", "send", "fill", "drain", "finish", "abort", "short send", "short drain", "dry", "no room",
        "no pipe", "behind", "bulky", "calm", "dropped", "reset behind an end",
    ]

    private var random: HelloRandom
    private var direction = Direction()
    private var before = Direction()
    private var operation: Operation?
    /// Bytes that have come and that have gone, and those that were lost with a sink that failed.
    private var (taken, given, lost): (UInt64, UInt64, UInt64) = (0, 0, 0)
    /// Buffers and pipes that the direction was given and has not given back.
    private var (buffers, pipes): (Set<Int32>, Set<Int32>) = ([], [])
    private var nextNumber: Int32 = 0
    private var size = 1
    private(set) var isOver = false
    private(set) var reached: Set<String> = []

    init(seed: UInt64) {
        random = HelloRandom(seed: seed)
    }

    mutating func begin() {
        direction = Direction()
        operation = nil
        (taken, given, lost) = (0, 0, 0)
        isOver = false
    }

    mutating func step() {
        before = direction
        // Sources send little or much for a while.
        if random.oneIn(20) { size = random.oneIn(2) ? 100 : 60_000 }
        if let operation {
            complete(operation)
        } else {
            act()
        }
        sweep()
    }

    mutating func finish() {
        giveBack()
        #expect(buffers.isEmpty && pipes.isEmpty, "everything was given back")
    }

    // MARK: What a worker does of itself

    private mutating func act() {
        switch direction.interest {
        case .nothing: isOver = true
        case .receive: wait(.receive)
        case .receiveMore:
            reached.insert("behind")
            wait(.receive)
        case .send: wait(.send)
        case .fill: fill()
        case .drain: drain()
        case .finish:
            reached.insert("finish")
            #expect(direction.pending == 0, "an end is passed on behind the last byte")
            direction.end = .passedOn
        case .abort:
            reached.insert("abort")
            #expect(direction.pending == 0)
            isOver = true
        }
    }

    private mutating func wait(_ operation: Operation) {
        direction.isBusy = true
        self.operation = operation
    }

    private mutating func fill() {
        if direction.pipe == .none {
            guard !random.oneIn(10) else {
                reached.insert("no pipe")
                direction.notePipesExhausted()
                return
            }
            direction.pipe = PipeIndex(number())
            pipes.insert(direction.pipe.raw)
        }
        reached.insert("fill")
        switch random.below(20) {
        case 0...9:
            let count = UInt32(random.below(size) + 1)
            direction.noteFilled(count)
            taken += UInt64(count)
        case 10...18:
            reached.insert("dry")
            releasePipe()
            if before.isBulk, !direction.isBulk { reached.insert("calm") }
            if direction.isBulk { wait(.readable) }
        default:
            releasePipe()
            end()
        }
    }

    private mutating func drain() {
        reached.insert("drain")
        switch random.below(40) {
        case 0...29:
            let count = random.oneIn(2) ? direction.pending : UInt32(random.below(Int(direction.pending)) + 1)
            if count < direction.pending { reached.insert("short drain") }
            direction.noteDrained(count)
            given += UInt64(count)
        case 30...38:
            reached.insert("no room")
            wait(.writable)
        default: drop()
        }
    }

    // MARK: What the kernel answers

    private mutating func complete(_ operation: Operation) {
        // A reset of the source may become known at any time.
        if random.oneIn(120), !direction.expectsEnd {
            if direction.end == .ended { reached.insert("reset behind an end") }
            direction.noteEnd(isReset: true)
            if random.oneIn(2) { return }
        }
        direction.isBusy = false
        self.operation = nil
        switch operation {
        case .readable, .writable: break
        case .receive: received()
        case .send: sent()
        }
    }

    private mutating func received() {
        guard !random.oneIn(30), direction.end == .open else {
            end()
            return
        }
        guard direction.pending == 0 else {
            // Behind what is there, as much as fits.
            let room = BufferPool.dataBytes - Int(direction.offset) - Int(direction.pending)
            let count = UInt32(random.below(room) + 1)
            direction.noteReceived(count, in: direction.buffer, mayHaveMore: random.oneIn(2))
            taken += UInt64(count)
            return
        }
        reached.insert("receive")
        let count = UInt32(random.below(min(size, BufferPool.dataBytes)) + 1)
        let buffer = BufferIndex(number())
        buffers.insert(buffer.raw)
        direction.noteReceived(count, in: buffer, mayHaveMore: random.oneIn(4))
        taken += UInt64(count)
        if !before.isBulk, direction.isBulk { reached.insert("bulky") }
    }

    private mutating func sent() {
        guard !random.oneIn(60) else {
            drop()
            return
        }
        reached.insert("send")
        let count = random.oneIn(2) ? direction.pending : UInt32(random.below(Int(direction.pending)) + 1)
        if count < direction.pending { reached.insert("short send") }
        let spent = direction.noteSent(count)
        given += UInt64(count)
        if spent != .none { #expect(buffers.remove(spent.raw) != nil, "a buffer is given back once") }
    }

    private mutating func end() {
        direction.noteEnd(isReset: random.oneIn(4))
        if random.oneIn(6) {
            if direction.end == .ended { reached.insert("reset behind an end") }
            direction.noteEnd(isReset: true)
        }
    }

    /// The sink takes no more: what there is is lost.
    private mutating func drop() {
        reached.insert("dropped")
        lost += UInt64(direction.pending)
        giveBack()
        direction.pending = 0
        direction.end = .dropped
    }

    private mutating func releasePipe() {
        let pipe = direction.noteSourceDry()
        #expect(pipes.remove(pipe.raw) != nil, "a pipe is given back once")
    }

    private mutating func giveBack() {
        if direction.buffer != .none { #expect(buffers.remove(direction.buffer.raw) != nil) }
        if direction.pipe != .none { #expect(pipes.remove(direction.pipe.raw) != nil) }
        direction.buffer = .none
        direction.pipe = .none
    }

    private mutating func number() -> Int32 {
        nextNumber += 1
        return nextNumber
    }

    // MARK: Invariants

    private func sweep() {
        #expect(!direction.isBusy || direction.interest == .nothing, "one operation at a time")
        #expect(direction.isBusy == (operation != nil))
        #expect(direction.buffer == .none || direction.pipe == .none, "a buffer or a pipe, never both")
        #expect((direction.buffer != .none) == (direction.pending > 0 && direction.pipe == .none))
        #expect(direction.pending == 0 || direction.buffer != .none || direction.pipe != .none)
        #expect(direction.byteCount == given, "what was sent, and nothing else, is counted")
        #expect(taken == given + lost + UInt64(direction.pending), "no byte is lost or made up")
        #expect(!before.isFinal || direction.end == before.end, "what is final stays so")
        #expect(before.end == .open || direction.end != .open, "an end is not taken back")
        #expect(!direction.isFinal || direction.interest == .nothing)
        #expect(direction.pending == 0 || ![.finish, .abort].contains(direction.interest))
        let isWaitingForBytes = operation == .receive && !direction.expectsEnd || operation == .readable
        #expect(
            !isWaitingForBytes || direction.buffer == .none && direction.pipe == .none, "idle holds nothing")
        #expect(buffers == (direction.buffer == .none ? [] : [direction.buffer.raw]))
        #expect(pipes == (direction.pipe == .none ? [] : [direction.pipe.raw]))
    }
}
