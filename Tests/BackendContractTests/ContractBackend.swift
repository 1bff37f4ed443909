import DataPlane
import Linux
import Wire

/// A backend of any kind behind one type, so that each rule is written once, as ordinary code. A backend is
/// noncopyable and generic code over it cannot be passed around; a reference to a box around it can.
protocol ContractBackend: AnyObject {
    var nowNanoseconds: UInt64 { get }
    func wait(milliseconds: Int32)
    func nextCompletion() -> Completion?

    func addListener(_ descriptor: Int32, index: UInt32)
    func removeListener(_ descriptor: Int32)
    func setAcceptBudget(_ count: Int)
    func setAccepting(_ accepting: Bool)
    func addWake(_ descriptor: Int32)

    func peerAddress(_ descriptor: Int32) -> SocketAddress?
    func localAddress(_ descriptor: Int32) -> SocketAddress?
    func adopt(_ descriptor: Int32, owner: Token, mayHaveBytes: Bool)
    func connect(_ owner: Token, to address: SocketAddress, sending bytes: BufferSlice) -> Int32
    func receive(_ descriptor: Int32, appendingTo slice: BufferSlice)
    func mayReceive(_ descriptor: Int32) -> Bool
    func send(_ descriptor: Int32, _ bytes: BufferSlice, endFollows: Bool)
    func awaitReadable(_ descriptor: Int32)
    func awaitWritable(_ descriptor: Int32)
    func watchEnd(_ descriptor: Int32)
    func cancel(_ descriptor: Int32)
    func shutdownWrite(_ descriptor: Int32)
    func close(_ descriptor: Int32, reset: Bool)

    func acquirePipe() -> PipeIndex?
    func releasePipe(_ pipe: PipeIndex, isEmpty: Bool)
    func fill(_ pipe: PipeIndex, from descriptor: Int32) -> Int
    func drain(_ pipe: PipeIndex, to descriptor: Int32, count: Int) -> Int

    /// A copy of the bytes.
    func bytes(_ slice: BufferSlice) -> [UInt8]
    func overwrite(_ slice: BufferSlice, with bytes: [UInt8])
    func release(_ buffer: BufferIndex)
    func makeBuffer(copying bytes: [UInt8]) -> BufferIndex?
    func trim()
}

/// The box.
final class BackendBox<Backend: IOBackend & ~Copyable>: ContractBackend {
    private var backend: Backend

    init(_ backend: consuming Backend) {
        self.backend = backend
    }

    /// For a world that is made of the same stuff.
    func with<Result>(_ body: (inout Backend) throws -> Result) rethrows -> Result { try body(&backend) }

    var nowNanoseconds: UInt64 { backend.nowNanoseconds }
    func wait(milliseconds: Int32) { backend.wait(milliseconds: milliseconds) }
    func nextCompletion() -> Completion? { backend.nextCompletion() }

    func addListener(_ descriptor: Int32, index: UInt32) { backend.addListener(descriptor, index: index) }
    func removeListener(_ descriptor: Int32) { backend.removeListener(descriptor) }
    func setAcceptBudget(_ count: Int) { backend.setAcceptBudget(count) }
    func setAccepting(_ accepting: Bool) { backend.setAccepting(accepting) }
    func addWake(_ descriptor: Int32) { backend.addWake(descriptor) }

    func peerAddress(_ descriptor: Int32) -> SocketAddress? { backend.peerAddress(descriptor) }
    func localAddress(_ descriptor: Int32) -> SocketAddress? { backend.localAddress(descriptor) }
    func adopt(_ descriptor: Int32, owner: Token, mayHaveBytes: Bool) {
        backend.adopt(descriptor, owner: owner, mayHaveBytes: mayHaveBytes)
    }
    func connect(_ owner: Token, to address: SocketAddress, sending bytes: BufferSlice) -> Int32 {
        backend.connect(owner, to: address, sending: bytes)
    }
    func receive(_ descriptor: Int32, appendingTo slice: BufferSlice) {
        backend.receive(descriptor, appendingTo: slice)
    }
    func mayReceive(_ descriptor: Int32) -> Bool { backend.mayReceive(descriptor) }
    func send(_ descriptor: Int32, _ bytes: BufferSlice, endFollows: Bool) {
        backend.send(descriptor, bytes, endFollows: endFollows)
    }
    func awaitReadable(_ descriptor: Int32) { backend.awaitReadable(descriptor) }
    func awaitWritable(_ descriptor: Int32) { backend.awaitWritable(descriptor) }
    func watchEnd(_ descriptor: Int32) { backend.watchEnd(descriptor) }
    func cancel(_ descriptor: Int32) { backend.cancel(descriptor) }
    func shutdownWrite(_ descriptor: Int32) { backend.shutdownWrite(descriptor) }
    func close(_ descriptor: Int32, reset: Bool) { backend.close(descriptor, reset: reset) }

    func acquirePipe() -> PipeIndex? { backend.acquirePipe() }
    func releasePipe(_ pipe: PipeIndex, isEmpty: Bool) { backend.releasePipe(pipe, isEmpty: isEmpty) }
    func fill(_ pipe: PipeIndex, from descriptor: Int32) -> Int { backend.fill(pipe, from: descriptor) }
    func drain(_ pipe: PipeIndex, to descriptor: Int32, count: Int) -> Int {
        backend.drain(pipe, to: descriptor, count: count)
    }

    func bytes(_ slice: BufferSlice) -> [UInt8] { Self.copy(slice, of: backend) }

    private static func copy(_ slice: BufferSlice, of backend: borrowing Backend) -> [UInt8] {
        unsafe backend.bytes(slice).withUnsafeBytes { unsafe Array($0) }
    }

    func overwrite(_ slice: BufferSlice, with bytes: [UInt8]) {
        backend.overwrite(slice, with: bytes.span.rawBytes)
    }
    func release(_ buffer: BufferIndex) { backend.release(buffer) }
    func makeBuffer(copying bytes: [UInt8]) -> BufferIndex? { backend.makeBuffer(copying: bytes.span) }
    func trim() { backend.trim() }
}

/// A failed expectation shows the values in it by reflection, which ends the process at a noncopyable one.
extension BackendBox: CustomReflectable where Backend: ~Copyable {
    var customMirror: Mirror { Mirror(self, children: EmptyCollection<(label: String?, value: Any)>()) }
}
