import CLinux

/// Waits for many descriptors at once (epoll(7)). Level-triggered: what is not dealt with is told again.
package struct DescriptorPoll: ~Copyable {
    private let descriptor: Int32

    package init() throws(Errno) { descriptor = try check(clinux_epoll_create()) }

    deinit { _ = clinux_close(descriptor) }

    /// Tells of the descriptor when it is readable, or writable, or has failed, by `number`.
    package borrowing func add(_ other: Int32, number: UInt64, forWriting: Bool = false) throws(Errno) {
        let events = forWriting ? EPOLLOUT.rawValue : EPOLLIN.rawValue
        try check(clinux_epoll_control(descriptor, EPOLL_CTL_ADD, other, events, number))
    }

    /// From now on waits for the descriptor to be readable.
    package borrowing func awaitReadable(_ other: Int32, number: UInt64) throws(Errno) {
        try check(clinux_epoll_control(descriptor, EPOLL_CTL_MOD, other, EPOLLIN.rawValue, number))
    }

    /// The numbers of some descriptors that there is something to do with; empty when the time is over (-1:
    /// no limit).
    package borrowing func wait(milliseconds: Int32) -> [UInt64] {
        // SAFETY: the count is the array's, and the kernel says how many it has filled.
        var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
        let count = unsafe clinux_epoll_wait(descriptor, &events, 64, milliseconds)
        var numbers: [UInt64] = []
        for index in 0..<max(0, Int(count)) { unsafe numbers.append(clinux_epoll_data(&events[index])) }
        return numbers
    }
}

/// A connection that is made to see whether a target answers, and never carries a session.
package struct Attempt {
    /// Owned by whoever holds the attempt: ``close(reset:)`` ends it.
    package let descriptor: Int32

    /// Starts to connect. Throws what is known at once, EINPROGRESS apart.
    package init(to address: SocketAddress) throws(Errno) {
        descriptor = try check(clinux_socket(address.family))
        // SAFETY: the address is as long as it says.
        let result = unsafe address.withKernelAddress { unsafe clinux_connect(descriptor, $0, $1) }
        guard result < 0, result != -EINPROGRESS else { return }
        _ = clinux_close(descriptor)
        throw Errno(result: Int(result))
    }

    /// What became of the connection, once the descriptor is writable; nil: it was made.
    package var failure: Errno? {
        let result = clinux_socket_error(descriptor)
        if result < 0 { return Errno(result: Int(result)) }
        guard let peer = peerAddress(of: descriptor) else { return Errno(number: ENOTCONN) }
        // A port of the range that outgoing connections take their own from can be connected to itself when
        // nobody listens there (RFC 9293 section 3.5, simultaneous open).
        guard peer.family != AF_UNIX, let own = localAddress(of: descriptor), own.isSame(as: peer) else {
            return nil
        }
        return Errno(number: ECONNREFUSED)
    }

    /// Sends a few bytes into an empty socket, which takes them whole.
    package func send(_ bytes: [UInt8]) throws(Errno) {
        // SAFETY: the count is the array's.
        let sent = try check(unsafe clinux_send(descriptor, bytes, bytes.count, 0))
        guard sent == bytes.count else { throw Errno(number: EAGAIN) }
    }

    /// What has come, up to `count` bytes; empty: the end; nil: nothing yet.
    package func receive(_ count: Int) throws(Errno) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        // SAFETY: the count is the array's.
        let result = unsafe clinux_receive(descriptor, &bytes, count)
        if result == -Int(EAGAIN) { return nil }
        return Array(bytes.prefix(try check(result)))
    }

    /// Ends it. `reset`: at once, so that no port of ours stays in TIME_WAIT.
    package func close(reset: Bool) {
        if reset { _ = clinux_set_reset_on_close(descriptor) }
        _ = clinux_close(descriptor)
    }
}

extension Errno {
    /// There is no descriptor or memory to be had, or no port of our own: nothing that a peer has done.
    package var isOwnShortage: Bool {
        [EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL].contains(number)
    }
}
