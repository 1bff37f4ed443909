import Linux

/// The edge itself, its files and its ports.
extension Doctor {
    static func edge(_ machine: Machine) -> Finding {
        let status = machine.status
        guard !status.isNull else {
            let error = machine.statusError ?? "it was not asked"
            let first = error.split(separator: "\n").first.map(String.init) ?? error
            guard let edge = machine.edge else {
                return Finding(
                    "edge", .unseen, "no switchyard runs here; what follows is about the machine",
                    fix: ["sudo systemctl start switchyard"])
            }
            return Finding(
                "edge", .unseen, "process \(edge) runs, and cannot be asked: \(first)",
                why: "its socket is where `control` in its configuration says: yard doctor --socket PATH")
        }
        let sessions = status["sessions"].integer ?? 0
        let most = status["connections_max"].integer ?? 0
        let seen =
            "switchyard \(status["version"].text ?? "–"), process \(status["pid"].integer ?? 0), "
            + "\(status["state"].text ?? "–"), \(Human.count(sessions)) of \(Human.count(most)) sessions"
        if status["state"].text == "draining" {
            return Finding(
                "edge", .warning, seen, why: "it is about to end: it takes no new connections",
                fix: ["sudo systemctl restart switchyard"])
        }
        if most > 0, sessions * 10 >= most * 9 {
            return Finding(
                "edge", .problem, seen, why: "nearly full: new connections wait in the kernel",
                fix: ["limit connections=\(most * 2)      # in \(status["configuration"].text ?? "–")"])
        }
        return Finding("edge", .ok, seen)
    }

    static func reloads(_ machine: Machine) -> Finding {
        let reloads = machine.status["reloads"]
        guard !reloads.isNull else { return Finding("reload", .unseen, "the edge was not asked") }
        let seen = "\(reloads["succeeded"].integer ?? 0) succeeded, \(reloads["failed"].integer ?? 0) failed"
        guard reloads["last"].text == "failed" else { return Finding("reload", .ok, seen) }
        let error = (reloads["last_error"].text ?? "").split(separator: "\n").first.map(String.init) ?? ""
        return Finding(
            "reload", .problem, "\(seen); the last one failed: \(error)",
            why: "the edge serves the routes of before", fix: ["yard check", "yard reload"])
    }

    static func ports(_ machine: Machine) -> Finding {
        let edge = machine.edge
        var seen: [String] = []
        var foreign: [(port: Int, process: Machine.Process)] = []
        for port in machine.ports {
            let listeners = machine.listeners(on: port)
            let others = Set(listeners.compactMap(\.owner).filter { $0.identifier != edge }.map(\.identifier))
            for process in machine.processes where others.contains(process.identifier) {
                foreign.append((port, process))
            }
            let hidden = listeners.contains { $0.owner == nil }
            let who =
                listeners.isEmpty
                ? "free" : hidden ? "taken" : others.isEmpty ? "the edge's" : "not the edge's alone"
            seen.append("\(port) is \(who)")
        }
        let text = seen.joined(separator: ", ")
        guard let first = foreign.first else {
            if edge == nil, text.contains("taken") {
                return Finding(
                    "ports", .warning, text, why: "whose they are, only root may see",
                    fix: ["sudo ss -ltnp 'sport = :443 or sport = :80'"])
            }
            return Finding("ports", .ok, text)
        }
        let names = foreign.map { "\($0.process.name) (\($0.process.identifier)) on \($0.port)" }
        let stop =
            first.process.name == "docker-proxy"
            ? "docker ps --filter publish=\(first.port)      # the container that publishes the port"
            : "sudo systemctl disable --now \(first.process.name)"
        return Finding(
            "ports", edge == nil ? .problem : .warning, "\(text): \(names.joined(separator: ", "))",
            why: edge == nil
                ? "the edge cannot bind a port that another process has"
                : "connections that it takes do not reach the edge", fix: [stop])
    }

    static func permissions(_ machine: Machine) -> Finding {
        guard !machine.files.isEmpty else {
            return Finding("permissions", .unseen, "the configuration is not there, or may not be read")
        }
        let files = machine.files.filter { $0.key != machine.logPath }
        // A folder with the sticky bit lets nobody replace what is somebody else's.
        let open = files.filter { $0.value.mode & 0o002 != 0 && $0.value.mode & 0o1000 == 0 }.keys.sorted()
        guard let first = open.first else {
            return Finding("permissions", .ok, "of \(files.count) files and folders of the configuration")
        }
        return Finding(
            "permissions", .problem,
            "everybody may write \(first)" + (open.count > 1 ? " and \(open.count - 1) more" : ""),
            why: "whoever can write routes can lead any name to a machine of their own",
            fix: open.prefix(5).map { "sudo chmod o-w \($0)" })
    }

    static func log(_ machine: Machine) -> Finding {
        guard let path = machine.logPath else {
            return Finding("log", .ok, "no file to grow: standard error")
        }
        guard let facts = machine.files[path] else {
            return Finding("log", .unseen, "\(path) may not be read")
        }
        let seen = "\(path) has \(Human.longBytes(Double(facts.byteCount)))"
        guard facts.byteCount > 1 << 30 else { return Finding("log", .ok, seen) }
        return Finding(
            "log", .warning, seen, why: "rotate it; SIGHUP makes the edge open it anew",
            fix: [
                "# /etc/logrotate.d/switchyard",
                "\(path) {", "    daily", "    rotate 7", "    compress", "    delaycompress",
                "    missingok",
                "    postrotate", "        systemctl reload switchyard", "    endscript", "}",
            ])
    }
}
