import CLinux

/// Who has a buffer.
struct SimulatedBufferUse {
    var isInUse = false
    /// A completion that brings it was not handed out yet.
    var isUnderWay = false
    /// Operations in flight that were submitted with it.
    var operationCount = 0
    /// The connection whose bytes it holds; -1: none, its content was made by the worker.
    var connection = -1
}

/// A pipe: a queue of bytes that all come from one connection.
struct SimulatedPipe {
    var isInUse = false
    var bytes = SimulatedBytes()
    /// The connection whose bytes it holds, or -1.
    var connection = -1
}

extension SimulatedBackend {
    // MARK: Buffers

    mutating func allocateBuffer(for connection: Int) -> BufferIndex? {
        guard let buffer = buffers.allocate() else { return nil }
        if bufferUses[Int(buffer.raw)].isInUse {
            trace.violate("the pool gives out buffer \(buffer.raw) twice")
        }
        bufferUses[Int(buffer.raw)] = SimulatedBufferUse(isInUse: true, connection: connection)
        return buffer
    }

    mutating func checkInUse(_ slice: BufferSlice, _ call: StaticString, _ id: Int) {
        let use = bufferUses[Int(slice.buffer.raw)]
        if !use.isInUse || use.isUnderWay {
            trace.violate(
                "\(call) on connection \(id) with buffer \(slice.buffer.raw), which it does not have")
        }
    }

    /// What is sent to a connection was received from its partner, or is the worker's own.
    mutating func checkSource(_ slice: BufferSlice, of id: Int) {
        checkInUse(slice, "send", id)
        let source = bufferUses[Int(slice.buffer.raw)].connection
        if source >= 0, connections[id].partner != source {
            trace.violate("connection \(id) is sent bytes of connection \(source)")
        }
    }

    @_lifetime(borrow self)
    package borrowing func bytes(_ slice: BufferSlice) -> RawSpan { buffers.bytes(slice) }

    package mutating func overwrite(_ slice: BufferSlice, with bytes: RawSpan) {
        buffers.overwrite(slice, with: bytes)
    }

    package mutating func release(_ buffer: BufferIndex) {
        guard bufferUses.indices.contains(Int(buffer.raw)), bufferUses[Int(buffer.raw)].isInUse else {
            trace.violate("buffer \(buffer.raw) is released, but nobody has it")
            return
        }
        if bufferUses[Int(buffer.raw)].operationCount > 0 || bufferUses[Int(buffer.raw)].isUnderWay {
            trace.violate("buffer \(buffer.raw) is released while an operation uses it")
        }
        bufferUses[Int(buffer.raw)] = SimulatedBufferUse()
        // Whoever reads it now shall find no byte that looks right.
        // SAFETY: the buffer has `dataBytes` bytes from its start on.
        unsafe buffers.start(buffer).update(repeating: 0xdb, count: BufferPool.dataBytes)
        buffers.free(buffer)
    }

    package mutating func makeBuffer(copying bytes: Span<UInt8>) -> BufferIndex? {
        guard bytes.count <= BufferPool.dataBytes, let buffer = allocateBuffer(for: -1) else { return nil }
        for offset in 0..<bytes.count {
            // SAFETY: the count was checked against the room.
            unsafe buffers.start(buffer)[offset] = bytes[offset]
        }
        return buffer
    }

    package mutating func trim() { buffers.trim() }

    // MARK: Pipes

    package mutating func acquirePipe() -> PipeIndex? {
        guard !random.chance(perMille: hardships.noPipePerMille) else {
            trace.hit(.pipesExhausted)
            return nil
        }
        var place = pipes.firstIndex { !$0.isInUse }
        if place == nil, pipes.count < limits.pipesMax {
            pipes.append(SimulatedPipe())
            place = pipes.count - 1
        }
        guard let place else {
            trace.hit(.pipesExhausted)
            return nil
        }
        pipes[place].isInUse = true
        return PipeIndex(Int32(place))
    }

