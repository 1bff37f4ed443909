import CLinux

/// Nanoseconds of a clock that never goes back (CLOCK_MONOTONIC).
package func monotonicNanoseconds() -> UInt64 { clinux_monotonic_nanoseconds() }

/// Nanoseconds since 1970 (CLOCK_REALTIME).
package func realtimeNanoseconds() -> UInt64 { clinux_realtime_nanoseconds() }

/// Sleeps; for the control thread.
package func sleepMicroseconds(_ count: UInt32) { usleep(count) }
