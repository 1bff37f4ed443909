import Linux
import Testing
import YardKit

@Suite struct DoctorTests {
    /// A machine on which nothing hurts.
    private static func healthy() throws -> Machine {
        var machine = Machine()
        machine.status = try YardFixtures.answer("status")
        machine.isRoot = true
        machine.processes = [
            .init(identifier: 1, name: "systemd"), .init(identifier: 4711, name: "switchyard"),
        ]
        machine.socketOwners = [700: .init(identifier: 4711, name: "switchyard")]
        machine.texts = [
            "edge:limits": """
            Limit                     Soft Limit           Hard Limit           Units
            Max open files            1048576              1048576              files
            Max locked memory         8388608              8388608              bytes

            """,
            "edge:status": "Name:\tswitchyard\nUid:\t999\t999\t999\t999\nVmSwap:\t       0 kB\n",
            "cgroup:memory.max": "max\n", "cgroup:cpu.max": "max 100000\n",
            "/proc/net/tcp":
                "  sl  local_address\n   0: 00000000:01BB 00000000:0000 0A 0:0 0:0 0 999 0 700 1\n",
            "/proc/net/sockstat": "sockets: used 31\nTCP: inuse 9 orphan 0 tw 120 alloc 10 mem 1\n",
            "/proc/net/netstat": "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 0 0\n",
            "/proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n",
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
            "configuration": "listen tls 0.0.0.0:443\n",
        ]
        set(&machine, "fs.nr_open", "1048576")
        set(&machine, "fs.file-max", "9223372036854775807")
        set(&machine, "fs.file-nr", "30000\t0\t9223372036854775807")
        set(&machine, "fs.pipe-user-pages-soft", "0")
        set(&machine, "net.core.somaxconn", "65535")
        set(&machine, "net.ipv4.ip_local_port_range", "10240\t65535")
        set(&machine, "net.ipv4.tcp_tw_reuse", "1")
        set(&machine, "net.ipv4.tcp_max_tw_buckets", "262144")
        set(&machine, "net.ipv4.tcp_max_syn_backlog", "65535")
        set(&machine, "net.ipv4.tcp_syncookies", "1")
        set(&machine, "kernel.osrelease", "6.12.0-amd64")
        set(&machine, "kernel.io_uring_disabled", "0")
        set(&machine, "vm.overcommit_memory", "0")
        machine.files = ["/etc/switchyard/routes.d": FileFacts(mode: 0o040_755, user: 0, byteCount: 4096)]
        return machine
    }

    private static func set(_ machine: inout Machine, _ name: String, _ value: String) {
        machine.texts["/proc/sys/" + name.split(separator: ".").joined(separator: "/")] = value + "\n"
    }

    private static func finding(_ name: String, _ change: (inout Machine) -> Void) throws -> Finding {
        var machine = try healthy()
        change(&machine)
        return try #require(Doctor.findings(machine).first { $0.name == name })
    }

