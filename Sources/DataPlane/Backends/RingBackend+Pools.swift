import CLinux

/// Which buffer each identifier of the kernel's ring of buffers stands for (IORING_REGISTER_PBUF_RING, kernel
/// 5.19).
struct ProvidedBuffers: ~Copyable {
    /// A power of two. The kernel takes them in turn, so more would only cool the cache.
    static let count = 64

    let buffers = Region<BufferIndex>(capacity: count)
    /// Identifiers that stand for no buffer, because the pool had none.
    let missing = Region<UInt16>(capacity: count)
    var missingCount = count

    init() {
        for identifier in 0..<Self.count { missing[identifier] = UInt16(identifier) }
    }
}

extension RingBackend {
    // MARK: Provided buffers

    /// The buffer that the kernel took under an identifier; the identifier gets another.
    @inline(always)
    mutating func takeProvided(_ identifier: UInt16) -> BufferIndex {
        let taken = provided.buffers[Int(identifier)]
        provided.missing[provided.missingCount] = identifier
        provided.missingCount += 1
        provideBuffers()
        return taken
    }

    /// Gives the kernel buffers until it has them all, or the pool is empty.
    mutating func provideBuffers() {
        while provided.missingCount > 0, let buffer = buffers.allocate() {
            provided.missingCount -= 1
            let identifier = provided.missing[provided.missingCount]
            provided.buffers[Int(identifier)] = buffer
            // SAFETY: the buffer is nobody else's until the kernel has taken it.
            unsafe ring.provide(identifier, buffers.start(buffer), UInt32(BufferPool.dataBytes))
        }
    }

    package mutating func overwrite(_ slice: BufferSlice, with bytes: RawSpan) {
        buffers.overwrite(slice, with: bytes)
    }

    package mutating func release(_ buffer: BufferIndex) {
        buffers.free(buffer)
        if provided.missingCount > 0 { provideBuffers() }
    }

    @_lifetime(borrow self)
    package borrowing func bytes(_ slice: BufferSlice) -> RawSpan { buffers.bytes(slice) }

    package mutating func makeBuffer(copying bytes: Span<UInt8>) -> BufferIndex? {
        guard bytes.count <= BufferPool.dataBytes, let buffer = buffers.allocate() else { return nil }
        for offset in 0..<bytes.count {
            // SAFETY: the count was checked against the room.
            unsafe buffers.start(buffer)[offset] = bytes[offset]
        }
        return buffer
    }

    package mutating func trim() {
        buffers.trim()
        pipes.trim()
    }

    // MARK: Pipes

    package mutating func acquirePipe() -> PipeIndex? { pipes.acquire() }

    package mutating func releasePipe(_ pipe: PipeIndex, isEmpty: Bool) {
        pipes.release(pipe, isEmpty: isEmpty)
    }

    package mutating func fill(_ pipe: PipeIndex, from descriptor: Int32) -> Int {
        let result = clinux_splice(descriptor, pipes[pipe].writeEnd, PipePool.pipeBytes)
        // The socket calls itself readable and gives nothing: that is urgent data, in front of which a splice
        // stops for good (tcp(7)).
        let isUrgent = result == Int(-EAGAIN) && sockets[Int(descriptor)].isSaidReadable
        sockets[Int(descriptor)].isSaidReadable = false
        return isUrgent ? 0 : result
    }

    package mutating func drain(_ pipe: PipeIndex, to descriptor: Int32, count: Int) -> Int {
        clinux_splice(pipes[pipe].readEnd, descriptor, count)
    }
}
