import DataPlane
import Support
import Testing

@Suite struct DirectionTests {
    private static let ends: [Direction.End] = [.open, .ended, .broken, .passedOn, .dropped]
    private static let buffer = BufferIndex(7)
    private static let pipe = PipeIndex(3)

    /// What a direction may hold.
    enum Holding: CaseIterable {
        case nothing, filledBuffer, emptyPipe, filledPipe
        /// A filled buffer behind which the source's end is known to stand.
        case bufferBeforeEnd
    }

    /// Every combination of what interest may depend on, the impossible ones included.
    private static var states: [Direction] {
        var states: [Direction] = []
        for end in ends {
            for holding in Holding.allCases {
                for isBusy in [false, true] {
                    for isBulk in [false, true] {
                        var direction = Direction()
                        direction.end = end
                        direction.isBusy = isBusy
                        direction.isBulk = isBulk
                        let hasBuffer = holding == .filledBuffer || holding == .bufferBeforeEnd
                        direction.expectsEnd = holding == .bufferBeforeEnd
                        if hasBuffer { direction.buffer = buffer }
                        if holding == .emptyPipe || holding == .filledPipe { direction.pipe = pipe }
                        if hasBuffer || holding == .filledPipe { direction.pending = 10 }
                        states.append(direction)
                    }
                }
            }
        }
        return states
    }

    @Test("In each of the 100 states, a direction wants exactly what the rules say")
    func interest() {
        #expect(Self.states.count == 100)
        for direction in Self.states {
            let expected: Direction.Interest =
                if direction.isBusy {
                    .nothing
                } else if direction.pending > 0 {
                    direction.buffer == .none
                        ? .drain : direction.expectsEnd && direction.end == .open ? .receiveMore : .send
                } else {
                    switch direction.end {
                    case .open: direction.isBulk ? .fill : .receive
                    case .ended: .finish
                    case .broken: .abort
                    case .passedOn, .dropped: .nothing
                    }
                }
            #expect(direction.interest == expected, "\(direction)")
        }
    }

    @Test("In each state an end moves on towards the worse only, and never back", arguments: [false, true])
    func ends(isReset: Bool) {
        for before in Self.states {
            var after = before
            after.noteEnd(isReset: isReset)
            let expected: Direction.End =
                switch before.end {
                case .open: isReset ? .broken : .ended
                case .ended: isReset ? .broken : .ended
                case .broken: .broken
                case .passedOn: .passedOn
                case .dropped: .dropped
                }
            #expect(after.end == expected)
            #expect(after.pending == before.pending, "bytes that were received before the end are still sent")
            #expect(after.isFinal == before.isFinal)
            #expect(!after.expectsEnd, "it has come")
        }
    }

