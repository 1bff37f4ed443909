import Foundation
import Support

/// The edge under test: the real binary with a configuration of its own, on free ports of the loopback
/// addresses. It ends with the reference.
final class Edge {
    /// What the tests know of the text of the log; the one place to follow a change. A line starts with its
    /// time.
    enum Log {
        /// In the line that says that it serves.
        static let ready = " info ready "
        /// In the line that says that a reload has taken place.
        static let reloaded = " info reloaded "
        /// In the line that says that a reload was refused; the diagnostics follow it.
        static let reloadRefused = " error reload failed"
        /// In the line of a session that has ended.
        static let access = " access "
        /// In the line that says that another process has taken over.
        static let upgraded = " info upgrade: pid "
        /// In the line that says why none has.
        static let upgradeFailed = " error upgrade failed"
    }

    /// Lines of `switchyard.conf` beside the listener, the routes and the pid file.
    static let noSettings = ""

    let process: ChildProcess
    let folder: TemporaryFolder
    /// Where its first TLS listener is.
    let endpoint: Endpoint
    var port: UInt16 { endpoint.port }

    /// The binary that `make test` has built.
    static var binary: String {
        ProcessInfo.processInfo.environment["SWITCHYARD_BINARY"]
            ?? Repository.path(".build/release/switchyard")
    }

    /// The interface to the kernel that it uses: `scripts/test` runs these tests once with each.
    static var inputOutput: String {
        ProcessInfo.processInfo.environment["SWITCHYARD_TEST_IO"] ?? "auto"
    }

    /// Starts it and waits until it serves.
    /// - Parameters:
    ///   - routes: lines of one routes file.
    ///   - settings: further lines of `switchyard.conf`.
    ///   - listener: kind and options of its listener, with `@` where the address belongs.
    ///   - usesIPv6: listens on ::1 and not on 127.0.0.1.
    ///   - ownBinary: starts a copy of the binary, `switchyard` in its folder.
    ///   - logsToError: whether its log can be waited for; if not, its port is.
    init(
        routes: String, settings: String = noSettings, listener: String = "tls @", usesIPv6: Bool = false,
        logsToError: Bool = true, ownBinary: Bool = false
    ) throws {
        folder = try TemporaryFolder()
        var binary = Self.binary
        if ownBinary {
            // A copy that a test can put something else in the place of.
            binary = folder.path("switchyard")
            guard try run("cp", [Self.binary, binary]).succeeded else {
                throw ChildProcessError(description: "no copy of the binary")
            }
        }
        endpoint = usesIPv6 ? .ipv6(port: try FreePort.any()) : .ipv4(port: try FreePort.any())
        try folder.write("routes.d/test.routes", routes + "\n")
        try Self.writeConfiguration(
            in: folder, listeners: [endpoint], as: listener, settings: settings)
        process = try ChildProcess(binary, ["--config", folder.path("switchyard.conf")])
        guard !logsToError else {
            try process.waitForErrorLine { $0.contains(Log.ready) }
            return
        }
        _ = Pause.until(seconds: 10) { (try? StreamSocket(to: endpoint)) != nil }
    }

    /// Writes `switchyard.conf`. The edge reads it at its start and at a reload.
    static func writeConfiguration(
        in folder: TemporaryFolder, listeners: [Endpoint], as listener: String = "tls @", settings: String
    ) throws {
        let lines =
            listeners.map { "listen " + listener.replacing("@", with: $0.description) }
            + ["routes routes.d/*.routes", "pidfile \(folder.path("switchyard.pid"))", settings]
            + ["io \(inputOutput)"]
        try folder.write("switchyard.conf", lines.joined(separator: "\n") + "\n")
    }

    /// Replaces the routes, sends SIGHUP, and waits until the new table serves.
    func reload(routes: String) throws {
        try folder.write("routes.d/test.routes", routes + "\n")
        try reload()
    }

    /// Sends SIGHUP and waits for the log to say that it worked.
    func reload() throws {
        let before = process.completeErrorLines().count { $0.contains(Log.reloaded) }
        process.send(signal: SIGHUP)
        try process.waitForErrorLine(count: before + 1) { $0.contains(Log.reloaded) }
    }

    /// Sends SIGUSR2 to the process that serves, and waits for the next one; its number.
    func upgrade() throws -> Int32 {
        let before = process.completeErrorLines().count { $0.contains(Log.upgraded) }
        let readyBefore = process.completeErrorLines().count { $0.contains(Log.ready) }
        let old = try servingProcess()
        kill(old, SIGUSR2)
        // Not by the process that was started first: it ends.
        let isDone = Pause.until {
            let lines = process.completeErrorLines()
            return lines.count { $0.contains(Log.upgraded) } > before
                && lines.count { $0.contains(Log.ready) } > readyBefore
        }
        let identifier = try servingProcess()
        guard isDone, identifier != old else { throw ChildProcessError(description: process.errors) }
        return identifier
    }

    /// Waits for a line of the log, whichever process writes it, and gives it as key and value.
    @discardableResult
    func waitForLine(_ kind: String, where matches: (AccessLine) -> Bool) throws -> AccessLine {
        var found: AccessLine?
        _ = Pause.until {
            found = process.completeErrorLines().filter { $0.contains(kind) }.map(AccessLine.init)
                .first(where: matches)
            return found != nil
        }
        guard let found else { throw ChildProcessError(description: "no such line:\n\(process.errors)") }
        return found
    }

    /// The process that the pidfile names.
    func servingProcess() throws -> Int32 {
        let text = folder.read("switchyard.pid").trimmingCharacters(in: .whitespacesAndNewlines)
        guard let identifier = Int32(text) else { throw ChildProcessError(description: "no pidfile") }
        return identifier
    }

    /// The lines of the sessions that have ended, as key and value.
    var accessLines: [AccessLine] {
        process.completeErrorLines().filter { $0.contains(Log.access) }.map(AccessLine.init)
    }

    /// Waits for the line of a session for which it holds.
    @discardableResult
    func waitForAccessLine(seconds: Double = 10, where matches: (AccessLine) -> Bool) throws -> AccessLine {
        let line = try process.waitForErrorLine(seconds: seconds) {
            $0.contains(Log.access) && matches(AccessLine($0))
        }
        return AccessLine(line[...])
    }
}

/// One line of the access log: `TIME access client=… name=… up=… down=… end=…`.
struct AccessLine: CustomStringConvertible {
    let description: String
    private let values: [Substring: Substring]

    init(_ line: Substring) {
        description = String(line)
        let pairs = line.split(separator: " ").compactMap { word -> (Substring, Substring)? in
            guard let equals = word.firstIndex(of: "=") else { return nil }
            return (word[..<equals], word[word.index(after: equals)...])
        }
        values = Dictionary(pairs) { first, _ in first }
    }

    /// The value of a key; empty when the line has none.
    subscript(key: String) -> String {
        String(values[key[...]] ?? "")
    }
}
