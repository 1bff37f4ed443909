package import DataPlane
import Linux
package import Routes

/// What the two processes of an upgrade say to each other, in this order. Sessions go by other ways, from
/// worker to worker; see ``HandOverRecord``.
package enum UpgradeMessage {
    /// The new process has read its configuration and can use it; which version it speaks, and its number.
    /// Of another version the number is 0.
    case hello(version: UInt32, process: UInt32)
    /// The new process cannot take over: why.
    case refused(String)
    /// The way for the sessions of a worker; with its socket.
    case worker(number: UInt32)
    /// A listener of a worker, and the number under which sessions know it; with its socket.
    case listener(index: UInt32, worker: UInt32, endpoint: IPEndpoint, plan: ListenerPlan)
    /// A listener that was closed, while there are sessions that came in there.
    case closedListener(index: UInt32, endpoint: IPEndpoint, plan: ListenerPlan)
    /// A socket that the service manager opened, by the name that it has there; with it.
    case activation(name: String)
    /// Where the control socket is, and a number that tells its file from a later one there; with it.
    case control(path: String, number: UInt64)
    /// Where the metrics are served; with that socket.
    case metrics(IPEndpoint)
    /// A target that is drained, as it stands in a routes file.
    case drained(String)
    /// That was all there is; how many workers there are, and how many pipes each of them may have.
    case begin(workers: UInt32, pipesPerWorker: UInt32)
    /// The new process has workers, which wait for sessions.
    case prepared
    /// It has so many sessions, all that there are.
    case adopted(sessions: UInt64)
    /// The old process will not touch them any more if the answer is `committed`.
    case commit
    /// The new process goes on with them from now on. What the old one hears last.
    case committed

    /// More bytes than that are in no message.
    package static let bytesMax = 64 * 1024
    /// No text is longer.
    static let textBytesMax = bytesMax / 2
    /// More than there are in any machine.
    static let workersMax: UInt32 = 4096
    static let listenersMax: UInt32 = 65_535
}

extension UpgradeMessage {
    /// The message as bytes.
    package var encoded: [UInt8] {
        var writer = HandOverWriter()
        switch self {
        case .hello(let version, let process):
            writer.append(UInt8(1))
            writer.append(version)
            writer.append(process)
        case .refused(let text):
            writer.append(UInt8(2))
            writer.append(Array(text.utf8.prefix(Self.textBytesMax)))
        case .worker(let number):
            writer.append(UInt8(3))
            writer.append(number)
        case .listener(let index, let worker, let endpoint, let plan):
            writer.append(UInt8(4))
            writer.append(index)
            writer.append(worker)
            writer.append(endpoint)
            writer.append(plan)
        case .closedListener(let index, let endpoint, let plan):
            writer.append(UInt8(5))
            writer.append(index)
            writer.append(endpoint)
            writer.append(plan)
        case .begin(let workers, let pipesPerWorker):
            writer.append(UInt8(6))
            writer.append(workers)
            writer.append(pipesPerWorker)
        case .activation(let name):
            writer.append(UInt8(11))
            writer.append(Array(name.utf8.prefix(Self.textBytesMax)))
        case .control(let path, let number):
            writer.append(UInt8(12))
            writer.append(Array(path.utf8.prefix(Self.textBytesMax)))
            writer.append(number)
        case .metrics(let endpoint):
            writer.append(UInt8(13))
            writer.append(endpoint)
        case .drained(let target):
            writer.append(UInt8(14))
            writer.append(Array(target.utf8.prefix(Self.textBytesMax)))
        case .prepared: writer.append(UInt8(7))
        case .adopted(let sessions):
            writer.append(UInt8(8))
            writer.append(sessions)
        case .commit: writer.append(UInt8(9))
        case .committed: writer.append(UInt8(10))
        }
        return writer.bytes
    }

