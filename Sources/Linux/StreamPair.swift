import CLinux

/// Both ends of a connection within this machine that carries bytes. Whoever takes one closes it.
package func streamPair() throws(Errno) -> (Int32, Int32) {
    var ends: (Int32, Int32) = (-1, -1)
    // SAFETY: the tuple is two C ints in a row, which socketpair fills.
    let result = unsafe withUnsafeMutableBytes(of: &ends) {
        unsafe clinux_stream_pair($0.baseAddress!.assumingMemoryBound(to: Int32.self))
    }
    try check(result)
    return ends
}

/// Copies from one descriptor to a socket and from there to another descriptor, until both directions have
/// ended; the end of the first is passed on to the socket. Each direction waits in a thread of its own.
package func relay(input: Int32, output: Int32, socket: Int32) throws(Errno) {
    try startThread("relay") {
        copy(from: input, to: socket)
        endSending(socket)
    }
    copy(from: socket, to: output)
}

private func copy(from source: Int32, to target: Int32) {
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    while true {
        // SAFETY: the buffer has so many bytes.
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe clinux_read(source, $0.baseAddress!, $0.count)
        }
        if count == Int(-EINTR) { continue }
        guard count > 0, (try? writeAll(target, Array(buffer[..<count]))) != nil else { return }
    }
}
