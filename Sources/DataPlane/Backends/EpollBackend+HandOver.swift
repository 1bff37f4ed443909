import CLinux

extension EpollBackend {
    package mutating func pauseListeners() -> Bool {
        setAccepting(false)
        return completions.isEmpty
    }

    package func surplus(_ place: Int) -> (index: UInt32, descriptor: Int32)? { nil }

    package mutating func abandonListener(_ descriptor: Int32) {
        guard let place = listeners.descriptors.firstIndex(where: { $0.descriptor == descriptor }) else {
            return
        }
        listeners.descriptors.remove(at: place)
        forget(descriptor)
    }

    package mutating func abandon(_ descriptor: Int32) {
        let socket = sockets[Int(descriptor)]
        precondition(
            socket.reading == .none && socket.writing == .none, "nothing is in flight on a socket given up")
        forget(descriptor)
        sockets[Int(descriptor)] = EpollSocket(
            owner: Token(slot: 0, generation: 0), registration: socket.registration.nextRegistration,
            flags: [])
    }

    /// Closes our descriptor of a socket that lives on: a close alone would leave it in the epoll, which goes
    /// by the open file and not by its descriptors (epoll(7), question 6).
    private func forget(_ descriptor: Int32) {
        _ = clinux_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0)
        _ = clinux_close(descriptor)
    }

    package mutating func takeOver(_ descriptor: Int32, owner: Token, isUnix: Bool) {
        adopt(descriptor, owner: owner, mayHaveBytes: true)
    }

    package func ends(of pipe: PipeIndex) -> PipeEnds { pipes[pipe] }

    package mutating func adoptPipe(_ ends: PipeEnds) -> PipeIndex? { pipes.adopt(ends) }
}
