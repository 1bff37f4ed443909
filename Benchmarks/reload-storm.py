#!/usr/bin/env python3
"""Reloads under full load: none of them may lose or misroute one connection.

While `load short` keeps the edge busy, its routes file is rewritten and SIGHUP sent, again and again. In generation g
every K-th name (a mover) leads to backend (i + g) modulo the number of backends; all others stay at i modulo that
number. Each generation also has one sentinel name which exists in no other.

The load and this script share two numbers in a file: the newest generation that was confirmed, and the newest that
was requested. A connection to a mover may end at any generation from the one confirmed when it connected to the one
requested when its answer came; anything else is a misroute, or *stale* when it is an older generation: a reload that
was called done while a worker still used the old table. Names that stay have one right answer.

A generation is confirmed when its sentinel answers at its backend, when the sentinel before it is refused, both seen
by several connections in a row (each lands at a worker of the kernel's choice), and when the edge has logged that
reload. Exit status: 0 when nothing was lost, misrouted, stale or corrupt, every reload took effect, the process is
the same and its memory is flat; otherwise 1.
"""

import argparse
import ctypes
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import harness
import machine
import routers
from harness import Failed


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", metavar="PATH", help="the edge's binary (default: .build/release/switchyard)")
    parser.add_argument("--router", choices=["edge", "relay"], default="edge",
                        help="relay: the plain C relay, to try this script itself")
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60, help="over which the reloads are spread (60)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--io", choices=["epoll", "io_uring"], default="epoll")
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--movers", type=int, default=2, metavar="K", help="every K-th name moves (2)")
    parser.add_argument("--backends", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0, help="connections a second (0: as many as go)")
    parser.add_argument("--memory-bound", type=float, default=4.0, metavar="MIB", help="growth that is still flat (4)")
    parser.add_argument("--log-pattern", default=r"reload|routes", metavar="REGEX",
                        help="what a line of the edge's log says for a reload; empty: do not look")
    parser.add_argument("--probes", type=int, default=0, help="probes that must agree (default: 4 for each worker)")
    parser.add_argument("--output", metavar="FILE", help="raw data as JSON")
    return parser.parse_args()


class LogReader(threading.Thread):
    """Counts matching lines, and keeps the log's pipe from filling up."""

    def __init__(self, stream, pattern):
        super().__init__(daemon=True)
        self.stream, self.pattern = stream, re.compile(pattern, re.IGNORECASE) if pattern else None
        self.matches, self.tail = 0, []

    def run(self):
        for line in self.stream:
            self.tail = self.tail[-19:] + [line.rstrip()]
            if self.pattern and self.pattern.search(line):
                self.matches += 1


