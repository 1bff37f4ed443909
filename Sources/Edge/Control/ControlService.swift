import DataPlane
import Linux
import Routes

/// The main thread's side of the control socket and the metrics: which sockets are open, and where.
struct ControlService {
    private let server: ControlServer
    /// The control socket's path, and what tells its file from a later one there.
    private var path: String?
    private var number: UInt64 = 0
    private var metrics: IPEndpoint?
    private var sockets = ControlServer.Sockets()
    /// False while another process still serves on the same sockets.
    private var isServing = false
    /// The file of the control socket that the process before had elsewhere.
    private var left: (path: String, number: UInt64)?
    /// The file that the process before has made; 0: there is none.
    private var inheritedNumber: UInt64 = 0

    init(_ server: ControlServer) { self.server = server }

    func start() throws(Errno) { try server.start() }

    /// Serves from now on.
    mutating func serve() {
        isServing = true
        server.use(sockets)
        if let left, fileNumber(left.path) == left.number { Linux.removeFile(left.path) }
        left = nil
    }

    // MARK: Upgrades

    /// What the next process gets; the sockets stay open here.
    var inheritance: InheritedControl {
        InheritedControl(path: path, fileNumber: number, metrics: metrics, sockets: sockets)
    }

    /// Begins with the sockets of the process before.
    mutating func inherit(_ inherited: InheritedControl) {
        path = inherited.path
        number = inherited.fileNumber
        inheritedNumber = inherited.fileNumber
        metrics = inherited.metrics
        sockets = inherited.sockets
    }

    /// Another process serves on the sockets and has the file.
    mutating func giveUp() {
        path = nil
        sockets = ControlServer.Sockets()
        server.use(sockets)
    }

    /// Whether everybody who has asked something has the answer.
    var isIdle: Bool { server.isIdle }

    // MARK: Configurations

    /// Opens what a configuration names and is not open, and closes what it names no more. With a failure all
    /// stays as it was. Returns a sentence for the log when the default path cannot be had.
    mutating func apply(_ configuration: Configuration) throws(ControlSocketError) -> String? {
        var next = sockets
        var newPath = path
        var remark: String?
        if configuration.controlPath != path {
            newPath = configuration.controlPath
            next.control = nil
            if let wanted = newPath {
                do throws(Errno) {
                    next.control = try Self.listen(at: wanted, for: configuration.user)
                } catch {
                    var reason = Self.reason(error)
                    guard configuration.place(of: .control) == nil else {
                        throw ControlSocketError(directive: .control, text: "\(wanted): \(reason)")
                    }
                    newPath = nil
                    if error == .noEntry { reason += Self.advice(on: wanted, for: configuration.user) }
                    // Not said again at each reload.
                    if sockets.control == nil { remark = "there is no control socket: \(wanted): \(reason)" }
                }
            }
        } else if let wanted = path, fileNumber(wanted) == 0 {
            // Somebody has removed the file, and nobody finds us any more.
            do throws(Errno) {
                next.control = try Self.listen(at: wanted, for: configuration.user)
            } catch {
                remark = "the control socket's file is gone, and cannot be made anew: \(wanted): \(error)"
            }
        }
        if configuration.metrics != metrics {
            next.metrics = nil
            if let endpoint = configuration.metrics {
                do throws(Errno) {
                    try checkUnused(SocketAddress(endpoint))
                    next.metrics = try Linux.listen(
                        on: SocketAddress(endpoint), userTimeoutMilliseconds: 10_000)
                } catch {
                    if let opened = next.control, opened != sockets.control {
                        closeDescriptor(opened)
                        if let newPath { Linux.removeFile(newPath) }
                    }
                    throw ControlSocketError(
                        directive: .metrics, text: "\(endpoint) cannot be bound: \(error)")
                }
            }
        }
        if newPath != path {
            if isServing { removeFile() } else if let path { left = (path, number) }
            path = newPath
            number = newPath.map { fileNumber($0) } ?? 0
        } else if let path, next.control != sockets.control {
            number = fileNumber(path)
        }
        metrics = configuration.metrics
        sockets = next
        if isServing { server.use(next) }
        return remark
    }

