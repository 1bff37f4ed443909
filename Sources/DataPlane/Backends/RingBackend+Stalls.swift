import CLinux
import CUring
import Linux

/// An epoll beside the ring, which is told of by a poll in the ring: for sockets that take no bytes, and for
/// those on which nothing is in flight.
///
/// The ring's own polls always ask for the peer's end, too (EPOLLRDHUP, a level). With a peer that has shut
/// down its side and reads no more, each wait for room would end at once, in a circle. An epoll asks for what
/// it was told to ask for, and tells of an edge once.
@safe struct RingStalls: ~Copyable {
    let epoll: Int32
    // SAFETY: `eventsMax` entries that the kernel fills; freed in deinit.
    fileprivate let events: UnsafeMutablePointer<epoll_event>
    fileprivate static let eventsMax = 64

    init() throws(Errno) {
        epoll = try check(clinux_epoll_create())
        // SAFETY: freed in deinit; the kernel writes an entry before it is read.
        unsafe events = .allocate(capacity: Self.eventsMax)
    }

    deinit {
        // SAFETY: allocated in init.
        unsafe events.deallocate()
        _ = clinux_close(epoll)
    }
}

extension RingBackend {
    /// The poll that tells of the epoll; its kind is a wait for room, its descriptor the epoll.
    mutating func pollStalls() {
        ring.pollRepeatedly(
            stalls.epoll, events: UInt32(POLLIN),
            RingOperation(kind: .writable, registration: 0, descriptor: stalls.epoll))
    }

    /// Waits for room for the operation that writes. Asking anew tells of room that is there already.
    @inline(never)
    mutating func awaitRoom(_ descriptor: Int32) {
        if sockets[Int(descriptor)].isWriteCancelled {
            finishWrite(descriptor, -ECANCELED)
            return
        }
        sockets[Int(descriptor)].awaitsRoom = true
        watch(descriptor, events: EPOLLOUT.rawValue)
    }

    /// Has the epoll tell of events, once each time they come, and of errors.
    mutating func watch(_ descriptor: Int32, events: UInt32) {
        let socket = sockets[Int(descriptor)]
        let result = clinux_epoll_control(
            stalls.epoll, socket.isWatched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor,
            events | UInt32(1) << 31,  // EPOLLET
            UInt64(socket.registration) << 32 | UInt64(UInt32(bitPattern: descriptor)))
        // ENOMEM and ENOSPC (fs.epoll.max_user_watches): as in `EpollBackend`, the session's deadline ends
        // it.
        precondition(
            result == 0 || result == -ENOMEM || result == -ENOSPC, "an open socket can be watched")
        if result == 0 { sockets[Int(descriptor)].isWatched = true }
    }

    package mutating func watchEnd(_ descriptor: Int32) {
        sockets[Int(descriptor)].isEndWatched = true
        watch(descriptor, events: EPOLLRDHUP.rawValue)
    }

    /// The epoll has something to tell.
    @inline(never)
    mutating func stallsReady(_ flags: UInt32) {
        if flags & UInt32(CURING_HAS_MORE) == 0 { pollStalls() }
        var isFull = true
        while isFull {
            // SAFETY: `events` holds `eventsMax` entries, of which the kernel has filled the first `count`.
            let count = unsafe clinux_epoll_wait(
                stalls.epoll, stalls.events, Int32(RingStalls.eventsMax), 0)
            for index in 0..<max(0, Int(count)) {
                let (data, mask) = unsafe (
                    clinux_epoll_data(stalls.events + index), (stalls.events + index).pointee.events
                )
                stallEnded(
                    Int32(truncatingIfNeeded: data), UInt32(truncatingIfNeeded: data >> 32), mask)
            }
            isFull = count == Int32(RingStalls.eventsMax)
        }
    }

    private mutating func stallEnded(_ descriptor: Int32, _ registration: UInt32, _ events: UInt32) {
        let socket = sockets[Int(descriptor)]
        guard socket.isOpen, socket.registration == registration else { return }
        let ended = EPOLLRDHUP.rawValue | EPOLLHUP.rawValue
        if socket.awaitsRoom {
            sockets[Int(descriptor)].awaitsRoom = false
            if socket.writing == .writable {
                finishWrite(descriptor, 0)
            } else {
                submitWrite(descriptor)
            }
        } else if socket.isQuiet, events & EPOLLERR.rawValue != 0, !socket.hasFailed {
            sockets[Int(descriptor)].hasFailed = true
            completions.push(Completion(token: socket.owner.with(.fault), result: -ECONNRESET))
        } else if socket.isQuiet, socket.isEndWatched, !socket.hasFailed, events & ended != 0 {
            sockets[Int(descriptor)].isEndWatched = false
            completions.push(Completion(token: socket.owner.with(.fault), result: 0))
        }
    }
}
