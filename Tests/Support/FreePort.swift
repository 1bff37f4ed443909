import Glibc
import Synchronization

/// Ports that nobody listens on.
package enum FreePort {
    /// Below the range (32768 and up, ip(7)) from which the kernel takes ports for whoever asks for any, and
    /// for outgoing connections: nobody is given one of these by accident.
    private static let ports: ClosedRange<UInt16> = 10_240...32_000
    private static let next = Mutex(UInt16.random(in: ports))

    /// A port that is free on the loopback addresses, and that no other test gets as long as this process
    /// lives, nor a test of another process.
    package static func any() throws -> UInt16 {
        for _ in ports {
            let port = next.withLock { next in
                defer { next = next == ports.upperBound ? ports.lowerBound : next + 1 }
                return next
            }
            if isUnused(port), isReserved(port) { return port }
        }
        throw SocketError(call: "find a free port", number: EADDRINUSE)
    }

    private static func isUnused(_ port: UInt16) -> Bool {
        (try? StreamListener(.ipv4(port: port))) != nil && (try? StreamListener(.ipv6(port: port))) != nil
    }

    /// Takes the port's name among the abstract unix sockets (unix(7)), which are the network's as ports are,
    /// and free when the process has ended, whichever way.
    private static func isReserved(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return false }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array("\0switchyard-test-port-\(port)".utf8)
        // SAFETY: the name is shorter than the room for a path, and the address as long as is said.
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe withUnsafeMutableBytes(of: &pointer.pointee.sun_path) { unsafe $0.copyBytes(from: name) }
            let size = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
            return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, size)
            }
        }
        if result != 0 { close(descriptor) }
        return result == 0
    }
}
