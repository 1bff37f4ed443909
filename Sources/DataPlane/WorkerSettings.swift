/// Limits and timeouts that a worker goes by. Replaced as a whole at a reload.
package struct WorkerSettings: BitwiseCopyable, Sendable {
    /// Sessions that one client address may have, over all workers.
    package var sessionsPerSourceMax = 256
    /// Sessions of this worker that may wait for a route at once.
    package var parkedMax = 4096
    /// Parked sessions that one client address may have, over all workers.
    package var parkedPerSourceMax = 32
    /// Raw bytes that a hello may take, its record headers included.
    package var helloBytesMax = 16 * 1024
    /// From accept until the hello must be whole.
    package var helloNanoseconds: UInt64 = 5_000_000_000
    /// For one attempt at one target.
    package var connectNanoseconds: UInt64 = 5_000_000_000
    /// Without a byte in either direction.
    package var idleNanoseconds: UInt64 = 3_600_000_000_000
    /// Without a byte, once one direction has ended.
    package var halfCloseNanoseconds: UInt64 = 30_000_000_000
    /// For a session on an `asleep` route.
    package var wakeNanoseconds: UInt64 = 30_000_000_000
    /// For a session on a `held` route.
    package var heldNanoseconds: UInt64 = 30_000_000_000
    /// After a refusal, until the client has read it and closed.
    package var refusalNanoseconds: UInt64 = 2_000_000_000
    /// Whether each session's end is logged.
    package var logsAccess = true

    /// The design's defaults.
    package init() {}
}
