#!/usr/bin/env python3
"""Writes RESULTS.md, charts/ and data/bench.json from the raw data of bench.py.

It refuses when haproxy's own CPU time per short connection varied by more than --noise-limit between the rounds: the
machine was then busy with something else, and what differs between two routers may be that. --force writes all the
same, and RESULTS.md then says so. It also refuses, and there is no way round that, when the table of connection tracking
overflowed. The words in interpretation.md are written by hand and put between the tables.
"""

import argparse
import json
import os
import sys

import harness
from charts import render
from compare import number, percent, rows_of, write_json
from drawings import all_charts, label_of
from figures import Figures, judge
from harness import HERE, Failed
from works import DIRECT, KINDS

NOISE_LIMIT = 0.25
ROUNDS_LEAST = 3
CHART_OF = {"tls": ("tls", "first-byte"), "idle": ("idle", "start")}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.path.join(HERE, "data", "bench.json"),
                        help="raw data (default: Benchmarks/data/bench.json, to draw and lay out anew)")
    parser.add_argument("--into", metavar="FOLDER", default=HERE, help="where RESULTS.md, charts/ and data/ go (Benchmarks)")
    parser.add_argument("--noise-limit", type=float, default=NOISE_LIMIT, help=f"as a share ({NOISE_LIMIT})")
    parser.add_argument("--force", action="store_true", help="write although the machine was noisy")
    return parser.parse_args()


# ---- the gate --------------------------------------------------------------------------------------------------

def noise(data):
    return Figures(data["samples"]).spread("haproxy", "short")


def gate(data, limit, force):
    """Raises when the figures are not fit to be published; returns the words to publish when forced."""
    if data["table_overflowed"]:
        raise Failed("the connection tracking table overflowed during the run: no results. Raise nf_conntrack_max.")
    spread, rounds = noise(data), data["machine"]["rounds"]
    if rounds < ROUNDS_LEAST:
        words = f"{rounds} of at least {ROUNDS_LEAST} rounds were made, which says nothing about the noise"
    elif spread is None:
        words = "haproxy was not measured, so that nothing says how noisy the machine was"
    elif spread > limit:
        words = f"haproxy's own CPU time per short connection varied by {spread * 100:.0f} % (limit {limit * 100:.0f} %)"
    else:
        return ""
    if not force:
        raise Failed(f"RESULTS.md is not written: {words}. Run again on a quiet machine, or use --force.")
    return words


# ---- the text --------------------------------------------------------------------------------------------------

