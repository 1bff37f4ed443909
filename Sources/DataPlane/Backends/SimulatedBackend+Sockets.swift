import CLinux
package import Linux

/// What a descriptor's number stands for.
enum SimulatedDescriptor {
    case free
    /// Of a listener, by its place in the list.
    case listener(Int)
    case connection(Int)
}

extension SimulatedBackend {
    /// The lowest free number, as in the kernel, so that numbers are used again soon; nil: EMFILE or ENFILE.
    mutating func allocateDescriptor(_ use: SimulatedDescriptor) -> Int32? {
        guard openCount < limits.descriptorsMax, !random.chance(perMille: hardships.noDescriptorPerMille)
        else {
            return nil
        }
        openCount += 1
        let place = descriptors.firstIndex { if case .free = $0 { true } else { false } }
        if let place {
            descriptors[place] = use
            return Int32(place)
        }
        descriptors.append(use)
        return Int32(descriptors.count - 1)
    }

    mutating func freeDescriptor(_ number: Int32) {
        descriptors[Int(number)] = .free
        openCount -= 1
    }

    /// The connection that a call of the worker's concerns; nil, and a broken rule, when there is none.
    mutating func connection(of descriptor: Int32, _ call: StaticString, needsOwner: Bool = true) -> Int? {
        guard descriptors.indices.contains(Int(descriptor)),
            case .connection(let id) = descriptors[Int(descriptor)]
        else {
            trace.violate("\(call) on descriptor \(descriptor), which is not an open socket")
            return nil
        }
        if !connections[id].isHandedOver {
            trace.violate("\(call) on connection \(id), whose accept is under way")
        }
        if needsOwner, connections[id].owner == nil {
            trace.violate("\(call) on connection \(id), which nobody adopted")
        }
        return id
    }

    /// The connection of an open socket.
    func connection(at descriptor: Int32) -> Int? {
        guard descriptors.indices.contains(Int(descriptor)),
            case .connection(let id) = descriptors[Int(descriptor)]
        else { return nil }
        return id
    }

    /// Connections that were gone when they were accepted: closed, and never adopted.
    var goneCount: UInt64 {
        let goneCount = connections.count {
            $0.isHandedOver && $0.owner == nil && $0.isResetByPeer && $0.hasWorkerClosed && !$0.isDiscarded
        }
        return UInt64(goneCount)
    }

    package func peerAddress(_ descriptor: Int32) -> SocketAddress? {
        guard descriptors.indices.contains(Int(descriptor)),
            case .connection(let id) = descriptors[Int(descriptor)],
            !connections[id].isResetByPeer
        else { return nil }
        return connections[id].address
    }

    package func localAddress(_ descriptor: Int32) -> SocketAddress? {
        connection(at: descriptor) == nil ? nil : Self.localAddress
    }

    package mutating func adopt(_ descriptor: Int32, owner: Token, mayHaveBytes: Bool) {
        guard let id = connection(of: descriptor, "adopt", needsOwner: false) else { return }
        note(.adopt, id, Int(owner.slot))
        if connections[id].owner != nil { trace.violate("connection \(id) is adopted twice") }
        checkOwnerIsNew(owner, id)
        connections[id].owner = owner
    }

    /// A session's side has one socket.
    private mutating func checkOwnerIsNew(_ owner: Token, _ id: Int) {
        let isTaken = connections.contains { $0.isOpen && $0.owner == owner }
        if isTaken { trace.violate("connection \(id) gets a slot, generation and side that another one has") }
    }

