package import Linux

/// What the doctor looks at, read once: the checks are functions of this, so that tests can make one up.
package struct Machine: Sendable {
    /// A process that matters to the edge.
    package struct Process: Equatable, Sendable {
        package var identifier: Int
        package var name: String

        package init(identifier: Int, name: String) {
            self.identifier = identifier
            self.name = name
        }
    }

    /// The answer to `status`; null when there is none.
    package var status: JSONValue = .null
    /// Why there is none.
    package var statusError: String?
    /// Texts of files, by their paths; those of the edge's process as `edge:limits`, `edge:status`.
    package var texts: [String: String] = [:]
    /// The edge's files: its configuration, routes and log, as they are on disk.
    package var files: [String: FileFacts] = [:]
    /// Where the log goes, if that is a file.
    package var logPath: String?
    package var processes: [Process] = []
    /// The process that owns a socket, by the socket's number, of those that may be seen.
    package var socketOwners: [Int: Process] = [:]
    package var isRoot = false
    package var clockIsSynchronised = true

    package init() {}

    /// The edge's process, if one runs.
    package var edge: Int? {
        status["pid"].integer ?? processes.first { $0.name == "switchyard" }?.identifier
    }

    /// Whether sockets listen on these addresses is asked for these ports.
    var ports: [Int] {
        let ports = status["listeners"].elements.compactMap { listener in
            listener["address"].text?.split(separator: ":").last.flatMap { Int($0) }
        }
        return ports.isEmpty ? [80, 443] : Array(Set(ports)).sorted()
    }

    /// A file's text without the blanks around it.
    func text(_ path: String) -> String? {
        texts[path].map { String($0.drop(while: \.isWhitespace)).trimmedLines }
    }

    /// A file's text as a number.
    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    /// A kernel setting by its name, `net.core.somaxconn`.
    func setting(_ name: String) -> Int? { number(Self.settingPath(name)) }

    static func settingPath(_ name: String) -> String {
        "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
    }

    /// Of /proc/net/netstat: a line of names, and a line of values.
    func networkCounter(_ name: String) -> Int? {
        let lines = (texts["/proc/net/netstat"] ?? "").split(separator: "\n")
        for (index, line) in lines.enumerated() where index + 1 < lines.count {
            let names = line.split(separator: " ")
            guard let at = names.firstIndex(of: name[...]) else { continue }
            let values = lines[index + 1].split(separator: " ")
            return at < values.count ? Int(values[at]) : nil
        }
        return nil
    }

    /// A limit of the edge's process, from /proc/PID/limits: soft and hard; nil for unlimited.
    func limit(_ name: String) -> (soft: Int?, hard: Int?)? {
        for line in (texts["edge:limits"] ?? "").split(separator: "\n") where line.hasPrefix(name) {
            let words = line.dropFirst(name.count).split(separator: " ")
            guard words.count >= 2 else { return nil }
            return (Int(words[0]), Int(words[1]))
        }
        return nil
    }

    /// A field of a file of lines `Name: 123 kB`.
    func field(_ name: String, in path: String) -> Int? {
        for line in (texts[path] ?? "").split(separator: "\n") where line.hasPrefix(name + ":") {
            return line.dropFirst(name.count + 1).split(whereSeparator: \.isWhitespace).first.flatMap {
                Int($0)
            }
        }
        return nil
    }

    /// The kernel's version, for comparison; (0, 0) when it is not known.
    var kernel: (major: Int, minor: Int) {
        let parts = (text("/proc/sys/kernel/osrelease") ?? "").split { !$0.isNumber }.prefix(2).compactMap {
            Int($0)
        }
        return parts.count == 2 ? (parts[0], parts[1]) : (0, 0)
    }

    /// Sockets that listen on a TCP port: the socket's number and whose it is, if that may be seen.
    func listeners(on port: Int) -> [(socket: Int, owner: Process?)] {
        ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { path in
            (texts[path] ?? "").split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                // Fields of proc(5): address in hexadecimal, state 0A for LISTEN, the tenth is the inode.
                guard words.count > 9, words[3] == "0A", let socket = Int(words[9]),
                    let hexadecimal = words[1].split(separator: ":").last,
                    Int(hexadecimal, radix: 16) == port
                else { return nil }
                return (socket, socketOwners[socket])
            }
        }
    }
}

extension String {
    /// Without blanks and line ends at its end.
    var trimmedLines: String {
        var text = self[...]
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}
