import Glibc

/// Where a test listens or connects to.
package enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    case ipv4(port: UInt16)
    case ipv6(port: UInt16)
    case unix(path: String)

    /// As a route or a `listen` line has it. Only the loopback addresses are used.
    package var description: String {
        switch self {
        case .ipv4(let port): "127.0.0.1:\(port)"
        case .ipv6(let port): "[::1]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// The port; 0 for a unix socket, which has none.
    package var port: UInt16 {
        switch self {
        case .ipv4(let port), .ipv6(let port): port
        case .unix: 0
        }
    }

    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls with the address in the kernel's form.
    func withSocketAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        switch self {
        case .ipv4(let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            return unsafe Self.call(&address, body)
        case .ipv6(let port):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { unsafe $0[15] = 1 }
            return unsafe Self.call(&address, body)
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            precondition(path.utf8.count < 108, "a unix socket's path has 107 bytes at most: \(path)")
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
            return unsafe Self.call(&address, body)
        }
    }

    private static func call<Address>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }
}

/// A system call of a test's own socket has failed.
package struct SocketError: Error, Equatable, CustomStringConvertible {
    /// The call, and the `errno` that it left.
    package let call: String
    package let number: Int32

    /// What a read of a connection that the other side has reset ends with.
    package static let connectionReset = SocketError(call: "recv", number: ECONNRESET)

    package var description: String {
        unsafe "\(call): \(String(cString: strerror(number)))"
    }
}

/// One end of a stream connection that a test plays by hand: byte by byte, with half-closes and resets. Every
/// wait has an end.
// SAFETY: a test gives a socket to one thread at a time; the kernel bears several.
package final class StreamSocket: @unchecked Sendable {
    private var descriptor: Int32
    /// How long one call waits at most.
    package static let seconds = 10

    fileprivate init(descriptor: Int32) throws {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: Self.seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    /// Connects.
    package convenience init(to endpoint: Endpoint) throws {
        let descriptor = socket(endpoint.family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw SocketError(call: "socket", number: errno) }
        let result = unsafe endpoint.withSocketAddress { unsafe connect(descriptor, $0, $1) }
        guard result == 0 else {
            let number = errno
            Glibc.close(descriptor)
            throw SocketError(call: "connect to \(endpoint)", number: number)
        }
        try self.init(descriptor: descriptor)
    }

    deinit {
        close()
    }

    /// Sends all the bytes.
    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes[sent...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw SocketError(call: "send", number: errno) }
            sent += count
        }
    }

    /// Sends one byte of urgent data (tcp(7)).
    package func sendUrgent(_ byte: UInt8) throws {
        let count = unsafe withUnsafeBytes(of: byte) {
            unsafe Glibc.send(descriptor, $0.baseAddress, 1, Int32(MSG_NOSIGNAL) | Int32(MSG_OOB))
        }
        guard count == 1 else { throw SocketError(call: "send", number: errno) }
    }

    package func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    /// Sends each byte in a TCP segment of its own.
    package func sendByteByByte(_ bytes: [UInt8]) throws {
        var on: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        for byte in bytes {
            try send([byte])
            // Long enough for the other side to be woken and to read, so that bytes do not gather again.
            usleep(200)
        }
    }

    /// The next bytes, as many as there are; empty at the end of the stream. A reset is thrown as ECONNRESET.
    package func receive(upTo count: Int = 65536) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = unsafe buffer.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        guard received >= 0 else { throw SocketError(call: "recv", number: errno) }
        return Array(buffer[..<received])
    }

    /// Exactly so many bytes; fewer when the stream ends before.
    package func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let next = try receive(upTo: count - bytes.count)
            if next.isEmpty { break }
            bytes += next
        }
        return bytes
    }

    /// Everything up to the end of the stream.
    package func receiveToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let next = try receive()
            if next.isEmpty { return bytes }
            bytes += next
        }
    }

    /// Whether nothing comes for a while: no byte, no end, no reset.
    package func staysSilent(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) == 0
    }

    /// Ends its own direction; the other one stays open.
    package func endSending() throws {
        guard shutdown(descriptor, Int32(SHUT_WR)) == 0 else {
            throw SocketError(call: "shutdown", number: errno)
        }
    }

    /// Closes with a reset (RST) and not with an orderly end.
    package func reset() {
        var lingering = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    package func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }
}

/// A listening socket that a test plays a backend on.
package final class StreamListener {
    private let descriptor: Int32
    /// Where it listens, with the port that the kernel has chosen.
    package let endpoint: Endpoint

    /// Listens; a port of 0 means any free one. So many connections and one more wait to be accepted, and
    /// further ones are not answered (listen(2)).
    package init(_ wanted: Endpoint = .ipv4(port: 0), backlog: Int32 = 1024) throws {
        let opened = socket(wanted.family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard opened >= 0 else { throw SocketError(call: "socket", number: errno) }
        var on: Int32 = 1
        unsafe setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let bound = unsafe wanted.withSocketAddress { unsafe bind(opened, $0, $1) }
        guard bound == 0, listen(opened, backlog) == 0 else {
            let number = errno
            Glibc.close(opened)
            throw SocketError(call: "bind to \(wanted)", number: number)
        }
        descriptor = opened
        endpoint = Self.actual(wanted, descriptor: opened)
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// The next connection, which may have come before the call.
    package func accept(seconds: Double = 10) throws -> StreamSocket {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, Int32(seconds * 1000)) == 1 else {
            throw SocketError(call: "nobody connected to \(endpoint)", number: ETIMEDOUT)
        }
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw SocketError(call: "accept", number: errno) }
        // A child process must not keep the connection open.
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        return try StreamSocket(descriptor: accepted)
    }

    /// Whether a connection waits to be accepted, now or within the time.
    package func hasConnection(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) == 1
    }

    private static func actual(_ wanted: Endpoint, descriptor: Int32) -> Endpoint {
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &size)
            }
        }
        // The port has the same place in both families' addresses.
        let port = UInt16(bigEndian: address.sin6_port)
        switch wanted {
        case .ipv4: return .ipv4(port: port)
        case .ipv6: return .ipv6(port: port)
        case .unix: return wanted
        }
    }
}
