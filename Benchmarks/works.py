"""The kinds of work in the race, and how one sample of each is taken.

A sample is a dictionary: router, kind, round; `figure`, the number that counts for this kind; `wrong`, the sessions that
did not end as they should; and what else was seen. Figures of one round are compared with each other and with no other.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import harness
import machine
from harness import Failed
from routers import Router


@dataclasses.dataclass(frozen=True)
class Kind:
    title: str
    unit: str  # of the figure
    digits: int = 1


KINDS = {
    "short": Kind("Short connections: hello in, 1 KiB out, close", "µs of CPU each"),
    "hello-pq": Kind("Short connections with a post-quantum hello of 1,800 bytes", "µs of CPU each"),
    "roundtrip": Kind("64-byte round trips, 32 sessions", "µs of CPU each"),
    "bulk": Kind("Bulk down, 8 streams", "ms of CPU per GiB", 0),
    "bulk-up": Kind("Bulk up, 8 streams", "ms of CPU per GiB", 0),
    "tls": Kind("Real TLS 1.3 handshakes with a small request, at a fixed rate", "µs of CPU each"),
    "idle": Kind("Idle sessions", "bytes of memory each", 0),
    "slow": Kind("Slow hellos beside normal traffic", "p99 with / p99 without", 2),
    "names": Kind("Size of the table", "CPU at the largest / at the smallest", 3),
}

# `direct` is no router: the TLS client talks to the server itself, to show what is not a router's doing.
ROUTERS = ["haproxy", "haproxy-splice", "nginx", "sniproxy", "relay", "edge", "edge-uring"]
DIRECT = "direct"


@dataclasses.dataclass
class Scale:
    """How much of each work one sample is made of."""

    short_seconds: float = 2.5
    post_quantum_seconds: float = 1.5
    messages: int = 2000
    bulk: str = "256M"
    idle_sessions: int = 4000
    tls_seconds: float = 3
    tls_rate: int = 300
    slow_clients: int = 5000
    slow_interval: float = 1.0
    normal_rate: int = 2000
    normal_seconds: float = 0.8
    normal_runs: int = 5
    table_sizes: tuple = (1000, 100_000, 1_000_000)
    table_seconds: float = 0.5
    table_passes: int = 2
    # Kinds that are slow to measure, or hardly vary, have no more than so many rounds.
    rounds_most: dict = dataclasses.field(default_factory=lambda: {"idle": 3, "slow": 5})
    rounds_least: int = 3  # even when the time is up


QUICK = Scale(short_seconds=0.7, post_quantum_seconds=0.5, messages=400, bulk="128M", idle_sessions=1000, tls_seconds=1,
              tls_rate=200, slow_clients=2000, normal_seconds=0.5, normal_runs=3, normal_rate=1000, table_seconds=0.4, table_passes=1,
              rounds_most={"idle": 1, "slow": 1, "names": 1}, rounds_least=1)


def applies(router, kind):
    """haproxy's `option splice-auto` decides stream by stream and may decide never to; haproxy-splice is the same
    haproxy told to splice always. That differs for bulk only. sniproxy ends both ways when the client ends one, so
    an upload, which is acknowledged after the client's end of stream, cannot succeed through it. Tables of a million
    names are the edge's own promise: the others are given the table that they can hold."""
    if router == DIRECT:
        return kind == "tls"
    if router == "haproxy-splice":
        return kind.startswith("bulk")
    if kind == "names":
        return router.startswith("edge")
    return not (router == "sniproxy" and kind == "bulk-up")


