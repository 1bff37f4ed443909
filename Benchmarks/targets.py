#!/usr/bin/env python3
"""What clients see of a route's targets: shares by weight, and targets that die under load.

Parts (--only takes one):
  weights    --count short connections to one name with three targets of the weights 98, 1 and 1. What each target
             answered is counted by the clients, from the target's own greeting; no share may be more than one
             per cent of all connections away from its weight.
  killed     two targets under load, and SIGKILL for the process of one. Sessions that this process held die with
             it; of those that began after its end none may be lost. Then the other one, too: clients must get the
             alert 80. Both come back, and must be used within the interval of check=tcp:INTERVAL.
  blackhole  two targets without any check, and the address of one drops SYNs: it has the full backlog of a socket
             that nobody accepts from. The first clients wait --connect-timeout, and none may be lost.
  source     balance=source: --addresses clients keep their targets when one is taken out of the route, but for those
             whose target it was; they get them back when it comes back, and also from another process.

Exit status: 0 when all that holds, otherwise 1.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time

import harness
import machine
import routers
from harness import BIN, Failed

WEIGHTS = (98, 1, 1)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", metavar="PATH", help="the edge's binary (default: .build/release/switchyard)")
    parser.add_argument("--io", choices=["epoll", "io_uring"], default="epoll")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=["weights", "killed", "blackhole", "source"], action="append")
    parser.add_argument("--count", type=int, default=100_000, help="connections of the weights (100,000)")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--addresses", type=int, default=1000, help="clients of balance=source (1,000)")
    parser.add_argument("--interval", type=int, default=500, metavar="MS", help="of the checks (500)")
    parser.add_argument("--connect-timeout", type=int, default=500, metavar="MS", help="of the edge (500)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load around each event (2)")
    return parser.parse_args()


class Targets:
    """The edge with one route, and a process for each target."""

    def __init__(self, options, count, route):
        self.options, self.count = options, count
        self.directory, self.port = harness.scratch_directory(), harness.free_port()
        self.addresses = [harness.backend_address(index) for index in range(count)]
        self.target_port = harness.free_port(self.addresses)
        self.backends = [self.start(index) for index in range(count)]
        for index, backend in enumerate(self.backends):
            harness.wait_for_port(self.addresses[index], self.target_port, backend)
        self.route(route(self))
        self.path = routers.edge_configuration(self.directory, self.port, options.workers, options.io,
                                               timeout=f"connect={options.connect_timeout}ms")
        self.log = os.path.join(self.directory, "log")
        self.start_edge()

    def route(self, text):
        harness.write_file(os.path.join(self.directory, "bench.routes"), f"site0.example {text}\n")

    def start_edge(self):
        with open(self.log, "w") as log:
            self.edge = harness.start([harness.find_edge(self.options.edge), "--config", self.path], stdout=log, stderr=log)
        harness.wait_for_port("127.0.0.1", self.port, self.edge, self.log)

    def reload(self):
        """Returns when the edge says that the new table serves."""
        before, deadline = self.reloads(), time.monotonic() + 10
        self.edge.send_signal(signal.SIGHUP)
        while self.reloads() == before:
            if time.monotonic() > deadline:
                raise Failed("the edge did not reload")
            time.sleep(0.01)

    def reloads(self):
        with open(self.log) as log:
            return sum(" info reloaded " in line for line in log)

    def address(self, index):
        return f"{self.addresses[index]}:{self.target_port}"

    def start(self, index):
        return harness.start([os.path.join(BIN, "backend"), "--listen", self.address(index)])

    def kill(self, index):
        """Returns when the process is gone, with the time."""
        self.backends[index].kill()
        self.backends[index].wait()
        return time.monotonic_ns()

    def load(self, **more):
        return harness.load_command(
            "short", self.port, names=1, concurrency=self.options.concurrency, any_backend=True,
            backends=f"{self.addresses[0]}-{self.addresses[-1]}:{self.target_port}",
            **{"from": harness.SOURCES}, **more)

    def start_load(self):
        return harness.start(self.load(seconds=300), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def end(self):
        for process in (self.edge, *self.backends):
            harness.end(process)


def report_of(load):
    load.terminate()
    output, _ = load.communicate(timeout=60)
    return json.loads(output.splitlines()[-1])


def losses(report):
    """In words: what was lost, and how."""
    kinds = ("refused", "reset", "truncated", "alert", "timeout")
    return ", ".join(f"{report[kind]} {kind}" for kind in kinds if report[kind]) or "none"


def judge_losses(report, since, wrong, what):
    if report["lost"] and report["lost_start_ns"] > since:
        wrong.append(f"{what}: a session that began {(report['lost_start_ns'] - since) / 1e6:.1f} ms later was lost "
                     f"({losses(report)})")
    if report["misrouted"] or report["corrupt"] or not report["ok"]:
        wrong.append(f"{what}: {report['ok']} served, {report['misrouted']} misrouted, {report['corrupt']} corrupt")


def ask(port, source="127.0.0.1"):
    """What a client is answered: the address of a target, the number of an alert, or nothing."""
    with socket.socket() as client:
        client.settimeout(5)
        try:
            client.bind((source, 0))
            client.connect(("127.0.0.1", port))
            client.sendall(harness.synthesise_hello("site0.example"))
            received = client.recv(4096)
        except OSError:
            return None
    if len(received) == 7 and received[0] == 21:
        return received[6]
    return socket.inet_ntoa(received[4:8]) if received[:4] == b"HLLO" else None


# ---- the parts -------------------------------------------------------------------------------------------------

def weights(options, wrong):
    peers = Targets(options, len(WEIGHTS), lambda it: ",".join(
        f"{it.address(index)}@{weight}" for index, weight in enumerate(WEIGHTS)))
    report = harness.run_client(peers.load(count=options.count))
    peers.end()
    total, shares = sum(report["landed"]), []
    for landed, weight in zip(report["landed"], WEIGHTS):
        share = 100 * landed / max(total, 1)
        shares.append(f"{landed} ({share:.3f} %)")
        if abs(share - weight) > 1:
            wrong.append(f"weights: {share:.3f} % at the target of weight {weight}")
    print(f"weights {'+'.join(map(str, WEIGHTS))}: {report['ok']} connections in {report['elapsed_s']:.1f} s "
          f"({report['rate']:.0f}/s), {report['lost']} lost; {', '.join(shares)}")
    if report["ok"] != options.count or total != options.count:
        wrong.append(f"weights: {report['ok']} of {options.count} served ({losses(report)})")


def killed(options, wrong):
    """The first target dies, then the second; both come back one after the other."""
    interval = options.interval
    peers = Targets(options, 2, lambda it: f"{it.address(0)},{it.address(1)} check=tcp:{interval}ms")
    load = peers.start_load()
    time.sleep(options.seconds)
    dead = peers.kill(0)
    time.sleep(options.seconds)
    report = report_of(load)
    print(f"killed: {report['ok']} served at {report['rate']:.0f}/s, {report['landed']} of them by each target; "
          f"lost with the process: {losses(report)}; begun later and lost: "
          f"{0 if report['lost_start_ns'] <= dead else 'some'}; slowest {report['latency_us']['max'] / 1e3:.1f} ms")
    judge_losses(report, dead, wrong, "killed")

    peers.kill(1)
    answers = [ask(peers.port) for _ in range(20)]
    print(f"all killed: {answers.count(80)} of {len(answers)} clients get alert 80")
    if answers.count(80) != len(answers):
        wrong.append(f"all killed: clients were answered {sorted(set(answers), key=str)}")
    # Both are marked by now, not only tried in vain.
    time.sleep(2.5 * interval / 1000)

    for index in (0, 1):
        peers.backends[index] = peers.start(index)
        harness.wait_for_port(peers.addresses[index], peers.target_port, peers.backends[index])
        began = time.monotonic()
        while ask(peers.port) != peers.addresses[index]:
            if time.monotonic() - began > 5 * interval / 1000:
                break
            time.sleep(0.005)
        took = (time.monotonic() - began) * 1000
        print(f"recovered: target {index + 1} gets a client {took:.0f} ms after it listens (check each {interval} ms)")
        # The check itself and the table's way to the workers take a little; a loaded machine takes its time.
        if took > interval + 300:
            wrong.append(f"recovery was seen after {took:.0f} ms")
    peers.end()


def blackhole(options, wrong):
    peers = Targets(options, 2, lambda it: f"{it.address(0)},{it.address(1)}")
    peers.kill(0)
    # Nothing answers at its address, and nothing refuses: a full queue drops SYNs.
    silent, fillers = socket.socket(), []
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    silent.bind((peers.addresses[0], peers.target_port))
    silent.listen(0)
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((peers.addresses[0], peers.target_port))
        fillers.append(filler)
    time.sleep(0.1)
    began = time.monotonic_ns()
    load = peers.start_load()
    time.sleep(options.seconds + 3 * options.connect_timeout / 1000)
    report = report_of(load)
    slowest = report["latency_us"]["max"] / 1e3
    print(f"black hole: {report['ok']} served at {report['rate']:.0f}/s, lost: {losses(report)}; "
          f"p50 {report['latency_us']['p50'] / 1e3:.1f} ms, p99 {report['latency_us']['p99'] / 1e3:.1f} ms, "
          f"slowest {slowest:.0f} ms (connect timeout {options.connect_timeout} ms)")
    judge_losses(report, began, wrong, "black hole")
    # A deadline comes up a tick late, and a loaded machine takes its time.
    if not options.connect_timeout <= slowest <= 2 * options.connect_timeout + 500:
        wrong.append("black hole: the slowest client waited for none or for more than one attempt")
    for filler in fillers:
        filler.close()
    silent.close()
    peers.end()


def source(options, wrong):
    peers = Targets(options, 4, lambda it: ",".join(it.address(index) for index in range(4)) + " balance=source")
    clients = [f"127.{7 + number // 60_000}.{number // 250 % 240}.{number % 250 + 1}" for number in range(options.addresses)]

    def look():
        return [ask(peers.port, client) for client in clients]

    before = look()
    again = look()
    peers.route(",".join(peers.address(index) for index in (0, 1, 3)) + " balance=source")
    peers.reload()
    without = look()
    peers.route(",".join(peers.address(index) for index in (3, 2, 1, 0)) + " balance=source")
    peers.reload()
    back = look()
    harness.end(peers.edge)
    peers.start_edge()
    restarted = look()
    peers.end()

    gone = peers.addresses[2]
    counts = [before.count(address) for address in peers.addresses]
    moved = sum(one != other for one, other in zip(before, without))
    print(f"source: {len(clients)} addresses at {counts} of four targets; the third taken out: {moved} move; "
          f"put back in another order: {sum(one != other for one, other in zip(before, back))} are elsewhere than before; "
          f"another process: {sum(one != other for one, other in zip(before, restarted))}")
    if None in before or min(counts) < len(clients) / 4 * 0.7:
        wrong.append(f"source: the clients are at {counts}")
    if again != before or back != before or restarted != before:
        wrong.append("source: a client is led to another target although the route is the same")
    if any((one != other) != (one == gone) for one, other in zip(before, without)) or gone in without:
        wrong.append("source: clients of a target that stays have moved, or one of the target that went has not")


def main():
    options = parse()
    harness.exit_on_signals()
    harness.build_peers()
    tracking = machine.ConnectionTracking()
    tracking.prepare()
    wrong = []
    for part in (weights, killed, blackhole, source):
        if not options.only or part.__name__ in options.only:
            part(options, wrong)
    if tracking.overflowed():
        wrong.append("the connection tracking table overflowed: the run proves nothing; raise nf_conntrack_max")
    for line in wrong:
        print("WRONG:", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
