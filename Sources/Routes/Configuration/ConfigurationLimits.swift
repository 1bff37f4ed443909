/// Upper bounds of the edge, as the operator set them; what follows from them is derived elsewhere.
package struct ConfigurationLimits: Hashable, Sendable {
    /// Sessions at once, 1…10,000,000.
    package var connections: UInt32 = 100_000
    /// Sessions at once from one client address, 1…`connections`.
    package var connectionsPerSource: UInt32 = 256
    /// Parked sessions at once, 1…`connections`.
    package var parked: UInt32 = 4_096
    /// Parked sessions at once from one client address, 1…`parked`.
    package var parkedPerSource: UInt32 = 32
    /// Longest ClientHello, in bytes, with its record headers: 1 KiB…64 KiB.
    package var helloBytes: UInt32 = 16_384

    /// The defaults.
    package init() {}
}
