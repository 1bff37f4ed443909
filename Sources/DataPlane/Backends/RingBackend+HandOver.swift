import CLinux
import CUring

extension RingBackend {
    package mutating func pauseListeners() -> Bool {
        setAccepting(false)
        ring.submit()
        takeCompleted()
        while listeners.surplusCount > 0, listeners.budget > 0, completions.freeCount > 1024 {
            listeners.surplusCount -= 1
            let surplus = listeners.surplus[listeners.surplusCount]
            deliver(surplus.index, surplus.descriptor)
        }
        guard completions.isEmpty else { return false }
        for index in 0..<listeners.entriesEnd where listeners.entries[Int(index)].isArmed { return false }
        return true
    }

    package func surplus(_ place: Int) -> (index: UInt32, descriptor: Int32)? {
        guard place < listeners.surplusCount else { return nil }
        return (listeners.surplus[place].index, listeners.surplus[place].descriptor)
    }

    package mutating func abandonListener(_ descriptor: Int32) {
        for index in 0..<listeners.entriesEnd
        where listeners.entries[Int(index)].descriptorPlusOne == descriptor + 1 {
            precondition(!listeners.entries[Int(index)].isArmed, "a listener given up accepts no more")
            listeners.entries[Int(index)].descriptorPlusOne = 0
            listeners.disarmedCount -= 1
            _ = clinux_close(descriptor)
        }
    }

    package mutating func abandon(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        precondition(socket.isQuiet, "nothing is in flight on a socket given up")
        // As in `EpollBackend`: the epoll goes by the open file.
        if socket.isWatched { _ = clinux_epoll_control(stalls.epoll, EPOLL_CTL_DEL, descriptor, 0, 0) }
        sockets[Int(descriptor)] = RingSocket(
            owner: Token(slot: 0, generation: 0),
            registration: (socket.registration &+ 1) & RingOperation.registrationMax)
        _ = clinux_close(descriptor)
    }

    package mutating func takeOver(_ descriptor: Int32, owner: Token, isUnix: Bool) {
        // The process before may have used epoll, which does not ask for this of origins.
        if !isUnix { _ = clinux_set_option(descriptor, SOL_SOCKET, SO_OOBINLINE, 1) }
        adopt(descriptor, owner: owner, mayHaveBytes: true)
        sockets[Int(descriptor)].isUnix = isUnix
    }

    package func ends(of pipe: PipeIndex) -> PipeEnds { pipes[pipe] }

    package mutating func adoptPipe(_ ends: PipeEnds) -> PipeIndex? { pipes.adopt(ends) }
}