    package mutating func connect(
        _ owner: Token, to address: SocketAddress, sending bytes: BufferSlice
    ) -> Int32 {
        let id = connections.count
        guard let descriptor = allocateDescriptor(.connection(id)) else {
            trace.hit(.connectWithoutDescriptor)
            return openCount < limits.descriptorsMax ? -ENFILE : -EMFILE
        }
        var made = SimulatedConnection(
            .connecting, address: address, inboundMax: random.magnitude(in: limits.socketBytes),
            outboundMax: random.magnitude(in: limits.socketBytes), nowNanoseconds: nowNanoseconds)
        made.descriptor = descriptor
        made.isHandedOver = true
        made.partner = connections.firstIndex {
            $0.isOpen && $0.owner?.slot == owner.slot && $0.owner?.generation == owner.generation
                && $0.owner?.side == .client
        }
        if let partner = made.partner {
            connections[partner].partner = id
        } else {
            trace.violate("connection \(id) to an origin is of no session")
        }
        checkOwnerIsNew(owner, id)
        made.owner = owner
        if random.chance(perMille: hardships.connectsAtOncePerMille) {
            made.stage = .established
        } else if random.chance(perMille: hardships.refusesAtOncePerMille) {
            made.stage = .refused(ECONNREFUSED)
            trace.hit(.connectRefused)
        }
        connections.append(made)
        note(.connect, id, Int(bytes.count))
        newConnects.append(id)
        submitWriting(id, .connect, bytes)
        return descriptor
    }

    // MARK: Submitting

    package mutating func receive(_ descriptor: Int32, appendingTo slice: BufferSlice) {
        guard let id = connection(of: descriptor, "receive") else { return }
        note(.receive, id, Int(slice.count))
        if slice.buffer != .none {
            checkInUse(slice, "receive", id)
            let hasRoom = Int(slice.offset) + Int(slice.count) < BufferPool.dataBytes
            if !hasRoom { trace.violate("connection \(id) receives into a full buffer") }
        }
        submitReading(id, .receive, slice)
    }

    package mutating func awaitReadable(_ descriptor: Int32) {
        guard let id = connection(of: descriptor, "awaitReadable") else { return }
        note(.awaitReadable, id)
        submitReading(id, .readable, BufferSlice())
    }

    package mutating func mayReceive(_ descriptor: Int32) -> Bool {
        guard let id = connection(of: descriptor, "mayReceive") else { return false }
        return connections[id].isReadable && random.chance(perMille: 800)
    }

    package mutating func send(_ descriptor: Int32, _ bytes: BufferSlice, endFollows: Bool) {
        guard let id = connection(of: descriptor, "send") else { return }
        note(.send, id, Int(bytes.count))
        submitWriting(id, .send, bytes, endFollows: endFollows)
    }

    package mutating func awaitWritable(_ descriptor: Int32) {
        guard let id = connection(of: descriptor, "awaitWritable") else { return }
        note(.awaitWritable, id)
        submitWriting(id, .writable, BufferSlice())
    }

    package mutating func watchEnd(_ descriptor: Int32) {
        guard let id = connection(of: descriptor, "watchEnd") else { return }
        note(.watchEnd, id)
        if connections[id].inFlightCount > 0 {
            trace.violate("the end of connection \(id) is watched with operations in flight")
        }
        connections[id].isEndWatched = true
        tellEnd(id)
    }

    private mutating func submitReading(_ id: Int, _ kind: OperationKind, _ slice: BufferSlice) {
        if connections[id].reading.kind != .none {
            trace.violate("connection \(id) has a second read in flight")
        }
        connections[id].isEndWatched = false
        connections[id].reading = SimulatedOperation(kind: kind, slice: slice)
        noteSubmitted(slice, 1)
        if random.chance(perMille: hardships.atOncePerMille) { performReading(id) }
        if !connections[id].reading.isPerformed {
            trace.hit(kind == .receive ? .receiveWaited : .readableWaited)
        }
    }

    private mutating func submitWriting(
        _ id: Int, _ kind: OperationKind, _ slice: BufferSlice, endFollows: Bool = false
    ) {
        if connections[id].writing.kind != .none {
            trace.violate("connection \(id) has a second write in flight")
        }
        if connections[id].hasWorkerEnded { trace.violate("connection \(id) is written to after its end") }
        if slice.buffer != .none { checkSource(slice, of: id) }
        connections[id].writing = SimulatedOperation(kind: kind, slice: slice, endFollows: endFollows)
        noteSubmitted(slice, 1)
        if random.chance(perMille: hardships.atOncePerMille) { performWriting(id) }
        guard !connections[id].writing.isPerformed else { return }
        trace.hit(kind == .send ? .sendWaited : kind == .connect ? .connectWaited : .writableWaited)
    }

