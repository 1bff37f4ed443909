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
import subprocess
import sys
import time

import harness
import machine
import works
from figures import Figures
from harness import Failed
from routers import program_of
from works import DIRECT, KINDS, ROUTERS, Field, applies

USUAL_KINDS = "short,roundtrip,bulk,idle"


def parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", metavar="PATH", help="the edge's binary (default: .build/release/switchyard)")
    parser.add_argument("--routers", default=",".join(ROUTERS), help="of " + ", ".join(ROUTERS) + " (default: all)")
    parser.add_argument("--kinds", default=USUAL_KINDS, help=f"of {', '.join(KINDS)} (default: {USUAL_KINDS})")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, help="begin no round that would end later")
    parser.add_argument("--quick", action="store_true", help="two short rounds: does it work, roughly how fast")
    parser.add_argument("--workers", type=int, default=1, help="threads or processes of each router (1)")
    parser.add_argument("--names", type=int, default=1000, help="routes in each router's table (1000)")
    parser.add_argument("--backends", type=int, default=200, help="addresses, from 127.0.1.1 on (200)")
    parser.add_argument("--concurrency", type=int, default=64, help="of short connections (64)")
    parser.add_argument("--hello", default="517", help="bytes of the hello, or a file with a recorded one (517)")
    parser.add_argument("--idle-sessions", type=int, metavar="N", help="(4000)")
    parser.add_argument("--slow-clients", type=int, metavar="N", help="(5000)")
    parser.add_argument("--pin", choices=["split", "none"], default="split",
                        help="split (default): routers on the last --workers cores, load and backend on the others; "
                             "none: the scheduler decides")
    parser.add_argument("--install", action="store_true", help="apt-get install the routers that are missing")
    parser.add_argument("--output", metavar="FILE", help="raw data (default: Benchmarks/out/compare-TIME.json)")
    return parser


def absent(kind, options):
    """None when the router's program is there, or why not."""
    if kind == "relay":
        return None
    if kind in ("edge", "edge-uring"):
        try:
            options.edge_path = harness.find_edge(options.edge)
        except Failed as error:
            return str(error)
        return None
    program = program_of(kind)
    if shutil.which(program) and (kind != "nginx" or os.path.exists("/usr/lib/nginx/modules/ngx_stream_module.so")):
        return None
    packages = {"nginx": ["nginx", "libnginx-mod-stream"]}.get(program, [program])
    if options.install:
        print("installing", *packages)
        done = subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *packages], capture_output=True)
        if done.returncode == 0:
            return None
    return f"not installed (apt-get install {' '.join(packages)}, or --install)"


class Race:
    """Rounds over kinds and routers, and the samples that they leave."""

    def __init__(self, options, scale):
        self.options, self.kinds = options, options.kinds.split(",")
        self.field = Field(options, scale)
        self.samples, self.failures, self.without = [], [], {}
        self.longest_round, self.rounds_done = 0.0, 0

    def start(self, wanted):
        """Starts what the kinds need; a router that does not start is left out, and the reason kept."""
        field = self.field
        field.start_backend()
        self.names = []
        for name in wanted:
            reason = absent(name, self.options)
            if reason is None:
                try:
                    field.start_router("plain", name)
                except Failed:
                    reason = "does not start here"
                    if name == "edge-uring":
                        reason = "this build of the edge has no io_uring backend, or this system forbids it"
            if reason is None:
                self.names.append(name)
            else:
                self.without[name] = reason
                print(f"without {name}: {reason}", file=sys.stderr)
        if "tls" in self.kinds:
            field.start_tls([name for name in self.names if applies(name, "tls")])
        if "names" in self.kinds:
            field.start_tables([name for name in self.names if applies(name, "names")])
        field.warm_up()

    def run(self):
        # The time is that of the whole race, so that a slow machine makes fewer rounds and not a longer run.
        deadline = time.monotonic() + self.options.minutes * 60 if self.options.minutes else None
        for turn in range(self.options.rounds):
            began = time.monotonic()
            if deadline and turn >= self.field.scale.rounds_least and began + self.longest_round > deadline:
                print(f"the time is up after {turn} of {self.options.rounds} rounds", file=sys.stderr)
                break
            self.round(turn)
            self.field.check()
            self.longest_round = max(self.longest_round, time.monotonic() - began)
            self.rounds_done = turn + 1
            print(f"round {turn + 1} of {self.options.rounds} done in {time.monotonic() - began:.0f} s", file=sys.stderr)
        self.field.stop()

    def round(self, turn):
        order = self.names[turn % len(self.names):] + self.names[:turn % len(self.names)]
        for kind in self.kinds:
            if turn >= self.field.scale.rounds_most.get(kind, turn + 1):
                continue
            for name in order + [DIRECT]:
                if not applies(name, kind):
                    continue
                try:
                    sample = self.field.sample(kind, name, turn)
                except Failed as error:
                    if kind != "slow":
                        raise
                    # Some routers cannot hold such a crowd; that is a result and no reason to end the race.
                    sample = {"figure": None, "wrong": 0, "reason": str(error)}
                sample.update(router=name, kind=kind, round=turn)
                self.samples.append(sample)
                if sample["wrong"]:
                    self.failures.append(f"{name}, {kind}, round {turn + 1}: {sample['wrong']} sessions went wrong")

    def facts(self, tracking):
        facts = machine.facts()
        options = self.options
        facts.update(connection_tracking=tracking.active, workers=options.workers, names=options.names, pin=options.pin,
                     hello=options.hello, concurrency=options.concurrency, backends=options.backends,
                     edge_was_named=bool(options.edge), rounds=self.rounds_done, without=self.without,
                     routers={name: self.field.new_router(name, names=1).version() for name in self.names})
        return facts

    def data(self, tracking):
        # An overflowing table means that nothing below is worth anything; whoever shows figures must look first.
        return {"machine": self.facts(tracking), "commands": self.field.commands, "samples": rounded(self.samples),
                "failures": self.failures, "table_overflowed": tracking.overflowed()}


