import CLinux

extension EpollBackend {
    package mutating func acquirePipe() -> PipeIndex? { pipes.acquire() }

    package mutating func releasePipe(_ pipe: PipeIndex, isEmpty: Bool) {
        pipes.release(pipe, isEmpty: isEmpty)
    }

    package mutating func fill(_ pipe: PipeIndex, from descriptor: Int32) -> Int {
        guard !sockets[Int(descriptor)].flags.contains(.urgent) else { return 0 }
        let result = clinux_splice(descriptor, pipes[pipe].writeEnd, PipePool.pipeBytes)
        // The pipe is empty, so EAGAIN speaks of the socket.
        if result == Int(-EAGAIN) { sockets[Int(descriptor)].flags.remove(.readable) }
        return result
    }

    package mutating func drain(_ pipe: PipeIndex, to descriptor: Int32, count: Int) -> Int {
        let result = clinux_splice(pipes[pipe].readEnd, descriptor, count)
        // The pipe is not empty, so EAGAIN speaks of the socket.
        if result == Int(-EAGAIN) { sockets[Int(descriptor)].flags.remove(.writable) }
        return result
    }

    @_lifetime(borrow self)
    package borrowing func bytes(_ slice: BufferSlice) -> RawSpan { buffers.bytes(slice) }

    package mutating func overwrite(_ slice: BufferSlice, with bytes: RawSpan) {
        buffers.overwrite(slice, with: bytes)
    }

    package mutating func release(_ buffer: BufferIndex) { buffers.free(buffer) }

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
}
