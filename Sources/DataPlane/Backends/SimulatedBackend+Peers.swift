import CLinux
package import Linux

/// A listening socket and the connections that wait for it.
struct SimulatedListener {
    var descriptor: Int32
    /// The worker's number for it; nil: it does not accept there (yet, or any more).
    var index: UInt32?
    var queue: [Int] = []
}

extension SimulatedBackend {
    // MARK: Listeners

    /// A listening socket, which the test hands to the worker by a message.
    package mutating func makeListener() -> Int32 {
        let place = listeners.count
        openCount += 1
        descriptors.append(.listener(place))
        let descriptor = Int32(descriptors.count - 1)
        listeners.append(SimulatedListener(descriptor: descriptor))
        return descriptor
    }

    package mutating func addListener(_ descriptor: Int32, index: UInt32) {
        guard case .listener(let place) = descriptors[Int(descriptor)], listeners[place].index == nil else {
            trace.violate("descriptor \(descriptor) is not a listener that waits to be used")
            return
        }
        listeners[place].index = index
    }

    package mutating func removeListener(_ descriptor: Int32) {
        guard case .listener(let place) = descriptors[Int(descriptor)], listeners[place].index != nil else {
            trace.violate("descriptor \(descriptor) is not a listener in use")
            return
        }
        // What can be taken is taken, even when accepting is paused; the close resets the rest.
        while acceptBudget > 0, acceptOne(place) {}
        hurryAccepts()
        for id in listeners[place].queue {
            trace.hit(.backlogLost)
            connections[id].hasWorkerClosed = true
            resetTowardsPeer(id)
        }
        listeners[place].queue = []
        listeners[place].index = nil
        freeDescriptor(descriptor)
    }

    package mutating func setAcceptBudget(_ count: Int) {
        acceptBudget = count - outstanding.count { $0.completion.token.kind == .accept && $0.connection >= 0 }
    }

    package mutating func setAccepting(_ accepting: Bool) { isAccepting = accepting }

    mutating func acceptConnections() {
        guard isAccepting else { return }
        for place in listeners.indices where listeners[place].index != nil {
            while acceptBudget > 0, acceptOne(place) {}
        }
    }

    /// Accepts the next connection of a listener's queue; false when there is none, or no descriptor for it.
    private mutating func acceptOne(_ place: Int) -> Bool {
        guard let index = listeners[place].index, let id = listeners[place].queue.first else { return false }
        let token = Token(slot: index, generation: 0, kind: .accept)
        guard let descriptor = allocateDescriptor(.connection(id)) else {
            trace.hit(.acceptWithoutDescriptor)
            complete(token, Int(openCount < limits.descriptorsMax ? -ENFILE : -EMFILE), connection: -1)
            return false
        }
        acceptBudget -= 1
        listeners[place].queue.removeFirst()
        connections[id].descriptor = descriptor
        connections[id].stage = .established
        if connections[id].isResetByPeer { trace.hit(.goneAtAccept) }
        complete(token, Int(descriptor), connection: id)
        return true
    }

    // MARK: What the other ends do

    /// A client connects; nil when no one listens, or the listener's queue is full.
    package mutating func peerOpen(from address: SocketAddress, to descriptor: Int32) -> Int? {
        guard case .listener(let place) = descriptors[Int(descriptor)],
            listeners[place].descriptor == descriptor,
            listeners[place].queue.count < limits.backlogMax
        else {
            trace.hit(.backlogFull)
            return nil
        }
        let id = connections.count
        connections.append(
            SimulatedConnection(
                .queued, address: address, inboundMax: random.magnitude(in: limits.socketBytes),
                outboundMax: random.magnitude(in: limits.socketBytes), nowNanoseconds: nowNanoseconds))
        listeners[place].queue.append(id)
        note(.peerOpen, id)
        return id
    }

    /// Connects of the worker since the last call.
    package mutating func takeConnects() -> [Int] {
        defer { newConnects = [] }
        return newConnects
    }

    /// Origins that have taken a connection of their own accord since the last call, as its connect was
    /// cancelled.
    package mutating func takeAccepts() -> [Int] {
        defer { newAccepts = [] }
        return newAccepts
    }

    /// The origin takes the connection. Nothing happens when the worker has given up.
    package mutating func peerAccept(_ id: Int) {
        guard case .connecting = connections[id].stage else { return }
        note(.peerAccept, id)
        connections[id].stage = .established
    }

    /// The origin, or a router on the way, says no.
    package mutating func peerRefuse(_ id: Int, error: Int32) {
        guard case .connecting = connections[id].stage else { return }
        note(.peerRefuse, id)
        trace.hit(.connectRefused)
        connections[id].stage = .refused(error)
    }

    /// How many of the bytes the connection took.
    package mutating func peerSend(_ id: Int, _ bytes: [UInt8]) -> Int {
        guard !connections[id].isResetByPeer, !connections[id].hasPeerEnded else { return 0 }
        guard !connections[id].hasWorkerClosed else {
            trace.hit(.bytesAfterClose)
            resetTowardsPeer(id)
            return 0
        }
        let count = min(bytes.count, connections[id].inboundMax - connections[id].inbound.count)
        guard count > 0 else { return 0 }
        // SAFETY: the bytes are copied within the call.
        unsafe bytes.withUnsafeBufferPointer {
            unsafe connections[id].inbound.append(UnsafeBufferPointer(rebasing: $0[..<count]))
        }
        note(.peerSend, id, count)
        return count
    }