class Storm:
    def __init__(self, options):
        self.options = options
        self.directory = harness.scratch_directory()
        self.port = harness.free_port()
        self.backend_port = harness.free_port([harness.backend_address(index) for index in range(options.backends)])
        self.routes_path = os.path.join(self.directory, "bench.routes")
        with tempfile.NamedTemporaryFile(dir=self.directory, delete=False) as file:
            file.write(bytes(16))
            self.shared_path = file.name
        with open(self.shared_path, "r+b") as file:
            self.mapped = mmap.mmap(file.fileno(), 16)
        # One aligned 8-byte store each. struct.pack_into would clear the bytes first, and the load would see it.
        self.shared = (ctypes.c_uint64 * 2).from_buffer(self.mapped)
        self.probes = options.probes or 4 * options.workers
        self.reload_times = []

    def publish(self, slot, generation):
        self.shared[slot] = generation

    def sentinel_backend(self, generation):
        return harness.backend_address(generation % self.options.backends)

    def write_routes(self, generation):
        options = self.options
        routes = []
        for index in range(options.names):
            backend = index + generation if index % options.movers == 0 else index
            routes.append((f"site{index}.example", harness.backend_address(backend % options.backends), self.backend_port))
        routes.append((f"sentinel{generation}.example", self.sentinel_backend(generation), self.backend_port))
        harness.write_file(self.routes_path, routers.edge_routes(routes))

    def start(self):
        options = self.options
        self.backend = harness.start_backend(options.backends, self.backend_port)
        self.write_routes(0)
        if options.router == "relay":
            command = [os.path.join(harness.BIN, "relay"), "--listen", f"127.0.0.1:{self.port}", "--routes", self.routes_path]
            self.probes = options.probes or 4
        else:
            command = [harness.find_edge(options.edge), "--config",
                       routers.edge_configuration(self.directory, self.port, options.workers, options.io)]
        self.router = harness.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log = LogReader(self.router.stderr, options.log_pattern)
        self.log.start()
        try:
            harness.wait_for_port("127.0.0.1", self.port, self.router)
        except Failed as error:
            raise Failed(f"{error}\n" + "\n".join(self.log.tail)) from None
        if harness.probe(self.port, "sentinel0.example") != self.sentinel_backend(0):
            raise Failed("the router does not route before any reload:\n" + "\n".join(self.log.tail))
        self.lines_before = self.log.matches
        self.members = sorted(machine.tree(self.router.pid))

    def confirm(self, generation, deadline):
        """True once the new table is in force everywhere, as far as probes and the log can tell."""
        present, absent = f"sentinel{generation}.example", f"sentinel{generation - 1}.example"
        agreed = 0
        while agreed < self.probes:
            if time.monotonic() > deadline:
                return False
            if harness.probe(self.port, present) == self.sentinel_backend(generation):
                agreed += 1
            else:
                agreed = 0
                time.sleep(0.001)
        if harness.probe(self.port, absent) is not None:
            return False
        while self.options.log_pattern and self.log.matches < self.lines_before + generation:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def run(self):
        options = self.options
        command = harness.load_command(
            "short", self.port, seconds=86400, concurrency=options.concurrency, names=options.names,
            movers=options.movers, generation=self.shared_path, rate=options.rate or None,
            backends=harness.backend_range(options.backends, self.backend_port), **{"from": harness.SOURCES})
        load = harness.start(command, stdout=subprocess.PIPE, text=True)
        time.sleep(min(2.0, options.seconds / 5))  # buffers and pools reach the size that this load needs
        memory = [machine.memory_bytes(self.router.pid)["Rss"]]
        pace, began = options.seconds / options.reloads, time.monotonic()
        unconfirmed = None
        # An allocator settles during the first reloads, when two tables live at once for the first time.
        settled = None
        for generation in range(1, options.reloads + 1):
            self.write_routes(generation)
            self.publish(1, generation)
            sent = time.monotonic()
            self.router.send_signal(signal.SIGHUP)
            if not self.confirm(generation, sent + 10):
                unconfirmed = generation
                break
            self.publish(0, generation)
            self.reload_times.append(time.monotonic() - sent)
            if self.router.poll() is not None:
                unconfirmed = generation
                break
            if generation % max(1, options.reloads // 20) == 0:
                memory.append(machine.memory_bytes(self.router.pid)["Rss"])
                settled = settled or memory[-1]
            ahead = began + generation * pace - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        took = time.monotonic() - began
        if load.poll() is None:
            load.terminate()
        output, _ = load.communicate(timeout=60)
        report = json.loads(output.splitlines()[-1])
        time.sleep(0.3)
        if self.router.poll() is None:
            memory.append(machine.memory_bytes(self.router.pid)["Rss"])
        return report, memory, settled or memory[0], unconfirmed, took


def summarise(options, storm, report, memory, settled, took, wrong):
    """What the run comes to, for people and for programs."""
    times = sorted(storm.reload_times)
    mib = [amount / 2**20 for amount in (memory[0], settled, memory[-1])]
    return {
        "router": options.router, "io": options.io, "workers": options.workers, "reloads": len(times), "seconds": took,
        "confirmation_ms": {"median": times[len(times) // 2] * 1e3 if times else 0, "max": times[-1] * 1e3 if times else 0},
        "connections": report["ok"], "rate": report["rate"], "latency_us": report["latency_us"],
        "generations_max": report["generations_max"],
        **{key: report[key] for key in ("lost", "misrouted", "stale", "corrupt")},
        "memory_mib": {"before": mib[0], "settled": mib[1], "end": mib[2]}, "wrong": wrong}


def tell(summary, pid):
    confirmation, memory, latency = summary["confirmation_ms"], summary["memory_mib"], summary["latency_us"]
    print(f"{summary['reloads']} reloads in {summary['seconds']:.1f} s, each confirmed "
          f"(median {confirmation['median']:.1f} ms, slowest {confirmation['max']:.1f} ms from signal to confirmation), "
          f"pid {pid} throughout")
    print(f"{summary['connections']} connections at {summary['rate']:.0f}/s: {summary['lost']} lost, "
          f"{summary['misrouted']} misrouted, {summary['stale']} stale, {summary['corrupt']} corrupt; "
          f"p99 {latency['p99']:.0f} us, slowest {latency['max'] / 1e3:.1f} ms, "
          f"across at most {summary['generations_max']} reloads")
    print(f"resident memory, MiB: {memory['before']:.1f} before, {memory['settled']:.1f} after the first reloads, "
          f"{memory['end']:.1f} at the end ({memory['end'] - memory['settled']:+.1f})")
    for line in summary["wrong"]:
        print("WRONG:", line)


def main():
    options = parse()
    if options.reloads < 1:
        raise Failed("--reloads: at least 1")
    harness.exit_on_signals()
    harness.build_peers()
    tracking = machine.ConnectionTracking()
    tracking.prepare()
    storm = Storm(options)
    storm.start()
    report, memory, settled, unconfirmed, took = storm.run()

    wrong = []
    if unconfirmed is not None:
        wrong.append(f"reload {unconfirmed} was not seen to take effect within 10 s; the log ends:\n    "
                     + "\n    ".join(storm.log.tail[-8:]))
    if storm.router.poll() is not None:
        wrong.append(f"the process ended with status {storm.router.returncode}")
    elif sorted(machine.tree(storm.router.pid)) != storm.members:
        wrong.append("processes were replaced")
    for key in ("lost", "misrouted", "stale", "corrupt"):
        if report[key]:
            wrong.append(f"{report[key]} connections {key}")
    if report["ok"] == 0:
        wrong.append("the load made no connection")
    growth = (memory[-1] - settled) / 2**20
    if growth > options.memory_bound:
        wrong.append(f"memory grew by {growth:.1f} MiB after the first reloads")
    if tracking.overflowed():
        wrong.append("the connection tracking table overflowed: the run proves nothing; raise nf_conntrack_max")

    summary = summarise(options, storm, report, memory, settled, took, wrong)
    tell(summary, storm.router.pid)
    harness.check_backend(storm.backend, options.backends, storm.backend_port)
    if options.output:
        with open(options.output, "w") as file:
            json.dump({"summary": summary, "machine": machine.facts(), "load": report, "memory": memory,
                       "reload_seconds": storm.reload_times}, file, indent=1)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
