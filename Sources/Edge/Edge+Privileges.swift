import Linux
import Routes

extension Edge {
    /// Writes the pidfile. A process that took another one's place may not be allowed to replace the file,
    /// only to write into it.
    func writePidfile(_ path: String) throws(Errno) {
        let text = Array("\(processIdentifier())\n".utf8)
        let user = current.configuration.user.flatMap { try? SystemUser(named: $0) }
        do throws(Errno) {
            try writeFileAtomically(path, text, owner: user.flatMap { $0.isCurrent ? nil : $0 })
        } catch {
            guard (try? overwriteFile(path, text)) != nil else { throw error }
        }
    }

    /// Fails when the pidfile names an edge that runs: with its file it would lose its name. What an edge
    /// left behind that was killed is no reason, nor is a number that is somebody else's by now. Who takes
    /// the place of another edge does not ask, and writes.
    func checkPidfile(_ path: String) throws(InvalidConfiguration) {
        guard let bytes = try? readFile(path, bytesMax: 64),
            let number = Int32(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)),
            number > 0, number != processIdentifier(),
            let name = nameOfLivingProcess(number), name == nameOfLivingProcess(processIdentifier())
        else { return }
        throw InvalidConfiguration(
            text: "\(current.configuration.location(of: .pidfile, in: self.path)): error: "
                + "the edge cannot start: pidfile \(path) is that of process \(number), a \(name) that runs; "
                + "stop that one first, or give this one a pidfile of its own")
    }

    /// Removes the pidfile, or empties it where its folder is somebody else's: a file that names a process
    /// which is not there is worse than none. One that names another process is that one's.
    func removePidfile(_ path: String) {
        let own = Array("\(processIdentifier())\n".utf8)
        guard let bytes = try? readFile(path, bytesMax: 64), bytes == own else { return }
        if !removeFile(path) { try? overwriteFile(path, []) }
    }

    /// Becomes the user of the configuration, and gives up all that serving does not need. Before the first
    /// thread is started.
    func dropPrivileges() throws(InvalidConfiguration) {
        if let name = current.configuration.user {
            do throws(Errno) {
                try Privileges.become(SystemUser(named: name))
            } catch {
                let reason = error == .noEntry ? "there is no such user" : "\(error)"
                throw InvalidConfiguration(
                    text: "\(current.configuration.location(of: .user, in: path)): error: "
                        + "the edge cannot start: user \(name): \(reason)")
            }
            warnOfLog(name)
        }
        guard current.configuration.hasSandbox else { return }
        do throws(Errno) {
            try Privileges.confine()
        } catch {
            throw InvalidConfiguration(
                text: "\(path): error: the edge cannot start: the filter of system calls: \(error)"
                    + " (`sandbox off` does without)")
        }
    }

    /// A log that this user cannot open again would fail at the first rotation: better to know it now.
    private func warnOfLog(_ user: String) {
        guard case .file(path: let file) = current.configuration.log.destination else { return }
        do throws(Errno) {
            closeDescriptor(try openForAppending(file))
        } catch {
            log.write(
                .warning,
                "user \(user) cannot open the log \(file) anew (\(error)): SIGHUP will not rotate it; "
                    + "chown \(user) \(file), and its folder if files are made anew there")
        }
    }
}