    /// Up to `count` of the bytes that the worker has sent.
    package mutating func peerReceive(_ id: Int, max count: Int) -> [UInt8] {
        let count = min(count, connections[id].visibleCount)
        guard count > 0 else { return [] }
        var bytes: [UInt8] = []
        // SAFETY: the bytes are copied within the call.
        unsafe connections[id].outbound.take(count) { unsafe bytes.append(contentsOf: $0) }
        note(.peerReceive, id, count)
        return bytes
    }

    /// The other end sends no more.
    package mutating func peerFinish(_ id: Int) {
        guard !connections[id].isResetByPeer, !connections[id].hasPeerEnded else { return }
        note(.peerFinish, id)
        connections[id].hasPeerEnded = true
        tellEnd(id)
    }

    /// The other end resets the connection; with ETIMEDOUT: the worker's kernel has given up on it.
    package mutating func peerReset(_ id: Int, error: Int32 = ECONNRESET) {
        guard !connections[id].isResetByPeer, !connections[id].hasWorkerClosed else { return }
        note(.peerReset, id)
        trace.hit(.resetByPeer)
        let losesInbound = random.chance(perMille: hardships.resetLosesBytesPerMille)
        if losesInbound, !connections[id].inbound.isEmpty { trace.hit(.resetLostBytes) }
        connections[id].becomeReset(error: error, losesInbound: losesInbound)
        tellFault(id)
    }

    /// The other end closes: with unread bytes that is a reset, else an end, and what comes then is answered
    /// with a reset.
    package mutating func peerClose(_ id: Int) {
        guard !connections[id].isResetByPeer, !connections[id].hasPeerClosed else { return }
        guard connections[id].visibleCount == 0 else {
            peerReset(id)
            return
        }
        note(.peerClose, id)
        connections[id].hasPeerEnded = true
        connections[id].hasPeerClosed = true
        tellEnd(id)
    }

    /// As epoll does with EPOLLRDHUP: an end is told whether or not bytes are left in front of it.
    mutating func tellEnd(_ id: Int) {
        let connection = connections[id]
        guard connection.isEndWatched, connection.hasPeerEnded, connection.isOpen,
            connection.inFlightCount == 0, let owner = connection.owner
        else { return }
        connections[id].isEndWatched = false
        trace.hit(.endTold)
        complete(owner.with(.fault), 0, connection: id)
    }

    /// As epoll does: an error on a socket without operations is told at once, and only then.
    private mutating func tellFault(_ id: Int) {
        let connection = connections[id]
        guard hardships.tellsFaults, connection.isOpen, connection.inFlightCount == 0,
            let owner = connection.owner
        else { return }
        complete(owner.with(.fault), Int(-ECONNRESET), connection: id)
    }

    // MARK: What the other ends see

    /// A connection as its other end, and the test, sees it.
    package func peerView(_ id: Int) -> SimulatedPeerView {
        let connection = connections[id]
        return SimulatedPeerView(
            address: connection.address, partner: connection.partner,
            unreadCount: connection.visibleCount,
            roomCount: connection.inboundMax - connection.inbound.count,
            isEnded: connection.hasWorkerEnded && connection.outbound.isEmpty && !connection.isResetByWorker,
            isReset: connection.isResetByWorker && connection.outbound.isEmpty,
            isMarkedReset: connection.isResetByWorker, isClosed: connection.hasWorkerClosed,
            isAdopted: connection.owner != nil, isConnecting: connection.isConnecting,
            isRefused: connection.isRefused,
            takenCount: connection.takenCount, givenCount: connection.givenCount,
            movedNanoseconds: connection.movedNanoseconds)
    }

    /// Descriptors in use, listeners included.
    package var descriptorCount: Int { openCount }
    /// Pipes in use.
    package var pipeCount: Int { pipes.count { $0.isInUse } }
    /// Buffers in use.
    package var bufferCount: Int { bufferUses.count { $0.isInUse } }
    /// Connections that no one has accepted yet.
    package var queuedCount: Int { listeners.reduce(0) { $0 + $1.queue.count } }
}

/// A connection as its other end, and the test, sees it.
package struct SimulatedPeerView: Sendable {
    /// The other end's address.
    package var address: SocketAddress
    /// The connection of the same session's other side, the last one if there were several.
    package var partner: Int?
    /// Bytes that the other end could read now, and could send now.
    package var unreadCount: Int
    package var roomCount: Int
    /// All bytes are read, and there are no more to come: in order, or by a reset.
    package var isEnded: Bool
    package var isReset: Bool
    /// The worker has reset it; the other end may still have bytes to read before it sees that.
    package var isMarkedReset: Bool
    /// The worker has closed it.
    package var isClosed: Bool
    /// A session has taken it.
    package var isAdopted: Bool
    /// An origin has not answered yet; or it has said no.
    package var isConnecting: Bool
    package var isRefused: Bool
    /// Bytes that the worker has taken out, and has put in.
    package var takenCount: UInt64
    package var givenCount: UInt64
    /// When one of the two last changed.
    package var movedNanoseconds: UInt64
}
