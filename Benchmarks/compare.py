#!/usr/bin/env python3
"""The edge beside haproxy, nginx, sniproxy and a plain C relay, on the same work in the same run.

What counts is CPU time per unit of work: of the router's whole process tree, user and system, per connection, round
trip or GiB. Wall-clock rates are shown too, but on a machine where the load shares the cores they say less. Rounds
are interleaved and the order rotates, so that a slow minute of the machine hits all routers; ratios are formed
within a round, and the median over the rounds is shown.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import harness
from harness import Failed, Router

KINDS = {
    "short": "short connection (hello in, 1 KiB out, close): CPU us each",
    "roundtrip": "64-byte round trip, 32 sessions: CPU us each",
    "bulk": "bulk down, 8 streams: CPU ms per GiB",
    "bulk-up": "bulk up, 8 streams: CPU ms per GiB",
    "idle": "idle session: bytes of the router's memory each",
}

ROUTERS = ["haproxy", "haproxy-splice", "nginx", "sniproxy", "relay", "edge", "edge-uring"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", metavar="PATH", help="the edge's binary (default: .build/release/switchyard)")
    parser.add_argument("--routers", default="haproxy,haproxy-splice,nginx,sniproxy,relay,edge",
                        help=f"of {', '.join(ROUTERS)} (default: all but the last)")
    parser.add_argument("--kinds", default="short,roundtrip,bulk,idle", help="of " + ", ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two short rounds: does it work, roughly how fast")
    parser.add_argument("--workers", type=int, default=1, help="threads or processes of each router (1)")
    parser.add_argument("--names", type=int, default=1000, help="routes in each router's table (1000)")
    parser.add_argument("--backends", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=64, help="of short connections (64)")
    parser.add_argument("--hello", default="517", help="bytes of the hello, or a file with a recorded one (517)")
    parser.add_argument("--idle-sessions", type=int, default=4000)
    parser.add_argument("--pin", choices=["split", "none"], default="split",
                        help="split (default): routers on the last --workers cores, load and backend on the others; "
                             "none: the scheduler decides")
    parser.add_argument("--install", action="store_true", help="apt-get install the routers that are missing")
    parser.add_argument("--output", metavar="FILE", help="raw data (default: Benchmarks/out/compare-TIME.json)")
    return parser.parse_args()


def present(kind, options):
    """None when the router can run, or why not."""
    if kind == "relay":
        return None
    if kind in ("edge", "edge-uring"):
        try:
            options.edge_path = harness.find_edge(options.edge)
        except Failed as error:
            return str(error)
        return None
    program = harness.program_of(kind)
    if shutil.which(program) and (kind != "nginx" or os.path.exists("/usr/lib/nginx/modules/ngx_stream_module.so")):
        return None
    packages = {"nginx": ["nginx", "libnginx-mod-stream"]}.get(program, [program])
    if options.install:
        print("installing", *packages)
        done = subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *packages], capture_output=True)
        if done.returncode == 0:
            return None
    return f"not installed (apt-get install {' '.join(packages)}, or --install)"


def cores(options):
    """The routers' cores and those of load and backend.

    By default they are kept apart: where they share, it is the scheduler's choice of the minute whether a router is
    woken on the core where its bytes are in the cache, and whether it runs beside the load or in turns with it. Both
    change what is charged to it. Apart, every router gets the same conditions in every round, and 'busy' says how
    much of its core it used; the price is that on two cores load and backend share one and are often the brake, so
    the rates say less than the CPU times.
    """
    everything = sorted(os.sched_getaffinity(0))
    if options.pin == "none" or len(everything) < 2:
        return None, None, 1
    if options.workers >= len(everything):
        print("warning: not enough cores to keep the routers apart from the load; nothing is pinned", file=sys.stderr)
        return None, None, 1
    router, others = everything[-options.workers:], everything[:-options.workers]
    return set(router), set(others), max(1, len(others) // 2)


def applies(router, kind):
    """haproxy's `option splice-auto` decides stream by stream and may decide never to; haproxy-splice is the same
    haproxy told to splice always. That differs for bulk only. sniproxy ends both ways when the client ends one, so
    an upload, which is acknowledged after the client's end of stream, cannot succeed through it."""
    if router == "haproxy-splice":
        return kind.startswith("bulk")
    return not (router == "sniproxy" and kind == "bulk-up")


