#!/usr/bin/env python3
"""Clients that vanish: all that the edge holds for them must come back, and everybody else be served meanwhile.

Three crowds arrive at once, each as fast as it can:
  silent      send a whole hello and then nothing, ever; the backend does not answer either (ends by timeout idle)
  unfinished  stop in the middle of the hello (ends by timeout hello)
  stalled     order a large answer and never read it (ends by timeout idle or user; an orderly close cannot reach
              such a client behind the bytes that it does not read, so only the edge's descriptors are judged)
The edge may hold --connections sessions at a time, two descriptors each; who comes later waits in the listener's
backlog, and the kernel has clients beyond that try again after one, three, seven seconds.

Ordinary clients connect throughout, and none of them may be lost. After the time-outs the edge's sockets must be
exactly those of before, its pipes at most --spare-pipes more (an edge may keep a few for the next bulk), and its
memory within --memory-bound of before; a further wave must not add to it. Exit status: 0 when all that holds,
otherwise 1.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

import harness
import machine
import routers
from harness import Failed


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", metavar="PATH", help="the edge's binary (default: .build/release/switchyard)")
    parser.add_argument("--router", choices=["edge", "haproxy"], default="edge", help="haproxy: to try this script itself")
    parser.add_argument("--silent", type=int, default=10000)
    parser.add_argument("--unfinished", type=int, default=10000)
    parser.add_argument("--stalled", type=int, default=500)
    parser.add_argument("--connections", type=int, default=7000, help="the edge's limit (7000)")
    parser.add_argument("--timeout", type=float, default=2.0, help="hello and idle time-out configured, seconds (2)")
    parser.add_argument("--waves", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0, help="arrivals a second of each crowd (0: all at once)")
    parser.add_argument("--ordinary-rate", type=float, default=50, help="ordinary connections a second (50)")
    parser.add_argument("--ordinary-timeout", type=float, default=30, help="after which an ordinary client is lost (30)")
    parser.add_argument("--memory-bound", type=float, default=8.0, metavar="MIB", help="above the base line, afterwards (8)")
    parser.add_argument("--wave-bound", type=float, default=1.0, metavar="MIB", help="growth from wave to wave (1)")
    parser.add_argument("--spare-pipes", type=int, default=8, help="that each worker may keep when it is idle (8)")
    parser.add_argument("--settle", type=float, default=4, help="seconds in which freed memory is to be given back (4)")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a wave is given up (120)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--io", choices=["epoll", "io_uring"], default="epoll")
    parser.add_argument("--output", metavar="FILE", help="raw data as JSON")
    return parser.parse_args()


class Watcher(threading.Thread):
    """Samples descriptors and memory a few times a second; counting 15,000 descriptors is not free."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.samples, self.stopping = pid, [], threading.Event()

    def run(self):
        while not self.stopping.wait(0.25):
            try:
                self.samples.append((time.monotonic(), *look(self.pid)))
            except OSError:
                return

    def stop(self):
        self.stopping.set()
        self.join()


def look(pid):
    return machine.descriptor_count(pid), machine.memory_bytes(pid)["Rss"]


def configure(options, directory, port, routes):
    seconds = f"{int(options.timeout * 1000)}ms"
    if options.router == "haproxy":
        path = routers.haproxy_configuration(directory, port, routes, options.workers, hello_timeout=seconds,
                                             idle_timeout=seconds, maxconn=options.connections)
        return ["haproxy", "-db", "-f", path]
    harness.write_file(os.path.join(directory, "bench.routes"), routers.edge_routes(routes))
    path = routers.edge_configuration(directory, port, options.workers, options.io, connections=options.connections,
                                      timeout=f"hello={seconds} idle={seconds} half-close={seconds} connect={seconds} user={seconds}")
    return [harness.find_edge(options.edge), "--config", path]


def wave(options, port, backends):
    """Sends the crowds and the ordinary clients; returns when the last silent and unfinished client was closed, with
    the stalled ones still there."""
    common = dict(names=100, rate=options.rate or None, seconds=options.limit)
    stalled = None
    ordinary = harness.start(harness.load_command(
        "short", port, seconds=options.limit, concurrency=200, rate=options.ordinary_rate, names=100, backends=backends,
        timeout=options.ordinary_timeout, **{"from": "127.0.2.1-127.0.2.20"}), stdout=subprocess.PIPE, text=True)
    crowds = {}
    if options.silent:
        crowds["silent"] = ("blackhole", dict(concurrency=options.silent, **{"from": "127.0.3.1-127.0.3.20"}))
    if options.unfinished:
        crowds["unfinished"] = ("blackhole", dict(concurrency=options.unfinished, stop_at=200, **{"from": "127.0.4.1-127.0.4.20"}))
    if options.stalled:
        stalled = harness.start(harness.load_command(
            "blackhole", port, names=100, concurrency=options.stalled, unread="64M", **{"from": "127.0.5.1-127.0.5.20"}),
            stdout=subprocess.PIPE, text=True)
    running = {name: harness.start(harness.load_command(work, port, **common, **more), stdout=subprocess.PIPE, text=True)
               for name, (work, more) in crowds.items()}
    reports = {}
    for name, process in running.items():
        output, _ = process.communicate(timeout=options.limit + 30)
        reports[name] = json.loads(output.splitlines()[-1])
    if ordinary.poll() is None:
        ordinary.terminate()
    output, _ = ordinary.communicate(timeout=options.ordinary_timeout + 30)
    return reports, json.loads(output.splitlines()[-1]), stalled


