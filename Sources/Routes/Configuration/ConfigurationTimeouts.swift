/// Upper bounds of time, in milliseconds.
package struct ConfigurationTimeouts: Hashable, Sendable {
    /// From accept to the whole hello or request head, absolute.
    package var helloMilliseconds: UInt32 = 5_000
    /// For one attempt to connect to a target.
    package var connectMilliseconds: UInt32 = 5_000
    /// Without a byte in either direction, until a session is ended.
    package var idleMilliseconds: UInt32 = 3_600_000
    /// For one direction to go on after the other has ended.
    package var halfCloseMilliseconds: UInt32 = 30_000
    /// For a session parked on an `asleep` route.
    package var wakeMilliseconds: UInt32 = 30_000
    /// For a session parked on a `held` route.
    package var heldMilliseconds: UInt32 = 30_000
    /// For all sessions to end by themselves when the process is told to stop.
    package var drainMilliseconds: UInt32 = 60_000
    /// For written data to be acknowledged by the peer (TCP_USER_TIMEOUT).
    ///
    /// The kernel also counts the time in which a peer's window is closed: a reader who pauses for longer is
    /// cut off. So the default is long.
    package var userMilliseconds: UInt32 = 900_000

    /// The defaults.
    package init() {}
}
