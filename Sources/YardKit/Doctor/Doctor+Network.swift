/// What the kernel does with connections before and beside the edge.
extension Doctor {
    static func backlog(_ machine: Machine) -> Finding {
        guard let queue = machine.setting("net.core.somaxconn") else {
            return Finding("backlog", .unseen, "net.core.somaxconn may not be read")
        }
        let half = machine.setting("net.ipv4.tcp_max_syn_backlog")
        let seen =
            "net.core.somaxconn \(Human.count(queue)), tcp_max_syn_backlog "
            + (half.map(Human.count) ?? "not seen")
        guard queue < 4096 || (half ?? 4096) < 1024 else { return Finding("backlog", .ok, seen) }
        return Finding(
            "backlog", queue < 1024 ? .problem : .warning, seen,
            why: "a rush of new connections overflows the queue, and clients wait 1 s for their next try",
            fix: Finding.settings("net.core.somaxconn=65535", "net.ipv4.tcp_max_syn_backlog=65535"))
    }

    static func synCookies(_ machine: Machine) -> Finding {
        guard let value = machine.setting("net.ipv4.tcp_syncookies") else {
            return Finding("syn cookies", .unseen, "net.ipv4.tcp_syncookies may not be read")
        }
        guard value == 0 else { return Finding("syn cookies", .ok, "net.ipv4.tcp_syncookies \(value)") }
        return Finding(
            "syn cookies", .problem, "net.ipv4.tcp_syncookies 0",
            why: "a flood of SYNs from forged addresses shuts everybody out",
            fix: Finding.settings("net.ipv4.tcp_syncookies=1"))
    }

    static func listenOverflows(_ machine: Machine) -> Finding {
        let name = "overflows"
        guard let overflows = machine.networkCounter("ListenOverflows") else {
            return Finding(name, .unseen, "/proc/net/netstat may not be read")
        }
        let drops = machine.networkCounter("ListenDrops") ?? 0
        let seen =
            "ListenOverflows \(Human.count(overflows)), ListenDrops \(Human.count(drops)) since the boot"
        guard overflows > 0 else { return Finding(name, .ok, seen) }
        return Finding(
            name, .warning, seen,
            why: "some listener (of any program) was full and connections were dropped; does it still grow?",
            fix: [
                "nstat -z TcpExtListenOverflows TcpExtListenDrops",
                "yard stats      # accept_paused, cpu_seconds",
            ])
    }

    static func connectionTracking(_ machine: Machine) -> Finding {
        let name = "conntrack"
        let path = Machine.settingPath("net.netfilter.nf_conntrack_max")
        guard let most = machine.number(path) else { return Finding(name, .ok, "no connection tracking") }
        let count = machine.setting("net.netfilter.nf_conntrack_count") ?? 0
        let drops = trackingDrops(machine)
        let seen =
            "\(Human.count(count)) of \(Human.count(most)) entries"
            + (drops > 0 ? ", \(Human.count(drops)) dropped since the boot" : "")
        let more = Finding.settings("net.netfilter.nf_conntrack_max=\(max(1_048_576, most * 2))")
        if count * 10 >= most * 8 {
            return Finding(
                name, .problem, seen, why: "a full table drops connections: clients see delays of 1, 3, 7 s",
                fix: more)
        }
        if drops > 0 {
            return Finding(name, .warning, seen, why: "the table was full at some time", fix: more)
        }
        // Each session is two connections, and a closed one stays for two minutes.
        let sessions = machine.status["connections_max"].integer ?? 100_000
        if most < sessions * 2 {
            return Finding(
                name, .warning, seen,
                why:
                    "\(Human.count(sessions)) sessions take two entries each; closed ones stay two minutes",
                fix: more)
        }
        if count > 0 {
            let rules = machine.ports.map { "sudo nft add rule inet switchyard pre tcp dport \($0) notrack" }
            return Finding(
                name, .warning, seen,
                why: "tracking costs a tenth of a connection; the edge needs none (docker does)",
                fix: [
                    "sudo nft add table inet switchyard",
                    "sudo nft 'add chain inet switchyard pre { type filter hook prerouting priority raw; }'",
                ] + rules)
        }
        return Finding(name, .ok, seen)
    }

