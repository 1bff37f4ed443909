package import Linux

/// What a worker asks of the kernel, in the shape of completions: an operation is submitted with a ``Token``
/// and later answers once with that token and a result. The epoll backend performs the system call when the
/// socket is ready, the ring lets the kernel do it, the simulator pretends; a worker cannot tell them apart.
///
/// Rules that every backend keeps and every caller relies on (the contract tests check them):
/// - At most one operation that reads (receive, await readable) and one that writes (connect, send, await
///   writable) are in flight on a socket.
/// - Every submitted operation completes exactly once, with its token, also when it fails or is cancelled.
/// - No completion is delivered from within a submission: the caller sees it from ``nextCompletion()`` only.
/// - A socket is closed only when nothing is in flight on it.
/// - An idle socket holds no buffer: one is taken when bytes are there.
/// - Results below zero are `-errno`.
package protocol IOBackend: ~Copyable {
    /// The time of this turn in nanoseconds of a clock that never goes back; read once, after each wait.
    var nowNanoseconds: UInt64 { get }

    /// Waits until at least one completion is there or `milliseconds` have passed (-1: no limit; 0: does not
    /// wait).
    mutating func wait(milliseconds: Int32)

    /// The next completion, in the order in which operations finished.
    mutating func nextCompletion() -> Completion?

    // MARK: Listeners

    /// Accepts connections from a listening socket; each completes as `accept` with the new descriptor as its
    /// result, and with the listener's index in the token's slot.
    mutating func addListener(_ descriptor: Int32, index: UInt32)

    /// Takes what the listener's queue still holds as completions, then closes it.
    mutating func removeListener(_ descriptor: Int32)

    /// No more than this many connections are accepted until the next call.
    mutating func setAcceptBudget(_ count: Int)

    /// Whether listeners are looked at; a paused listener lets the kernel's queue fill.
    mutating func setAccepting(_ accepting: Bool)

    /// Completes as `wake` each time the event descriptor is written to.
    mutating func addWake(_ descriptor: Int32)

    // MARK: Sockets

    /// The address of the other end, or nil when it is gone already.
    func peerAddress(_ descriptor: Int32) -> SocketAddress?

    /// The address that the peer of an accepted descriptor has connected to.
    func localAddress(_ descriptor: Int32) -> SocketAddress?

    /// Binds an accepted descriptor to a session's side. `mayHaveBytes`: try to read before waiting for
    /// readiness.
    mutating func adopt(_ descriptor: Int32, owner: Token, mayHaveBytes: Bool)

    /// Makes a socket, starts to connect it, and sends the first bytes as soon as it is connected. Returns
    /// the new descriptor, or `-errno` when there could not be one. Completes as `connect` with the count of
    /// bytes sent; without bytes, as soon as it is connected.
    mutating func connect(_ owner: Token, to address: SocketAddress, sending bytes: BufferSlice) -> Int32

    /// Receives bytes. With a buffer: appends at the slice's end, as much as the buffer can hold. Without:
    /// takes a buffer when there are bytes, and hands it over with the completion. The result is the count of
    /// bytes; 0: the peer's end.
    mutating func receive(_ descriptor: Int32, appendingTo slice: BufferSlice)

    /// Whether a receive is known to complete at once: with bytes, or with the peer's end.
    mutating func mayReceive(_ descriptor: Int32) -> Bool

    /// Sends bytes; the result may be less than was asked. `endFollows`: the caller shuts down or closes as
    /// soon as they are taken, so they may wait for that and travel with the end.
    mutating func send(_ descriptor: Int32, _ bytes: BufferSlice, endFollows: Bool)

    /// Completes as `readable` when there may be something to splice from the socket.
    mutating func awaitReadable(_ descriptor: Int32)

    /// Completes as `writable` when the socket may take more.
    mutating func awaitWritable(_ descriptor: Int32)

    /// From now on, and until it was told or the next operation reads, a `fault` with the result 0 tells of
    /// the peer's end while nothing is in flight on the socket, also of one that came before. Bytes stay
    /// unread in the socket. An end behind more bytes than the socket can hold is not seen.
    mutating func watchEnd(_ descriptor: Int32)

    /// Each operation in flight on the socket completes soon, with `-ECANCELED` if it had not finished.
    mutating func cancel(_ descriptor: Int32)

    /// Tells the peer that no more bytes come; what was sent before still arrives.
    mutating func shutdownWrite(_ descriptor: Int32)

    /// Closes a socket on which nothing is in flight. `reset`: the peer sees a reset instead of an orderly
    /// end.
    mutating func close(_ descriptor: Int32, reset: Bool)

    // MARK: Pipes: bytes go through them without being copied

    /// A pooled, empty pipe, or nil when there are none to be had.
    mutating func acquirePipe() -> PipeIndex?

    /// Gives a pipe back; one that still holds bytes is closed.
    mutating func releasePipe(_ pipe: PipeIndex, isEmpty: Bool)

    /// Moves bytes from a socket into an empty pipe, at once: the count, `-EAGAIN`: nothing there. 0: at the
    /// peer's end, or at urgent data, which a splice does not pass; a receive tells which.
    mutating func fill(_ pipe: PipeIndex, from descriptor: Int32) -> Int

    /// Moves up to `count` bytes from a pipe into a socket, at once: the count, or `-EAGAIN`: the socket
    /// takes none now.
    mutating func drain(_ pipe: PipeIndex, to descriptor: Int32, count: Int) -> Int

    // MARK: Buffers

    /// The bytes of a buffer.
    @_lifetime(borrow self)
    borrowing func bytes(_ slice: BufferSlice) -> RawSpan

    /// Puts bytes in the place of a slice, which is as long; also into the room in front of the data.
    mutating func overwrite(_ slice: BufferSlice, with bytes: RawSpan)

    /// Gives a buffer back.
    mutating func release(_ buffer: BufferIndex)

    /// A buffer that holds a copy of the bytes, for constants such as alerts; nil when the pool is empty.
    mutating func makeBuffer(copying bytes: Span<UInt8>) -> BufferIndex?

    /// Gives the memory of buffers and pipes that nobody has needed of late back to the system.
    mutating func trim()

    // MARK: Hand-over to another process, which has descriptors of its own for the same sockets and pipes

    /// Accepts no more, until ``setAccepting(_:)`` says so. True once nothing that was accepted is under way
    /// to the worker. To be called again, after the completions were taken, until it says so.
    mutating func pauseListeners() -> Bool

    /// A connection that was accepted and for which the worker had no room, by its place among them; nil
    /// behind the last. It stays where it is.
    func surplus(_ place: Int) -> (index: UInt32, descriptor: Int32)?

    /// Forgets a listener, whose queue is now another process's to take from; after ``pauseListeners()``.
    mutating func abandonListener(_ descriptor: Int32)

    /// Forgets a socket on which nothing is in flight. The peer does not notice.
    mutating func abandon(_ descriptor: Int32)

    /// As ``adopt(_:owner:mayHaveBytes:)``, for a connected socket of another process.
    mutating func takeOver(_ descriptor: Int32, owner: Token, isUnix: Bool)

    /// The descriptors of a pipe.
    func ends(of pipe: PipeIndex) -> PipeEnds

    /// A pipe of another process, and the bytes in it; nil when there is no room for one more.
    mutating func adoptPipe(_ ends: PipeEnds) -> PipeIndex?
}

