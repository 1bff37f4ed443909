/// What one worker asks the wake sockets for, on its way to the thread that tells them: a ``LogRing`` of
/// requests. When it is full a request is dropped, and asked for again with the next tick: a worker never
/// waits.
package final class WakeRing: Sendable {
    /// `wake NAME` for a socket.
    package struct Request: Equatable, Sendable {
        /// Which route it is, as `RouteImage.identity` has it: requests of one route are one message.
        package var route: UInt64
        /// The path of the unix socket.
        package var socket: [UInt8]
        /// The name as the routes file has it.
        package var name: [UInt8]

        /// A request from its parts.
        package init(route: UInt64, socket: [UInt8], name: [UInt8]) {
            self.route = route
            self.socket = socket
            self.name = name
        }
    }

    private let ring = LogRing(bytesMax: 1 << 16)

    /// An empty ring.
    package init() {}

    /// Adds a request, whole or not at all. For the worker, which lays it out by ``LineBuilder``.
    package func append(_ request: RawSpan) -> Bool { ring.append(request) }

    /// Takes all requests out. For the thread that tells the sockets.
    package func take() -> [Request] {
        let bytes = ring.take()
        var requests: [Request] = []
        var place = 0
        // The writer adds whole requests, so they end where the bytes do.
        while place < bytes.count {
            var route: UInt64 = 0
            for offset in 0..<8 { route |= UInt64(bytes[place + offset]) << UInt64(8 * offset) }
            let socketStart = place + Self.headerBytes
            let nameStart = socketStart + Int(bytes[place + 8])
            place = nameStart + Int(bytes[place + 9])
            requests.append(
                Request(
                    route: route, socket: Array(bytes[socketStart..<nameStart]),
                    name: Array(bytes[nameStart..<place])))
        }
        return requests
    }

    /// The route's identity (8 bytes, least significant first), the lengths of the path and of the name.
    fileprivate static let headerBytes = 10
}

extension LineBuilder {
    /// The header of a request; the bytes of the path and of the name follow it.
    package mutating func append(wakeOf route: UInt64, socketByteCount: Int, nameByteCount: Int) {
        precondition(socketByteCount < 256, "a path that a unix socket can have")
        precondition(nameByteCount < 256, "a name that a hello can have")
        for shift in stride(from: 0, to: 64, by: 8) {
            append(byte: UInt8(truncatingIfNeeded: route >> UInt64(shift)))
        }
        append(byte: UInt8(socketByteCount))
        append(byte: UInt8(nameByteCount))
    }
}

/// Which routes a worker has asked to be woken of late, so that a thousand sessions of a route are one
/// request. It forgets: routes that share a place push each other out, and then there are more requests,
/// which become one message later.
struct WakeMemory: ~Copyable {
    private struct Place: BitwiseCopyable {
        var route: UInt64
        var nanoseconds: UInt64
    }

    private static let sets = 1024
    private static let ways = 4
    /// A little less than from message to message, so that a tick that comes early is not for nothing.
    static let intervalNanoseconds: UInt64 = 900_000_000
    private let places = Region<Place>(capacity: sets * ways)

    /// Whether the route was asked for within the interval.
    func isRecent(_ route: UInt64, nowNanoseconds: UInt64) -> Bool {
        let first = Self.first(of: route)
        for index in first..<first + Self.ways where places[index].route == route {
            return places[index].nanoseconds != 0
                && nowNanoseconds < places[index].nanoseconds + Self.intervalNanoseconds
        }
        return false
    }

    /// The route was asked for. It takes the place of the one of its set that was asked for longest ago.
    func note(_ route: UInt64, nowNanoseconds: UInt64) {
        let first = Self.first(of: route)
        var oldest = first
        for index in first..<first + Self.ways {
            if places[index].route == route {
                oldest = index
                break
            }
            if places[index].nanoseconds < places[oldest].nanoseconds { oldest = index }
        }
        places[oldest] = Place(route: route, nanoseconds: nowNanoseconds)
    }

    private static func first(of route: UInt64) -> Int {
        (Int(truncatingIfNeeded: route >> 32) & (sets - 1)) * ways
    }
}
