import CLinux

/// Makes a listening unix socket (mode 0660). What a process left behind that has ended is replaced;
/// EADDRINUSE: somebody serves there, ENOTSOCK: something else is there.
package func listenUnix(at path: String) throws(Errno) -> Int32 {
    // SAFETY: the string ends in NUL for the time of the call.
    guard try check(unsafe clinux_is_unix_socket_alive(path)) == 0 else { throw .addressInUse }
    removeFile(path)
    // SAFETY: as above.
    return try check(unsafe clinux_listen_unix(path, 0o660))
}

/// Gives a file to a user, and to the group of that user.
package func giveFile(_ path: String, to user: String) throws(Errno) {
    // SAFETY: both strings end in NUL for the time of the call.
    try check(unsafe clinux_give_file(path, user))
}

/// What tells a file at a path from a later one there; 0: there is none.
package func fileNumber(_ path: String) -> UInt64 {
    // SAFETY: the string ends in NUL for the time of the call.
    unsafe clinux_file_number(path)
}

/// Accepts a connection, which does not block; nil when there is none, or none can be had.
package func acceptConnection(_ listener: Int32) -> Int32? {
    let descriptor = clinux_accept(listener)
    return descriptor >= 0 ? descriptor : nil
}

/// Receives what there is, at most so many bytes, behind those in `bytes`: how many; 0: the end; nil: nothing
/// yet.
package func receive(
    _ descriptor: Int32, appendingTo bytes: inout [UInt8], atMost count: Int
) throws(Errno) -> Int? {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: count))
    // SAFETY: so many bytes lie behind the start.
    let result = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe clinux_receive(descriptor, buffer.baseAddress! + start, count)
    }
    bytes.removeLast(count - max(0, result))
    if result == Int(-EAGAIN) || result == Int(-EINTR) { return nil }
    return try check(result)
}

/// Sends bytes from an offset on: how many were taken; 0: none now.
package func send(_ descriptor: Int32, _ bytes: [UInt8], from offset: Int) throws(Errno) -> Int {
    guard offset < bytes.count else { return 0 }
    // SAFETY: the offset is below the count.
    let result = unsafe bytes.withUnsafeBytes { buffer in
        unsafe clinux_send(descriptor, buffer.baseAddress! + offset, buffer.count - offset, 0)
    }
    if result == Int(-EAGAIN) || result == Int(-EINTR) { return 0 }
    return try check(result)
}

/// Says that no more bytes come.
package func endSending(_ descriptor: Int32) { _ = clinux_shutdown_write(descriptor) }

/// Who is at the other end of a unix socket: process and user.
package func peerCredentials(of descriptor: Int32) -> (process: Int32, user: UInt32)? {
    var peer = clinux_peer()
    // SAFETY: the structure is filled, or left as it is.
    guard unsafe clinux_peer_credentials(descriptor, &peer) == 0 else { return nil }
    return (peer.process, peer.user)
}

/// What a thread waits for, in one call of poll(2).
package struct PollSet {
    private var items: [pollfd] = []

    package init() {}

    /// Begins anew.
    package mutating func removeAll() { items.removeAll(keepingCapacity: true) }

    /// Waits for a descriptor; its number for ``isReady(_:)``. Failures of it always count.
    @discardableResult
    package mutating func add(_ descriptor: Int32, reads: Bool, writes: Bool) -> Int {
        let events = (reads ? POLLIN : 0) | (writes ? POLLOUT : 0)
        items.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
        return items.count - 1
    }

    /// Waits; -1: without a limit.
    package mutating func wait(milliseconds: Int32) {
        // SAFETY: the count is the array's.
        _ = unsafe clinux_poll(&items, UInt32(items.count), milliseconds)
    }

    /// Whether there is something to do with a descriptor.
    package func isReady(_ index: Int) -> Bool { items[index].revents != 0 }
}

/// Facts about this process, for those who look at it.
package enum ProcessFacts {
    /// Descriptors that are open.
    package static var openDescriptors: Int { max(0, clinux_open_descriptor_count()) }

    /// CPU time that all its threads have used.
    package static var cpuNanoseconds: UInt64 { UInt64(max(0, clinux_process_cpu_nanoseconds())) }

    /// The clock of the calling thread's CPU time, which any thread may read.
    package static func ownCPUClock() -> Int32 { clinux_own_cpu_clock() }

    /// CPU time of a thread by its clock; 0 once it has ended.
    package static func cpuNanoseconds(of clock: Int32) -> UInt64 {
        clock == 0 ? 0 : UInt64(max(0, clinux_cpu_nanoseconds(clock)))
    }

    /// Bytes in memory, and of address space.
    package static var memory: (resident: UInt64, virtual: UInt64) {
        var (resident, virtual): (UInt64, UInt64) = (0, 0)
        // SAFETY: both are written, or left as they are.
        _ = unsafe clinux_process_memory(&resident, &virtual)
        return (resident, virtual)
    }
}
