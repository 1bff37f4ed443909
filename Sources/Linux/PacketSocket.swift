import CLinux

/// One end of a connection within a machine that carries packets: each arrives whole, together with the
/// descriptors that were sent with it (unix(7), SOCK_SEQPACKET and SCM_RIGHTS). Closes with its owner.
package final class PacketSocket: Sendable {
    /// For waiting, and for a process that is started with it.
    package let descriptor: Int32

    /// The most descriptors in one packet.
    package static let descriptorsMax = Int(CLINUX_PACKET_DESCRIPTORS)

    private init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = clinux_close(descriptor) }

    /// Two ends of one connection.
    package static func pair() throws(Errno) -> (PacketSocket, PacketSocket) {
        var ends: (Int32, Int32) = (-1, -1)
        // SAFETY: the tuple is two C ints in a row, which socketpair fills.
        let result = unsafe withUnsafeMutableBytes(of: &ends) {
            unsafe clinux_packet_pair($0.baseAddress!.assumingMemoryBound(to: Int32.self))
        }
        try check(result)
        return (PacketSocket(owning: ends.0), PacketSocket(owning: ends.1))
    }

    /// A descriptor that this process was started with or was sent, which is ours from now on; nil, and
    /// nobody's, if it is no such socket.
    package convenience init?(adopting descriptor: Int32) {
        guard clinux_adopt_packet_socket(descriptor) == 1 else { return nil }
        self.init(owning: descriptor)
    }

    /// Sends a packet, and waits for room until a time of the monotonic clock. EPIPE: the other end is gone;
    /// ETIMEDOUT: there was no room in time.
    package func send(
        _ bytes: [UInt8], descriptors: [Int32] = [], deadlineNanoseconds: UInt64
    ) throws(Errno) {
        while true {
            // SAFETY: the counts are those of the arrays.
            let result = unsafe clinux_send_packet(
                descriptor, bytes, bytes.count, descriptors, Int32(descriptors.count))
            // ENOBUFS: as EAGAIN, by the memory of the system (socket(7)). ETOOMANYREFS: too many descriptors
            // are on their way; they arrive as the other end reads.
            guard result == Int(-EAGAIN) || result == Int(-EINTR) || result == Int(-ETOOMANYREFS) else {
                try check(result)
                return
            }
            let milliseconds = try milliseconds(until: deadlineNanoseconds)
            if result == Int(-ETOOMANYREFS) { sleepMicroseconds(500) }
            _ = clinux_wait_writable(descriptor, milliseconds)
        }
    }

    /// Waits until there is a packet, or the other end has gone; false: not within so many milliseconds.
    package func hasPacket(waitingMilliseconds: Int32) -> Bool {
        clinux_wait_readable(descriptor, waitingMilliseconds) > 0
    }

    /// The next packet, with descriptors that are the caller's; nil at the end. Waits until a time of the
    /// monotonic clock (ETIMEDOUT). EMSGSIZE: it is larger than the room for it, or there is no room for its
    /// descriptors in this process.
    package func receive(deadlineNanoseconds: UInt64, bytesMax: Int) throws(Errno) -> Packet? {
        while true {
            var packet = Packet()
            var count = 0
            var numbers = InlineArray<8, Int32>(repeating: -1)
            var numberCount: Int32 = 0
            // SAFETY: the array has room for `bytesMax` bytes, of which the call fills `count`; the numbers
            // have room for CLINUX_PACKET_DESCRIPTORS.
            packet.bytes = unsafe [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, filled in
                unsafe withUnsafeMutableBytes(of: &numbers) { space in
                    count = unsafe clinux_receive_packet(
                        descriptor, buffer.baseAddress, bytesMax,
                        space.baseAddress!.assumingMemoryBound(to: Int32.self), &numberCount)
                }
                filled = max(0, count)
            }
            for place in 0..<Int(numberCount) { packet.descriptors.append(numbers[place]) }
            if count > 0 { return packet }
            // ECONNRESET: the other end was closed with packets of ours in it.
            if count == 0 || count == Int(-ECONNRESET) { return nil }
            guard count == Int(-EAGAIN) || count == Int(-EINTR) else { throw Errno(result: count) }
            _ = clinux_wait_readable(descriptor, try milliseconds(until: deadlineNanoseconds))
        }
    }

    private func milliseconds(until nanoseconds: UInt64) throws(Errno) -> Int32 {
        let now = monotonicNanoseconds()
        guard now < nanoseconds else { throw Errno(number: ETIMEDOUT) }
        return Int32(clamping: (nanoseconds - now) / 1_000_000 + 1)
    }
}

/// What came with one message.
package struct Packet: Sendable {
    /// Its bytes; at least one.
    package var bytes: [UInt8] = []
    /// Its descriptors, which are the receiver's.
    package var descriptors: [Int32] = []

    /// An empty packet.
    package init() {}
}