    // MARK: Performing

    /// Reads if a read is wanted and would not wait.
    mutating func performReading(_ id: Int) {
        let operation = connections[id].reading
        guard operation.kind != .none, !operation.isPerformed else { return }
        guard operation.kind == .receive else {
            let isFalse = !connections[id].isReadable
            guard !isFalse || random.chance(perMille: hardships.falseReadinessPerMille) else { return }
            if isFalse { trace.hit(.falseReadable) }
            finishReading(id, 0)
            return
        }
        guard !connections[id].inbound.isEmpty else {
            if let result = connections[id].readWithoutBytes() {
                finishReading(id, result, operation.slice.buffer)
            }
            return
        }
        guard let buffer = operation.slice.buffer == .none ? allocateBuffer(for: id) : operation.slice.buffer
        else {
            trace.violate("the pool of buffers is empty")
            finishReading(id, Int(-ENOBUFS))
            return
        }
        let offset = Int(operation.slice.offset) + Int(operation.slice.count)
        let asked = min(BufferPool.dataBytes - offset, connections[id].inbound.count)
        let count = shorten(asked, .shortReceive)
        // SAFETY: `count` bytes fit the buffer behind the offset.
        let target = unsafe buffers.start(buffer) + offset
        unsafe connections[id].inbound.take(count) {
            unsafe target.update(from: $0.baseAddress!, count: $0.count)
        }
        noteTaken(id, count)
        finishReading(id, count, buffer)
    }

    /// Connects or writes if that is wanted and would not wait.
    mutating func performWriting(_ id: Int) {
        let operation = connections[id].writing
        guard operation.kind != .none, !operation.isPerformed else { return }
        switch connections[id].stage {
        case .queued: preconditionFailure("nobody writes to a connection that was not accepted")
        case .connecting: return
        case .refused(let error):
            finishWriting(id, -Int(error))
            return
        case .established: break
        }
        guard operation.kind != .writable else {
            let isFalse = !connections[id].isWritable
            guard !isFalse || random.chance(perMille: hardships.falseReadinessPerMille) else { return }
            if isFalse { trace.hit(.falseWritable) }
            finishWriting(id, 0)
            return
        }
        let isReset = connections[id].isResetByPeer
        if isReset, operation.kind == .connect { trace.hit(.resetBeforeHello) }
        let asked = Int(operation.slice.count)
        // SAFETY: the slice lies within its buffer.
        let bytes = unsafe UnsafeBufferPointer(start: buffers.pointer(operation.slice), count: asked)
        let fault: SimulatedFault = operation.kind == .connect ? .shortConnect : .shortSend
        guard let result = unsafe give(id, bytes, fault) else { return }
        // What did not fit whole goes out as it is: the socket is full.
        if operation.endFollows, result == asked {
            trace.hit(.heldBackForEnd)
            connections[id].heldBackCount = min(asked, connections[id].outbound.count)
        }
        finishWriting(id, result)
    }

    /// Puts bytes into a socket, as tcp_sendmsg does: how many, or an error; nil when there is no room.
    mutating func give(_ id: Int, _ bytes: UnsafeBufferPointer<UInt8>, _ fault: SimulatedFault) -> Int? {
        if connections[id].pendingError != 0 {
            defer { connections[id].pendingError = 0 }
            trace.hit(.resetSeenByWrite)
            return -Int(connections[id].pendingError)
        }
        guard !connections[id].isResetByPeer else { return Int(-EPIPE) }
        let room = connections[id].outboundMax - connections[id].outbound.count
        guard room > 0 else { return nil }
        let count = shorten(min(room, bytes.count), fault)
        connections[id].heldBackCount = 0
        connections[id].givenCount += UInt64(count)
        connections[id].movedNanoseconds = nowNanoseconds
        if connections[id].hasPeerClosed {
            // The other end has closed in order, and answers what comes now with a reset.
            connections[id].becomeReset(error: ECONNRESET, losesInbound: false)
        } else {
            // SAFETY: the count is at most that of the bytes.
            unsafe connections[id].outbound.append(UnsafeBufferPointer(rebasing: bytes[..<count]))
        }
        return count
    }

