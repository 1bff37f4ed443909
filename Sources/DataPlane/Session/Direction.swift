/// One direction of a session: bytes from its source to the other side.
///
/// A direction does one thing at a time: it takes bytes (a receive into a pooled buffer, or a splice into a
/// pooled pipe), then gives them (a send, or a splice out), then takes again. While it waits for bytes it
/// holds neither buffer nor pipe. What it wants next follows from its state alone: ``interest``.
package struct Direction: BitwiseCopyable {
    /// What is known of the source's end.
    package enum End: UInt8, BitwiseCopyable {
        /// More bytes may come. → ended, broken, dropped, enough
        case open
        /// The source has ended in order; passed on after the last byte. → passedOn, dropped
        case ended
        /// The source was reset; passed on as a reset after the last byte. The session then ends.
        case broken
        /// The end was passed on. Final.
        case passedOn
        /// The other side takes no more bytes; what there was is lost. Final.
        case dropped
        /// No more is taken from the source, whatever it sends, because the other side shall have no more of
        /// it: the request is whole. The other side is not told, and the other direction ends the session. →
        /// passedOn
        case enough
    }

    /// What a direction wants to do next.
    package enum Interest: UInt8, BitwiseCopyable {
        /// Wait for the operation in flight, or for nothing any more.
        case nothing
        /// Receive into a buffer.
        case receive
        /// Receive behind what the buffer holds: the source's end is known to be there, and it can travel
        /// with the bytes.
        case receiveMore
        /// Send what is in the buffer.
        case send
        /// Splice from the source into a pipe.
        case fill
        /// Splice what is in the pipe to the other side.
        case drain
        /// Pass the end on.
        case finish
        /// Pass the reset on.
        case abort
    }

    /// Reads of so many bytes or more count as large.
    package static let largeBytes: UInt32 = 16 * 1024
    /// So many large reads in a row make a direction bulky.
    package static let largeReadsToBulk: UInt8 = 2
    /// So many small bursts in a row end that.
    package static let smallBurstsToCalm: UInt8 = 4

    /// Bytes that the other side's socket has taken, below zero by what is left of a header of ours.
    package var takenCount: Int64 = 0
    /// Bytes received and not yet sent: in the buffer from `offset` on, or in the pipe.
    package var pending: UInt32 = 0
    /// Holds the pending bytes of a direction that copies.
    package var buffer: BufferIndex = .none
    /// Holds the pending bytes of a direction that splices.
    package var pipe: PipeIndex = .none
    /// Bytes spliced since the source last had none.
    package var burstBytes: UInt32 = 0
    /// See ``offset``.
    private var narrowOffset: Int16 = 0
    /// Large reads in a row while copying, small bursts in a row while splicing.
    package var streak: UInt8 = 0
    package var end: End = .open
    /// True exactly while one operation of this direction is in flight.
    package var isBusy = false
    /// Whether the source's end, or more, is known to stand behind the bytes in the buffer. True until it was
    /// received.
    package var expectsEnd = false
    /// Whether bytes go through a pipe rather than through a buffer.
    package var isBulk = false

    /// A direction that nothing has moved in yet.
    package init() {}

    /// What to do next; a pure function of the state.
    package var interest: Interest {
        guard !isBusy else { return .nothing }
        guard pending == 0 else {
            guard pipe == .none else { return .drain }
            return expectsEnd && end == .open ? .receiveMore : .send
        }
        switch end {
        case .open: return isBulk ? .fill : .receive
        case .ended: return .finish
        case .broken: return .abort
        case .passedOn, .dropped, .enough: return .nothing
        }
    }

    /// Whether nothing will ever move here again.
    package var isFinal: Bool { end == .passedOn || end == .dropped }

    /// The first byte of the buffer that was not sent yet; see ``BufferSlice/offset``. Kept in 16 bits, which
    /// hold every place in a buffer (``BufferPool/strideBytes``): a direction is then half a cache line.
    package var offset: Int32 {
        get { Int32(narrowOffset) }
        set { narrowOffset = Int16(truncatingIfNeeded: newValue) }
    }

    /// Bytes of the source that the other side's socket has taken. A header of ours in front of them is not
    /// the source's.
    package var byteCount: UInt64 { UInt64(max(0, takenCount)) }

    /// The pending bytes of the buffer.
    package var slice: BufferSlice { BufferSlice(buffer: buffer, offset: offset, count: pending) }

    // MARK: Accounting

    /// A receive gave `count` bytes in `buffer`. `mayHaveMore`: another would complete at once. After a small
    /// read that means the end, or its last bytes.
    package mutating func noteReceived(_ count: UInt32, in buffer: BufferIndex, mayHaveMore: Bool = false) {
        guard pending == 0 else {
            noteReceivedMore(count, in: buffer)
            return
        }
        precondition(
            pending == 0 && self.buffer == .none && count > 0, "bytes are received when the last were sent")
        self.buffer = buffer
        offset = 0
        pending = count
        expectsEnd = mayHaveMore && count < Self.largeBytes
        streak = count >= Self.largeBytes ? streak &+ 1 : 0
        if streak >= Self.largeReadsToBulk {
            isBulk = true
            streak = 0
        }
    }

    /// A receive behind pending bytes gave `count` more.
    private mutating func noteReceivedMore(_ count: UInt32, in buffer: BufferIndex) {
        precondition(expectsEnd && buffer == self.buffer, "more is received behind what is there")
        expectsEnd = false
        pending += count
    }

    /// A send took `count` bytes. Returns the buffer to give back when that was the last.
    package mutating func noteSent(_ count: UInt32) -> BufferIndex {
        precondition(count <= pending, "no more is sent than there was")
        takenCount += Int64(count)
        offset += Int32(count)
        pending -= count
        guard pending == 0 else { return .none }
        defer { buffer = .none }
        return buffer
    }

    // MARK: Headers

    /// The first `count` pending bytes were for us.
    package mutating func takeFront(_ count: Int) {
        precondition(count <= Int(pending), "no more is taken than there was")
        offset += Int32(count)
        pending -= UInt32(count)
    }

    /// As many bytes as `newCount` take the place of the first `count` pending ones, and end where these did.
    package mutating func replaceFront(_ count: Int, by newCount: Int) {
        takeFront(count)
        offset -= Int32(newCount)
        pending += UInt32(newCount)
    }

    /// Whether a header of ours stands in front that was not sent as a whole.
    package var hasUnsentHeader: Bool { takenCount < 0 }

    /// A header of `count` bytes goes in front of the pending bytes. It is sent with them, and counts for
    /// nothing. Replaces the one that another target would have got.
    package mutating func putHeader(_ count: Int) {
        precondition(takenCount <= 0, "a header goes in front of the first byte")
        takeFront(Int(-takenCount))
        takenCount = -Int64(count)
        offset -= Int32(count)
        pending += UInt32(count)
    }

    /// A splice filled the pipe with `count` bytes.
    package mutating func noteFilled(_ count: UInt32) {
        precondition(pending == 0 && pipe != .none && count > 0, "a pipe is filled when it is empty")
        pending = count
        burstBytes = burstBytes &+ count
    }

    /// A splice took `count` bytes out of the pipe.
    package mutating func noteDrained(_ count: UInt32) {
        precondition(count <= pending, "no more is drained than there was")
        takenCount += Int64(count)
        pending -= count
    }

    /// The source has nothing to splice now. Returns the pipe to give back, empty.
    package mutating func noteSourceDry() -> PipeIndex {
        precondition(pending == 0, "only an empty pipe is given back")
        streak = burstBytes < Self.largeBytes ? streak &+ 1 : 0
        if streak >= Self.smallBurstsToCalm {
            isBulk = false
            streak = 0
        }
        burstBytes = 0
        defer { pipe = .none }
        return pipe
    }

    /// There are no pipes to be had: copies for now.
    package mutating func notePipesExhausted() {
        isBulk = false
        streak = 0
    }

    /// A splice found the end, or what looks like one: it says the same in front of urgent data, with bytes
    /// behind it. And the kernel tells of a reset once: if it told a send to the source, whose answer is
    /// still on the way, then this end is none. A receive knows better, and is answered after the send.
    package mutating func noteEndInDoubt() {
        isBulk = false
        streak = 0
    }

    /// The source has ended, in order or by a reset.
    package mutating func noteEnd(isReset: Bool) {
        expectsEnd = false
        guard end == .open || (end == .ended && isReset) else { return }
        end = isReset ? .broken : .ended
    }
}
