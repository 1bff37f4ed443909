import CLinux
import CUring
package import Linux

/// Completions from the kernel's own rings (io_uring, kernel 6.1 or later). Operations are queued while a
/// worker handles a batch and go to the kernel with the next wait: one system call a turn, however many
/// sessions it concerns.
///
/// What does better without the ring goes without it: splice and shutdown (the ring hands them to a thread of
/// its own), making a socket with its options and its first attempt to connect, and waiting for room, for
/// which there is an epoll beside it; see ``RingStalls``.
@safe package struct RingBackend: IOBackend, ~Copyable {
    package private(set) var nowNanoseconds: UInt64 = clinux_monotonic_nanoseconds()

    let ring: Ring
    var sockets: Region<RingSocket>
    var buffers: BufferPool
    var provided: ProvidedBuffers
    var pipes: PipePool
    var completions: CompletionQueue
    var listeners: RingListeners
    let stalls: RingStalls
    private var nextWatchNanoseconds: UInt64 = 0
    /// Whether anything has completed since sockets without an operation were looked for.
    private var isWatchDue = false
    /// Every descriptor that was ever adopted is below this.
    private var descriptorsEnd = 0
    private let batch: Region<curing_completion>
    private static let batchMax = 256
    private let userTimeoutMilliseconds: Int32

    /// As ``EpollBackend/init(descriptorsMax:sessionsMax:pipesMax:userTimeoutMilliseconds:)``. Must be called
    /// on the thread that will use it: the ring has one issuer. Throws what ``Ring/init(buffers:)`` throws.
    package init(
        descriptorsMax: Int, sessionsMax: Int, pipesMax: Int, userTimeoutMilliseconds: Int32 = 900_000
    ) throws(Errno) {
        self.userTimeoutMilliseconds = userTimeoutMilliseconds
        let madeStalls = try RingStalls()
        let madeRing = try Ring(buffers: ProvidedBuffers.count)
        ring = madeRing
        stalls = madeStalls
        sockets = Region(capacity: descriptorsMax)
        buffers = BufferPool(capacity: 2 * sessionsMax + 64 + ProvidedBuffers.count)
        provided = ProvidedBuffers()
        pipes = PipePool(capacity: pipesMax)
        completions = CompletionQueue(capacity: 4 * sessionsMax + 1024)
        listeners = RingListeners(descriptorsMax: descriptorsMax)
        batch = Region(capacity: Self.batchMax)
        provideBuffers()
        ring.publish()
        pollStalls()
    }

    deinit {
        for place in 0..<listeners.surplusCount {
            _ = clinux_close(listeners.surplus[place].descriptor)
        }
    }

    /// Whether a ring can be had here: makes one, and takes it down again.
    package static func probe() throws(Errno) { _ = try Ring(buffers: ProvidedBuffers.count) }

    // MARK: Waiting

    package mutating func wait(milliseconds: Int32) {
        ring.publish()
        if !completions.isEmpty || milliseconds == 0 {
            ring.submit()
        } else {
            let milliseconds = waitMilliseconds(milliseconds)
            if !ring.wait(milliseconds: milliseconds) { waitOn(milliseconds: milliseconds) }
        }
        nowNanoseconds = clinux_monotonic_nanoseconds()
        takeCompleted()
        if isWatchDue, nowNanoseconds >= nextWatchNanoseconds { watchQuiet() }
    }

    /// Waits for what is left of a wait that a signal has interrupted.
    @inline(never)
    private func waitOn(milliseconds: Int32) {
        let deadline = nowNanoseconds + UInt64(max(0, milliseconds)) * 1_000_000
        while true {
            let now = clinux_monotonic_nanoseconds()
            let left = deadline > now ? Int32((deadline - now) / 1_000_000) + 1 : 0
            if ring.wait(milliseconds: milliseconds < 0 ? -1 : left) { return }
        }
    }

    package mutating func nextCompletion() -> Completion? { completions.pop() }

    /// Takes what the kernel has completed.
    @inline(always)
    mutating func takeCompleted() {
        while completions.freeCount > 2 * Self.batchMax {
            // SAFETY: `batch` holds `batchMax` entries, of which the first `count` were filled.
            let count = unsafe ring.take(batch.base, Self.batchMax)
            guard count > 0 else { break }
            for index in 0..<count { handle(batch[index]) }
            isWatchDue = true
        }
        ring.publish()
    }

    @inline(always)
    private mutating func handle(_ completion: curing_completion) {
        let operation = RingOperation(raw: completion.data)
        let descriptor = operation.descriptor
        switch operation.kind {
        case .receive: received(descriptor, completion.result, completion.flags)
        case .send, .connect: sent(descriptor, completion.result)
        case .readable:
            sockets[Int(descriptor)].isSaidReadable = true
            finishRead(descriptor, min(completion.result, 0), .none)
        case .writable: stallsReady(completion.flags)
        case .accept: listenerCompleted(operation, completion.result, completion.flags)
        case .wake: woken(operation, completion.flags)
        case .fault: listenerIsReady(operation, completion.result)
        // A cancel or a close that failed: there is nothing to be done about either.
        case .none: break
        }
    }

    // MARK: Faults

    /// How often sockets without an operation are looked for.
    private static let watchNanoseconds: UInt64 = 500_000_000

    /// No longer than until the next look at sockets without an operation.
    private func waitMilliseconds(_ milliseconds: Int32) -> Int32 {
        guard isWatchDue else { return milliseconds }
        let left = nextWatchNanoseconds > nowNanoseconds ? nextWatchNanoseconds - nowNanoseconds : 0
        let untilWatch = Int32(left / 1_000_000 + 1)
        return milliseconds < 0 ? untilWatch : min(milliseconds, untilWatch)
    }

    /// A socket without an operation, because its session is parked or the other side is stalled, would not
    /// tell of its failure. That is rare and it lasts, so such sockets are looked for now and then, and
    /// watched for errors from then on. An operation that a cancel has missed, because it was between two
    /// attempts, is cancelled again.
    @inline(never)
    private mutating func watchQuiet() {
        isWatchDue = false
        nextWatchNanoseconds = nowNanoseconds + Self.watchNanoseconds
        for descriptor in 0..<Int32(truncatingIfNeeded: descriptorsEnd) {
            let socket = sockets[Int(descriptor)]
            guard socket.isOpen else { continue }
            if !socket.isQuiet {
                if socket.isReadCancelled || socket.isWriteCancelled { cancel(descriptor) }
            } else if !socket.isWatched, !socket.hasFailed {
                watch(descriptor, events: 0)
            }
        }
    }

    // MARK: Sockets

    package func peerAddress(_ descriptor: Int32) -> SocketAddress? { Linux.peerAddress(of: descriptor) }

    package func localAddress(_ descriptor: Int32) -> SocketAddress? { Linux.localAddress(of: descriptor) }

    package mutating func adopt(_ descriptor: Int32, owner: Token, mayHaveBytes: Bool) {
        let registration = sockets[Int(descriptor)].registration
        sockets[Int(descriptor)] = RingSocket(
            owner: owner, registration: registration, isOpen: true, mayHaveBytes: mayHaveBytes)
        descriptorsEnd = max(descriptorsEnd, Int(descriptor) + 1)
    }

    package mutating func connect(
        _ owner: Token, to address: SocketAddress, sending bytes: BufferSlice
    ) -> Int32 {
        let descriptor = makeSocket(address.family)
        guard descriptor >= 0 else { return descriptor }
        if address.family != AF_UNIX {
            _ = clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            _ = clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, userTimeoutMilliseconds)
            // As in `EpollBackend`: the hello acknowledges the handshake.
            // Without one there is nothing that it could travel with: an origin that speaks first would wait
            // for it.
            if bytes.count > 0 { _ = clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, 0) }
            // As of listeners; see `listen`.
            _ = clinux_set_option(descriptor, SOL_SOCKET, SO_OOBINLINE, 1)
        }

        adopt(descriptor, owner: owner, mayHaveBytes: false)
        sockets[Int(descriptor)].writing = .connect
        sockets[Int(descriptor)].written = bytes
        sockets[Int(descriptor)].isUnix = address.family == AF_UNIX
        // SAFETY: the address is as long as it says.
        let result = unsafe address.withKernelAddress { unsafe clinux_connect(descriptor, $0, $1) }
        guard result == 0 || result == -EINPROGRESS else {
            finishWrite(descriptor, result)
            return descriptor
        }
        // As in `EpollBackend`: on one machine the connection stands already. EAGAIN says that it does not.
        submitWrite(descriptor)
        return descriptor
    }

    /// A socket. Closes that wait for the next turn give their descriptors back first where there are none.
    private func makeSocket(_ family: Int32) -> Int32 {
        let descriptor = clinux_socket(family)
        guard descriptor == -EMFILE || descriptor == -ENFILE else { return descriptor }
        ring.submit()
        return clinux_socket(family)
    }

    package mutating func receive(_ descriptor: Int32, appendingTo slice: BufferSlice) {
        sockets[Int(descriptor)].reading = .receive
        sockets[Int(descriptor)].isEndWatched = false
        sockets[Int(descriptor)].readBuffer = slice.buffer
        let waitsFirst = !sockets[Int(descriptor)].mayHaveBytes
        let operation = operation(.receive, descriptor)
        guard slice.buffer != .none else {
            ring.receiveProvided(
                descriptor, UInt32(BufferPool.dataBytes), waitsFirst: waitsFirst, operation)
            return
        }
        let end = UInt32(slice.offset + Int32(slice.count))
        // SAFETY: the room behind the slice belongs to the same buffer, which is ours until the completion.
        unsafe ring.receive(
            descriptor, buffers.start(slice.buffer) + Int(end), UInt32(BufferPool.dataBytes) - end,
            waitsFirst: waitsFirst, operation)
    }

    package mutating func mayReceive(_ descriptor: Int32) -> Bool { sockets[Int(descriptor)].mayHaveBytes }

    package mutating func send(_ descriptor: Int32, _ bytes: BufferSlice, endFollows: Bool) {
        sockets[Int(descriptor)].writing = .send
        sockets[Int(descriptor)].endFollows = endFollows
        sockets[Int(descriptor)].written = bytes
        submitWrite(descriptor)
    }

    /// Gives the ring the bytes of a send or of a connection attempt.
    @inline(always)
    mutating func submitWrite(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        // SAFETY: the slice lies within its buffer, which the sender keeps until the completion.
        unsafe ring.send(
            descriptor, buffers.pointer(socket.written), socket.written.count, more: socket.endFollows,
            operation(socket.writing, descriptor))
    }

    package mutating func awaitReadable(_ descriptor: Int32) {
        sockets[Int(descriptor)].reading = .readable
        sockets[Int(descriptor)].isEndWatched = false
        sockets[Int(descriptor)].readBuffer = .none
        ring.poll(descriptor, events: UInt32(POLLIN), operation(.readable, descriptor))
    }

    package mutating func awaitWritable(_ descriptor: Int32) {
        sockets[Int(descriptor)].writing = .writable
        awaitRoom(descriptor)
    }

    package mutating func cancel(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        isWatchDue = true
        if socket.reading != .none {
            sockets[Int(descriptor)].isReadCancelled = true
            ring.cancel(operation(socket.reading, descriptor))
        }
        if socket.awaitsRoom {
            finishWrite(descriptor, -ECANCELED)
        } else if socket.writing != .none {
            sockets[Int(descriptor)].isWriteCancelled = true
            ring.cancel(operation(socket.writing, descriptor))
        }
    }

    package mutating func shutdownWrite(_ descriptor: Int32) {
        // ENOTCONN: the peer has reset the connection; reading says so, too.
        _ = clinux_shutdown_write(descriptor)
    }

    package mutating func close(_ descriptor: Int32, reset: Bool) {
        let socket = sockets[Int(descriptor)]
        precondition(socket.isQuiet, "nothing is in flight on a closed socket")
        if reset { _ = clinux_set_reset_on_close(descriptor) }
        sockets[Int(descriptor)] = RingSocket(
            owner: Token(slot: 0, generation: 0),
            registration: (socket.registration &+ 1) & RingOperation.registrationMax)
        ring.close(descriptor)
    }

    // MARK: Completing

    func operation(_ kind: OperationKind, _ descriptor: Int32) -> RingOperation {
        RingOperation(
            kind: kind, registration: sockets[Int(descriptor)].registration, descriptor: descriptor)
    }

    @inline(always)
    private mutating func received(_ descriptor: Int32, _ result: Int32, _ flags: UInt32) {
        var buffer = sockets[Int(descriptor)].readBuffer
        if flags & UInt32(CURING_HAS_BUFFER) != 0 {
            let taken = takeProvided(UInt16(truncatingIfNeeded: flags >> 16))
            if result > 0 { buffer = taken } else { release(taken) }
        } else if sockets[Int(descriptor)].ownsReadBuffer, result <= 0 {
            release(buffer)
            buffer = .none
        }
        if result == -ENOBUFS, buffer == .none, receiveWithoutProvided(descriptor) { return }
        sockets[Int(descriptor)].mayHaveBytes =
            flags & UInt32(CURING_SOCKET_IS_NOT_EMPTY) != 0 && !sockets[Int(descriptor)].isUnix
        finishRead(descriptor, result, buffer)
    }

    /// The kernel had no provided buffer left: they were all taken within one batch, or somebody keeps them.
    /// The receive gets a buffer of its own, so that it depends on nobody. False: there is none, or the
    /// receive was cancelled in the meantime.
    @inline(never)
    private mutating func receiveWithoutProvided(_ descriptor: Int32) -> Bool {
        guard !sockets[Int(descriptor)].isReadCancelled, let buffer = buffers.allocate() else { return false }
        sockets[Int(descriptor)].readBuffer = buffer
        sockets[Int(descriptor)].ownsReadBuffer = true
        // SAFETY: the whole buffer is this receive's until the completion.
        unsafe ring.receive(
            descriptor, buffers.start(buffer), UInt32(BufferPool.dataBytes), waitsFirst: false,
            operation(.receive, descriptor))
        return true
    }

    /// The ring has sent, or the socket has taken nothing.
    @inline(always)
    private mutating func sent(_ descriptor: Int32, _ result: Int32) {
        guard result != -EAGAIN else {
            awaitRoom(descriptor)
            return
        }
        finishWrite(descriptor, result)
    }

    @inline(always)
    private mutating func finishRead(_ descriptor: Int32, _ result: Int32, _ buffer: BufferIndex) {
        let socket = sockets[Int(descriptor)]
        sockets[Int(descriptor)].reading = .none
        sockets[Int(descriptor)].ownsReadBuffer = false
        sockets[Int(descriptor)].isReadCancelled = false
        if result < 0, result != -ECANCELED { sockets[Int(descriptor)].hasFailed = true }
        completions.push(
            Completion(token: socket.owner.with(socket.reading), result: result, buffer: buffer))
    }

    @inline(always)
    mutating func finishWrite(_ descriptor: Int32, _ result: Int32) {
        let socket = sockets[Int(descriptor)]
        sockets[Int(descriptor)].writing = .none
        sockets[Int(descriptor)].awaitsRoom = false
        sockets[Int(descriptor)].isWriteCancelled = false
        if result < 0, result != -ECANCELED { sockets[Int(descriptor)].hasFailed = true }
        completions.push(Completion(token: socket.owner.with(socket.writing), result: result))
    }
}

