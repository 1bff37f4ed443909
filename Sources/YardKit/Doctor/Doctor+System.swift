/// Memory, processors, time.
extension Doctor {
    static func ring(_ machine: Machine) -> Finding {
        let kernel = machine.text(Machine.settingPath("kernel.osrelease")) ?? "unknown"
        let disabled = machine.setting("kernel.io_uring_disabled") ?? 0
        let used = machine.status["io"].text
        let seen =
            (used.map { "the edge uses \($0); " } ?? "") + "kernel \(kernel)"
            + (disabled > 0 ? ", kernel.io_uring_disabled \(disabled)" : "")
        if used?.contains("ring") == true { return Finding("io_uring", .ok, seen) }
        let cost = "epoll serves as well, and costs some more for each session"
        if machine.kernel > (0, 0), machine.kernel < (6, 1) {
            return Finding("io_uring", .warning, seen, why: "it needs kernel 6.1; \(cost)")
        }
        if disabled > 0 {
            return Finding(
                "io_uring", .warning, seen, why: cost, fix: Finding.settings("kernel.io_uring_disabled=0"))
        }
        guard used != nil else { return Finding("io_uring", .ok, seen) }
        let isAsked = (machine.texts["configuration"] ?? "").split(separator: "\n").contains {
            $0.split(separator: " ").prefix(2) == ["io", "epoll"]
        }
        return Finding(
            "io_uring", isAsked ? .ok : .warning, seen,
            why: isAsked ? "" : "a seccomp filter may forbid it; \(cost)",
            fix: isAsked ? [] : ["journalctl -u switchyard | grep 'io auto'      # says why"])
    }

    static func hugePages(_ machine: Machine) -> Finding {
        let path = "/sys/kernel/mm/transparent_hugepage/enabled"
        guard let text = machine.text(path), let open = text.firstIndex(of: "["),
            let end = text.firstIndex(of: "]"),
            open < end
        else { return Finding("huge pages", .unseen, "\(path) may not be read") }
        let mode = String(text[text.index(after: open)..<end])
        let seen = "transparent huge pages: \(mode)"
        guard mode == "always" else { return Finding("huge pages", .ok, seen) }
        return Finding(
            "huge pages", .warning, seen,
            why: "a session's little memory may take 2 MiB pages; the edge asks itself",
            fix: ["echo madvise | sudo tee \(path)"])
    }

    static func memory(_ machine: Machine) -> Finding {
        guard let total = machine.field("MemTotal", in: "/proc/meminfo"),
            let available = machine.field("MemAvailable", in: "/proc/meminfo")
        else { return Finding("memory", .unseen, "/proc/meminfo may not be read") }
        let swapped = machine.field("VmSwap", in: "edge:status") ?? 0
        let overcommit = machine.setting("vm.overcommit_memory") ?? 0
        let seen =
            "\(Human.longBytes(Double(available) * 1024)) of "
            + "\(Human.longBytes(Double(total) * 1024)) available"
            + (overcommit == 2 ? ", vm.overcommit_memory 2" : "")
            + (swapped > 0 ? ", \(Human.longBytes(Double(swapped) * 1024)) of the edge swapped out" : "")
        if overcommit == 2 {
            return Finding(
                "memory", .warning, seen,
                why: "the edge reserves its largest size at start, and takes it when needed",
                fix: Finding.settings("vm.overcommit_memory=0"))
        }
        if available * 20 < total {
            return Finding(
                "memory", .problem, seen, why: "the kernel will end processes",
                fix: ["ps -eo rss,comm --sort -rss | head"])
        }
        if swapped > 0 {
            return Finding(
                "memory", .warning, seen, why: "a worker that waits for the disk lets all its sessions wait",
                fix: Finding.unit("MemorySwapMax=0"))
        }
        return Finding("memory", .ok, seen)
    }

    static func controlGroup(_ machine: Machine) -> Finding {
        let name = "unit limits"
        guard machine.edge != nil else { return Finding(name, .unseen, "no edge runs") }
        var limits: [String] = []
        var fix: [String] = []
        if let bytes = machine.number("cgroup:memory.max") {
            limits.append("memory at most \(Human.longBytes(Double(bytes)))")
            if bytes < 256 << 20 { fix += Finding.unit("MemoryMax=infinity") }
        }
        let quota = (machine.text("cgroup:cpu.max") ?? "max").split(separator: " ").compactMap { Double($0) }
        if quota.count == 2 {
            limits.append("at most \(Human.fixed(quota[0] / quota[1], 1)) processors")
            if quota[0] / quota[1] < (machine.status["workers"].double ?? 1) {
                fix += Finding.unit("CPUQuota=")
            }
        }
        let seen = limits.isEmpty ? "no limit of memory or processors" : limits.joined(separator: ", ")
        return Finding(
            name, fix.isEmpty ? .ok : .warning, seen,
            why: fix.isEmpty ? "" : "less than the workers and a full table of sessions may want", fix: fix)
    }

    static func clock(_ machine: Machine) -> Finding {
        let source =
            machine.text("/sys/devices/system/clocksource/clocksource0/current_clocksource") ?? "unknown"
        let step = machine.clockIsSynchronised ? "in step with others" : "not kept in step with others"
        let seen = "\(step), source \(source)"
        if ["hpet", "acpi_pm", "jiffies"].contains(source) {
            return Finding(
                "clock", .warning, seen,
                why: "reading this clock is a slow call, and workers read it each turn",
                fix: ["dmesg | grep -i clocksource      # why not tsc"])
        }
        guard machine.clockIsSynchronised else {
            return Finding(
                "clock", .warning, seen, why: "the log's times cannot be compared with another machine's",
                fix: ["sudo timedatectl set-ntp true"])
        }
        return Finding("clock", .ok, seen)
    }
}