    /// Reads a message; `hello` begins alike in all versions.
    package init(_ bytes: [UInt8]) throws(HandOverFault) {
        var reader = HandOverReader(bytes)
        switch try reader.take(UInt8.self) {
        case 1:
            let version = try reader.take(UInt32.self)
            guard version == HandOverRecord.version else {
                self = .hello(version: version, process: 0)
                return
            }
            self = .hello(version: version, process: try reader.take(UInt32.self))
        case 2: self = .refused(try Self.text("reason", &reader))
        case 3: self = .worker(number: try reader.take("worker", upTo: Self.workersMax))
        case 4:
            self = .listener(
                index: try reader.take("listener", upTo: Self.listenersMax),
                worker: try reader.take("worker", upTo: Self.workersMax),
                endpoint: try reader.takeEndpoint("address"), plan: try reader.takePlan())
        case 5:
            self = .closedListener(
                index: try reader.take("listener", upTo: Self.listenersMax),
                endpoint: try reader.takeEndpoint("address"), plan: try reader.takePlan())
        case 6:
            let workers: UInt32 = try reader.take("count of workers", upTo: Self.workersMax)
            guard workers > 0 else { throw .invalid("count of workers") }
            self = .begin(
                workers: workers, pipesPerWorker: try reader.take("count of pipes", upTo: 1 << 20))
        case 11: self = .activation(name: try Self.text("name", &reader))
        case 12:
            self = .control(path: try Self.text("path", &reader), number: try reader.take(UInt64.self))
        case 13: self = .metrics(try reader.takeEndpoint("address"))
        case 14: self = .drained(try Self.text("target", &reader))
        case 7: self = .prepared
        case 8: self = .adopted(sessions: try reader.take(UInt64.self))
        case 9: self = .commit
        case 10: self = .committed
        default: throw .invalid("kind")
        }
        try reader.finish()
    }

    private static func text(
        _ field: StaticString, _ reader: inout HandOverReader
    ) throws(HandOverFault) -> String {
        String(decoding: try reader.takeBytes(field, upTo: textBytesMax), as: UTF8.self)
    }
}

/// Why an upgrade came to nothing, in words for the log.
struct UpgradeFailure: Error {
    let text: String
    /// Whether the other process did not take what it was told.
    let isUnreachable: Bool

    init(_ text: String, isUnreachable: Bool = false) {
        self.text = text
        self.isUnreachable = isUnreachable
    }
}

/// One end of the conversation, by which nobody waits for ever.
final class UpgradeLink: Sendable {
    let socket: PacketSocket
    /// For the log: who does not answer.
    private let other: String

    init(_ socket: PacketSocket, other: String) {
        self.socket = socket
        self.other = other
    }

    /// Sends a message, with a descriptor or without.
    func send(
        _ message: UpgradeMessage, descriptor: Int32? = nil, deadlineNanoseconds: UInt64
    ) throws(UpgradeFailure) {
        do throws(Errno) {
            try socket.send(
                message.encoded, descriptors: descriptor.map { [$0] } ?? [],
                deadlineNanoseconds: deadlineNanoseconds)
        } catch {
            throw UpgradeFailure("\(other) cannot be told: \(error)", isUnreachable: true)
        }
    }

    /// The next message, and the descriptors that came with it; nil when the other process has gone.
    func receive(
        deadlineNanoseconds: UInt64
    ) throws(UpgradeFailure) -> (message: UpgradeMessage, descriptors: [Int32])? {
        let packet: Packet?
        do throws(Errno) {
            packet = try socket.receive(
                deadlineNanoseconds: deadlineNanoseconds, bytesMax: UpgradeMessage.bytesMax)
        } catch {
            throw UpgradeFailure("\(other) does not answer: \(error)")
        }
        guard let packet else { return nil }
        do throws(HandOverFault) {
            return (try UpgradeMessage(packet.bytes), packet.descriptors)
        } catch {
            throw UpgradeFailure("\(other) sent \(error.words)")
        }
    }
}
