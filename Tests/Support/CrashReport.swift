import Glibc
import Synchronization

/// A trap in the code under test ends the process, and with it the test that would name the seed: this names
/// it on the way out.
package enum CrashReport {
    private static let seeds = Mutex<[UInt64]>([])
    private static let isInstalled = Atomic<Bool>(false)

    /// Says which seed begins; the last few are told at a trap.
    package static func note(_ seed: UInt64) {
        if !isInstalled.exchange(true, ordering: .acquiringAndReleasing) {
            for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS] {
                signal(number) { number in
                    CrashReport.tell()
                    signal(number, nil)
                    raise(number)
                }
            }
        }
        seeds.withLock { $0 = ($0 + [seed]).suffix(4) }
    }

    private static func tell() {
        // Not what a signal handler should do, but the process is lost already.
        let text = seeds.withLockIfAvailable { "a trap; the last seeds to begin were \($0)\n" } ?? "a trap\n"
        unsafe text.withCString { unsafe _ = write(2, $0, text.utf8.count) }
    }
}

/// A whole number from the environment; nil when there is none.
package func environmentNumber(_ name: String) -> Int? {
    guard let text = unsafe getenv(name) else { return nil }
    return unsafe Int(String(cString: text))
}
