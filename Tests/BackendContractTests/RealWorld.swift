import DataPlane
import Glibc
import Linux
import Support
import Wire

/// Sockets of this machine. Everything is closed with the world at the latest.
final class RealWorld: ContractWorld {
    /// Room of a peer's receive buffer: small, so that one that does not read soon holds the sender up.
    static let peerBufferBytes: Int32 = 64 * 1024

    private let folder: TemporaryFolder
    /// The descriptors of listeners, by port.
    private var listeners: [UInt16: Int32] = [:]
    private var socketCount = 0

    init() throws {
        folder = try TemporaryFolder()
    }

    func act() {}

    func makeListener() throws -> (descriptor: Int32, address: SocketAddress) {
        // Not by `Linux.listen`: its SO_REUSEPORT would let two tests share a port.
        let descriptor = try Self.listen(on: SocketAddress(ipv4: 0x7f00_0001, port: 0), backlog: 1024)
        guard let address = localAddress(of: descriptor) else { throw Errno(number: ENOTSOCK) }
        listeners[address.port] = descriptor
        return (descriptor, address)
    }

    func connect(to address: SocketAddress) throws -> any ContractPeer {
        let peer = RealPeer(descriptor: try Self.socket(address.family))
        let queued = listeners[address.port].flatMap(Self.queueCount)
        _ = fcntl(peer.descriptor, F_SETFL, 0)
        let result = unsafe address.withKernelAddress { pointer, length in
            unsafe Glibc.connect(peer.descriptor, pointer.assumingMemoryBound(to: sockaddr.self), length)
        }
        try Self.checkedErrno(result)
        // Our side is connected a moment before the listener's queue has the connection.
        if let queued, let listener = listeners[address.port] {
            for _ in 0..<1000 where Self.queueCount(listener) == queued { sleepMicroseconds(1000) }
        }
        return peer
    }

    /// How many connections a listener's queue holds; nil when it is no listener (any more).
    private static func queueCount(_ descriptor: Int32) -> UInt32? {
        var information = [UInt32](repeating: 0, count: 26)
        var length = socklen_t(information.count * 4)
        let result = unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &information, &length)
        // struct tcp_info: eight bytes of flags, then rto, ato, snd_mss, rcv_mss, unacked; the last one is
        // the length of the queue for a listener (tcp_get_info in the kernel).
        return result == 0 ? information[6] : nil
    }

    func makeOrigin(_ kind: OriginKind) throws -> any ContractOrigin {
        let ipv4 = SocketAddress(ipv4: 0x7f00_0001, port: 0)
        switch kind {
        case .ipv4: return try RealOrigin(ipv4)
        case .ipv6: return try RealOrigin(SocketAddress(ipv6: 0, 1, port: 0))
        case .unix: return try RealOrigin(nextPath())
        case .refusing:
            let origin = try RealOrigin(ipv4)
            origin.close()
            return origin
        case .refusingUnix:
            let origin = try RealOrigin(nextPath())
            origin.close()
            return origin
        case .blackHole:
            let origin = try RealOrigin(ipv4, backlog: 0)
            try origin.fillQueue()
            return origin
        }
    }

    func makeWake() throws -> any ContractWake { try RealWake() }

    private func nextPath() -> SocketAddress {
        socketCount += 1
        return SocketAddress(path: Array(folder.path("\(socketCount)").utf8).span.rawBytes)
    }

    static func socket(_ family: Int32) throws -> Int32 {
        let descriptor = try checkedErrno(
            Glibc.socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue) | O_CLOEXEC, 0))
        try setOption(descriptor, SO_RCVBUF, peerBufferBytes)
        return descriptor
    }

    static func listen(on address: SocketAddress, backlog: Int32) throws -> Int32 {
        let descriptor = try socket(address.family)
        let result = unsafe address.withKernelAddress { pointer, length in
            unsafe bind(descriptor, pointer.assumingMemoryBound(to: sockaddr.self), length)
        }
        try checkedErrno(result)
        try checkedErrno(Glibc.listen(descriptor, backlog))
        return descriptor
    }

    static func setOption(_ descriptor: Int32, _ option: Int32, _ value: Int32) throws {
        var value = value
        try checkedErrno(
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size)))
    }

    /// A result of the C library, whose error number lies beside it.
    @discardableResult
    static func checkedErrno(_ result: Int32) throws(Errno) -> Int32 {
        guard result >= 0 else { throw Errno(number: errno) }
        return result
    }
}

