import DataPlane
import Linux
import Testing

/// A rule could not be checked to its end.
struct ContractFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A socket of the backend.
struct Held {
    let descriptor: Int32
    let owner: Token
}

/// One backend and its world, driven by a test in place of a worker. It keeps the books that every rule
/// relies on: each operation that was submitted must complete once, with its token, and nothing completes
/// that nobody asked for.
final class Bench {
    /// How long anything may take, by the backend's clock.
    static let secondsMax: UInt64 = 10

    let backend: any ContractBackend
    let world: any ContractWorld
    /// Completions that no test has asked for yet.
    private var unclaimed: [Completion] = []
    /// Operations in flight, by the token that they complete with.
    private var inFlight: [UInt64: Int] = [:]
    private var open: [Int32: Held] = [:]
    private var listeners: [Int32] = []
    private var usedBuffers: Set<Int32> = []
    private var nextSlot: UInt32 = 0
    /// How many buffers there are.
    private let bufferCount: Int

    init(_ backend: any ContractBackend, _ world: any ContractWorld) {
        self.backend = backend
        self.world = world
        bufferCount = Self.countBuffers(of: backend)
    }

    /// How many buffers nobody has.
    private static func countBuffers(of backend: any ContractBackend) -> Int {
        var buffers: [BufferIndex] = []
        while let buffer = backend.makeBuffer(copying: [0]) { buffers.append(buffer) }
        for buffer in buffers { backend.release(buffer) }
        return buffers.count
    }

    // MARK: Turns

    /// Waits once and takes what has completed.
    func turn(milliseconds: Int32 = 10) {
        world.act()
        backend.wait(milliseconds: milliseconds)
        collect()
    }

    /// Takes what has completed without waiting.
    func collect() {
        while let completion = backend.nextCompletion() {
            enter(completion)
            unclaimed.append(completion)
        }
    }

    private func enter(_ completion: Completion) {
        if completion.buffer != .none {
            let isOwn = completion.token.kind == .receive
            #expect(isOwn, "only a receive hands a buffer over: \(completion.token.kind)")
        }
        switch completion.token.kind {
        case .accept, .wake, .fault: return
        case .none: Issue.record("a completion of no operation")
        case .connect, .receive, .send, .readable, .writable:
            let count = inFlight[completion.token.raw] ?? 0
            #expect(count == 1, "completes what is in flight, once: \(completion.token.kind)")
            inFlight[completion.token.raw] = count - 1
        }
    }

    /// Gives the backend its turns until something is true.
    func until(_ what: String, _ isTrue: () throws -> Bool) throws {
        let deadline = backend.nowNanoseconds + Self.secondsMax * 1_000_000_000
        while try !isTrue() {
            guard backend.nowNanoseconds < deadline else { throw ContractFailure("in vain: \(what)") }
            turn()
        }
    }

    /// Gives the backend its turns for a while: for things that must not happen.
    func pass(milliseconds: UInt64 = 40) {
        let deadline = backend.nowNanoseconds + milliseconds * 1_000_000
        repeat { turn(milliseconds: 5) } while backend.nowNanoseconds < deadline
    }

    // MARK: Completions

    /// The next completion of an operation of a socket.
    func completion(_ kind: OperationKind, of held: Held) throws -> Completion {
        var found: Completion?
        try until("\(kind) completes") {
            found = claim(kind, of: held)
            return found != nil
        }
        guard let found else { throw ContractFailure("a completion was found") }
        return found
    }

    /// A completion that has come already.
    func claim(_ kind: OperationKind, of held: Held) -> Completion? {
        guard let place = unclaimed.firstIndex(where: { $0.token == held.owner.with(kind) }) else {
            return nil
        }
        return unclaimed.remove(at: place)
    }

    /// Completions of a kind that have come, of whatever socket or listener; they are taken.
    func claimAll(_ kind: OperationKind) -> [Completion] {
        defer { unclaimed.removeAll { $0.token.kind == kind } }
        return unclaimed.filter { $0.token.kind == kind }
    }

    /// Whether nothing has completed that nobody has asked for.
    var isQuiet: Bool { unclaimed.isEmpty }

    // MARK: Sockets

    /// A token for a socket that has none yet.
    func makeOwner(side: Side = .client) -> Token {
        nextSlot += 1
        return Token(slot: nextSlot, generation: nextSlot &* 7919, side: side)
    }

    /// A listener of the backend's, and where it is.
    func listen(index: UInt32 = 0) throws -> (descriptor: Int32, address: SocketAddress) {
        let listener = try world.makeListener()
        listeners.append(listener.descriptor)
        backend.addListener(listener.descriptor, index: index)
        return listener
    }

    /// Removes it; what was in its queue can be claimed.
    func unlisten(_ descriptor: Int32) {
        listeners.removeAll { $0 == descriptor }
        backend.removeListener(descriptor)
        collect()
    }

    /// The next connection that a listener gives.
    func accept() throws -> Int32 {
        try until("a connection is accepted") { unclaimed.contains { $0.token.kind == .accept } }
        guard let place = unclaimed.firstIndex(where: { $0.token.kind == .accept }) else { return -1 }
        let result = unclaimed.remove(at: place).result
        guard result >= 0 else { throw Errno(number: -result) }
        return result
    }

    func adopt(_ descriptor: Int32, mayHaveBytes: Bool = true) -> Held {
        let held = Held(descriptor: descriptor, owner: makeOwner())
        backend.adopt(descriptor, owner: held.owner, mayHaveBytes: mayHaveBytes)
        open[descriptor] = held
        return held
    }