    package mutating func releasePipe(_ pipe: PipeIndex, isEmpty: Bool) {
        guard let place = place(of: pipe, "releasePipe") else { return }
        if pipes[place].bytes.isEmpty != isEmpty {
            trace.violate(
                "pipe \(place) with \(pipes[place].bytes.count) bytes is released as empty: \(isEmpty)")
        }
        if !isEmpty { trace.hit(.pipeWithBytesReleased) }
        pipes[place] = SimulatedPipe()
    }

    private mutating func place(of pipe: PipeIndex, _ call: StaticString) -> Int? {
        guard pipes.indices.contains(Int(pipe.raw)), pipes[Int(pipe.raw)].isInUse else {
            trace.violate("\(call) of pipe \(pipe.raw), which nobody has")
            return nil
        }
        return Int(pipe.raw)
    }

    package mutating func fill(_ pipe: PipeIndex, from descriptor: Int32) -> Int {
        guard let id = connection(of: descriptor, "fill"), let place = place(of: pipe, "fill") else {
            return 0
        }
        if !pipes[place].bytes.isEmpty { trace.violate("pipe \(place) is filled, but not empty") }
        if connections[id].reading.kind != .none {
            trace.violate("connection \(id) is spliced from while it is read")
        }
        pipes[place].connection = id
        guard !connections[id].inbound.isEmpty else {
            let result = connections[id].readWithoutBytes() ?? Int(-EAGAIN)
            if result == Int(-EAGAIN) { trace.hit(.fillDry) }
            note(.fill, id, result)
            return result
        }
        guard !random.chance(perMille: hardships.falseAgainPerMille) else {
            trace.hit(.falseAgain)
            return Int(-EAGAIN)
        }
        let count = shorten(min(connections[id].inbound.count, limits.pipeBytesMax), .shortFill)
        // SAFETY: the bytes are copied within the call.
        unsafe connections[id].inbound.take(count) { unsafe pipes[place].bytes.append($0) }
        noteTaken(id, count)
        note(.fill, id, count)
        return count
    }

    package mutating func drain(_ pipe: PipeIndex, to descriptor: Int32, count: Int) -> Int {
        guard let id = connection(of: descriptor, "drain"), let place = place(of: pipe, "drain") else {
            return 0
        }
        if connections[id].writing.kind != .none {
            trace.violate("connection \(id) is spliced to while it is written")
        }
        if connections[id].hasWorkerEnded { trace.violate("connection \(id) is spliced to after its end") }
        if count <= 0 || count > pipes[place].bytes.count {
            trace.violate("pipe \(place) does not hold \(count) bytes")
        }
        if connections[id].partner != pipes[place].connection {
            trace.violate("connection \(id) is spliced bytes of connection \(pipes[place].connection)")
        }
        let isDead = connections[id].isResetByPeer
        guard isDead || !random.chance(perMille: hardships.falseAgainPerMille) else {
            trace.hit(.falseAgain)
            return Int(-EAGAIN)
        }
        let asked = min(count, pipes[place].bytes.count)
        var moved: [UInt8] = []
        // What does not fit the socket stays in the pipe: the room is looked at before bytes are taken out.
        let room = connections[id].outboundMax - connections[id].outbound.count
        if !isDead {
            // SAFETY: the bytes are copied within the call.
            unsafe pipes[place].bytes.peek(min(asked, room)) { unsafe moved.append(contentsOf: $0) }
        }
        // SAFETY: the array lives through the call.
        let result = unsafe moved.withUnsafeBufferPointer { unsafe give(id, $0, .shortDrain) } ?? Int(-EAGAIN)
        if result > 0 {
            // SAFETY: nothing is done with the bytes.
            unsafe pipes[place].bytes.take(result) { _ in }
        }
        if result == Int(-EAGAIN) { trace.hit(.drainFull) }
        note(.drain, id, result)
        return result
    }
}