extension IOBackend where Self: ~Copyable {
    /// Sends bytes that others may follow.
    package mutating func send(_ descriptor: Int32, _ bytes: BufferSlice) {
        send(descriptor, bytes, endFollows: false)
    }
}

/// What identifies an operation: the session's slot, its generation (a slot is used again; a late answer must
/// not reach the next tenant), the kind of operation and the side of the session it concerns.
package struct Token: BitwiseCopyable, Equatable {
    /// slot (32 bits) | generation (24) | kind (7) | side (1)
    package let raw: UInt64

    /// The largest generation; the next is 0 again.
    package static let generationMax: UInt32 = 0xff_ffff

    /// Builds a token; `generation` is at most ``generationMax``.
    package init(slot: UInt32, generation: UInt32, kind: OperationKind = .none, side: Side = .client) {
        raw =
            UInt64(slot) << 32 | UInt64(generation & Self.generationMax) << 8
            | UInt64(kind.rawValue) << 1 | UInt64(side.rawValue)
    }

    private init(raw: UInt64) { self.raw = raw }

    /// The same slot, generation and side with another kind.
    package func with(_ kind: OperationKind) -> Token { Token(raw: raw & ~0xfe | UInt64(kind.rawValue) << 1) }

    /// Index of the session in its slab, or of the listener for `accept`.
    package var slot: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) }

    /// Which tenant of the slot is meant.
    package var generation: UInt32 { UInt32(truncatingIfNeeded: raw >> 8) & Self.generationMax }

    /// The operation.
    package var kind: OperationKind {
        OperationKind(rawValue: UInt8(truncatingIfNeeded: raw >> 1) & 0x7f) ?? .none
    }

    /// The socket's side of the session.
    package var side: Side { raw & 1 == 0 ? .client : .origin }
}