    private static func listen(at path: String, for user: String?) throws(Errno) -> Int32 {
        let descriptor = try listenUnix(at: path)
        // The user that the edge becomes, and its group: that is who may be let in.
        if let user { try? giveFile(path, to: user) }
        return descriptor
    }

    private static func reason(_ error: Errno) -> String {
        switch error {
        case .addressInUse: "another process answers there"
        case .noEntry: "the folder is missing"
        default: "\(error)"
        }
    }

    /// What to type for a folder that is missing. A service manager makes it; the edge does not, because it
    /// could not make it anew once it is another user.
    private static func advice(on path: String, for user: String?) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        let owner = user.map { "-o \($0) " } ?? ""
        return "; to make it: install -d \(owner)\(path[..<slash])"
    }

    /// Removes the socket's file if this process has made it. For one that could not take over: another one
    /// has its file elsewhere.
    mutating func removeOwnFile() {
        if number != inheritedNumber { removeFile() }
    }

    /// Removes the socket's file, unless it is somebody else's by now.
    mutating func removeFile() {
        guard let path, fileNumber(path) == number else { return }
        Linux.removeFile(path)
        self.path = nil
    }
}

/// The control socket and the metrics' as one process gives them to the next.
struct InheritedControl: Sendable {
    /// The control socket's path, and what tells its file from a later one there.
    var path: String?
    var fileNumber: UInt64 = 0
    var metrics: IPEndpoint?
    var sockets = ControlServer.Sockets()
}

/// Why the control socket or the metrics cannot be had.
struct ControlSocketError: Error {
    var directive: ConfigurationDirective
    var text: String
}

extension Edge {
    /// Opens the control socket and the metrics as a configuration has them.
    mutating func openControl(_ configuration: Configuration) throws(InvalidConfiguration) {
        do throws(ControlSocketError) {
            if let remark = try control.apply(configuration) { log.write(.info, remark) }
        } catch {
            let place = configuration.location(of: error.directive, in: path)
            throw InvalidConfiguration(text: "\(place): error: \(error.directive.rawValue) \(error.text)")
        }
    }

    /// `reload` on the control socket.
    mutating func answerReload() -> [UInt8] {
        guard !facts.now.isDraining else { return JSONWriter.failure("the edge is about to end") }
        do throws(InvalidConfiguration) {
            let (summary, warnings) = try reloadOrThrow()
            return JSONWriter.line { writer in
                writer.pair("ok", true)
                writer.pair("summary", summary)
                writer.pair("warnings", warnings.joined(separator: "\n"))
            }
        } catch {
            log.write(.error, "reload failed, all stays as it was:\n\(error.text)")
            return JSONWriter.failure(error.text)
        }
    }

    /// `drain` on the control socket.
    func answerDrain(_ target: String, _ isOn: Bool) -> [UInt8] {
        guard !facts.now.isDraining else { return JSONWriter.failure("the edge is about to end") }
        guard let done = setDrained(target, isOn) else {
            return JSONWriter.failure("no route has the target '\(target.prefix(120))'")
        }
        return JSONWriter.line { writer in
            writer.pair("ok", true)
            writer.pair("routes", done.routes)
            writer.pair("sessions", done.sessions)
        }
    }

    /// `check` on the control socket: reads what a reload would, and changes nothing.
    func answerCheck() -> [UInt8] {
        do throws(InvalidConfiguration) {
            let loaded = try LoadedConfiguration.load(path, seed: seed)
            return JSONWriter.line { writer in
                writer.pair("ok", true)
                writer.pair("summary", summary(of: loaded))
                writer.pair("warnings", loaded.warnings)
            }
        } catch {
            return JSONWriter.failure(error.text)
        }
    }
}
