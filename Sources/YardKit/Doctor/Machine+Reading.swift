import Linux

extension Machine {
    /// Reads this machine. What may not be read is left out; the checks say so.
    package static func read(status: JSONValue, statusError: String?) -> Machine {
        var machine = Machine()
        machine.status = status
        machine.statusError = statusError
        machine.isRoot = effectiveUser() == 0
        machine.clockIsSynchronised = Linux.clockIsSynchronised()
        for path in paths { machine.take(path, as: path) }
        machine.readProcesses()
        if let edge = machine.edge {
            for name in ["limits", "status", "cgroup"] {
                machine.take("/proc/\(edge)/\(name)", as: "edge:\(name)")
            }
            machine.readControlGroup()
        }
        machine.readOwners()
        machine.readConfiguration()
        return machine
    }

    private static let paths =
        [
            "fs.nr_open", "fs.file-max", "fs.file-nr", "fs.pipe-user-pages-soft", "fs.pipe-max-size",
            "net.core.somaxconn", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_tw_reuse",
            "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies",
            "net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max", "kernel.osrelease",
            "kernel.io_uring_disabled", "vm.overcommit_memory", "vm.swappiness",
        ].map(settingPath) + [
            "/proc/net/netstat", "/proc/net/sockstat", "/proc/net/tcp", "/proc/net/tcp6", "/proc/meminfo",
            "/proc/net/stat/nf_conntrack", "/sys/kernel/mm/transparent_hugepage/enabled",
            "/sys/devices/system/clocksource/clocksource0/current_clocksource", "/etc/docker/daemon.json",
            "/etc/systemd/system/switchyard.service", "/usr/lib/systemd/system/switchyard.service",
            "/lib/systemd/system/switchyard.service",
        ]

    private mutating func take(_ path: String, as name: String) {
        guard let bytes = try? readToEnd(path) else { return }
        texts[name] = String(decoding: bytes, as: UTF8.self)
    }

    private mutating func readProcesses() {
        let folders = (try? expandPattern("/proc/[0-9]*")) ?? []
        processes = folders.compactMap { folder in
            guard let identifier = Int(folder.dropFirst("/proc/".count)),
                let name = try? readToEnd(folder + "/comm")
            else { return nil }
            return Process(identifier: identifier, name: String(decoding: name, as: UTF8.self).trimmedLines)
        }.sorted { $0.identifier < $1.identifier }
    }

    /// The limits of the control group that the edge runs in.
    private mutating func readControlGroup() {
        guard let group = texts["edge:cgroup"]?.trimmedLines.split(separator: ":").last else { return }
        for name in ["memory.max", "cpu.max", "pids.max"] {
            take("/sys/fs/cgroup\(group)/\(name)", as: "cgroup:\(name)")
        }
    }

    /// Whose sockets listen on the edge's ports: looked for among the descriptors of all processes that may
    /// be seen.
    private mutating func readOwners() {
        var wanted = Set(ports.flatMap { listeners(on: $0).map(\.socket) })
        for process in processes where !wanted.isEmpty {
            for descriptor in (try? expandPattern("/proc/\(process.identifier)/fd/*")) ?? [] {
                guard let target = try? readLink(descriptor), target.hasPrefix("socket:["),
                    let socket = Int(target.dropFirst("socket:[".count).dropLast()),
                    wanted.remove(socket) != nil
                else { continue }
                socketOwners[socket] = process
                if wanted.isEmpty { break }
            }
        }
    }

    private mutating func readConfiguration() {
        let path = status["configuration"].text ?? "/etc/switchyard/switchyard.conf"
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/")
        files[path] = try? fileFacts(path)
        files[folder] = try? fileFacts(folder)
        take(path, as: "configuration")
        for line in (texts["configuration"] ?? "").split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1 else { continue }
            switch words[0] {
            case "log" where words[1].hasPrefix("/"): logPath = String(words[1])
            case "routes": readRoutes(words.dropFirst().prefix { !$0.hasPrefix("#") }, in: folder)
            default: break
            }
        }
        if let logPath { files[logPath] = try? fileFacts(logPath) }
    }

    private mutating func readRoutes(_ patterns: ArraySlice<Substring>, in folder: String) {
        for pattern in patterns {
            let whole = pattern.hasPrefix("/") ? String(pattern) : "\(folder)/\(pattern)"
            let parent = whole.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                separator: "/")
            for file in [parent] + ((try? expandPattern(whole)) ?? []) { files[file] = try? fileFacts(file) }
        }
    }
}
