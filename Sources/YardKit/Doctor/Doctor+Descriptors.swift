/// Descriptors, pipes and what else the edge holds in numbers.
extension Doctor {
    /// A session has a client and a target; one in sixteen has a pipe; some are the process's own.
    private static func descriptorsNeeded(_ machine: Machine) -> Int {
        let connections = machine.status["connections_max"].integer ?? 100_000
        return connections * 2 + connections / 8 + 256
    }

    static func descriptors(_ machine: Machine) -> Finding {
        let needed = descriptorsNeeded(machine)
        guard let limit = machine.limit("Max open files") else {
            return unitDescriptors(machine)
        }
        let open = machine.status["descriptors"]["open"].integer
        let most = limit.soft ?? Int.max
        let shown = limit.soft.map { Human.count($0) } ?? "unlimited"
        let seen = "the edge may open \(shown)" + (open.map { ", has \(Human.count($0))" } ?? "")
        let fix = Finding.unit("LimitNOFILE=1048576")
        if let open, open >= most / 10 * 9 {
            return Finding(
                "descriptors", .problem, seen, why: "nearly all are used; it stops accepting", fix: fix)
        }
        // The edge lowers its own limit of connections to what it may open: that it needs no more than this.
        if most < 4096 {
            return Finding(
                "descriptors", .problem, seen, why: "each session takes two: so few are soon used up",
                fix: fix)
        }
        if most < needed || most < 65_536 {
            return Finding(
                "descriptors", .warning, seen,
                why: "each session takes two: it lowers `limit connections` to what fits", fix: fix)
        }
        return Finding("descriptors", .ok, seen)
    }

    private static func unitDescriptors(_ machine: Machine) -> Finding {
        let name = "descriptors"
        guard machine.edge == nil else {
            return Finding(
                name, .unseen, "only root and its own user see the edge's limits: sudo yard doctor")
        }
        guard let unit = machine.texts.first(where: { $0.key.hasSuffix("/switchyard.service") }) else {
            return Finding(name, .unseen, "no edge runs, and there is no unit switchyard.service")
        }
        let line = unit.value.split(separator: "\n").last { $0.hasPrefix("LimitNOFILE=") }
        let value = line.map { String($0.dropFirst("LimitNOFILE=".count)) }
        let number = value.flatMap { Int($0.split(separator: ":").first ?? "") }
        if let number, number < 65_536 {
            return Finding(
                name, .warning, "the unit says LimitNOFILE=\(number)", why: "each session takes two",
                fix: Finding.unit("LimitNOFILE=1048576"))
        }
        guard let value else {
            return Finding(
                name, .warning, "the unit has no LimitNOFILE=", why: "systemd's own limit may be low",
                fix: Finding.unit("LimitNOFILE=1048576"))
        }
        return Finding(name, .ok, "the unit says LimitNOFILE=\(value)")
    }

    static func systemDescriptors(_ machine: Machine) -> Finding {
        let name = "open files"
        guard let each = machine.setting("fs.nr_open"), let all = machine.setting("fs.file-max") else {
            return Finding(name, .unseen, "fs.nr_open and fs.file-max may not be read")
        }
        let used = machine.text(Machine.settingPath("fs.file-nr"))?.split(whereSeparator: \.isWhitespace)
            .first
        let open = used.flatMap { Int($0) } ?? 0
        // file-max is as good as endless where nobody has set it.
        let most = all > 1 << 40 ? "no limit" : Human.count(all)
        let seen = "fs.nr_open \(Human.count(each)), fs.file-max \(most), open \(Human.count(open))"
        let needed = descriptorsNeeded(machine)
        if open >= all / 10 * 8 {
            return Finding(
                name, .problem, seen, why: "the whole system is about to have no more",
                fix: Finding.settings("fs.file-max=\(max(all * 2, needed * 4))"))
        }
        if each < needed || all < needed {
            return Finding(
                name, .warning, seen, why: "the edge may want \(Human.count(needed))",
                fix: Finding.settings(
                    "fs.nr_open=\(max(each, 1_048_576))", "fs.file-max=\(max(all, needed * 4))"))
        }
        return Finding(name, .ok, seen)
    }

    static func pipes(_ machine: Machine) -> Finding {
        guard let pages = machine.setting("fs.pipe-user-pages-soft") else {
            return Finding("pipes", .unseen, "fs.pipe-user-pages-soft may not be read")
        }
        let seen = "fs.pipe-user-pages-soft \(Human.count(pages))" + (pages == 0 ? " (no limit)" : "")
        let user = machine.field("Uid", in: "edge:status")
        // A pipe of the edge's has 1 MiB. Root is not limited; a new pipe of a user beyond the limit has two
        // pages.
        guard pages != 0, user != 0, pages < 65_536 else { return Finding("pipes", .ok, seen) }
        return Finding(
            "pipes", .warning, seen,
            why:
                "one user's large pipes end at \(Human.count(pages / 256)); more bulk goes in small steps",
            fix: Finding.settings("fs.pipe-user-pages-soft=0"))
    }

    static func lockedMemory(_ machine: Machine) -> Finding {
        let name = "locked memory"
        guard let limit = machine.limit("Max locked memory") else {
            return Finding(
                name, machine.edge == nil ? .ok : .unseen, "no edge whose RLIMIT_MEMLOCK could be seen")
        }
        let seen = "RLIMIT_MEMLOCK " + (limit.soft.map { Human.longBytes(Double($0)) } ?? "unlimited")
        // From 5.12 on a ring's memory is counted with the control group's instead.
        guard let soft = limit.soft, soft < 8 << 20, machine.kernel < (5, 12) else {
            return Finding(name, .ok, seen)
        }
        return Finding(
            name, .warning, seen, why: "kernels before 5.12 count rings as locked memory",
            fix: Finding.unit("LimitMEMLOCK=64M"))
    }
}
