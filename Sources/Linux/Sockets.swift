import CLinux

/// The address of a connected socket's other end, or nil when it is gone (ENOTCONN).
package func peerAddress(of descriptor: Int32) -> SocketAddress? {
    address(of: descriptor, isPeer: true)
}

/// The address that a socket is bound to.
package func localAddress(of descriptor: Int32) -> SocketAddress? {
    address(of: descriptor, isPeer: false)
}

private func address(of descriptor: Int32, isPeer: Bool) -> SocketAddress? {
    var storage = InlineArray<16, UInt64>(repeating: 0)
    var length = socklen_t(MemoryLayout.size(ofValue: storage))
    // SAFETY: the kernel writes at most `length` bytes, and says how many an address has.
    return unsafe withUnsafeMutableBytes(of: &storage) { bytes in
        let pointer = bytes.baseAddress!
        // SAFETY: the length is that of the storage behind the pointer.
        let result =
            if isPeer {
                unsafe clinux_peer_address(descriptor, pointer, &length)
            } else {
                unsafe clinux_local_address(descriptor, pointer, &length)
            }
        guard result == 0 else { return nil }
        return unsafe SocketAddress(
            kernel: UnsafeRawBufferPointer(rebasing: bytes[..<min(Int(length), bytes.count)]))
    }
}

/// Makes a listening socket. Connections that it gives inherit its options: no delay for small segments,
/// urgent data in line (TLS has none, and a byte that is taken out of the stream would wake a receive that
/// then finds nothing), keep-alive, and `userTimeoutMilliseconds` (TCP_USER_TIMEOUT: sent bytes that stay
/// unacknowledged for so long end the connection). Every worker makes its own on the same address
/// (SO_REUSEPORT), and the kernel spreads connections over them.
package func listen(on address: SocketAddress, userTimeoutMilliseconds: Int32) throws(Errno) -> Int32 {
    let descriptor = try check(clinux_socket(address.family))
    do throws(Errno) {
        try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)
        if address.family == AF_INET6 {
            try setOption(descriptor, Int32(IPPROTO_IPV6), Int32(IPV6_V6ONLY), 1)
        }
        try setListenerOptions(descriptor, userTimeoutMilliseconds: userTimeoutMilliseconds)
        // SAFETY: the address is as long as it says.
        try check(unsafe address.withKernelAddress { unsafe clinux_bind(descriptor, $0, $1) })
        try check(clinux_listen(descriptor, listenQueueLength))
        return descriptor
    } catch {
        _ = clinux_close(descriptor)
        throw error
    }
}

/// The kernel lowers this to net.core.somaxconn.
let listenQueueLength: Int32 = 65_535

/// The options that accepted connections inherit.
func setListenerOptions(_ descriptor: Int32, userTimeoutMilliseconds: Int32) throws(Errno) {
    try setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    try setOption(descriptor, SOL_SOCKET, SO_OOBINLINE, 1)
    try setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    try setOption(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, userTimeoutMilliseconds)
}

/// Fails with EADDRINUSE when a socket listens on the address already, also one that would share it.
package func checkUnused(_ address: SocketAddress) throws(Errno) {
    let descriptor = try check(clinux_socket(address.family))
    defer { _ = clinux_close(descriptor) }

    try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    if address.family == AF_INET6 { try setOption(descriptor, Int32(IPPROTO_IPV6), Int32(IPV6_V6ONLY), 1) }
    // SAFETY: the address is as long as it says.
    try check(unsafe address.withKernelAddress { unsafe clinux_bind(descriptor, $0, $1) })
}

private func setOption(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(Errno) {
    try check(clinux_set_option(descriptor, level, option, value))
}

/// Closes a descriptor that nobody else owns.
package func closeDescriptor(_ descriptor: Int32) { _ = clinux_close(descriptor) }

/// Sends a few bytes to a unix socket over a connection of their own, without waiting: a stream socket whose
/// queue is full fails with EAGAIN, and a new connection has room for more than a page.
package func sendToUnixSocket(_ path: [UInt8], _ bytes: [UInt8]) throws(Errno) {
    guard !path.isEmpty, path.count <= SocketAddress.pathBytesMax else { throw .invalidArgument }
    // SAFETY: bytes of an array of integers are integers.
    let address = unsafe SocketAddress(path: path.span.bytes)
    let descriptor = try check(clinux_socket(address.family))
    defer { _ = clinux_close(descriptor) }

    // SAFETY: the address is as long as it says.
    try check(unsafe address.withKernelAddress { unsafe clinux_connect(descriptor, $0, $1) })
    // SAFETY: the bytes are as many as the span says, for the time of the call.
    let sent = unsafe bytes.span.withUnsafeBufferPointer {
        unsafe clinux_send(descriptor, $0.baseAddress, $0.count, 0)
    }
    try check(sent)
}
