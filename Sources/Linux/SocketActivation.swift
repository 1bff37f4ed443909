import CLinux

/// A listening socket that the service manager opened before it started this process (sd_listen_fds(3)).
package struct ActivationSocket: Sendable {
    /// This process's, from the start to the end.
    package let descriptor: Int32
    /// As FileDescriptorName= says, or `unknown`.
    package let name: String
    /// Where it listens; nil: it is no socket that listens for streams.
    package let address: SocketAddress?

    /// One that another process was given, and has given on.
    package init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
        address = Self.listeningAddress(of: descriptor)
    }

    /// The first descriptor that is handed over.
    private static let first: Int32 = 3

    /// What the environment says was handed over to this process. The variables are removed, so that no other
    /// program takes them for its own.
    package static func take() -> [ActivationSocket] {
        let isForUs = environmentVariable("LISTEN_PID") == "\(processIdentifier())"
        let count = environmentVariable("LISTEN_FDS").flatMap(Int32.init) ?? 0
        let names = environmentVariable("LISTEN_FDNAMES")?.split(
            separator: ":", omittingEmptySubsequences: false)
        // SAFETY: the names end in NUL, and no other thread runs yet.
        for variable in ServiceManager.variablesOfThisProcess where variable.hasPrefix("LISTEN_") {
            _ = unsafe unsetenv(variable)
        }
        guard isForUs, count > 0 else { return [] }
        return (0..<min(count, 1024)).compactMap { index in
            let descriptor = first + index
            guard clinux_adopt(descriptor) >= 0 else { return nil }
            let name = names.flatMap { Int(index) < $0.count ? String($0[Int(index)]) : nil } ?? "unknown"
            return ActivationSocket(descriptor: descriptor, name: name)
        }
    }

    private static func listeningAddress(of descriptor: Int32) -> SocketAddress? {
        guard clinux_get_option(descriptor, SOL_SOCKET, SO_ACCEPTCONN) == 1,
            clinux_get_option(descriptor, SOL_SOCKET, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
        else { return nil }
        return localAddress(of: descriptor)
    }

    /// Another descriptor for this socket, for one worker: all share one queue. It gets the options that
    /// ``listen(on:userTimeoutMilliseconds:)`` gives.
    package func share(userTimeoutMilliseconds: Int32) throws(Errno) -> Int32 {
        try setListenerOptions(descriptor, userTimeoutMilliseconds: userTimeoutMilliseconds)
        try check(clinux_listen(descriptor, listenQueueLength))
        return try duplicateDescriptor(descriptor)
    }
}