class Comparison:
    def __init__(self, options, kinds):
        self.options = options
        self.router_cpus, self.load_cpus, self.load_threads = cores(options)
        self.backend_port = harness.free_port([harness.backend_address(index) for index in range(options.backends)])
        self.routes = harness.static_routes(options.names, options.backends, self.backend_port)
        self.kinds = kinds
        self.samples = []
        self.failures = []

    def router(self, kind):
        return Router(kind, self.routes, self.options.workers, self.router_cpus, getattr(self.options, "edge_path", None))

    def load(self, work, port, **more):
        return harness.run_load(work, port, self.load_cpus, names=self.options.names, hello=self.options.hello,
                                backends=harness.backend_range(self.options.backends, self.backend_port),
                                threads=self.load_threads, **{"from": harness.SOURCES}, **more)

    def measure(self, router, kind, quick):
        before, began = harness.cpu_seconds(router.process.pid), time.monotonic()
        if kind == "short":
            report = self.load("short", router.port, seconds=1 if quick else 3, concurrency=self.options.concurrency)
            units, scale = report["ok"], 1e6
        elif kind == "roundtrip":
            report = self.load("roundtrip", router.port, concurrency=32, messages=1000 if quick else 4000)
            units, scale = report["messages"], 1e6
        else:
            up = kind == "bulk-up"
            report = self.load("bulk", router.port, concurrency=8, bytes="128M" if quick else "512M",
                               direction="up" if up else "down", no_check=True)
            units, scale = report["bytes_up" if up else "bytes_down"] / 2**30, 1e3
        elapsed = time.monotonic() - began
        time.sleep(0.1)  # what the router still does for the last sessions belongs to them
        spent = harness.cpu_seconds(router.process.pid) - before
        wrong = report["lost"] + report["misrouted"] + report["corrupt"]
        return {"cpu": spent * scale / units if units else None, "busy": spent / elapsed, "wrong": wrong,
                "rate": units / report["elapsed_s"] if report["elapsed_s"] else 0, "latency": report["latency_us"],
                "load": report}

    def measure_idle(self, kind, quick):
        """On a fresh process: memory that earlier work left in an allocator would hide the sessions' own."""
        router = self.router(kind)
        router.start()
        try:
            at_start = harness.memory_bytes(router.process.pid)
            self.load("short", router.port, count=200, concurrency=10)
            time.sleep(0.3)
            before = harness.memory_bytes(router.process.pid)
            sessions = 1000 if quick else self.options.idle_sessions
            command = harness.load_command("idle", router.port, concurrency=sessions, names=self.options.names,
                                           **{"from": harness.SOURCES})
            holder = harness.start(command, self.load_cpus, stdout=subprocess.PIPE, text=True)
            try:
                ready = json.loads(holder.stdout.readline() or "{}").get("ready", 0)
                time.sleep(0.5)
                after = harness.memory_bytes(router.process.pid)
            finally:
                end_holder(holder)
            return {"memory": (after["Pss"] - before["Pss"]) / sessions, "start_mib": at_start["Pss"] / 2**20,
                    "start_rss_mib": at_start["Rss"] / 2**20, "wrong": sessions - ready}
        finally:
            router.stop()

    def run(self, names):
        backend_workers = self.load_threads
        backend = harness.start_backend(self.options.backends, self.backend_port, self.load_cpus, backend_workers)
        routers = {name: self.router(name) for name in names}
        for name, router in routers.items():
            router.start()
        busy = [kind for kind in self.kinds if kind != "idle"]
        for name, router in routers.items():
            if busy:
                self.load("short", router.port, seconds=0.3, concurrency=self.options.concurrency)  # warm-up
        for turn in range(self.options.rounds):
            order = names[turn % len(names):] + names[:turn % len(names)]
            for kind in self.kinds:
                for name in order:
                    if not applies(name, kind):
                        continue
                    sample = (self.measure_idle(name, self.options.quick) if kind == "idle"
                              else self.measure(routers[name], kind, self.options.quick))
                    sample.update(router=name, kind=kind, round=turn)
                    self.samples.append(sample)
                    if sample["wrong"]:
                        self.failures.append(f"{name}, {kind}, round {turn + 1}: {sample['wrong']} sessions went wrong")
            harness.check_backend(backend, self.options.backends, self.backend_port)
            print(f"round {turn + 1} of {self.options.rounds} done", file=sys.stderr)
        for router in routers.values():
            router.stop()

    def values(self, name, kind, key):
        return [sample[key] for sample in self.samples if sample["router"] == name and sample["kind"] == kind]

    def ratio(self, name, other, kind, key):
        pairs = zip(self.values(name, kind, key), self.values(other, kind, key))
        ratios = [mine / theirs for mine, theirs in pairs if mine is not None and theirs]
        return statistics.median(ratios) if ratios else None

    def show(self, names):
        for kind in self.kinds:
            key = "memory" if kind == "idle" else "cpu"
            print(f"\n{KINDS[kind]}")
            columns = ["router", "median", "spread", "x haproxy", "x plain C"]
            columns += ["start MiB", "RSS MiB"] if kind == "idle" else ["rate/s", "p50 us", "p99 us", "busy"]
            print("  " + columns[0].ljust(11) + "".join(column.rjust(11) for column in columns[1:]))
            for name in names:
                if not applies(name, kind):
                    continue
                values = [value for value in self.values(name, kind, key) if value is not None]
                if not values:
                    print("  " + name.ljust(11) + "no figures".rjust(11))
                    continue
                middle = statistics.median(values)
                spread = (max(values) - min(values)) / middle * 100 if middle else 0
                cells = [f"{middle:.1f}", f"{spread:.0f} %"]
                for other in ("haproxy", "relay"):
                    ratio = self.ratio(name, other, kind, key) if other in names else None
                    cells.append("-" if ratio is None else f"{ratio:.2f}")
                if kind == "idle":
                    cells += [f"{statistics.median(self.values(name, kind, field)):.1f}" for field in ("start_mib", "start_rss_mib")]
                else:
                    latencies = self.values(name, kind, "latency")
                    cells += [f"{statistics.median(self.values(name, kind, 'rate')):.{0 if kind in ('short', 'roundtrip') else 2}f}"]
                    cells += [f"{statistics.median(latency[point] for latency in latencies):.0f}" for point in ("p50", "p99")]
                    cells += [f"{statistics.median(self.values(name, kind, 'busy')) * 100:.0f} %"]
                print("  " + name.ljust(11) + "".join(cell.rjust(11) for cell in cells))