def settle(pid, sockets, seconds):
    """Waits until the sockets are back, but not longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while machine.descriptor_kinds(pid)["socket"] > sockets and time.monotonic() < deadline:
        time.sleep(0.2)


def main():
    options = parse()
    harness.exit_on_signals()
    harness.build_peers()
    tracking = machine.ConnectionTracking()
    tracking.prepare()
    directory, port, backends = harness.scratch_directory(), harness.free_port(), 20
    backend_port = harness.free_port([harness.backend_address(index) for index in range(backends)])
    backend = harness.start_backend(backends, backend_port)
    routes = harness.static_routes(100, backends, backend_port)
    log_path = os.path.join(directory, "log")
    with open(log_path, "w") as log:
        router = harness.start(configure(options, directory, port, routes), stdout=log, stderr=log)
    harness.wait_for_port("127.0.0.1", port, router, log_path)
    # The base line is that of a process which has worked: pools are there, nothing is in them.
    harness.run_load("short", port, count=2000, concurrency=50, names=100, **{"from": harness.SOURCES})
    time.sleep(options.timeout + 1)
    base, base_memory = machine.descriptor_kinds(router.pid), look(router.pid)[1]
    print(f"base line: {base['socket']} sockets, {base['pipe']} pipe ends, {base['other']} others, {base_memory / 2**20:.1f} MiB resident")

    wrong, waves, previous = [], [], None
    for number in range(1, options.waves + 1):
        watcher = Watcher(router.pid)
        watcher.start()
        began = time.monotonic()
        reports, ordinary, stalled = wave(options, port, harness.backend_range(backends, backend_port))
        took = time.monotonic() - began
        if router.poll() is not None:
            watcher.stop()
            wrong.append(f"the router ended with status {router.returncode}")
            break
        settle(router.pid, base["socket"], options.timeout * 2 + 5)
        time.sleep(options.settle)
        kinds, memory = machine.descriptor_kinds(router.pid), look(router.pid)[1]
        watcher.stop()
        harness.check_backend(backend, backends, backend_port)
        if stalled:
            stalled.terminate()
            stalled.communicate(timeout=30)
        peak_descriptors = max((sample[1] for sample in watcher.samples), default=0)
        peak_memory = max((sample[2] for sample in watcher.samples), default=0)
        print(f"wave {number}: gone after {took:.1f} s; at the peak {peak_descriptors} descriptors, "
              f"{peak_memory / 2**20:.1f} MiB; afterwards {kinds['socket']} sockets, {kinds['pipe']} pipe ends, "
              f"{kinds['other']} others, {memory / 2**20:.1f} MiB")
        for name, report in reports.items():
            print(f"  {name}: {report['closed']} of {report['started']} closed by the router, "
                  f"half of them within {report['latency_us']['p50'] / 1e6:.1f} s, "
                  f"the last after {report['latency_us']['max'] / 1e6:.1f} s")
            if report["closed"] != report["started"] or report["open"]:
                wrong.append(f"wave {number}: {report['open']} {name} clients were still connected at the end")
        print(f"  ordinary: {ordinary['ok']} served, p50 {ordinary['latency_us']['p50'] / 1e3:.1f} ms, "
              f"p99 {ordinary['latency_us']['p99'] / 1e3:.0f} ms, slowest {ordinary['latency_us']['max'] / 1e3:.0f} ms")
        if ordinary["lost"] or ordinary["misrouted"] or ordinary["corrupt"] or not ordinary["ok"]:
            wrong.append(f"wave {number}: ordinary clients: {ordinary['ok']} served, {ordinary['lost']} lost, "
                         f"{ordinary['misrouted']} misrouted, {ordinary['corrupt']} corrupt")
        for kind, spare in (("socket", 0), ("pipe", 2 * options.spare_pipes * options.workers), ("other", 0)):
            if kinds[kind] > base[kind] + spare:
                wrong.append(f"wave {number}: {kinds[kind] - base[kind]} descriptors ({kind}) did not come back")
        if memory - base_memory > options.memory_bound * 2**20:
            wrong.append(f"wave {number}: memory is {(memory - base_memory) / 2**20:.1f} MiB above the base line")
        if previous is not None and memory - previous > options.wave_bound * 2**20:
            wrong.append(f"wave {number}: memory grew by {(memory - previous) / 2**20:.1f} MiB since the wave before")
        previous = memory
        waves.append({"seconds": took, "reports": reports, "ordinary": ordinary, "samples": watcher.samples,
                      "descriptors": kinds, "memory": memory})
    if tracking.overflowed():
        wrong.append("the connection tracking table overflowed: the run proves nothing; raise nf_conntrack_max")
    for line in wrong:
        print("WRONG:", line)
    if wrong:
        with open(log_path, errors="replace") as log:
            print("the router's log ends:\n" + "".join("    " + line for line in log.readlines()[-10:]))
    if options.output:
        with open(options.output, "w") as file:
            json.dump({"machine": machine.facts(), "base": [base, base_memory], "waves": waves, "wrong": wrong},
                      file, indent=1)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
