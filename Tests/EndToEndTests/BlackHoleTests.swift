import Glibc
import Support
import Testing

extension EndToEnd {
    /// Targets that do not answer at all.
    @Suite struct BlackHoles {
        /// A port on all addresses of this machine where connections are neither made nor refused: its queue
        /// is full.
        private final class BlackHole {
            let port: UInt16
            private let descriptor: Int32
            private var clients: [Int32] = []

            init() throws {
                port = try FreePort.any()
                descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
                guard unsafe call(Glibc.bind, on: descriptor, 0) == 0, listen(descriptor, 0) == 0 else {
                    throw ChildProcessError(description: "there is no black hole: \(errno)")
                }
                for _ in 0..<4 {
                    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
                    _ = unsafe call(Glibc.connect, on: client, 0x7f00_0001)
                    clients.append(client)
                }
            }

            private func call(
                _ function: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, on descriptor: Int32,
                _ host: UInt32
            ) -> Int32 {
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = port.bigEndian
                address.sin_addr.s_addr = host.bigEndian
                return unsafe withUnsafePointer(to: &address) { pointer in
                    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        unsafe function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
            }

            deinit { for descriptor in clients + [descriptor] { close(descriptor) } }
        }

        @Test func anyNumberOfThemLeavesTheOthersCheckedInTime() throws {
            let hole = try BlackHole()
            let healthy = try StreamListener()
            let addresses = (0..<1000).map { "127.1.\($0 / 250).\($0 % 250 + 1):\(hole.port)" }
            var routes = "healthy.example \(healthy.endpoint) check=tcp:1s\n"
            for start in stride(from: 0, to: addresses.count, by: 50) {
                let targets = addresses[start..<(start + 50)].joined(separator: ",")
                routes += "r\(start).example \(targets) check=tcp:1s\n"
            }
            let edge = try Edge(routes: routes)
            try edge.process.waitForErrorLine(seconds: 40, count: addresses.count) {
                $0.contains(" is down: ")
            }
            while healthy.hasConnection(milliseconds: 0) { _ = try healthy.accept() }
            _ = try healthy.accept()
            var last = ContinuousClock.now
            for _ in 0..<5 {
                _ = try healthy.accept()
                let gap = ContinuousClock.now - last
                #expect(gap < .milliseconds(1700), "the interval is 1 s: \(gap)")
                last = .now
            }
        }
    }
}
