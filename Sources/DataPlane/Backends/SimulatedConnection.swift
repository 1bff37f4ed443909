import CLinux
import Linux

/// A queue of bytes.
struct SimulatedBytes {
    private var storage: [UInt8] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { head == storage.count }

    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if head > 0, head >= storage.count / 2 {
            storage.removeFirst(head)
            head = 0
        }
        // SAFETY: the caller lends the bytes for the time of the call.
        unsafe storage.append(contentsOf: bytes)
    }

    /// Shows the first `count` bytes to `body`.
    func peek(_ count: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        precondition(count <= self.count, "there are so many bytes")
        // SAFETY: the range was checked, and the pointer is used during the call only.
        unsafe storage.withUnsafeBufferPointer {
            unsafe body(UnsafeBufferPointer(rebasing: $0[head..<(head + count)]))
        }
    }

    /// Moves the first `count` bytes out, to where `body` puts them.
    mutating func take(_ count: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        unsafe peek(count, body)
        head += count
        if isEmpty { removeAll() }
    }

    mutating func removeAll() {
        storage.removeAll(keepingCapacity: true)
        head = 0
    }
}

/// An operation on a simulated socket. In flight from its submission until its completion was handed out.
struct SimulatedOperation {
    var kind = OperationKind.none
    /// The kernel has done it; the completion is under way.
    var isPerformed = false
    /// For `receive`: where the bytes go; for `send` and `connect`: the bytes.
    var slice = BufferSlice()
    /// For `send`: the bytes may travel with the end.
    var endFollows = false
}

/// A TCP connection between the worker and somebody else, with both of its ends.
struct SimulatedConnection {
    enum Stage {
        /// A client's connection that no one has accepted yet.
        case queued
        /// An origin has not answered yet.
        case connecting
        /// An origin has said no.
        case refused(Int32)
        case established
    }

    var stage: Stage
    /// The other end's address.
    let address: SocketAddress
    /// The worker's descriptor; -1: not yet, or no more.
    var descriptor: Int32 = -1
    /// The accept was handed to the worker, or the connection is its own.
    var isHandedOver = false
    /// Slot, generation and side that completions carry.
    var owner: Token?
    /// The connection at the other side of the same session, once there is one.
    var partner: Int?

    /// Bytes from the other end that the worker has not read, and how many of them fit.
    var inbound = SimulatedBytes()
    let inboundMax: Int
    /// Bytes from the worker that the other end has not read, and how many of them fit.
    var outbound = SimulatedBytes()
    let outboundMax: Int
    /// The last of those bytes, which were sent to travel with the end and are still here.
    var heldBackCount = 0
    /// The other end sends no more.
    var hasPeerEnded = false
    /// The other end has closed: it answers bytes with a reset.
    var hasPeerClosed = false
    /// The other end has reset the connection, as the worker's kernel knows it.
    var isResetByPeer = false
    /// What the next system call that looks will be told, once (the kernel's sk_err); 0: nothing.
    var pendingError: Int32 = 0
    /// The worker sends no more.
    var hasWorkerEnded = false
    /// The worker's end is closed.
    var hasWorkerClosed = false
    /// The worker was at its end, and closed it unseen.
    var isDiscarded = false
    /// The other end has seen, or will see, a reset.
    var isResetByWorker = false

    /// The worker wants to be told of the other end's end while nothing is in flight.
    var isEndWatched = false
    var reading = SimulatedOperation()
    var writing = SimulatedOperation()
    /// When the last of its completions comes.
    var lastDueNanoseconds: UInt64 = 0

    /// Bytes that the worker's operations have taken from, and given to, the socket.
    var takenCount: UInt64 = 0
    var givenCount: UInt64 = 0
    /// When one of the two last changed.
    var movedNanoseconds: UInt64

    init(
        _ stage: Stage, address: SocketAddress, inboundMax: Int, outboundMax: Int, nowNanoseconds: UInt64
    ) {
        self.stage = stage
        self.address = address
        self.inboundMax = inboundMax
        self.outboundMax = outboundMax
        movedNanoseconds = nowNanoseconds
    }

    var isOpen: Bool { descriptor >= 0 }
    var isConnecting: Bool { if case .connecting = stage { true } else { false } }
    var isRefused: Bool { if case .refused = stage { true } else { false } }
    /// Bytes that the other end could read now.
    var visibleCount: Int { hasWorkerEnded ? outbound.count : outbound.count - heldBackCount }
    var inFlightCount: Int { (reading.kind == .none ? 0 : 1) + (writing.kind == .none ? 0 : 1) }

    /// What a read finds when there are no bytes: nil: nothing yet; 0: the end; or an error. As tcp_recvmsg
    /// does: an end that came before a reset hides it, an error is told once.
    mutating func readWithoutBytes() -> Int? {
        if hasPeerEnded { return 0 }
        if pendingError != 0 {
            defer { pendingError = 0 }
            return -Int(pendingError)
        }
        return isResetByPeer ? 0 : nil
    }

    /// Whether a read would not wait.
    var isReadable: Bool { !inbound.isEmpty || hasPeerEnded || isResetByPeer }

    /// Whether a write would not wait.
    var isWritable: Bool { isResetByPeer || hasPeerClosed || outbound.count < outboundMax }

    /// The other end resets: unsent bytes are gone, and those unread may be.
    mutating func becomeReset(error: Int32, losesInbound: Bool) {
        guard !isResetByPeer, !hasWorkerClosed else { return }
        isResetByPeer = true
        // After an orderly end the kernel says EPIPE (tcp_reset).
        pendingError = hasPeerEnded ? EPIPE : error
        outbound.removeAll()
        heldBackCount = 0
        // Before an end no byte is missing.
        if losesInbound, !hasPeerEnded { inbound.removeAll() }
    }
}
