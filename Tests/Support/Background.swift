import Dispatch
import Foundation

/// Work of a test on a thread of its own: for one end of a connection that blocks while the other end is
/// played.
package final class Background: Sendable {
    private let ended = DispatchSemaphore(value: 0)
    private let failure = Failure()

    /// Starts the work.
    package init(_ work: @escaping @Sendable () throws -> Void) {
        let thread = Thread { [ended, failure] in
            do {
                try work()
            } catch {
                failure.set("\(error)")
            }
            ended.signal()
        }
        thread.start()
    }

    /// Waits for its end; what it has thrown is thrown here.
    package func wait(seconds: Double = 30) throws {
        guard ended.wait(timeout: .now() + seconds) == .success else {
            throw ChildProcessError(description: "the work in the background did not end within \(seconds) s")
        }
        if let text = failure.text { throw ChildProcessError(description: text) }
    }

    // SAFETY: every access is under the lock.
    private final class Failure: @unchecked Sendable {
        private let lock = NSLock()
        private var stored: String?

        var text: String? { lock.withLock { stored } }
        func set(_ text: String) { lock.withLock { stored = text } }
    }
}