def rounded(value):
    """Six significant digits: more than there is in any of the figures, and the files stay small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def write_json(path, data):
    """One sample a line: readable, and a difference shows where it is."""
    data = dict(data)
    samples = data.pop("samples", [])
    text = json.dumps(data, indent=1, ensure_ascii=False).removesuffix("\n}")
    text += ',\n "samples": [\n' + ",\n".join("  " + json.dumps(sample) for sample in samples) + "\n ]\n}\n"
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    harness.write_file(path, text)


def percent(value):
    return "-" if value is None else f"{value * 100:.0f} %"


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def columns_of(kind, figures, name):
    """The columns of a kind after the figure, as pairs of heading and cell."""
    if kind == "idle":
        return [("start MiB", number(figures.median(name, kind, "start_mib"), 1)),
                ("RSS MiB", number(figures.median(name, kind, "start_rss_mib"), 1))]
    if kind == "slow":
        return [(f"{point} {which}", number(figures.median(name, kind, which, "latency", point), 0))
                for which in ("without", "with") for point in ("p50", "p99")]
    if kind == "names":
        sizes = list((figures.of(name, kind)[0].get("cpu") or {}))
        return [(f"{int(size):,}", number(figures.median(name, kind, "cpu", size), 1)) for size in sizes]
    # The latency of bulk is that of a whole stream.
    is_bulk = kind.startswith("bulk")
    unit, factor = ("ms", 1e-3) if is_bulk else ("µs", 1)
    latencies = [(point, figures.median(name, kind, "latency", point)) for point in ("p50", "p99", "p99.9")]
    return [("GiB/s" if is_bulk else "rate/s", number(figures.median(name, kind, "rate"), 2 if is_bulk else 0)),
            *((f"{point} {unit}", "-" if value is None else number(value * factor, 0)) for point, value in latencies),
            ("busy", percent(figures.median(name, kind, "busy")))]


def rows_of(kind, figures, names):
    """A heading and a row for each router: for the terminal, and for RESULTS.md."""
    rows = []
    for name in names:
        if not figures.of(name, kind):
            continue
        bounds = figures.bounds(name, kind)
        digits = KINDS[kind].digits
        cells = [("router", name), ("median", number(figures.median(name, kind), digits)),
                 ("smallest – largest", " – ".join(number(bound, digits) for bound in bounds) if bounds else "-"),
                 ("spread", percent(figures.spread(name, kind)))]
        if kind not in ("slow", "names"):
            cells += [("× haproxy", number(figures.ratio(name, "haproxy", kind), 2)),
                      ("× plain C", number(figures.ratio(name, "relay", kind), 2))]
        cells += columns_of(kind, figures, name)
        if not rows:
            rows.append([heading for heading, _ in cells])
        rows.append([cell for _, cell in cells])
    return rows


def show(kinds, figures, names):
    for kind in kinds:
        rows = rows_of(kind, figures, names)
        if not rows:
            continue
        print(f"\n{KINDS[kind].title}: {KINDS[kind].unit}")
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print("  " + row[0].ljust(widths[0]) + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:])))


def prepare(options):
    """The scale that the options ask for; Failed when they make no sense."""
    for given, known in ((options.kinds, KINDS), (options.routers, ROUTERS)):
        unknown = [word for word in given.split(",") if word not in known]
        if unknown:
            raise Failed(f"unknown: {', '.join(unknown)}; one of {', '.join(known)}")
    scale = works.QUICK if options.quick else works.Scale()
    if options.quick:
        options.rounds = min(options.rounds, 2)
    scale.idle_sessions = options.idle_sessions or scale.idle_sessions
    scale.slow_clients = options.slow_clients or scale.slow_clients
    options.edge_path = None
    return scale


def race(options):
    """The whole race; its data."""
    scale = prepare(options)
    harness.build_peers()
    tracking = machine.ConnectionTracking()
    tracking.prepare()
    contest = Race(options, scale)
    steal = machine.StolenTime()
    contest.start(options.routers.split(","))
    contest.run()
    data = contest.data(tracking)
    data["machine"]["stolen_share"] = rounded(steal.share())
    return data


def main():
    options = parser().parse_args()
    harness.exit_on_signals()
    data = race(options)
    facts = data["machine"]
    print(f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}; "
          + "; ".join(sorted(set(version for version in facts["routers"].values() if version != "this tree"))))
    output = options.output or os.path.join(harness.OUT, time.strftime("compare-%Y%m%dT%H%M%S.json"))
    write_json(output, data)
    if data["table_overflowed"]:
        raise Failed("the connection tracking table overflowed during the run: no figures. Raise nf_conntrack_max.")
    show(options.kinds.split(","), Figures(data["samples"]), [*facts["routers"], DIRECT])
    print(f"\nraw data: {os.path.relpath(output)}")
    for failure in data["failures"]:
        print("wrong:", failure)
    return 1 if data["failures"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
