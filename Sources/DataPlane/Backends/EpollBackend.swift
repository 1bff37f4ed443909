import CLinux
package import Linux

/// Completions out of readiness. Sockets are watched edge-triggered and registered once, when an operation
/// first finds nothing to do, so a short session costs two registrations and no modification; close takes a
/// socket out by itself.
///
/// What is remembered of a socket: whether it may have bytes, and whether it may take some. A receive that
/// did not fill its buffer has emptied the socket (epoll(7), question 9), so it is not tried again before the
/// next event.
@safe package struct EpollBackend: IOBackend, ~Copyable {
    package private(set) var nowNanoseconds: UInt64 = clinux_monotonic_nanoseconds()

    let epoll: Int32
    var sockets: Region<EpollSocket>
    var buffers: BufferPool
    var pipes: PipePool
    var completions: CompletionQueue
    var listeners = EpollListeners()
    // SAFETY: `eventsMax` entries that the kernel fills; freed in deinit.
    private let events: UnsafeMutablePointer<epoll_event>
    private static let eventsMax = 256
    private let userTimeoutMilliseconds: Int32

    /// `descriptorsMax`: the process's limit, every descriptor is below it. `sessionsMax` bounds buffers and
    /// completions. `userTimeoutMilliseconds`: how long an origin may leave bytes unacknowledged
    /// (TCP_USER_TIMEOUT).
    package init(
        descriptorsMax: Int, sessionsMax: Int, pipesMax: Int, userTimeoutMilliseconds: Int32 = 900_000
    ) throws(Errno) {
        self.userTimeoutMilliseconds = userTimeoutMilliseconds
        epoll = try check(clinux_epoll_create())
        sockets = Region(capacity: descriptorsMax)
        buffers = BufferPool(capacity: 2 * sessionsMax + 64)
        pipes = PipePool(capacity: pipesMax)
        completions = CompletionQueue(capacity: 4 * sessionsMax + 1024)
        // SAFETY: freed in deinit; the kernel writes an entry before it is read.
        unsafe events = .allocate(capacity: Self.eventsMax)
    }

    deinit {
        // SAFETY: allocated in init.
        unsafe events.deallocate()
        _ = clinux_close(epoll)
    }

    // MARK: Waiting

    package mutating func wait(milliseconds: Int32) {
        let milliseconds = completions.isEmpty ? milliseconds : 0
        // SAFETY: `events` holds `eventsMax` entries.
        var count = unsafe clinux_epoll_wait(epoll, events, Int32(Self.eventsMax), milliseconds)
        if count == -EINTR { count = waitOn(milliseconds: milliseconds) }
        nowNanoseconds = clinux_monotonic_nanoseconds()
        precondition(count >= 0, "epoll_wait on our own epoll (epoll_wait(2))")
        for index in 0..<Int(count) {
            // SAFETY: the kernel has filled the first `count` entries.
            let (data, mask) = unsafe (clinux_epoll_data(events + index), (events + index).pointee.events)
            handle(data: data, events: mask)
        }
    }

    /// Waits for what is left of a wait that a signal has interrupted.
    @inline(never)
    private func waitOn(milliseconds: Int32) -> Int32 {
        let deadline = nowNanoseconds + UInt64(max(0, milliseconds)) * 1_000_000
        while true {
            let now = clinux_monotonic_nanoseconds()
            let left = deadline > now ? Int32((deadline - now) / 1_000_000) + 1 : 0
            // SAFETY: as in `wait`.
            let count = unsafe clinux_epoll_wait(
                epoll, events, Int32(Self.eventsMax), milliseconds < 0 ? -1 : left)
            guard count == -EINTR else { return count }
        }
    }

    package mutating func nextCompletion() -> Completion? { completions.pop() }

    @inline(always)
    private mutating func handle(data: UInt64, events: UInt32) {
        let descriptor = Int32(truncatingIfNeeded: data)
        let registration = UInt32(truncatingIfNeeded: data >> 32)
        guard registration & EpollListeners.flag == 0 else {
            handleListener(descriptor, index: registration & ~EpollListeners.flag)
            return
        }
        // An event of an earlier socket with the same number, in the same batch as its close.
        guard sockets[Int(descriptor)].registration == registration else { return }

        sockets[Int(descriptor)].note(events)
        let flags = sockets[Int(descriptor)].flags
        if flags.contains(.readable), sockets[Int(descriptor)].reading != .none { performRead(descriptor) }
        if flags.contains(.writable), sockets[Int(descriptor)].writing != .none { performWrite(descriptor) }
        if events & EPOLLERR.rawValue != 0 { noteFault(descriptor) }
        if flags.contains(.endWatched) { noteEnd(descriptor) }
    }

    package mutating func watchEnd(_ descriptor: Int32) {
        sockets[Int(descriptor)].flags.insert(.endWatched)
        // The kernel tells at once of an end that is there when it first hears of the socket.
        if !sockets[Int(descriptor)].flags.contains(.registered) { register(descriptor, adding: []) }
        noteEnd(descriptor)
    }

    @inline(never)
    private mutating func noteEnd(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        guard socket.flags.isSuperset(of: [.endWatched, .peerEnded]), socket.flags.isDisjoint(with: .failed),
            socket.reading == .none, socket.writing == .none
        else { return }
        sockets[Int(descriptor)].flags.remove(.endWatched)
        complete(socket.owner.with(.fault), 0)
    }

    @inline(never)
    private mutating func noteFault(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        guard socket.reading == .none, socket.writing == .none, !socket.flags.contains(.failed) else {
            return
        }
        sockets[Int(descriptor)].flags.insert(.failed)
        complete(socket.owner.with(.fault), -ECONNRESET)
    }

    @inline(always)
    func register(_ descriptor: Int32, adding interest: EpollSocket.Flags) {
        let socket = sockets[Int(descriptor)]
        let flags = socket.flags.union(interest)
        var mask = EPOLLIN.rawValue | EPOLLPRI.rawValue | EPOLLRDHUP.rawValue
        mask |= UInt32(1) << 31  // EPOLLET
        if flags.contains(.watchedForWriting) { mask |= EPOLLOUT.rawValue }
        let isKnown = socket.flags.contains(.registered)
        let result = clinux_epoll_control(
            epoll, isKnown ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, mask,
            UInt64(socket.registration) << 32 | UInt64(UInt32(bitPattern: descriptor)))
        guard result == 0 else {
            // ENOMEM and ENOSPC (fs.epoll.max_user_watches) leave the socket as it was: the session's
            // deadline ends it, unless its next operation has more luck.
            precondition(result == -ENOMEM || result == -ENOSPC, "an open socket can be watched")
            return
        }
        sockets[Int(descriptor)].flags = flags.union(.registered)
    }

    // MARK: Sockets

    package func peerAddress(_ descriptor: Int32) -> SocketAddress? {
        Linux.peerAddress(of: descriptor)
    }

    package func localAddress(_ descriptor: Int32) -> SocketAddress? {
        Linux.localAddress(of: descriptor)
    }

    package mutating func adopt(_ descriptor: Int32, owner: Token, mayHaveBytes: Bool) {
        let registration = sockets[Int(descriptor)].registration
        sockets[Int(descriptor)] = EpollSocket(
            owner: owner, registration: registration,
            flags: mayHaveBytes ? [.readable, .writable] : [.writable])
    }

    package mutating func connect(
        _ owner: Token, to address: SocketAddress, sending bytes: BufferSlice
    ) -> Int32 {
        let descriptor = clinux_socket(address.family)
        guard descriptor >= 0 else { return descriptor }
        if address.family != AF_UNIX {
            _ = clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            _ = clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, userTimeoutMilliseconds)
            // The handshake's last acknowledgement travels with the hello, which follows at once: one packet
            // less.
            // Without one there is nothing that it could travel with: an origin that speaks first would wait
            // for it.
            if bytes.count > 0 { _ = clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, 0) }
        }

        adopt(descriptor, owner: owner, mayHaveBytes: false)
        sockets[Int(descriptor)].writing = .connect
        sockets[Int(descriptor)].written = bytes
        // SAFETY: the address is as long as it says.
        let result = unsafe address.withKernelAddress { unsafe clinux_connect(descriptor, $0, $1) }
        guard result == 0 || result == -EINPROGRESS else {
            // For a unix socket EAGAIN means that its queue is full: a failed attempt like any other
            // (connect(2)).
            finishWrite(descriptor, Int(result))
            return descriptor
        }
        // On one machine the three-way handshake is over when connect returns, even if it says EINPROGRESS:
        // the answer was processed as the call released the socket. So the hello is tried at once; EAGAIN
        // says that it was too early.
        performWrite(descriptor)
        return descriptor
    }

    package mutating func receive(_ descriptor: Int32, appendingTo slice: BufferSlice) {
        sockets[Int(descriptor)].reading = .receive
        sockets[Int(descriptor)].readBuffer = slice.buffer
        sockets[Int(descriptor)].readOffset = UInt16(truncatingIfNeeded: slice.offset + Int32(slice.count))
        startReading(descriptor)
    }

    package mutating func awaitReadable(_ descriptor: Int32) {
        sockets[Int(descriptor)].reading = .readable
        sockets[Int(descriptor)].readBuffer = .none
        startReading(descriptor)
    }

    package mutating func mayReceive(_ descriptor: Int32) -> Bool {
        sockets[Int(descriptor)].flags.isDisjoint(with: .urgent)
            && sockets[Int(descriptor)].flags.contains(.readable)
    }

    package mutating func send(_ descriptor: Int32, _ bytes: BufferSlice, endFollows: Bool) {
        sockets[Int(descriptor)].writing = .send
        sockets[Int(descriptor)].endFollows = endFollows
        sockets[Int(descriptor)].written = bytes
        startWriting(descriptor)
    }

    package mutating func awaitWritable(_ descriptor: Int32) {
        sockets[Int(descriptor)].writing = .writable
        startWriting(descriptor)
    }

    @inline(always)
    private mutating func startReading(_ descriptor: Int32) {
        sockets[Int(descriptor)].flags.remove(.endWatched)
        let flags = sockets[Int(descriptor)].flags
        if flags.contains(.readable) {
            performRead(descriptor)
        } else if !flags.contains(.registered) {
            register(descriptor, adding: [])
        }
    }

    @inline(always)
    private mutating func startWriting(_ descriptor: Int32) {
        if sockets[Int(descriptor)].flags.contains(.writable) {
            performWrite(descriptor)
        } else if !sockets[Int(descriptor)].flags.contains(.watchedForWriting) {
            register(descriptor, adding: .watchedForWriting)
        }
    }

    package mutating func cancel(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        if socket.reading != .none {
            sockets[Int(descriptor)].reading = .none
            completions.push(
                Completion(
                    token: socket.owner.with(socket.reading), result: -ECANCELED, buffer: socket.readBuffer))
        }
        if socket.writing != .none { finishWrite(descriptor, Int(-ECANCELED)) }
    }

    package mutating func shutdownWrite(_ descriptor: Int32) {
        // ENOTCONN: the peer has reset the connection; reading says so, too.
        _ = clinux_shutdown_write(descriptor)
    }

    package mutating func close(_ descriptor: Int32, reset: Bool) {
        let socket = sockets[Int(descriptor)]
        precondition(
            socket.reading == .none && socket.writing == .none, "nothing is in flight on a closed socket")
        if reset { _ = clinux_set_reset_on_close(descriptor) }
        _ = clinux_close(descriptor)
        sockets[Int(descriptor)] = EpollSocket(
            owner: Token(slot: 0, generation: 0), registration: socket.registration.nextRegistration,
            flags: [])
    }

    // MARK: Performing

    /// Reads, now that there may be something, and completes unless there was nothing after all.
    private mutating func performRead(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        guard socket.reading == .receive else {
            finishRead(descriptor, 0, .none)
            return
        }
        let isFresh = socket.readBuffer == .none
        guard let buffer = isFresh ? buffers.allocate() : socket.readBuffer else {
            finishRead(descriptor, Int(-ENOBUFS), .none)
            return
        }
        let room = BufferPool.dataBytes - Int(socket.readOffset)
        // SAFETY: `room` bytes are left in the buffer from the offset on.
        let result = unsafe clinux_receive(descriptor, buffers.start(buffer) + Int(socket.readOffset), room)
        if result < room, socket.flags.isDisjoint(with: [.peerEnded, .urgent]) {
            sockets[Int(descriptor)].flags.remove(.readable)
        }
        if result > 0 {
            finishRead(descriptor, result, buffer)
            return
        }
        if isFresh { buffers.free(buffer) }
        guard result != Int(-EAGAIN) else {
            sockets[Int(descriptor)].flags.subtract([.readable, .urgent])
            if !socket.flags.contains(.registered) { register(descriptor, adding: []) }
            return
        }
        if result < 0 { sockets[Int(descriptor)].flags.insert(.failed) }
        finishRead(descriptor, result, isFresh ? .none : buffer)
    }

    /// Connects or sends, now that the socket may take something, and completes unless it did not after all.
    private mutating func performWrite(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        guard socket.writing != .writable else {
            finishWrite(descriptor, 0)
            return
        }
        // SAFETY: the slice lies within its buffer, which the sender keeps until the completion.
        let result = unsafe clinux_send(
            descriptor, buffers.pointer(socket.written), Int(socket.written.count), socket.endFollows ? 1 : 0)
        guard result != Int(-EAGAIN) else {
            sockets[Int(descriptor)].flags.remove(.writable)
            if !socket.flags.contains(.watchedForWriting) { register(descriptor, adding: .watchedForWriting) }
            return
        }
        if result < 0 { sockets[Int(descriptor)].flags.insert(.failed) }
        finishWrite(descriptor, result)
    }

    @inline(always)
    private mutating func finishRead(_ descriptor: Int32, _ result: Int, _ buffer: BufferIndex) {
        let socket = sockets[Int(descriptor)]
        sockets[Int(descriptor)].reading = .none
        completions.push(
            Completion(
                token: socket.owner.with(socket.reading), result: Int32(truncatingIfNeeded: result),
                buffer: buffer))
    }

    @inline(always)
    private mutating func finishWrite(_ descriptor: Int32, _ result: Int) {
        let socket = sockets[Int(descriptor)]
        sockets[Int(descriptor)].writing = .none
        complete(socket.owner.with(socket.writing), Int32(truncatingIfNeeded: result))
    }

    @inline(always)
    mutating func complete(_ token: Token, _ result: Int32) {
        completions.push(Completion(token: token, result: result))
    }
}

