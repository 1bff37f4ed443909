"""What the kernel says about the machine and about processes: CPU time, memory, descriptors, connection tracking."""

import atexit
import os
import platform
import socket
import sys
import time


def tree(pid):
    """The process and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        member = queue.pop()
        found.append(member)
        queue += children.get(member, [])
    return found


def cpu_seconds(pid):
    """User and system time of the whole tree.

    schedstat has nanoseconds but forgets threads that ended; stat has ticks and remembers them, and also children
    that were waited for. The finer one is used unless the coarser shows that something is missing from it.
    """
    tick = os.sysconf("SC_CLK_TCK")
    fine = coarse = 0.0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            coarse += sum(int(field) for field in fields[11:15]) / tick
            for task in os.listdir(f"/proc/{member}/task"):
                with open(f"/proc/{member}/task/{task}/schedstat") as file:
                    fine += int(file.read().split()[0]) / 1e9
        except OSError:
            continue
    return fine if fine and coarse - fine < 0.05 else coarse


def memory_bytes(pid):
    """Memory of the whole tree: proportional (shared pages counted once) and resident."""
    sums = {"Pss": 0, "Rss": 0}
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup") as file:
                for line in file:
                    key, _, rest = line.partition(":")
                    if key in sums:
                        sums[key] += int(rest.split()[0]) * 1024
        except OSError:
            continue
    return sums


def descriptor_count(pid):
    return sum(len(os.listdir(f"/proc/{member}/fd")) for member in tree(pid))


def descriptor_kinds(pid):
    """How many of the tree's descriptors are sockets, pipe ends, and anything else."""
    kinds = {"socket": 0, "pipe": 0, "other": 0}
    for member in tree(pid):
        for descriptor in os.listdir(f"/proc/{member}/fd"):
            try:
                kind = os.readlink(f"/proc/{member}/fd/{descriptor}").partition(":")[0]
            except OSError:
                continue  # closed meanwhile
            kinds[kind if kind in kinds else "other"] += 1
    return kinds


def facts():
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {"kernel": platform.release(), "cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(),
            "load_average": os.getloadavg(), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


class StolenTime:
    """The share of the machine's time that the hypervisor gave to others: a noisy neighbour shows here, and only here."""

    def __init__(self):
        self.began = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
        return sum(fields), fields[7]

    def share(self):
        total, stolen = (now - then for now, then in zip(self._read(), self.began))
        return stolen / total if total else 0.0


class ConnectionTracking:
    """Docker's NAT rules switch tracking on, for loopback too. It costs a part of each connection, and a full table
    drops SYNs, which shows as latencies of a second: figures from such a run mean nothing."""

    def __init__(self):
        self.restored = None
        self.active = self._is_active()
        self.drops = self._drops()

    @staticmethod
    def _number(name):
        try:
            with open(f"/proc/sys/net/netfilter/{name}") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def _is_active(self):
        # The module may be loaded without any rule that uses it, so the count is asked before and after.
        before = self._number("nf_conntrack_count")
        if before is None:
            return False
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            held = [socket.create_connection(listener.getsockname()) for _ in range(48)]
            after = self._number("nf_conntrack_count")
            for client in held:
                client.close()
        return after - before >= 24

    @staticmethod
    def _drops():
        try:
            with open("/proc/net/stat/nf_conntrack") as file:
                header, *rows = [line.split() for line in file]
        except (OSError, ValueError):
            return 0
        wanted = [header.index(name) for name in ("drop", "early_drop") if name in header]
        return sum(int(row[column], 16) for row in rows for column in wanted)

    def prepare(self):
        """Says so when tracking is on, and makes the table large enough where it may; undone at the end."""
        if not self.active:
            return
        limit = self._number("nf_conntrack_max")
        print(f"warning: connection tracking is on ({self._number('nf_conntrack_count')} of {limit} entries): "
              "every router pays 10-15 % more a connection", file=sys.stderr)
        if limit < 1048576:
            try:
                with open("/proc/sys/net/netfilter/nf_conntrack_max", "w") as file:
                    file.write("1048576")
                self.restored = limit
                atexit.register(self._restore)
                print("nf_conntrack_max raised to 1048576 for this run", file=sys.stderr)
            except OSError as error:
                print(f"warning: nf_conntrack_max stays at {limit}: {error}", file=sys.stderr)

    def _restore(self):
        with open("/proc/sys/net/netfilter/nf_conntrack_max", "w") as file:
            file.write(str(self.restored))

    def overflowed(self):
        return self._drops() > self.drops