def cores(workers, pin):
    """The routers' cores, those of load and backend, and how many threads the load may have.

    By default they are kept apart: where they share, it is the scheduler's choice of the minute whether a router is
    woken on the core where its bytes are in the cache, and whether it runs beside the load or in turns with it. Both
    change what is charged to it. Apart, every router gets the same conditions in every round, and 'busy' says how
    much of its core it used; the price is that on two cores load and backend share one and are often the brake, so
    the rates say less than the CPU times.
    """
    everything = sorted(os.sched_getaffinity(0))
    if pin == "none" or len(everything) < 2:
        return None, None, 1
    if workers >= len(everything):
        print("warning: not enough cores to keep the routers apart from the load; nothing is pinned", file=sys.stderr)
        return None, None, 1
    router, others = everything[-workers:], everything[:-workers]
    return set(router), set(others), max(1, len(others) // 2)


class Field:
    """Backends, routers with one table each, and the load between them."""

    def __init__(self, options, scale):
        self.options, self.scale = options, scale
        self.router_cpus, self.load_cpus, self.load_threads = cores(options.workers, options.pin)
        self.addresses = [harness.backend_address(index) for index in range(options.backends)]
        self.backend_port = harness.free_port(self.addresses)
        self.tls_port = None
        self.running = {}  # by group ("plain", "tls", or a table size) and name
        self.commands = {}  # one example of each kind's load, for the report

    # ---- what runs -------------------------------------------------------------------------------------------

    def start_backend(self):
        self.backend = harness.start_backend(self.options.backends, self.backend_port, self.load_cpus, self.load_threads)

    def new_router(self, name, names=None, port=None):
        routes = harness.static_routes(names or self.options.names, self.options.backends, port or self.backend_port)
        return Router(name, routes, self.options.workers, self.router_cpus, self.options.edge_path)

    def start_router(self, group, name, **more):
        router = self.new_router(name, **more)
        began = time.monotonic()
        router.start()
        router.start_seconds = time.monotonic() - began
        router.routes = None  # a list of a million names is not needed any more
        self.running[group, name] = router

    def start_tls(self, names):
        harness.build_peers("tls")
        directory = harness.scratch_directory()
        self.certificate, key = os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem")
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                               "-days", "30", "-subj", "/CN=benchmark", "-keyout", key, "-out", self.certificate],
                              capture_output=True, text=True)
        if made.returncode != 0:
            raise Failed("openssl made no certificate:\n" + made.stderr)
        self.tls_port = harness.free_port(self.addresses)
        self.tls_server = harness.start(
            harness.with_options([os.path.join(harness.BIN, "tls"), "serve"], {
                "at": harness.backend_range(self.options.backends, self.tls_port), "certificate": self.certificate,
                "key": key, "workers": self.load_threads}), self.load_cpus)
        harness.wait_for_port(self.addresses[-1], self.tls_port, self.tls_server)
        for name in names:
            self.start_router("tls", name, port=self.tls_port)

    def start_tables(self, names):
        for size in self.scale.table_sizes:
            for name in names:
                self.start_router(size, name, names=size)

    def stop(self):
        for router in self.running.values():
            router.stop()

    def check(self):
        harness.check_backend(self.backend, self.options.backends, self.backend_port)
        for (group, name), router in self.running.items():
            if router.process.poll() is not None:
                raise Failed(f"{name} ({group}) ended with status {router.process.returncode}; its log ends:\n{router.said()}")

    # ---- load ------------------------------------------------------------------------------------------------

    def note(self, kind, command):
        text = " ".join(command).replace(harness.BIN, "Benchmarks/bin")
        if kind == "tls":
            text = text.replace(os.path.dirname(self.certificate) + "/", "")
        self.commands.setdefault(kind, text)

    def command(self, kind, work, port, names=None, hello=None, **more):
        command = harness.load_command(
            work, port, names=names or self.options.names, hello=hello or self.options.hello, threads=self.load_threads,
            backends=harness.backend_range(self.options.backends, self.backend_port), **{"from": harness.SOURCES}, **more)
        self.note(kind, command)
        return command

    def spend(self, router, command):
        """Runs one load. What it reported, the CPU seconds that the router spent on it, and over how long."""
        before, began = machine.cpu_seconds(router.process.pid), time.monotonic()
        report = harness.run_client(command, self.load_cpus)
        elapsed = time.monotonic() - began
        time.sleep(0.1)  # what the router still does for the last sessions belongs to them
        return report, machine.cpu_seconds(router.process.pid) - before, elapsed

    def warm_up(self):
        for (group, name), router in self.running.items():
            if group == "tls":
                self.tls(router, seconds=0.3)
            else:
                names = self.options.names if group == "plain" else group
                self.spend(router, self.command("warm-up", "short", router.port, names=names, seconds=0.3,
                                                concurrency=self.options.concurrency))

    # ---- samples ---------------------------------------------------------------------------------------------

    def sample(self, kind, name, turn):
        if kind == "idle":
            return self.idle(name)
        if kind == "slow":
            return self.slow(self.running["plain", name], turn)
        if kind == "names":
            return self.names(name, turn)
        if kind == "tls":
            return self.tls(self.running.get(("tls", name)), self.scale.tls_seconds)
        return self.work(self.running["plain", name], kind)

    def work(self, router, kind):
        scale, port = self.scale, router.port
        if kind == "roundtrip":
            command = self.command(kind, "roundtrip", port, concurrency=32, messages=scale.messages)
            units, factor = lambda report: report["messages"], 1e6
        elif kind.startswith("bulk"):
            up = kind == "bulk-up"
            command = self.command(kind, "bulk", port, concurrency=8, bytes=scale.bulk, direction="up" if up else "down",
                                   no_check=True)
            units, factor = lambda report: report["bytes_up" if up else "bytes_down"] / 2**30, 1e3
        else:
            post_quantum = kind == "hello-pq"
            command = self.command(kind, "short", port, concurrency=self.options.concurrency,
                                   hello="1800" if post_quantum else None,
                                   seconds=scale.post_quantum_seconds if post_quantum else scale.short_seconds)
            units, factor = lambda report: report["ok"], 1e6
        report, spent, elapsed = self.spend(router, command)
        return sample_of(report, units(report), spent, factor, elapsed)

    def tls(self, router, seconds):
        at = f"127.0.0.1:{router.port}" if router else harness.backend_range(self.options.backends, self.tls_port)
        command = harness.with_options([os.path.join(harness.BIN, "tls"), "connect"], {
            "at": at, "authority": self.certificate, "names": self.options.names, "from": harness.SOURCES,
            "backends": harness.backend_range(self.options.backends, self.tls_port), "seconds": seconds,
            "rate": self.scale.tls_rate, "concurrency": 64})
        if router is None:
            report = harness.run_client(command, self.load_cpus)
            return sample_of(report, report["ok"], None, 1e6, 1)
        self.note("tls" if seconds == self.scale.tls_seconds else "warm-up", command)
        report, spent, elapsed = self.spend(router, command)
        return sample_of(report, report["ok"], spent, 1e6, elapsed)

    def idle(self, name):
        """On a fresh process: memory that earlier work left in an allocator would hide the sessions' own."""
        router = self.new_router(name)
        router.start()
        try:
            at_start = machine.memory_bytes(router.process.pid)
            harness.run_client(self.command("warm-up", "short", router.port, count=200, concurrency=10), self.load_cpus)
            time.sleep(0.3)
            before = machine.memory_bytes(router.process.pid)
            sessions = self.scale.idle_sessions
            command = self.command("idle", "idle", router.port, concurrency=sessions)
            holder = harness.start(command, self.load_cpus, stdout=subprocess.PIPE, text=True)
            try:
                ready = json.loads(holder.stdout.readline() or "{}").get("ready", 0)
                time.sleep(0.5)
                after = machine.memory_bytes(router.process.pid)
            finally:
                end_client(holder)
            return {"figure": (after["Pss"] - before["Pss"]) / sessions, "start_mib": at_start["Pss"] / 2**20,
                    "start_rss_mib": at_start["Rss"] / 2**20, "wrong": sessions - ready}
        finally:
            router.stop()

    def names(self, name, turn):
        """Each size in short turns and mirrored order, so that a drift within the round cancels out: the sizes are to
        differ by a few percent at most, and the machine drifts by more than that."""
        sizes = list(self.scale.table_sizes)
        if turn % 2:
            sizes.reverse()
        spent, units, wrong = dict.fromkeys(sizes, 0.0), dict.fromkeys(sizes, 0), 0
        for size in (sizes + sizes[::-1]) * self.scale.table_passes:
            router = self.running[size, name]
            report, seconds, _ = self.spend(router, self.command(
                "names", "short", router.port, names=size, seconds=self.scale.table_seconds,
                concurrency=self.options.concurrency))
            spent[size] += seconds
            units[size] += report["ok"]
            wrong += wrong_in(report)
        each = {str(size): spent[size] * 1e6 / units[size] if units[size] else None for size in self.scale.table_sizes}
        first, last = str(self.scale.table_sizes[0]), str(self.scale.table_sizes[-1])
        started = {str(size): self.running[size, name].start_seconds for size in self.scale.table_sizes}
        return {"figure": each[last] / each[first] if each[first] and each[last] else None, "cpu": each, "wrong": wrong,
                "start_seconds": started}

    def slow(self, router, turn):
        """The same normal traffic with and without the slow clients; which comes first changes from round to round."""
        seen, wrong = {}, 0
        for trickling in ((False, True), (True, False))[turn % 2]:
            normal = self.command("slow", "short", router.port, rate=self.scale.normal_rate, concurrency=512,
                                  seconds=self.scale.normal_seconds)
            crowd = self.start_crowd(router) if trickling else None
            try:
                runs = [self.spend(router, normal) for _ in range(self.scale.normal_runs)]
            finally:
                if crowd:
                    self.end_crowd(router, crowd)
            wrong += sum(wrong_in(report) for report, _, _ in runs)
            # The run with the median p99: on a shared machine the hypervisor takes the cores away for 10 ms now and then,
            # and a run in which it did so says nothing of the router.
            runs.sort(key=lambda run: run[0]["latency_us"]["p99"])
            report, spent, elapsed = runs[len(runs) // 2]
            seen["with" if trickling else "without"] = sample_of(report, report["ok"], spent, 1e6, elapsed)
        return {"figure": seen["with"]["latency"]["p99"] / max(1, seen["without"]["latency"]["p99"]), "wrong": wrong, **seen}

    def start_crowd(self, router):
        """Slow clients, all of them connected. They yield the core to load and backend (nice): the p99 of the normal
        clients is to show what the router makes of the crowd, not what the crowd's own program costs."""
        sockets = machine.descriptor_count(router.process.pid)
        command = harness.load_command("slowhello", router.port, concurrency=self.scale.slow_clients, rate=2500,
                                       count=self.scale.slow_clients, interval=self.scale.slow_interval,
                                       names=self.options.names, **{"from": "127.0.3.1-127.0.3.50"})
        self.note("slow hellos", command)
        crowd = harness.start(command, self.load_cpus, niceness=19, stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 8
        while machine.descriptor_count(router.process.pid) < sockets + self.scale.slow_clients:
            if time.monotonic() > deadline or crowd.poll() is not None:
                held = machine.descriptor_count(router.process.pid) - sockets
                end_client(crowd)
                raise Failed(f"{router.kind} holds only {held} of {self.scale.slow_clients} slow clients")
            time.sleep(0.05)
        return crowd

    def end_crowd(self, router, crowd):
        end_client(crowd)
        deadline = time.monotonic() + 5
        while machine.descriptor_count(router.process.pid) > self.scale.slow_clients and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)


def wrong_in(report):
    return report["lost"] + report["misrouted"] + report["corrupt"]


def sample_of(report, units, spent, factor, elapsed):
    return {"figure": spent * factor / units if units and spent is not None else None,
            "busy": spent / elapsed if spent is not None else None, "wrong": wrong_in(report),
            "rate": units / report["elapsed_s"] if report["elapsed_s"] else 0, "latency": report["latency_us"]}


def end_client(client):
    """A client that holds its sessions until it is told to go; its report must be read, or it waits for the reader."""
    client.send_signal(signal.SIGTERM)
    try:
        client.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        pass
    harness.end(client)