/// The two ends of a session.
package enum Side: UInt8, BitwiseCopyable {
    /// Who connected to us.
    case client = 0
    /// Whom we connected to.
    case origin = 1

    /// The other end.
    package var other: Side { self == .client ? .origin : .client }
}

/// The operations that complete.
package enum OperationKind: UInt8, BitwiseCopyable {
    /// Nothing in flight.
    case none = 0
    /// A listener gave a connection.
    case accept = 1
    /// Another thread has put something into the worker's mailbox.
    case wake = 2
    /// A connection to an origin was made and the first bytes were sent, or not.
    case connect = 3
    /// Bytes, or the end.
    case receive = 4
    /// Bytes were taken by the socket.
    case send = 5
    /// There may be something to splice.
    case readable = 6
    /// The socket may take more.
    case writable = 7
    /// The socket failed while nothing was in flight on it. Unasked for: not counted as an operation. Comes
    /// once at most, and not when an operation has said it. A socket on which nothing ever had to wait may
    /// fail without, unless its end is watched (``IOBackend/watchEnd(_:)``). The result 0 is that end.
    case fault = 8
}

/// An operation's answer.
package struct Completion: BitwiseCopyable {
    /// Which operation.
    package var token: Token
    /// Its result: a count, a descriptor, or `-errno`.
    package var result: Int32
    /// For `receive`: the buffer that holds the bytes, which the receiver now owns.
    package var buffer: BufferIndex

    /// Builds a completion.
    package init(token: Token, result: Int32, buffer: BufferIndex = .none) {
        self.token = token
        self.result = result
        self.buffer = buffer
    }
}

/// A buffer of the backend's pool, by number.
package struct BufferIndex: BitwiseCopyable, Equatable {
    package let raw: Int32
    package init(_ raw: Int32) { self.raw = raw }
    /// No buffer.
    package static let none = BufferIndex(-1)
}

/// A pipe of the backend's pool, by number.
package struct PipeIndex: BitwiseCopyable, Equatable {
    package let raw: Int32
    package init(_ raw: Int32) { self.raw = raw }
    /// No pipe.
    package static let none = PipeIndex(-1)
}

/// Some of a buffer's bytes.
package struct BufferSlice: BitwiseCopyable {
    /// The buffer, or none.
    package var buffer: BufferIndex
    /// Where the bytes start, from the buffer's data start; below zero in the room in front of it.
    package var offset: Int32
    /// How many there are.
    package var count: UInt32

    /// Builds a slice.
    package init(buffer: BufferIndex = .none, offset: Int32 = 0, count: UInt32 = 0) {
        self.buffer = buffer
        self.offset = offset
        self.count = count
    }
}