    @Test(
        "In each state with something pending, what is sent is taken off and counted, to the last byte"
    )
    func sending() {
        for before in Self.states where before.pending > 0 {
            for count in 0...before.pending {
                var after = before
                let isLast = count == before.pending
                if before.pipe == .none {
                    #expect(
                        after.noteSent(count) == (isLast ? Self.buffer : .none), "given back once, when empty"
                    )
                    #expect(after.buffer == (isLast ? .none : Self.buffer))
                    #expect(after.offset == count)
                    #expect(
                        isLast || after.slice.offset == count && after.slice.count == before.pending - count)
                } else {
                    after.noteDrained(count)
                    #expect(after.pipe == Self.pipe, "an empty pipe is filled again before it is given back")
                }
                #expect(after.pending == before.pending - count)
                #expect(after.byteCount == UInt64(count))
                #expect(after.end == before.end)
            }
        }
    }

    @Test("In each state with nothing pending and no buffer, a receive or a fill is taken whole")
    func taking() {
        for before in Self.states where before.pending == 0 {
            var after = before
            if before.pipe != .none {
                after.noteFilled(100)
                #expect(after.burstBytes == 100)
                #expect(after.pipe == Self.pipe)
            } else {
                after.noteReceived(100, in: Self.buffer)
                #expect(after.buffer == Self.buffer)
                #expect(after.slice.offset == 0 && after.slice.count == 100)
            }
            #expect(after.pending == 100)
            #expect(after.byteCount == 0, "received is not sent")
        }
    }

    @Test("With the end known to be there, one receive goes behind what is pending, and then it is sent")
    func takesEnd() {
        for (result, isReset) in [(20, false), (0, false), (0, true)] as [(UInt32, Bool)] {
            var direction = Direction()
            direction.noteReceived(100, in: Self.buffer, mayHaveMore: true)
            #expect(direction.interest == .receiveMore)
            if result > 0 {
                direction.noteReceived(result, in: Self.buffer)
            } else {
                direction.noteEnd(isReset: isReset)
            }
            #expect(direction.interest == .send, "more is not waited for twice")
            #expect(direction.slice.offset == 0 && direction.slice.count == 100 + result)
            #expect(direction.noteSent(100 + result) == Self.buffer)
            #expect(direction.interest == (result > 0 ? .receive : isReset ? .abort : .finish))
        }
    }

    @Test("A header goes in front of what is pending, is replaced as a whole, and counts for nothing")
    func header() {
        var direction = Direction()
        direction.noteReceived(500, in: Self.buffer)
        // A header that came in, and was for us.
        direction.takeFront(100)
        #expect(direction.slice.offset == 100 && direction.slice.count == 400)
        direction.putHeader(327)
        #expect(direction.slice.offset == 100 - 327 && direction.slice.count == 727)
        #expect(direction.hasUnsentHeader && direction.byteCount == 0)
        direction.putHeader(28)
        #expect(direction.slice.offset == 72 && direction.slice.count == 428)
        direction.putHeader(0)
        #expect(direction.slice.offset == 100 && direction.slice.count == 400 && !direction.hasUnsentHeader)

        direction.putHeader(28)
        #expect(direction.noteSent(20) == .none)
        #expect(direction.byteCount == 0, "a part of the header")
        #expect(direction.noteSent(9) == .none)
        #expect(direction.byteCount == 1 && !direction.hasUnsentHeader)
        #expect(direction.noteSent(399) == Self.buffer)
        #expect(direction.byteCount == 400)
    }

    @Test("Behind a large read the end is not waited for: it is sent, and may become bulky")
    func largeReadBeforeEnd() {
        var direction = Direction()
        direction.noteReceived(Direction.largeBytes, in: Self.buffer, mayHaveMore: true)
        #expect(direction.interest == .send)
        direction = Direction()
        direction.noteReceived(Direction.largeBytes - 1, in: Self.buffer, mayHaveMore: true)
        #expect(direction.interest == .receiveMore)
    }

    @Test("In each state with nothing pending, a dry source gives the pipe back, if there is one")
    func dry() {
        for before in Self.states where before.pending == 0 {
            var after = before
            #expect(after.noteSourceDry() == before.pipe)
            #expect(after.pipe == .none)
            #expect(after.burstBytes == 0)
        }
    }

    @Test("Two large reads in a row make a direction bulky, and a small one between them does not")
    func becomesBulky() {
        let large = Direction.largeBytes
        #expect(Self.isBulk(afterReads: [large, large]))
        #expect(Self.isBulk(afterReads: [1, large, large + 5]))
        #expect(!Self.isBulk(afterReads: [large]))
        #expect(!Self.isBulk(afterReads: [large, large - 1, large]))
        #expect(!Self.isBulk(afterReads: [UInt32](repeating: large - 1, count: 100)))
    }

    private static func isBulk(afterReads reads: [UInt32]) -> Bool {
        var direction = Direction()
        for count in reads {
            direction.noteReceived(count, in: buffer)
            _ = direction.noteSent(count)
        }
        return direction.isBulk
    }

    @Test("Four small bursts in a row end it, and a large one between them does not")
    func calmsDown() {
        let (small, large) = (Direction.largeBytes - 1, Direction.largeBytes)
        #expect(!Self.isBulk(afterBursts: [small, small, small, small]))
        #expect(Self.isBulk(afterBursts: [small, small, small]))
        #expect(Self.isBulk(afterBursts: [small, small, small, large, small]))
        #expect(!Self.isBulk(afterBursts: [small, large, 1, 1, 1, 1]))
        #expect(Self.isBulk(afterBursts: [UInt32](repeating: large, count: 100)))
    }

    private static func isBulk(afterBursts bursts: [UInt32]) -> Bool {
        var direction = Direction()
        direction.isBulk = true
        for burst in bursts {
            // A burst may come in several moves.
            for count in [burst / 2, burst - burst / 2] where count > 0 {
                direction.pipe = pipe
                direction.noteFilled(count)
                direction.noteDrained(count)
            }
            _ = direction.noteSourceDry()
        }
        return direction.isBulk
    }

    @Test("Without pipes a direction copies, and needs two large reads to ask for one again")
    func noPipes() {
        var direction = Direction()
        direction.isBulk = true
        direction.notePipesExhausted()
        #expect(direction.interest == .receive)
        direction.noteReceived(Direction.largeBytes, in: Self.buffer)
        _ = direction.noteSent(Direction.largeBytes)
        #expect(direction.interest == .receive)
        direction.noteReceived(Direction.largeBytes, in: Self.buffer)
        _ = direction.noteSent(Direction.largeBytes)
        #expect(direction.interest == .fill)
    }

    @Test("More sent than there was, or a receive on top of another, stops the process")
    func broken() async {
        await #expect(processExitsWith: .failure) {
            var direction = Direction()
            direction.noteReceived(5, in: BufferIndex(1))
            _ = direction.noteSent(6)
        }
        await #expect(processExitsWith: .failure) {
            var direction = Direction()
            direction.noteReceived(5, in: BufferIndex(1))
            direction.noteReceived(5, in: BufferIndex(2))
        }
        await #expect(processExitsWith: .failure) {
            var direction = Direction()
            direction.noteFilled(5)
        }
    }
}