/// What the epoll backend remembers of a descriptor; kept in a table by descriptor number.
package struct EpollSocket: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// A read may find something: bytes, the end, or an error.
        static let readable = Flags(rawValue: 1)
        /// A write may be taken.
        static let writable = Flags(rawValue: 2)
        /// The kernel knows the socket.
        static let registered = Flags(rawValue: 4)
        /// The kernel also tells when it may take more.
        static let watchedForWriting = Flags(rawValue: 8)
        /// The peer's end, or an error, is waiting behind the bytes: reading goes on until it is seen.
        static let peerEnded = Flags(rawValue: 16)
        /// The socket's failure was told, by an operation or as a fault: it is not told as a fault again.
        static let failed = Flags(rawValue: 32)
        /// There is urgent data: a receive stops in front of it, so that a short one has not emptied the
        /// socket, and a splice never comes past it (tcp(7), "Urgent data"). Until a receive finds nothing.
        static let urgent = Flags(rawValue: 64)
        /// The peer's end is told as a fault when nothing is in flight.
        static let endWatched = Flags(rawValue: 128)
    }

    /// Slot, generation and side that completions carry.
    var owner: Token
    /// Which tenant of the descriptor's number the kernel's events must name. Never has the top bit.
    var registration: UInt32
    var flags: Flags
    /// The operation that waits for bytes, or none.
    var reading: OperationKind = .none
    /// The operation that waits for room, or none.
    var writing: OperationKind = .none
    /// For `send`: whether the bytes may wait for the end.
    var endFollows = false
    /// For `receive`: the buffer to append to, or none.
    var readBuffer: BufferIndex = .none
    /// For `send` and `connect`: see ``written``.
    var writtenBuffer: BufferIndex = .none
    /// For `receive`: where in the buffer to put the bytes.
    var readOffset: UInt16 = 0
    var writtenOffset: Int16 = 0
    var writtenCount: UInt16 = 0

    /// For `send` and `connect`: the bytes. 16 bits hold every place in a buffer, and an entry of 32 bytes
    /// lies in one cache line.
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

    @inline(always)
    mutating func note(_ events: UInt32) {
        let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
        if events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | broken) != 0 { flags.insert(.readable) }
        if events & (EPOLLRDHUP.rawValue | broken) != 0 { flags.insert(.peerEnded) }
        if events & EPOLLPRI.rawValue != 0 { flags.formUnion([.readable, .urgent]) }
        if events & (EPOLLOUT.rawValue | broken) != 0 { flags.insert(.writable) }
    }
}

extension UInt32 {
    /// The registration after this one; the top bit stays free for ``EpollListeners/flag``.
    var nextRegistration: UInt32 { (self &+ 1) & 0x7fff_ffff }
}
