import Dispatch
import Foundation
import Synchronization

/// A process that posix_spawn has started, and a thread that waits for its end. Foundation's `Process` reads
/// behind the last entry of /proc/self/fd when many descriptors are open, and takes the whole run of tests
/// with it.
final class SpawnedProcess: Sendable {
    let identifier: Int32
    private let ended = DispatchSemaphore(value: 0)
    private let ending = Mutex<Ending?>(nil)

    /// - Parameters:
    ///   - input: a descriptor for its standard input; nil: nothing comes.
    ///   - output: the file for its standard output, which is there; so with `errors`.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String], folder: String?,
        input: Int32?, output: String, errors: String
    ) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY, 0)
        if let folder { _ = unsafe SpawnExtensions.addChangeOfFolder(&actions, folder) }
        // What a test has open is none of its business, and would be held open by it.
        _ = unsafe SpawnExtensions.addCloseFrom(&actions, 3)

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // The threads that run tests block nearly everything; with that no program would hear SIGTERM.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        var words = unsafe ([executable] + arguments).map { unsafe strdup($0) } + [nil]
        var variables = unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer { unsafe (words + variables).forEach { word in unsafe free(word) } }
        var identifier: pid_t = 0
        let status = unsafe posix_spawn(
            &identifier, executable, &actions, &attributes, &words, &variables)
        guard status == 0 else {
            throw ChildProcessError(description: "\(executable) cannot be started: error \(status)")
        }
        self.identifier = identifier
        let waiter = Thread { self.waitForEnd() }
        waiter.stackSize = 128 << 10
        waiter.start()
    }

    private func waitForEnd() {
        var status: Int32 = 0
        // Not taken back before it is known to have ended: nobody signals another process of its number.
        var information = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
        ending.withLock { ending in
            while unsafe waitpid(identifier, &status, 0) == -1, errno == EINTR {}
            let signal = status & 0x7f
            ending = signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
        }
        ended.signal()
    }

    var isRunning: Bool { ending.withLock { $0 == nil } }

    /// How it has ended; nil: it has not, in that time.
    func wait(seconds: Double) -> Ending? {
        guard ended.wait(timeout: .now() + seconds) == .success else { return nil }
        // For whoever waits after this.
        ended.signal()
        return ending.withLock { $0 }
    }

    /// Sends a signal, unless it has ended.
    func send(_ signal: Int32) {
        ending.withLock { ending in if ending == nil { kill(identifier, signal) } }
    }
}

/// What glibc has beside the standard's actions, and does not show to Swift (glibc 2.34).
private enum SpawnExtensions {
    typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>

    // SAFETY: the types are those of spawn.h.
    static let addChangeOfFolder = unsafe unsafeBitCast(
        dlsym(nil, "posix_spawn_file_actions_addchdir_np"),
        to: (@convention(c) (Actions, UnsafePointer<CChar>) -> CInt).self)
    static let addCloseFrom = unsafe unsafeBitCast(
        dlsym(nil, "posix_spawn_file_actions_addclosefrom_np"),
        to: (@convention(c) (Actions, CInt) -> CInt).self)
}
