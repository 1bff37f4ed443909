import CLinux

/// Listening sockets and the wake descriptor of an epoll backend: watched level-triggered, so that what a
/// budget left in the queue is reported again.
struct EpollListeners {
    /// Marks the events of listeners; the rest of the word is the listener's index, or ``wakeIndex``.
    static let flag: UInt32 = 0x8000_0000
    /// The index under which the wake descriptor is registered.
    static let wakeIndex: UInt32 = 0x7fff_ffff
    /// The most connections taken from one listener before the others have their turn.
    static let batchMax = 64

    struct Entry {
        var descriptor: Int32
        var index: UInt32
        /// Whether other workers accept on the same socket: the service manager opened one for all, without
        /// SO_REUSEPORT. Then a connection is to wake one worker and not each.
        var isShared: Bool
    }

    var descriptors: [Entry] = []
    var budget = 0
    var isAccepting = true
}

extension EpollBackend {
    package mutating func addListener(_ descriptor: Int32, index: UInt32) {
        let isShared = clinux_get_option(descriptor, SOL_SOCKET, SO_REUSEPORT) == 0
        listeners.descriptors.append(
            EpollListeners.Entry(descriptor: descriptor, index: index, isShared: isShared))
        guard !isShared else { return watchShared() }
        watch(descriptor, index: index, EPOLL_CTL_ADD, isAccepting: listeners.isAccepting)
    }

    package mutating func removeListener(_ descriptor: Int32) {
        guard let place = listeners.descriptors.firstIndex(where: { $0.descriptor == descriptor }) else {
            return
        }
        let entry = listeners.descriptors.remove(at: place)
        let index = entry.index
        // The socket lives on in other descriptors, and so would this watch.
        if entry.isShared { _ = clinux_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0) }
        // What has been accepted by the kernel would be reset by the close: it is taken first.
        while listeners.budget > 0, completions.freeCount > 1024 {
            let accepted = clinux_accept(descriptor)
            guard accepted >= 0 else { break }
            listeners.budget -= 1
            complete(Token(slot: index, generation: 0, kind: .accept), accepted)
        }
        _ = clinux_close(descriptor)
    }

    package mutating func setAcceptBudget(_ count: Int) { listeners.budget = count }

    package mutating func setAccepting(_ accepting: Bool) {
        guard accepting != listeners.isAccepting else { return }
        listeners.isAccepting = accepting
        for entry in listeners.descriptors where !entry.isShared {
            // Not taken out: to put it back takes memory, and may be over the user's share (ENOSPC).
            watch(entry.descriptor, index: entry.index, EPOLL_CTL_MOD, isAccepting: accepting)
        }
        watchShared()
    }

    /// What one event wakes one worker for (EPOLLEXCLUSIVE) cannot be modified, only taken out and put back.
    /// Where there is no memory for that, the other workers accept; what is as it should be already is an
    /// error that says nothing.
    private func watchShared() {
        for entry in listeners.descriptors where entry.isShared {
            _ = clinux_epoll_control(
                epoll, listeners.isAccepting ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, entry.descriptor,
                EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue, Self.listenerData(entry.descriptor, entry.index))
        }
    }

    private static func listenerData(_ descriptor: Int32, _ index: UInt32) -> UInt64 {
        UInt64(index | EpollListeners.flag) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }

    package mutating func addWake(_ descriptor: Int32) {
        watch(descriptor, index: EpollListeners.wakeIndex, EPOLL_CTL_ADD, isAccepting: true)
    }

    private func watch(_ descriptor: Int32, index: UInt32, _ operation: Int32, isAccepting: Bool) {
        let result = clinux_epoll_control(
            epoll, operation, descriptor, isAccepting ? EPOLLIN.rawValue : 0,
            Self.listenerData(descriptor, index))
        precondition(result == 0, "a listener can be watched")
    }

    @inline(never)
    mutating func handleListener(_ descriptor: Int32, index: UInt32) {
        guard index != EpollListeners.wakeIndex else {
            var count: UInt64 = 0
            // SAFETY: an event descriptor is read as eight bytes.
            _ = unsafe clinux_read(descriptor, &count, 8)
            complete(Token(slot: 0, generation: 0, kind: .wake), 0)
            return
        }
        var taken = 0
        while taken < EpollListeners.batchMax, listeners.budget > 0 {
            let accepted = clinux_accept(descriptor)
            if accepted == -EAGAIN { return }
            // A connection that was gone before we took it (accept(2), "Error handling"): on to the next.
            if accepted < 0, accepted != -EMFILE, accepted != -ENFILE, accepted != -ENOBUFS,
                accepted != -ENOMEM
            {
                taken += 1
                continue
            }
            complete(Token(slot: index, generation: 0, kind: .accept), accepted)
            guard accepted >= 0 else { return }
            listeners.budget -= 1
            taken += 1
        }
    }
}
