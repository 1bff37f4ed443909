import CLinux

/// A connection to a unix socket, for a client that may wait.
package struct UnixStream: ~Copyable {
    private let descriptor: Int32
    /// What was received and is no part of a line that was given out.
    private var received: [UInt8] = []
    /// How much of it holds no line break, so that it is not looked at twice.
    private var searched = 0

    /// Why a connection has ended or cannot be used.
    package enum Failure: Error, Equatable {
        /// The system says so.
        case system(Errno)
        /// Nothing came within the time.
        case timeout
        /// The other end has closed it.
        case closed
        /// A line is longer than any that is expected.
        case tooLong
    }

    /// Connects. ENOENT: there is no such socket; ECONNREFUSED: nobody listens on it; EACCES: not for us.
    package init(path: String) throws(Errno) {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= SocketAddress.pathBytesMax, !bytes.contains(0) else {
            throw Errno(number: ENAMETOOLONG)
        }
        // SAFETY: the span of an array of integers has no padding, and ends before the array does.
        let address = unsafe SocketAddress(path: bytes.span.bytes)
        let descriptor = try check(clinux_socket(AF_UNIX))
        // SAFETY: the address is as long as it says.
        var result = unsafe address.withKernelAddress { unsafe clinux_connect(descriptor, $0, $1) }
        // EAGAIN: its queue is full; that it is not after two seconds is as good as refused.
        for _ in 0..<20 where result == -EAGAIN {
            usleep(100_000)
            // SAFETY: as above.
            result = unsafe address.withKernelAddress { unsafe clinux_connect(descriptor, $0, $1) }
        }
        guard result == 0 else {
            _ = clinux_close(descriptor)
            throw Errno(result: Int(result))
        }
        self.init(descriptor: descriptor)
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = clinux_close(descriptor) }

    /// Sends all bytes.
    package borrowing func send(_ bytes: [UInt8]) throws(Failure) {
        // Not by write(2): an end that has gone is an error here, not a signal that ends the process.
        var sent = 0
        while sent < bytes.count {
            do throws(Errno) {
                let count = try Linux.send(descriptor, bytes, from: sent)
                if count == 0 { _ = clinux_wait_writable(descriptor, -1) }
                sent += count
            } catch {
                throw .system(error)
            }
        }
    }

    /// The next line, without its end.
    package mutating func readLine(
        bytesMax: Int = 1 << 28, timeoutMilliseconds: Int32
    ) throws(Failure) -> [UInt8] {
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(received[..<end])
                received.removeSubrange(...end)
                searched = 0
                return line
            }
            searched = received.count
            guard received.count < bytesMax else { throw .tooLong }
            guard clinux_wait_readable(descriptor, timeoutMilliseconds) > 0 else { throw .timeout }
            try receive()
        }
    }

    private mutating func receive() throws(Failure) {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        // SAFETY: the count is the array's.
        let count = unsafe clinux_receive(descriptor, &chunk, chunk.count)
        if count == Int(-EAGAIN) || count == Int(-EINTR) { return }
        guard count != 0 else { throw .closed }
        guard count > 0 else { throw .system(Errno(result: count)) }
        received += chunk[..<count]
    }
}