    mutating func noteTaken(_ id: Int, _ count: Int) {
        connections[id].takenCount += UInt64(count)
        connections[id].movedNanoseconds = nowNanoseconds
    }

    /// Fewer bytes than could be moved, or all of them.
    mutating func shorten(_ count: Int, _ fault: SimulatedFault) -> Int {
        guard count > 1, random.chance(perMille: hardships.shortTransferPerMille) else { return count }
        trace.hit(fault)
        return random.magnitude(in: 1...(count - 1))
    }

    private mutating func finishReading(_ id: Int, _ result: Int, _ buffer: BufferIndex = .none) {
        guard let owner = connections[id].owner else { return }
        connections[id].reading.isPerformed = true
        if buffer != .none { bufferUses[Int(buffer.raw)].isUnderWay = true }
        complete(owner.with(connections[id].reading.kind), result, connection: id, buffer: buffer)
    }

    private mutating func finishWriting(_ id: Int, _ result: Int) {
        guard let owner = connections[id].owner else { return }
        connections[id].writing.isPerformed = true
        complete(owner.with(connections[id].writing.kind), result, connection: id)
    }

    // MARK: Ending

    package mutating func cancel(_ descriptor: Int32) {
        guard let id = connection(of: descriptor, "cancel") else { return }
        note(.cancel, id)
        if random.chance(perMille: hardships.cancelLosesPerMille) {
            if connections[id].isConnecting {
                // The origin's answer and the cancel have crossed.
                connections[id].stage = .established
                newAccepts.append(id)
            }
            performReading(id)
            performWriting(id)
        }
        let (reading, writing) = (connections[id].reading, connections[id].writing)
        if reading.isPerformed || writing.isPerformed { trace.hit(.cancelLost) }
        if writing.isPerformed, writing.kind == .connect { trace.hit(.connectedInSpiteOfCancel) }
        if reading.kind != .none, !reading.isPerformed {
            trace.hit(.cancelled)
            finishReading(id, Int(-ECANCELED), reading.slice.buffer)
        }
        if writing.kind != .none, !writing.isPerformed {
            trace.hit(.cancelled)
            finishWriting(id, Int(-ECANCELED))
        }
    }

    package mutating func shutdownWrite(_ descriptor: Int32) {
        guard let id = connection(of: descriptor, "shutdownWrite") else { return }
        note(.shutdownWrite, id)
        if connections[id].writing.kind != .none {
            trace.violate("connection \(id) is ended while it is written to")
        }
        if connections[id].hasWorkerEnded { trace.violate("connection \(id) is ended twice") }
        connections[id].hasWorkerEnded = true
    }

    package mutating func close(_ descriptor: Int32, reset: Bool) {
        guard let id = connection(of: descriptor, "close", needsOwner: false) else { return }
        note(reset ? .reset : .close, id)
        if connections[id].inFlightCount > 0 {
            trace.violate("connection \(id) is closed with operations in flight")
        }
        freeDescriptor(descriptor)
        connections[id].descriptor = -1
        connections[id].hasWorkerEnded = true
        connections[id].hasWorkerClosed = true
        connections[id].isDiscarded = isFinishing
        // tcp_close: a socket with unread bytes is reset.
        let hasUnread = !connections[id].inbound.isEmpty
        if hasUnread { trace.hit(.closedWithUnread) }
        if reset || hasUnread { resetTowardsPeer(id) }
    }

    /// The other end will see a reset; what it has not read by now may be lost.
    mutating func resetTowardsPeer(_ id: Int) {
        guard !connections[id].isResetByWorker else { return }
        connections[id].isResetByWorker = true
        if random.chance(perMille: hardships.resetLosesBytesPerMille), !connections[id].outbound.isEmpty {
            trace.hit(.resetLostBytes)
            connections[id].outbound.removeAll()
            connections[id].heldBackCount = 0
        }
    }
}