def end_holder(holder):
    holder.send_signal(signal.SIGTERM)
    holder.stdout.read()
    harness.end(holder)


def main():
    options = parse()
    harness.exit_on_signals()
    if options.quick:
        options.rounds = 2
    kinds = options.kinds.split(",")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise Failed(f"unknown kind: {', '.join(unknown)}")
    harness.build_peers()
    names = []
    for kind in options.routers.split(","):
        if kind not in ROUTERS:
            raise Failed(f"unknown router: {kind}")
        reason = present(kind, options)
        if reason:
            print(f"without {kind}: {reason}", file=sys.stderr)
        else:
            names.append(kind)
    tracking = harness.ConnectionTracking()
    tracking.prepare()
    comparison = Comparison(options, kinds)
    facts = harness.machine()
    facts.update(connection_tracking=tracking.active, workers=options.workers, names=options.names, pin=options.pin,
                 hello=options.hello, concurrency=options.concurrency, command=sys.argv,
                 routers={name: comparison.router(name).version() for name in names})
    print(f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}; "
          + "; ".join(sorted(set(version for version in facts["routers"].values() if version != "this tree"))))
    comparison.run(names)

    os.makedirs(harness.OUT, exist_ok=True)
    output = options.output or os.path.join(harness.OUT, time.strftime("compare-%Y%m%dT%H%M%S.json"))
    facts["table_overflowed"] = tracking.overflowed()
    with open(output, "w") as file:
        json.dump({"machine": facts, "samples": comparison.samples, "failures": comparison.failures}, file, indent=1)
    if facts["table_overflowed"]:
        raise Failed("the connection tracking table overflowed during the run: no figures. Raise nf_conntrack_max.")
    comparison.show(names)
    print(f"\nraw data: {os.path.relpath(output)}")
    for failure in comparison.failures:
        print("wrong:", failure)
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
