import CLinux

/// A process that leads a session of its own and outlives the one that has started it.
package enum SessionProcess {
    /// Starts a program, looked up in PATH, in a folder, with these variables `NAME=value` alone; what it
    /// writes is appended to a file. Its number.
    package static func start(
        _ arguments: [String], environment: [String], folder: String, outputPath: String
    ) throws(Errno) -> Int32 {
        let output = try openForAppending(outputPath)
        defer { _ = clinux_close(output) }
        // SAFETY: lists and strings live through the call.
        return try check(
            unsafe withStringPointers(arguments) { arguments in
                unsafe withStringPointers(environment) { environment in
                    unsafe clinux_spawn_session(arguments, environment, folder, output)
                }
            })
    }

    /// Waits in this thread until a process has ended, child or not.
    package static func wait(for process: Int32) {
        let descriptor = clinux_process_descriptor(process)
        guard descriptor >= 0 else { return }
        _ = clinux_wait_readable(descriptor, -1)
        _ = clinux_close(descriptor)
    }

    /// How a child has ended, in words, once; nil: it runs, was asked for before, or is no child.
    package static func ending(of process: Int32) -> String? {
        let status = clinux_reap(process)
        guard status >= 0 else { return nil }
        return status >= 256 ? "was ended by signal \(status - 256)" : "exited with status \(status)"
    }

    /// Sends a signal to all of a session's first process group.
    package static func signal(_ number: Int32, group leader: Int32) { _ = clinux_kill(-leader, number) }

    /// Ends a process at once, with SIGKILL.
    package static func kill(_ process: Int32) { _ = clinux_kill(process, SIGKILL) }

    /// SIGTERM and SIGKILL.
    package static let terminate: Int32 = SIGTERM
    package static let kill: Int32 = SIGKILL
}
