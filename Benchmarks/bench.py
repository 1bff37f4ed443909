#!/usr/bin/env python3
"""Everything that Switchyard's goals ask for, in one unattended run: `make bench`, or `make bench-quick`.

The race of all routers over all kinds of work; the edge's table by itself; reloads under full load, with each backend
of the edge. Then RESULTS.md and the charts, unless the machine was too noisy (see report.py). The raw data stays in
Benchmarks/out in any case. --quick does a little of everything in about three minutes, and leaves what it
writes in Benchmarks/out/quick, as two short rounds prove nothing.

Exit status: 0; 1 when a session of any router went wrong; 2 when it could not run, or when RESULTS.md was refused.
"""

import json
import os
import subprocess
import sys
import time

import compare
import harness
import report
from figures import Figures
from harness import HERE, OUT, Failed
from works import DIRECT, KINDS

ROOT = os.path.dirname(HERE)
# Minutes for the race, so that all of it together stays below 25, and below 3 when it is quick.
RACE_MINUTES, RACE_MINUTES_QUICK = 17.0, 2.2


def parse():
    parser = compare.parser()
    parser.description, parser.epilog = __doc__, None
    parser.set_defaults(kinds=",".join(KINDS), rounds=7)
    parser.add_argument("--force", action="store_true", help="write RESULTS.md although the machine was noisy")
    parser.add_argument("--noise-limit", type=float, default=report.NOISE_LIMIT, help=f"as a share ({report.NOISE_LIMIT})")
    parser.add_argument("--without-reloads", action="store_true")
    parser.add_argument("--without-table", action="store_true", help="do not build and run RoutesBenchmark")
    return parser.parse_args()


def said_by(*command):
    """The first line that a program prints; empty when there is no such program."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else ""


def software():
    revision = said_by("git", "describe", "--always", "--dirty", "--abbrev=12")
    return {"revision": revision or "unknown revision", "swift": said_by("swift", "--version"),
            "compiler": said_by(os.environ.get("CC", "cc"), "--version"), "openssl": said_by("openssl", "version")}


class Stages:
    """What runs beside the race, each as a program of its own, bounded in time."""

    def __init__(self, options):
        self.options = options
        self.commands = []

    def run(self, command, seconds, shown=None, environment=None):
        self.commands.append(shown or " ".join(command))
        print(f"running: {self.commands[-1]}", file=sys.stderr)
        # None of them needs a terminal, and what they started themselves dies with them.
        process = harness.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                                env={**os.environ, **(environment or {})})
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"not done after {seconds} s: {self.commands[-1]}") from None
        finally:
            harness.end(process)
        return process.returncode, output, errors

    def table(self):
        """The table's own figures. The variable adds a target to the manifest; the build folder stays the same, so that
        only that target is compiled."""
        build = ["swift", "build", "-c", "release", "--product", "RoutesBenchmark"]
        environment = {"SWITCHYARD_BENCHMARKS": "1"}
        status, output, errors = self.run(build, 600, "SWITCHYARD_BENCHMARKS=1 " + " ".join(build), environment)
        if status != 0:
            raise Failed("RoutesBenchmark did not build:\n" + (output + errors)[-2000:])
        status, output, errors = self.run([".build/release/RoutesBenchmark", "--json"], 120)
        if status != 0:
            raise Failed("RoutesBenchmark failed:\n" + errors[-2000:])
        return json.loads(output.splitlines()[-1])

    def reloads(self, io, quick):
        reloads, seconds = ("50", "4") if quick else ("1000", "60")
        path = os.path.join(harness.scratch_directory(), "reloads.json")
        shown = ["Benchmarks/reload-storm.py", "--io", io, "--reloads", reloads, "--seconds", seconds]
        more = ["--output", path, *(["--edge", os.path.abspath(self.options.edge)] if self.options.edge else [])]
        # On a slow machine the reloads take longer than they were given, but not for ever.
        status, output, errors = self.run([sys.executable, *shown, *more], 300, " ".join(shown))
        if not os.path.exists(path):
            raise Failed(f"reload-storm.py ended with status {status}:\n{(output + errors)[-2000:]}")
        print(output, end="")
        with open(path) as file:
            return compare.rounded(json.load(file)["summary"])


def measure(options):
    """All stages; the data of all of them."""
    stages = Stages(options)
    arguments = " ".join(["Benchmarks/bench.py", *sys.argv[1:]])
    stages.commands.append(arguments.replace(options.edge, "PATH") if options.edge else arguments)
    if options.minutes is None:
        options.minutes = RACE_MINUTES_QUICK if options.quick else RACE_MINUTES
    data = compare.race(options)
    data["software"] = software()
    backends = [io for name, io in (("edge", "epoll"), ("edge-uring", "io_uring")) if name in data["machine"]["routers"]]
    data["reloads"] = [] if options.without_reloads else [stages.reloads(io, options.quick) for io in backends]
    for storm in data["reloads"]:
        data["failures"] += [f"reload-storm.py, {storm['io']}: {wrong.splitlines()[0]}" for wrong in storm["wrong"]]
    # Compiling is a load of its own, so it comes last; a quick run does without it.
    if not (options.quick or options.without_table):
        data["routes"] = stages.table()
    data["stages"] = stages.commands
    return data


def main():
    options = parse()
    harness.exit_on_signals()
    began = time.monotonic()
    data = measure(options)
    raw = os.path.join(OUT, time.strftime("bench-%Y%m%dT%H%M%S.json"))
    compare.write_json(raw, data)
    print(f"\nraw data: {os.path.relpath(raw)}")
    if not data["table_overflowed"]:
        compare.show(options.kinds.split(","), Figures(data["samples"]), [*data["machine"]["routers"], DIRECT])
    for failure in data["failures"]:
        print("wrong:", failure)
    print(f"\nmeasured in {(time.monotonic() - began) / 60:.1f} minutes")
    if options.quick:
        print("a preview, whatever the noise:", os.path.relpath(report.write(data, os.path.join(OUT, "quick"), force=True)))
    else:
        print("written:", os.path.relpath(report.write(data, HERE, options.noise_limit, options.force)))
    return 1 if data["failures"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