def table(rows):
    if not rows:
        return []
    lines = ["| " + " | ".join(rows[0]) + " |", "| --- |" + " ---: |" * (len(rows[0]) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows[1:]] + [""]


def goals(data, figures):
    rows = [["work", "edge", "measure", "goal", "measured", "smallest – largest", ""]]
    for verdict in judge(figures):
        goal = verdict.goal
        what = goal.what or f"CPU × {label_of(goal.against)}"
        low, high = number(verdict.low, goal.digits), number(verdict.high, goal.digits)
        bound = f"≤ {number(goal.bound, 2 if goal.bound < 10 else 0)}"
        rows.append([KINDS[goal.kind].title.split(":")[0], label_of(goal.router).removeprefix("edge, "), what, bound,
                     number(verdict.value, goal.digits), f"{low} – {high}", "met" if verdict.is_met else "**not met**"])
    for value, what, bound in table_facts(data):
        met = "met" if value <= bound else "**not met**"
        rows.append(["Size of the table", "both", what, f"≤ {bound:,}", number(value, 2), "", met])
    for storm in data.get("reloads", []):
        bad = sum(storm[key] for key in ("lost", "misrouted", "stale", "corrupt"))
        met = "met" if bad == 0 and not storm["wrong"] else "**not met**"
        rows.append(["Reloads under full load", storm["io"], f"lost, misrouted, stale or corrupt in {storm['reloads']:,} reloads",
                     "0", str(bad), "", met])
    met_count = sum(row[-1] == "met" for row in rows)
    lines = ["## Goals", "", f"{met_count} of {len(rows) - 1} met. A ratio is the median of the ratios within each round.", ""]
    aligned = table(rows)
    aligned[1] = "| --- | --- | --- | ---: | ---: | ---: | --- |"
    return lines + aligned


def table_facts(data):
    """Loading a million routes: seconds, and bytes each."""
    tables = data.get("routes", {}).get("tables", [])
    if not tables:
        return []
    largest = max(tables, key=lambda entry: entry["routeCount"])
    count = f"{largest['routeCount']:,} names"
    return [(largest["loadSeconds"], f"loading {count}, seconds", 1.0),
            (largest["imageBytesPerRoute"], f"memory of {count}, bytes each", 100)]


def machine_section(data):
    facts, software = data["machine"], data.get("software", {})
    lines = ["## The machine and the run", "",
             f"- {facts['cpu']}, {facts['cores']} cores; Linux {facts['kernel']}; {facts['time']}",
             f"- load average at the end {', '.join(f'{value:.1f}' for value in facts['load_average'])} "
             "(the benchmark itself is part of it); "
             f"taken by the hypervisor {facts.get('stolen_share', 0) * 100:.1f} % of the time",
             f"- connection tracking {'on: each connection costs every router 10–15 % more' if facts['connection_tracking'] else 'off'}",
             f"- interleaved rounds: {facts['rounds']}; {facts['workers']} worker each, {facts['names']:,} names, "
             f"{facts['backends']} backends, cores {'apart' if facts['pin'] == 'split' else 'shared'} (`--pin {facts['pin']}`)",
             f"- spread of haproxy's short connections: {percent(noise(data))}"]
    versions = sorted(set(version for version in facts["routers"].values() if version != "this tree"))
    lines.append("- " + "; ".join([f"the edge: {software.get('revision', 'this tree')}", *versions]))
    if facts.get("edge_was_named"):
        lines.append("- the edge's binary was named with `--edge`: it need not be the build of that revision")
    lines += [f"- {software[key]}" for key in ("swift", "compiler", "openssl") if software.get(key)]
    lines += [f"- without {name}: {reason}" for name, reason in facts["without"].items()]
    return lines + [""]


def kind_section(kind, figures, names, charts, commands):
    rows = rows_of(kind, figures, names)
    if not rows:
        return []
    lines = [f"## {KINDS[kind].title}", ""]
    lines += [f"![{charts[name].title}](charts/{name}.svg)" for name in CHART_OF.get(kind, (kind,)) if name in charts]
    named = [rows[0], *([label_of(row[0]), *row[1:]] for row in rows[1:])]
    lines += ["", f"{KINDS[kind].unit[0].upper()}{KINDS[kind].unit[1:]}:", "", *table(named)]
    for sample in figures.samples:
        if sample["kind"] == kind and sample.get("reason"):
            lines += [f"{label_of(sample['router'])}, round {sample['round'] + 1}: {sample['reason']}", ""]
    command = commands.get(kind)
    if command:
        lines += ["```", command]
        if kind == "slow" and "slow hellos" in commands:
            lines.append(commands["slow hellos"])
        lines += ["```", ""]
    return lines


def starts_line(figures):
    """How long the edge takes from its start until it answers, with each table."""
    samples = figures.of("edge", "names")
    if not samples:
        return []
    started = samples[0]["start_seconds"]
    return ["From the start of the process to the first answer: "
            + ", ".join(f"{seconds:.2f} s with {int(size):,} names" for size, seconds in started.items()) + ".", ""]


def tables_section(data):
    tables = data.get("routes", {}).get("tables", [])
    if not tables:
        return []
    rows = [["names", "load, s", "memory, bytes each", "peak, bytes each", "look-up, ns", "wildcard, ns", "miss, ns"]]
    for entry in tables:
        rows.append([f"{entry['routeCount']:,}", f"{entry['loadSeconds']:.4f}",
                     *(f"{entry[key]:.0f}" for key in ("imageBytesPerRoute", "peakBytesPerRoute", "hitNanoseconds",
                                                        "wildcardNanoseconds", "missNanoseconds"))])
    said = "The table by itself, without a network (`RoutesBenchmark`; loading is the best of three):"
    return ["### Loading and looking up", "", said, "", *table(rows)]


def reloads_section(data):
    if not data.get("reloads"):
        return []
    rows = [["backend", "reloads", "seconds", "connections", "lost", "misrouted", "stale", "corrupt", "confirmed after, ms",
             "p99, µs", "memory, MiB"]]
    for storm in data["reloads"]:
        memory = storm["memory_mib"]
        rows.append([storm["io"], f"{storm['reloads']:,}", f"{storm['seconds']:.0f}", f"{storm['connections']:,}",
                     *(str(storm[key]) for key in ("lost", "misrouted", "stale", "corrupt")),
                     f"{storm['confirmation_ms']['median']:.1f}", f"{storm['latency_us']['p99']:,.0f}",
                     f"{memory['settled']:.1f} → {memory['end']:.1f}"])
    lines = ["## Reloads under full load", "", *table(rows)]
    for storm in data["reloads"]:
        lines += [f"- {storm['io']}: {wrong.splitlines()[0]}" for wrong in storm["wrong"]]
    return lines + ([""] if lines[-1] else [])


def interpretation():
    """The hand-written part, as sections of this document: its title becomes a section, its sections smaller ones."""
    with open(os.path.join(HERE, "interpretation.md")) as file:
        lines = file.read().strip().splitlines()
    return ["#" + line if line.startswith("#") else line for line in lines] + [""]


def repeat_section(data):
    whole = "make bench          # everything above, in about 25 minutes; writes this file anew"
    return ["## How to repeat it", "", "```", whole, "```", "", "What that ran:", "", "```", *data.get("stages", []), "```", ""]


def text(data, figures, charts, names, forced):
    lines = ["# Results", "",
             "Made by `make bench` from [data/bench.json](data/bench.json); what is measured and how is in [README.md](README.md).",
             "Change [interpretation.md](interpretation.md) and not this file: the next run replaces it.", ""]
    if forced:
        lines += [f"**These figures are not to be trusted: {forced}.**", ""]
    if data["failures"]:
        lines += ["**Sessions that went wrong:**", "", *(f"- {failure}" for failure in data["failures"]), ""]
    if "lead" in charts:
        lines += [f"![{charts['lead'].title}](charts/lead.svg)", ""]
    lines += goals(data, figures) + machine_section(data) + interpretation()
    for kind in KINDS:
        lines += kind_section(kind, figures, names, charts, data["commands"])
        if kind == "names":
            lines += starts_line(figures) + tables_section(data)
    lines += reloads_section(data) + repeat_section(data)
    return "\n".join(lines).rstrip() + "\n"


# ---- files -----------------------------------------------------------------------------------------------------

def write(data, folder=HERE, limit=NOISE_LIMIT, force=False):
    """Everything or, when the gate refuses, nothing."""
    forced = gate(data, limit, force)
    figures, names = Figures(data["samples"]), [*data["machine"]["routers"], DIRECT]
    charts = all_charts(figures, names)
    chart_folder = os.path.join(folder, "charts")
    os.makedirs(chart_folder, exist_ok=True)
    for old in os.listdir(chart_folder):
        if old.endswith(".svg"):
            os.unlink(os.path.join(chart_folder, old))
    for name, chart in charts.items():
        harness.write_file(os.path.join(chart_folder, name + ".svg"), render(chart))
    write_json(os.path.join(folder, "data", "bench.json"), data)
    results = os.path.join(folder, "RESULTS.md")
    harness.write_file(results, text(data, figures, charts, names, forced))
    return results


def main():
    options = parse()
    try:
        with open(options.data) as file:
            data = json.load(file)
    except (OSError, ValueError) as error:
        raise Failed(f"{options.data}: {error}") from None
    print("written:", os.path.relpath(write(data, options.into, options.noise_limit, options.force)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