    @Test func `On a healthy machine all is well`() throws {
        let findings = Doctor.findings(try Self.healthy())
        for finding in findings { #expect(finding.verdict == .ok, "\(finding)") }
        try YardFixtures.expect(
            Doctor.lines(findings, style: Style(hasColours: false, width: 80)), "doctor-healthy")
    }

    @Test func `Of a machine that hides everything the doctor says so, and never that all is well`() throws {
        let findings = Doctor.findings(Machine())
        #expect(findings.count { $0.verdict == .unseen } > 10)
        #expect(!findings.contains { $0.verdict == .problem })
    }

    /// A check, a setting that makes it speak, and how loud.
    private static let settings: [(String, String, String, Finding.Verdict)] = [
        ("open files", "fs.nr_open", "65536", .warning),
        ("open files", "fs.file-max", "31000", .problem),
        ("backlog", "net.core.somaxconn", "128", .problem),
        ("backlog", "net.ipv4.tcp_max_syn_backlog", "512", .warning),
        ("syn cookies", "net.ipv4.tcp_syncookies", "0", .problem),
        ("port range", "net.ipv4.ip_local_port_range", "32768 60000", .warning),
        ("port range", "net.ipv4.ip_local_port_range", "50000 51000", .problem),
        ("port range", "net.ipv4.ip_local_port_range", "nonsense", .unseen),
        ("time wait", "net.ipv4.tcp_tw_reuse", "0", .warning),
        ("time wait", "net.ipv4.tcp_max_tw_buckets", "4096", .warning),
        ("conntrack", "net.netfilter.nf_conntrack_max", "65536", .warning),
        ("pipes", "fs.pipe-user-pages-soft", "16384", .warning),
        ("memory", "vm.overcommit_memory", "2", .warning),
    ]

    @Test(arguments: settings)
    func `A setting that hurts is named with the line to type`(
        name: String, setting: String, value: String, verdict: Finding.Verdict
    ) throws {
        let finding = try Self.finding(name) { Self.set(&$0, setting, value) }
        #expect(finding.verdict == verdict, "\(finding)")
        if verdict != .unseen {
            #expect(!finding.why.isEmpty)
            #expect(finding.fix.contains { $0.contains("sysctl.d") }, "\(finding)")
        }
    }

    @Test func `A full tracking table is a problem`() throws {
        let finding = try Self.finding("conntrack") {
            Self.set(&$0, "net.netfilter.nf_conntrack_max", "262144")
            Self.set(&$0, "net.netfilter.nf_conntrack_count", "262100")
        }
        #expect(finding.verdict == .problem)
        let dropped = try Self.finding("conntrack") {
            Self.set(&$0, "net.netfilter.nf_conntrack_max", "262144")
            $0.texts["/proc/net/stat/nf_conntrack"] = "entries  searched drop\n00000001 00000000 0000001f\n"
        }
        #expect(dropped.seen.contains("31 dropped"))
    }

    @Test func `A foreign process on the edge's port is named`() throws {
        let nginx = Machine.Process(identifier: 88, name: "nginx")
        let running = try Self.finding("ports") {
            $0.processes.append(nginx)
            $0.socketOwners[700] = nginx
        }
        #expect(running.verdict == .warning)
        #expect(running.seen.contains("nginx (88) on 443"))
        let stopped = try Self.finding("ports") {
            $0.status = .null
            $0.processes = [nginx]
            $0.socketOwners[700] = nginx
        }
        #expect(stopped.verdict == .problem)
    }

    @Test func `Everything that is wrong at once is as the golden file has it`() throws {
        var machine = try Self.healthy()
        machine.status = try YardFixtures.answer("status-failed")
        for (_, setting, value, verdict) in Self.settings where verdict != .unseen {
            Self.set(&machine, setting, value)
        }
        Self.set(&machine, "kernel.io_uring_disabled", "2")
        machine.status = .object(
            machine.status.members.map {
                $0.name == "io" ? JSONMember(name: "io", value: .string("epoll")) : $0
            })
        machine.texts["edge:limits"] = "Max open files            1024   1024  files\n"
        machine.texts["/proc/net/netstat"] = "TcpExt: ListenOverflows ListenDrops\nTcpExt: 17 19\n"
        machine.texts["cgroup:memory.max"] = "67108864\n"
        machine.texts["/sys/kernel/mm/transparent_hugepage/enabled"] = "[always] madvise never\n"
        machine.clockIsSynchronised = false
        machine.processes += (0..<3).map { .init(identifier: 100 + $0, name: "docker-proxy") }
        machine.files["/etc/switchyard/routes.d"]?.mode = 0o040_777
        machine.logPath = "/var/log/switchyard.log"
        machine.files["/var/log/switchyard.log"] = FileFacts(mode: 0o100_640, user: 0, byteCount: 5 << 30)
        let findings = Doctor.findings(machine)
        try YardFixtures.expect(
            Doctor.lines(findings, style: Style(hasColours: false, width: 80)), "doctor-ill")
        try YardFixtures.expect([Doctor.json(findings).line], "doctor-ill-json")
        #expect(findings.count { $0.verdict == .ok } < 5)
    }

    @Test func `This machine can be looked at`() {
        let findings = Doctor.findings(Machine.read(status: .null, statusError: "not asked"))
        #expect(findings.count > 15)
    }
}
