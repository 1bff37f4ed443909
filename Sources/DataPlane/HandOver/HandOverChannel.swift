package import Linux
import Synchronization

/// The way of sessions from one worker to another, and what became of it. The worker sends or receives; the
/// control thread looks at ``outcome``.
package final class HandOverChannel: Sendable {
    /// Sends one packet; or takes the next one, which is nil at an unexpected end.
    package typealias Send = @Sendable ([UInt8], [Int32]) throws(Errno) -> Void
    package typealias Receive = @Sendable () throws(Errno) -> Packet?

    /// What the worker says of it.
    package enum Outcome: Equatable, Sendable {
        /// So many sessions were sent, or taken.
        case done(sessions: Int)
        /// Why they were not, in words.
        case failed(String)
    }

    let send: Send
    let receive: Receive
    private let state = Mutex<Outcome?>(nil)

    /// A way by other means than a socket, for a test.
    package init(send: @escaping Send, receive: @escaping Receive) {
        self.send = send
        self.receive = receive
    }

    /// A way by a socket, on which nobody waits longer than until then.
    package convenience init(_ socket: PacketSocket, deadlineNanoseconds: UInt64) {
        self.init(
            send: { (bytes: [UInt8], descriptors: [Int32]) throws(Errno) in
                try socket.send(bytes, descriptors: descriptors, deadlineNanoseconds: deadlineNanoseconds)
            },
            receive: { () throws(Errno) in
                try socket.receive(
                    deadlineNanoseconds: deadlineNanoseconds, bytesMax: HandOverRecord.bytesMax)
            })
    }

    /// What became of it; nil: not known yet.
    package var outcome: Outcome? { state.withLock { $0 } }

    func finish(_ outcome: Outcome) { state.withLock { $0 = outcome } }
}
