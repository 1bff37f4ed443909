/// Where a backend is reached, as an image stores it. Trivial.
package enum TargetAddress: Hashable, Sendable, BitwiseCopyable {
    /// By IPv4 or IPv6.
    case ip(IPEndpoint)
    /// By a unix socket: offset and length in bytes of its path in the image, no NUL included. Paths are
    /// absolute and at most 107 bytes long. Offsets differ between images: compare paths, not ranges.
    case unix(pathOffset: UInt32, pathLength: UInt16)

    /// Longer paths do not fit `sun_path` with the NUL behind them.
    package static let pathBytesMax = 107
}