/// What the ring backend remembers of a descriptor; kept in a table by descriptor number.
package struct RingSocket: BitwiseCopyable {
    /// Slot, generation and side that completions carry.
    var owner: Token
    /// Which tenant of the descriptor's number this is; at most ``RingOperation/registrationMax``.
    var registration: UInt32
    /// For `receive`: the buffer to append to, or one of the receive's own, or none.
    var readBuffer: BufferIndex = .none
    /// For `send` and `connect`: see ``written``.
    private var writtenBuffer: BufferIndex = .none
    private var writtenOffset: Int16 = 0
    private var writtenCount: UInt16 = 0
    /// The operation that reads, or none.
    var reading: OperationKind = .none
    /// The operation that writes, or none.
    var writing: OperationKind = .none
    private var flags: UInt16 = 0

    init(owner: Token, registration: UInt32, isOpen: Bool = false, mayHaveBytes: Bool = false) {
        self.owner = owner
        self.registration = registration
        self.isOpen = isOpen
        self.mayHaveBytes = mayHaveBytes
    }

    /// For `send` and `connect`: the bytes.
    var written: BufferSlice {
        @inline(always) get {
            BufferSlice(buffer: writtenBuffer, offset: Int32(writtenOffset), count: UInt32(writtenCount))
        }
        @inline(always) set {
            writtenBuffer = newValue.buffer
            writtenOffset = Int16(truncatingIfNeeded: newValue.offset)
            writtenCount = UInt16(truncatingIfNeeded: newValue.count)
        }
    }

    /// Whether nothing is in flight.
    var isQuiet: Bool { reading == .none && writing == .none }

    /// Whether somebody uses the number.
    var isOpen: Bool {
        get { has(1) }
        set { set(1, newValue) }
    }
    /// Whether the epoll knows the socket, and tells of errors.
    var isWatched: Bool {
        get { has(2) }
        set { set(2, newValue) }
    }
    /// Whether the failure was told, by an operation or as a fault: it is not told as a fault again.
    var hasFailed: Bool {
        get { has(4) }
        set { set(4, newValue) }
    }
    /// Whether a receive is tried at once rather than when the socket says so.
    var mayHaveBytes: Bool {
        get { has(8) }
        set { set(8, newValue) }
    }
    /// Whether the kernel has called the socket readable and nothing was spliced from it since.
    var isSaidReadable: Bool {
        get { has(16) }
        set { set(16, newValue) }
    }
    /// Whether the operation that writes waits for room in the epoll, and not in the ring.
    var awaitsRoom: Bool {
        get { has(32) }
        set { set(32, newValue) }
    }
    /// Whether the operation that reads was cancelled.
    var isReadCancelled: Bool {
        get { has(64) }
        set { set(64, newValue) }
    }
    /// Whether the operation that writes was cancelled.
    var isWriteCancelled: Bool {
        get { has(1024) }
        set { set(1024, newValue) }
    }
    /// Whether the peer's end is told as a fault when nothing is in flight.
    var isEndWatched: Bool {
        get { has(2048) }
        set { set(2048, newValue) }
    }
    /// For `receive`: whether ``readBuffer`` was taken for it, and goes back with its failure.
    var ownsReadBuffer: Bool {
        get { has(128) }
        set { set(128, newValue) }
    }
    /// For `send`: whether the bytes may wait for the end.
    var endFollows: Bool {
        get { has(256) }
        set { set(256, newValue) }
    }
    /// Whether it is a unix socket, of which kernels before 6.5 cannot say whether there is more to receive.
    var isUnix: Bool {
        get { has(512) }
        set { set(512, newValue) }
    }

    @inline(always)
    private func has(_ flag: UInt16) -> Bool { flags & flag != 0 }

    @inline(always)
    private mutating func set(_ flag: UInt16, _ value: Bool) {
        if value { flags |= flag } else { flags &= ~flag }
    }
}
