import DataPlane
import Glibc
import Linux
import Wire

/// The world of the simulated backend: the peers that its kernel has, without hardships.
final class SimulatedWorld: ContractWorld {
    typealias Kernel = BackendBox<SimulatedBackend>

    private let kernel: Kernel
    /// The descriptors of listeners, by the port that each has been given.
    private var listeners: [UInt16: Int32] = [:]
    private var origins: [SimulatedOrigin] = []
    private var wakes: [SimulatedWake] = []
    private var nextPort: UInt16 = 1000

    @Sendable static func make(_ subject: Subject) -> (any ContractBackend, any ContractWorld) {
        let limits = SimulatedLimits(
            descriptorsMax: 4096, buffersMax: 2 * subject.sessionsMax + 64, pipesMax: subject.pipesMax,
            pipeBytesMax: 1 << 18, backlogMax: 1024, socketBytes: 1 << 16...1 << 16)
        var hardships = SimulatedHardships()
        hardships.connectsAtOncePerMille = 0
        let kernel = Kernel(SimulatedBackend(limits: limits, hardships: hardships, seed: 1))
        return (kernel, SimulatedWorld(kernel))
    }

    private init(_ kernel: Kernel) {
        self.kernel = kernel
    }

    private func makeAddress() -> SocketAddress {
        nextPort += 1
        return SocketAddress(ipv4: 0x7f00_0001, port: nextPort)
    }

    /// Answers connections that the backend has begun, and rings what is due.
    func act() {
        for id in kernel.with({ $0.takeConnects() }) {
            let address = kernel.with { $0.peerView(id).address }
            origins.first { $0.address.isSame(as: address) }?.answer(id)
        }
        for wake in wakes { wake.ringIfDue() }
        let due = wakes.compactMap(\.dueNanoseconds).min()
        kernel.with { $0.horizonNanoseconds = due ?? .max }
    }

    func makeListener() -> (descriptor: Int32, address: SocketAddress) {
        let descriptor = kernel.with { $0.makeListener() }
        // Numbers are used again: whoever had this one before is gone.
        listeners = listeners.filter { $0.value != descriptor }
        let address = makeAddress()
        listeners[address.port] = descriptor
        return (descriptor, address)
    }

    func connect(to address: SocketAddress) throws -> any ContractPeer {
        let peer = makeAddress()
        let id = listeners[address.port].flatMap { descriptor in
            kernel.with { $0.peerOpen(from: peer, to: descriptor) }
        }
        guard let id else { throw Errno(number: ECONNREFUSED) }
        return SimulatedPeer(kernel, id)
    }

    func makeOrigin(_ kind: OriginKind) -> any ContractOrigin {
        let port = makeAddress().port
        let address =
            switch kind {
            case .unix, .refusingUnix: SocketAddress(path: Array("/run/\(port)".utf8).span.rawBytes)
            case .ipv6: SocketAddress(ipv6: 0, 1, port: port)
            case .ipv4, .refusing, .blackHole: SocketAddress(ipv4: 0x7f00_0001, port: port)
            }
        let origin = SimulatedOrigin(kernel, kind, address)
        origins.append(origin)
        return origin
    }

    func makeWake() -> any ContractWake {
        let wake = SimulatedWake(kernel)
        wakes.append(wake)
        return wake
    }
}

/// Somebody that the simulated backend connects to.
final class SimulatedOrigin: ContractOrigin {
    let address: SocketAddress
    private let kernel: SimulatedWorld.Kernel
    private let kind: OriginKind
    private var queue: [any ContractPeer] = []

    init(_ kernel: SimulatedWorld.Kernel, _ kind: OriginKind, _ address: SocketAddress) {
        self.kernel = kernel
        self.kind = kind
        self.address = address
    }

    func answer(_ id: Int) {
        switch kind {
        case .ipv4, .ipv6, .unix:
            kernel.with { $0.peerAccept(id) }
            queue.append(SimulatedPeer(kernel, id))
        case .refusing, .refusingUnix: kernel.with { $0.peerRefuse(id, error: ECONNREFUSED) }
        case .blackHole: break
        }
    }

    func accept() -> (any ContractPeer)? { queue.isEmpty ? nil : queue.removeFirst() }
}

/// The other end of a simulated connection.
final class SimulatedPeer: ContractPeer {
    private let kernel: SimulatedWorld.Kernel
    private let id: Int

    init(_ kernel: SimulatedWorld.Kernel, _ id: Int) {
        self.kernel = kernel
        self.id = id
    }

    var address: SocketAddress { kernel.with { $0.peerView(id).address } }

    func send(_ bytes: [UInt8]) -> Int { kernel.with { $0.peerSend(id, bytes) } }

    func receive(upTo count: Int) -> Sight {
        let bytes = kernel.with { $0.peerReceive(id, max: count) }
        guard bytes.isEmpty else { return .bytes(bytes) }
        let view = kernel.with { $0.peerView(id) }
        return view.isReset ? .reset : view.isEnded ? .end : .nothing
    }

    func endSending() { kernel.with { $0.peerFinish(id) } }
    func close() { kernel.with { $0.peerClose(id) } }
    func reset() { kernel.with { $0.peerReset(id) } }
}

/// Wakes the simulated backend, at once or by its clock.
final class SimulatedWake: ContractWake {
    /// The simulation has no event descriptors.
    let descriptor: Int32 = -1
    private(set) var dueNanoseconds: UInt64?
    private let kernel: SimulatedWorld.Kernel

    init(_ kernel: SimulatedWorld.Kernel) {
        self.kernel = kernel
    }

    func ring() { kernel.with { $0.ring() } }

    func ring(afterMilliseconds milliseconds: UInt32) {
        dueNanoseconds = kernel.nowNanoseconds + UInt64(milliseconds) * 1_000_000
    }

    func ringIfDue() {
        guard let due = dueNanoseconds, due <= kernel.nowNanoseconds else { return }
        dueNanoseconds = nil
        ring()
    }
}
