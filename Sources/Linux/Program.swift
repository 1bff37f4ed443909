import CLinux

/// The program that this process runs, as somebody would start it again: by a name, so that a file that was
/// put in its place is the one that is started.
package struct Program: Sendable {
    /// An absolute path.
    package let path: String
    /// All of them, the name that it was started by first.
    package let arguments: [String]

    /// The descriptor under which a program that this one starts finds the socket that was passed.
    package static let passedDescriptor: Int32 = 3

    /// Looks where the program is; for the start of the process, before its file can be replaced. The name
    /// that it was started by counts if it leads to the file that runs: it may be a link that an operator
    /// turns to another version. Else, as for a name that was looked up in PATH, it is that file itself.
    package init(arguments: [String]) throws(Errno) {
        self.arguments = arguments
        let running = "/proc/self/exe"
        let named = arguments.first ?? ""
        // SAFETY: both strings end in NUL for the time of the call.
        if named.contains("/"), unsafe clinux_is_same_file(named, running) == 1 {
            path = absolutePath(named)
        } else {
            path = try readLink(running)
        }
    }

    /// Starts it anew as another process with the same arguments, directory and standard descriptors, and
    /// with `socket` as ``passedDescriptor``, which the variable names.
    package func start(passing socket: PacketSocket, variable: String) throws(Errno) -> Child {
        let left = ServiceManager.variablesOfThisProcess + [variable]
        var environment = Self.environment.filter { line in !left.contains { line.hasPrefix("\($0)=") } }
        environment.append("\(variable)=\(Self.passedDescriptor)")
        var started = clinux_child(program: -1, between: -1, control: -1)
        let result = withExtendedLifetime(socket) {
            // SAFETY: path and lists live through the call.
            unsafe withStringPointers(arguments) { arguments in
                unsafe withStringPointers(environment) { environment in
                    unsafe clinux_spawn(path, arguments, environment, socket.descriptor, &started)
                }
            }
        }
        try check(result)
        return Child(started)
    }

    private static var environment: [String] {
        var lines: [String] = []
        // SAFETY: the environment ends in NULL, and nobody changes it.
        guard var entry = unsafe clinux_environment() else { return [] }
        while let text = unsafe entry.pointee {
            unsafe lines.append(String(cString: text))
            unsafe entry += 1
        }
        return lines
    }
}

/// The strings as a list that ends in NULL, for the time of the call.
func withStringPointers(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
) -> Int32 {
    // SAFETY: each copy is freed after the call, and the list ends in NULL.
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
}

/// A process that this one has started, by way of another one. systemd waits only for a main process whose
/// parent it is; to become that, it has to be told of it after the one in between has ended
/// (``letGo()``), and while that lives, we hear from it how the program has ended.
package struct Child: ~Copyable {
    private var started: clinux_child
    private var end: String?
    /// Whether it was ended by us.
    package private(set) var isTerminated = false

    init(_ started: clinux_child) { self.started = started }

    deinit {
        var started = started
        // SAFETY: the structure is ours for the call.
        unsafe clinux_let_go(&started)
    }

    /// Its number, which is its own until its end was told.
    package var identifier: Int32 { started.program }

    /// How it has ended, in words; nil: it runs.
    package mutating func ending() -> String? {
        guard end == nil else { return end }
        // SAFETY: the structure is ours for the call.
        let status = unsafe clinux_child_status(&started)
        switch status {
        case -EAGAIN: return nil
        case 256...: end = "was ended by signal \(status - 256)"
        case 0...: end = "exited with status \(status)"
        default: end = "has ended"
        }
        return end
    }

    /// Ends it at once, and waits until it has.
    package mutating func terminate() {
        guard ending() == nil else { return }
        isTerminated = true
        _ = clinux_kill(identifier, SIGKILL)
        while ending() == nil { sleepMicroseconds(200) }
    }

    /// It goes on by itself.
    // SAFETY: the structure is ours for the call.
    package mutating func letGo() { unsafe clinux_let_go(&started) }
}

/// Sends a signal to a process.
package func send(_ signal: Signal, to process: Int32) { _ = clinux_kill(process, signal.number) }