    /// A connection that a peer has made: the backend's end, and the peer.
    func pair(mayHaveBytes: Bool = true) throws -> (held: Held, peer: any ContractPeer) {
        let listener = try listen()
        backend.setAcceptBudget(1)
        let peer = try world.connect(to: listener.address)
        let held = adopt(try accept(), mayHaveBytes: mayHaveBytes)
        unlisten(listener.descriptor)
        return (held, peer)
    }

    /// Closes a socket, after something has happened to it, and accepts connections that have waited; the one
    /// that was given the same descriptor number, or nil when another thread has taken that.
    func exchange(
        _ old: Held, after happening: () throws -> Void
    ) throws -> (held: Held, peer: any ContractPeer)? {
        let listener = try listen()
        backend.setAcceptBudget(0)
        let peers = try (0..<4).map { _ in try world.connect(to: listener.address) }
        try happening()
        close(old)
        backend.setAcceptBudget(peers.count)
        // A queue gives its connections in the order in which they came.
        let pairs = try peers.map { (adopt(try accept(), mayHaveBytes: false), $0) }
        unlisten(listener.descriptor)
        return pairs.first { $0.0.descriptor == old.descriptor }
    }

    /// Starts to connect; what was sent first stays in use until the socket is closed.
    func connect(to origin: any ContractOrigin, sending bytes: BufferSlice) throws -> Held {
        let owner = makeOwner(side: .origin)
        let descriptor = backend.connect(owner, to: origin.address, sending: bytes)
        guard descriptor >= 0 else { throw Errno(number: -descriptor) }
        let held = Held(descriptor: descriptor, owner: owner)
        open[descriptor] = held
        submitted(.connect, held)
        return held
    }

    func receive(_ held: Held, appendingTo slice: BufferSlice = BufferSlice()) {
        submitted(.receive, held)
        backend.receive(held.descriptor, appendingTo: slice)
    }

    func send(_ held: Held, _ slice: BufferSlice, endFollows: Bool = false) {
        submitted(.send, held)
        backend.send(held.descriptor, slice, endFollows: endFollows)
    }

    func awaitReadable(_ held: Held) {
        submitted(.readable, held)
        backend.awaitReadable(held.descriptor)
    }

    func awaitWritable(_ held: Held) {
        submitted(.writable, held)
        backend.awaitWritable(held.descriptor)
    }

    /// Whether an operation has not completed yet.
    func isInFlight(_ kind: OperationKind, _ held: Held) -> Bool {
        inFlight[held.owner.with(kind).raw, default: 0] > 0
    }

    private func submitted(_ kind: OperationKind, _ held: Held) {
        inFlight[held.owner.with(kind).raw, default: 0] += 1
    }

    func close(_ held: Held, reset: Bool = false) {
        open[held.descriptor] = nil
        backend.close(held.descriptor, reset: reset)
    }

    // MARK: Buffers

    /// A buffer with these bytes; given back at the end at the latest.
    func buffer(_ bytes: [UInt8]) throws -> BufferSlice {
        guard let buffer = backend.makeBuffer(copying: bytes) else { throw ContractFailure("no buffer left") }
        keep(buffer)
        return BufferSlice(buffer: buffer, offset: 0, count: UInt32(bytes.count))
    }

    /// Gives a buffer back at the end.
    func keep(_ buffer: BufferIndex) { usedBuffers.insert(buffer.raw) }

    func release(_ buffer: BufferIndex) {
        usedBuffers.remove(buffer.raw)
        backend.release(buffer)
    }

    /// The bytes of a receive that succeeded, in a buffer of its own, which is given back.
    func bytes(_ completion: Completion) throws -> [UInt8] {
        guard completion.result >= 0, completion.buffer != .none else {
            throw ContractFailure("a receive has failed: \(completion.result)")
        }
        let slice = BufferSlice(buffer: completion.buffer, offset: 0, count: UInt32(completion.result))
        defer { release(completion.buffer) }
        return backend.bytes(slice)
    }

    // MARK: The end

    /// Ends what the test has left, in the order in which a worker would, and checks that the books are
    /// balanced.
    func finish() throws {
        abandon()
        #expect(inFlight.allSatisfy { $0.value == 0 }, "every operation has completed once")
        pass(milliseconds: 5)
        let late = unclaimed.filter { $0.token.kind != .fault && $0.token.kind != .accept }
        #expect(late.isEmpty, "nothing completes behind the end: \(late.map(\.token.kind))")
        #expect(Self.countBuffers(of: backend) == bufferCount, "no buffer is lost")
    }

    /// Ends what the test has left.
    func abandon() {
        for held in open.values { backend.cancel(held.descriptor) }
        collect()
        // They complete soon, which need not be at once.
        for _ in 0..<1000 where inFlight.contains(where: { $0.value > 0 }) { turn(milliseconds: 1) }
        for held in open.values { backend.close(held.descriptor, reset: true) }
        open = [:]
        for descriptor in listeners { backend.removeListener(descriptor) }
        listeners = []
        collect()
        for completion in claimAll(.accept) where completion.result >= 0 {
            backend.close(completion.result, reset: true)
        }
        for completion in claimAll(.receive) where completion.buffer != .none {
            usedBuffers.insert(completion.buffer.raw)
        }
        for buffer in usedBuffers { backend.release(BufferIndex(buffer)) }
        usedBuffers = []
        unclaimed.removeAll { [.connect, .send, .readable, .writable].contains($0.token.kind) }
    }
}