/// A listening socket that the backend connects to.
final class RealOrigin: ContractOrigin {
    let address: SocketAddress
    private var descriptor: Int32
    /// Connections that keep the queue of a black hole full.
    private var fillers: [RealPeer] = []

    init(_ wanted: SocketAddress, backlog: Int32 = 64) throws {
        descriptor = try RealWorld.listen(on: wanted, backlog: backlog)
        address = localAddress(of: descriptor) ?? wanted
    }

    deinit { close() }

    func close() {
        guard descriptor >= 0 else { return }
        closeDescriptor(descriptor)
        descriptor = -1
    }

    func accept() throws -> (any ContractPeer)? {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else {
            guard errno == EAGAIN else { throw Errno(number: errno) }
            return nil
        }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return RealPeer(descriptor: accepted)
    }

    /// A listener whose queue is full drops what else comes (tcp_conn_request in the kernel), so that whoever
    /// connects then hears nothing. It is full when a connection is not made at once.
    func fillQueue() throws {
        for _ in 0..<16 {
            let filler = RealPeer(descriptor: try RealWorld.socket(address.family))
            fillers.append(filler)
            _ = unsafe address.withKernelAddress { pointer, length in
                unsafe Glibc.connect(
                    filler.descriptor, pointer.assumingMemoryBound(to: sockaddr.self), length)
            }
            var entry = pollfd(fd: filler.descriptor, events: Int16(POLLOUT), revents: 0)
            if unsafe poll(&entry, 1, 50) == 0 { return }
        }
        throw ContractFailure("the queue of a listener could not be filled")
    }
}

/// A socket that is never waited for.
final class RealPeer: ContractPeer {
    private(set) var descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close() }

    var address: SocketAddress {
        get throws {
            guard let address = localAddress(of: descriptor) else { throw Errno(number: ENOTCONN) }
            return address
        }
    }

    func send(_ bytes: [UInt8]) throws -> Int {
        let count = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        guard count >= 0 else {
            guard errno == EAGAIN else { throw Errno(number: errno) }
            return 0
        }
        return count
    }

    func receive(upTo count: Int) throws -> Sight {
        var bytes = [UInt8](repeating: 0, count: count)
        let received = unsafe recv(descriptor, &bytes, count, Int32(MSG_DONTWAIT))
        guard received >= 0 else {
            switch errno {
            case EAGAIN: return .nothing
            case ECONNRESET: return .reset
            default: throw Errno(number: errno)
            }
        }
        return received == 0 ? .end : .bytes(Array(bytes[..<received]))
    }

    func endSending() throws {
        try RealWorld.checkedErrno(shutdown(descriptor, Int32(SHUT_WR)))
    }

    func close() {
        guard descriptor >= 0 else { return }
        closeDescriptor(descriptor)
        descriptor = -1
    }

    func reset() {
        var lingering = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        close()
    }
}

/// A mailbox: what wakes a worker.
final class RealWake: ContractWake {
    private let mailbox: Mailbox
    private var ringers: [Background] = []

    init() throws {
        mailbox = try Mailbox()
    }

    deinit {
        for ringer in ringers { _ = try? ringer.wait() }
    }

    var descriptor: Int32 { mailbox.wakeDescriptor }

    func ring() { mailbox.send(.stop) }

    func ring(afterMilliseconds milliseconds: UInt32) {
        ringers.append(
            Background { [mailbox] in
                sleepMicroseconds(milliseconds * 1000)
                mailbox.send(.stop)
            })
    }
}