    /// The column `drop` of /proc/net/stat/nf_conntrack, summed over the processors; hexadecimal.
    private static func trackingDrops(_ machine: Machine) -> Int {
        let lines = (machine.texts["/proc/net/stat/nf_conntrack"] ?? "").split(separator: "\n")
        guard let at = lines.first?.split(separator: " ").firstIndex(of: "drop") else { return 0 }
        return lines.dropFirst().reduce(0) { sum, line in
            let words = line.split(separator: " ")
            return sum + (at < words.count ? Int(words[at], radix: 16) ?? 0 : 0)
        }
    }

    private static func portCount(_ machine: Machine) -> (low: Int, high: Int)? {
        let words = machine.text(Machine.settingPath("net.ipv4.ip_local_port_range"))?
            .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard let words, words.count == 2, words[0] <= words[1] else { return nil }
        return (words[0], words[1])
    }

    static func portRange(_ machine: Machine) -> Finding {
        let name = "port range"
        guard let range = portCount(machine) else {
            return Finding(name, .unseen, "net.ipv4.ip_local_port_range may not be read")
        }
        let count = range.high - range.low + 1
        let seen =
            "\(range.low)–\(range.high): \(Human.count(count)) sessions to one target's address and port"
        guard count < 28_000 else { return Finding(name, .ok, seen) }
        return Finding(
            name, count < 10_000 ? .problem : .warning, seen,
            why: "then connects fail with EADDRNOTAVAIL; those in TIME_WAIT count, too",
            fix: Finding.settings("net.ipv4.ip_local_port_range=10240 65535"))
    }

    static func timeWait(_ machine: Machine) -> Finding {
        let name = "time wait"
        guard let most = machine.setting("net.ipv4.tcp_max_tw_buckets"),
            let reuse = machine.setting("net.ipv4.tcp_tw_reuse")
        else { return Finding(name, .unseen, "net.ipv4.tcp_max_tw_buckets may not be read") }
        let words = (machine.texts["/proc/net/sockstat"] ?? "").split(whereSeparator: \.isWhitespace)
        let count =
            words.firstIndex(of: "tw").flatMap { $0 + 1 < words.count ? Int(words[$0 + 1]) : nil } ?? 0
        let overflows = machine.networkCounter("TCPTimeWaitOverflow") ?? 0
        let seen =
            "\(Human.count(count)) sockets of \(Human.count(most)), tcp_tw_reuse \(reuse)"
            + (overflows > 0 ? ", \(Human.count(overflows)) overflowed" : "")
        let ports = portCount(machine).map { $0.high - $0.low + 1 } ?? 28_232
        if count > ports / 2, reuse != 1 {
            return Finding(
                name, .warning, seen, why: "they hold ports that new connections to targets need",
                fix: Finding.settings("net.ipv4.tcp_tw_reuse=1"))
        }
        if reuse == 0 {
            return Finding(
                name, .warning, seen, why: "a port to a target is blocked for a minute after each session",
                fix: Finding.settings("net.ipv4.tcp_tw_reuse=1"))
        }
        if overflows > 0 || most < 16_384 {
            return Finding(
                name, .warning, seen, why: "beyond the limit, connections are forgotten before their time",
                fix: Finding.settings("net.ipv4.tcp_max_tw_buckets=262144"))
        }
        return Finding(name, .ok, seen)
    }

    static func dockerProxy(_ machine: Machine) -> Finding {
        let name = "docker proxy"
        let count = machine.processes.count { $0.name == "docker-proxy" }
        guard count > 0 else { return Finding(name, .ok, "none runs") }
        return Finding(
            name, .warning, Human.number(count, "process", "processes"),
            why:
                "published ports go through a copying process; let routes name the containers' own addresses",
            fix: [
                "# /etc/docker/daemon.json"
                    + (machine.texts["/etc/docker/daemon.json"] == nil ? "" : " (add the key)"),
                "{ \"userland-proxy\": false }", "sudo systemctl restart docker",
            ])
    }
}
