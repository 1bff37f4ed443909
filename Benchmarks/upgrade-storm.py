#!/usr/bin/env python3
"""Upgrades under full load: none of them may cut, delay or corrupt one connection.

While `load short` keeps the edge busy, and long sessions of every kind stand or flow through it, SIGUSR2 makes it give
everything to a new process, again and again. The long sessions are played here, both ends of each: idle ones, trickles,
bulk in either direction and both, ones of which either side has ended its half, ones whose receiver does not read, ones
with half a hello, and ones that wait for a route. Every byte is compared with the one that was sent, at the end every
session has to end in order with as many bytes as were sent, and the parked ones are released by a reload of the last
process.

Exit status: 0 when nothing was lost or corrupt, every upgrade took place, the process before has ended with status 0
each time, and the descriptors are as many as before; otherwise 1.
"""

import argparse
import ctypes
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import harness
import machine
from harness import Failed

PERIOD = 65521
PATTERN = (lambda block: block * 3)(os.urandom(PERIOD))
KINDS = {  # what the client sends, what the origin sends, which of the two are not read meanwhile
    "idle": ("idle", "idle", ""), "trickle": ("trickle", "trickle", ""), "down": ("idle", "bulk", ""),
    "up": ("bulk", "idle", ""), "both": ("bulk", "bulk", ""), "client-ended": ("ended", "trickle", ""),
    "origin-ended": ("trickle", "ended", ""), "client-ended-bulk": ("ended", "bulk", ""),
    "stalled-down": ("trickle", "bulk", "down"), "stalled-up": ("bulk", "trickle", "up"),
    "stalled-ended": ("ended", "bulk", "down"), "half-hello": ("trickle", "trickle", ""), "parked": ("trickle", "trickle", ""),
}
FLOWING = ("down", "up", "both", "client-ended-bulk")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", metavar="PATH", help="the edge's binary (default: .build/release/switchyard)")
    parser.add_argument("--upgrades", type=int, default=5)
    parser.add_argument("--pause", type=float, default=2.0, metavar="SECONDS", help="from one upgrade to the next (2)")
    parser.add_argument("--sessions", type=int, default=1000, help="long sessions of all kinds (1000)")
    parser.add_argument("--flowing", type=int, default=16, help="how many of them are bulky all the time (16)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--io", choices=["epoll", "io_uring", "alternate"], default="epoll",
                        help="alternate: each process uses the other one")
    parser.add_argument("--concurrency", type=int, default=32, help="of the load of short connections (32; 0: none)")
    parser.add_argument("--output", metavar="FILE", help="raw data as JSON")
    return parser.parse_args()


class Flow:
    """One direction of a session: what one end sends and the other has to receive."""

    def __init__(self, mode, is_read):
        self.mode, self.is_read = mode, is_read
        self.sent = self.received = 0
        self.allowed = {"idle": 0, "trickle": 50, "ended": 3000, "bulk": 1 << 60}[mode]
        self.is_ending = mode == "ended"
        self.has_ended = self.has_arrived = False


class Session:
    def __init__(self, index, kind):
        self.index, self.kind = index, kind
        up, down, unread = KINDS[kind]
        self.up, self.down = Flow(up, unread != "up"), Flow(down, unread != "down")
        self.client = self.origin = None
        self.rest_of_hello = b""
        self.fault = None

    @property
    def is_over(self):
        return self.fault is not None or (self.up.has_arrived and self.down.has_arrived)


class Players(threading.Thread):
    """Plays both ends of all long sessions in one loop."""

    def __init__(self, port, listener, sessions):
        super().__init__(daemon=True)
        self.port, self.listener = port, listener
        self.sessions = sessions
        self.poll = select.epoll()
        self.ends = {}  # by descriptor: session, socket, flow that it sends, flow that it receives
        self.unknown = {}  # accepted by the origin, and not yet known whose
        self.lock = threading.Lock()
        self.is_finishing = self.is_stopped = False
        listener.setblocking(False)
        self.poll.register(listener.fileno(), select.EPOLLIN)

    def open(self, session):
        name = f"s{session.index}." + ("parked.example" if session.kind == "parked" else "long.example")
        hello = harness.synthesise_hello(name)
        session.hello_bytes = len(hello)
        client = socket.create_connection(("127.0.0.1", self.port))
        if session.kind == "half-hello":
            hello, session.rest_of_hello = hello[:100], hello[100:]
        client.sendall(hello)
        client.setblocking(False)
        with self.lock:
            session.client = client
            if session.kind not in ("half-hello", "parked"):
                self.add(session, client, session.up, session.down)

    def add(self, session, end, sends, receives):
        self.ends[end.fileno()] = (session, end, sends, receives)
        self.poll.register(end.fileno(), 0)
        self.want(end, sends, receives)

    def want(self, end, sends, receives):
        mask = 0
        if sends.sent < sends.allowed or (sends.is_ending and not sends.has_ended):
            mask |= select.EPOLLOUT
        if receives.is_read and not receives.has_arrived:
            mask |= select.EPOLLIN
        self.poll.modify(end.fileno(), mask)

    def release(self, session):
        """Lets a session that waits for its hello or its route begin."""
        session.client.setblocking(True)
        session.client.sendall(session.rest_of_hello)
        session.client.setblocking(False)
        with self.lock:
            self.add(session, session.client, session.up, session.down)

    def finish(self):
        """No sender sends more than by now; all is read."""
        with self.lock:
            self.is_finishing = True
            for session, end, sends, receives in list(self.ends.values()):
                sends.allowed = min(sends.allowed, max(sends.sent, 20000)) if sends.mode == "bulk" else max(sends.sent, 1000)
                sends.is_ending = True
                receives.is_read = True
            for session, end, sends, receives in list(self.ends.values()):
                self.want(end, sends, receives)

    def run(self):
        next_trickle = time.monotonic()
        while not self.is_stopped:
            for number, events in self.poll.poll(0.02):
                with self.lock:
                    self.handle(number, events)
            if not self.is_finishing and time.monotonic() >= next_trickle:
                next_trickle = time.monotonic() + 0.1
                with self.lock:
                    for session, end, sends, receives in list(self.ends.values()):
                        if sends.mode == "trickle":
                            sends.allowed = sends.sent + 50
                            self.want(end, sends, receives)

    def handle(self, number, events):
        if number == self.listener.fileno():
            try:
                origin, _ = self.listener.accept()
            except BlockingIOError:
                return
            origin.setblocking(False)
            self.unknown[origin.fileno()] = [origin, b""]
            self.poll.register(origin.fileno(), select.EPOLLIN)
        elif number in self.unknown:
            self.meet(number)
        elif number in self.ends:
            session, end, sends, receives = self.ends[number]
            try:
                if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and receives.is_read:
                    self.receive(session, end, receives)
                if events & select.EPOLLOUT:
                    self.send(end, sends)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self.fail(session, f"{error}, {self.state(session)}")
            if session.fault or session.is_over:
                for side in (session.client, session.origin):
                    if side is not None and side.fileno() in self.ends:
                        del self.ends[side.fileno()]
                        self.poll.unregister(side.fileno())
                        side.close()
            else:
                self.want(end, sends, receives)

    def state(self, session):
        return (f"up {session.up.received}/{session.up.sent} {session.up.has_ended}, "
                f"down {session.down.received}/{session.down.sent} {session.down.has_ended}")

    def fail(self, session, fault):
        session.fault = session.fault or f"session {session.index} ({session.kind}): {fault}"

    def meet(self, number):
        """Reads the hello, exactly, to find out whose connection it is."""
        origin, seen = self.unknown[number]
        try:
            seen += origin.recv(5 - len(seen) if len(seen) < 5 else 5 + int.from_bytes(seen[3:5], "big") - len(seen))
        except OSError:
            return
        self.unknown[number][1] = seen
        if len(seen) < 5 or len(seen) < 5 + int.from_bytes(seen[3:5], "big"):
            return
        del self.unknown[number]
        self.poll.unregister(number)
        index = int(re.search(rb"s(\d+)\.(?:long|parked)\.example", seen).group(1))
        session = self.sessions[index]
        session.origin = origin
        self.add(session, origin, session.down, session.up)

    def send(self, end, flow):
        count = min(PERIOD, flow.allowed - flow.sent)
        if count > 0:
            start = flow.sent % PERIOD
            flow.sent += end.send(memoryview(PATTERN)[start:start + count])
        if flow.is_ending and not flow.has_ended and flow.sent >= flow.allowed:
            end.shutdown(socket.SHUT_WR)
            flow.has_ended = True

    def receive(self, session, end, flow):
        part = end.recv(PERIOD)
        if not part:
            flow.has_arrived = True
            if not flow.has_ended or flow.received != flow.sent:
                self.fail(session, f"an end after {flow.received} of {flow.sent} bytes, has ended: {flow.has_ended}")
            return
        start = flow.received % PERIOD
        if part != PATTERN[start:start + len(part)]:
            self.fail(session, f"wrong bytes behind {flow.received}")
        flow.received += len(part)


class Log(threading.Thread):
    """Keeps the lines of the log, and its pipe from filling up."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.lines = stream, []

    def run(self):
        for line in self.stream:
            self.lines.append(line.rstrip())


class Storm:
    def __init__(self, options):
        self.options = options
        self.directory = harness.scratch_directory()
        self.port = harness.free_port()
        self.backend_port = harness.free_port([harness.backend_address(index) for index in range(4)])
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.pidfile = os.path.join(self.directory, "switchyard.pid")
        self.is_released = False
        self.upgrades = []

    def configure(self, generation):
        io = self.options.io
        if io == "alternate":
            io = ("epoll", "io_uring")[generation % 2]
        own = self.listener.getsockname()[1]
        routes = "".join(f"{name} {host}:{port}\n" for name, host, port in harness.static_routes(100, 4, self.backend_port))
        parked = f"127.0.0.1:{own}" if self.is_released else "held"
        harness.write_file(os.path.join(self.directory, "bench.routes"),
                           routes + f"*.long.example 127.0.0.1:{own}\n*.parked.example {parked}\n")
        harness.write_file(os.path.join(self.directory, "switchyard.conf"), "\n".join([
            f"listen tls 127.0.0.1:{self.port}", "routes bench.routes", f"workers {self.options.workers}", f"io {io}",
            "log stderr access=off", f"pidfile {self.pidfile}", "limit connections=9000 per-source=9000 parked-per-source=4096",
            "timeout hello=5m held=5m half-close=10m idle=1h"]) + "\n")

    def start(self):
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: processes whose parent has ended are ours
        self.backend = harness.start_backend(4, self.backend_port)
        self.configure(0)
        edge = harness.find_edge(self.options.edge)
        self.edge = harness.start([edge, "--config", os.path.join(self.directory, "switchyard.conf")],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log = Log(self.edge.stderr)
        self.log.start()
        harness.wait_for_port("127.0.0.1", self.port, self.edge)
        self.pid = self.edge.pid

    def kinds(self):
        quiet = [kind for kind in KINDS if kind not in FLOWING]
        flowing = [FLOWING[index % len(FLOWING)] for index in range(self.options.flowing)]
        return flowing + [quiet[index % len(quiet)] for index in range(self.options.sessions - len(flowing))]

    def open(self):
        self.sessions = [Session(index, kind) for index, kind in enumerate(self.kinds())]
        self.players = Players(self.port, self.listener, self.sessions)
        self.players.start()
        for session in self.sessions:
            self.players.open(session)
        self.wait("the sessions to be made",
                  lambda: all(session.origin for session in self.sessions if session.kind not in ("half-hello", "parked")))
        time.sleep(1)

    def wait(self, what, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"no end of the wait for {what}; the log ends:\n    " + "\n    ".join(self.log.lines[-8:]))
            time.sleep(0.005)

    def upgrade(self, number):
        self.configure(number)
        before, old = len(self.log.lines), self.pid
        sent = time.monotonic()
        os.kill(old, signal.SIGUSR2)
        lines = lambda word: [line for line in self.log.lines[before:] if word in line]
        self.wait("an upgrade", lambda: (lines(" upgrade: pid ") and lines(" ready ")) or lines(" upgrade failed"))
        if lines(" upgrade failed"):
            raise Failed("\n".join(self.log.lines[before:]))
        took = time.monotonic() - sent
        found = re.search(r"upgrade: pid (\d+) takes over sessions=(\d+) listeners=(\d+) in (\d+)ms",
                          lines(" upgrade: pid ")[0])
        self.pid = int(found.group(1))
        if old == self.edge.pid:
            status = self.edge.wait(20)
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(old, 0)[1])
        with open(self.pidfile) as file:
            named = int(file.read())
        time.sleep(0.3)
        self.upgrades.append({
            "seconds": took, "pause_ms": int(found.group(4)), "sessions": int(found.group(2)), "status": status,
            "pidfile_is_right": named == self.pid, "descriptors": len(os.listdir(f"/proc/{self.pid}/fd")),
            "memory_mib": machine.memory_bytes(self.pid)["Rss"] / 2**20})

    def finish(self):
        for session in self.sessions:
            if session.kind == "half-hello":
                self.players.release(session)
        self.is_released = True
        self.configure(len(self.upgrades))
        os.kill(self.pid, signal.SIGHUP)
        for session in self.sessions:
            if session.kind == "parked":
                self.players.release(session)
        self.wait("the parked sessions", lambda: all(session.origin or session.fault for session in self.sessions))
        time.sleep(0.5)
        self.players.finish()
        try:
            self.wait("the ends of all sessions", lambda: all(session.is_over for session in self.sessions), 60)
        except Failed:
            for session in self.sessions:
                if not session.is_over:
                    self.players.fail(session, "did not end: " + self.players.state(session))

    def stop(self):
        self.players.is_stopped = True
        os.kill(self.pid, signal.SIGTERM)
        if self.pid != self.edge.pid:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.edge.wait(20)


def main():
    options = parse()
    harness.exit_on_signals()
    harness.build_peers()
    tracking = machine.ConnectionTracking()
    tracking.prepare()
    storm = Storm(options)
    storm.start()
    load, report = None, None
    try:
        storm.open()
        if options.concurrency:
            load = harness.start(harness.load_command(
                "short", storm.port, seconds=86400, concurrency=options.concurrency, names=100,
                backends=harness.backend_range(4, storm.backend_port), **{"from": harness.SOURCES}),
                stdout=subprocess.PIPE, text=True)
            time.sleep(1)
        descriptors = len(os.listdir(f"/proc/{storm.pid}/fd"))
        for number in range(1, options.upgrades + 1):
            storm.upgrade(number)
            time.sleep(options.pause)
        if load:
            load.terminate()
            report = json.loads(load.communicate(timeout=60)[0].splitlines()[-1])
        storm.finish()
        status = storm.stop()
    except BaseException:
        os.kill(storm.pid, signal.SIGKILL)
        raise

    faults = [session.fault for session in storm.sessions if session.fault]
    wrong = faults[:10] + ([f"{len(faults)} of {len(storm.sessions)} long sessions were lost or corrupt"] if faults else [])
    for number, upgrade in enumerate(storm.upgrades, 1):
        if upgrade["status"] != 0:
            wrong.append(f"upgrade {number}: the process before ended with status {upgrade['status']}")
        if not upgrade["pidfile_is_right"]:
            wrong.append(f"upgrade {number}: the pidfile names another process")
    if status != 0:
        wrong.append(f"the last process ended with status {status}")
    for key in ("lost", "misrouted", "stale", "corrupt"):
        if report and report.get(key):
            wrong.append(f"{report[key]} short connections {key}")
    if report and not report["ok"]:
        wrong.append("the load made no connection")
    # The load's own connections come and go.
    growth = max(upgrade["descriptors"] for upgrade in storm.upgrades) - descriptors
    if growth > 4 * options.concurrency + 64:
        wrong.append(f"{growth} descriptors more than before the first upgrade")
    if tracking.overflowed():
        wrong.append("the connection tracking table overflowed: the run proves nothing; raise nf_conntrack_max")

    moved = sum(session.up.received + session.down.received for session in storm.sessions) / 2**30
    pauses = sorted(upgrade["pause_ms"] for upgrade in storm.upgrades)
    print(f"{len(storm.upgrades)} upgrades, io {options.io}, {options.workers} workers: sessions stood still for "
          f"{pauses[len(pauses) // 2]} ms (median), {pauses[-1]} ms (longest); signal to service: "
          f"{max(upgrade['seconds'] for upgrade in storm.upgrades) * 1e3:.0f} ms (longest)")
    print(f"{len(storm.sessions)} long sessions of {len(KINDS)} kinds, {moved:.2f} GiB: {len(faults)} lost or corrupt")
    if report:
        print(f"{report['ok']} short connections at {report['rate']:.0f}/s: {report['lost']} lost, "
              f"{report['corrupt']} corrupt; p99 {report['latency_us']['p99']:.0f} us, "
              f"slowest {report['latency_us']['max'] / 1e3:.1f} ms")
    print("descriptors: " + " ".join(str(count) for count in [descriptors] + [u["descriptors"] for u in storm.upgrades])
          + "; resident memory, MiB: " + " ".join(f"{u['memory_mib']:.1f}" for u in storm.upgrades))
    for line in wrong:
        print("WRONG:", line)
    if options.output:
        with open(options.output, "w") as file:
            json.dump({"upgrades": storm.upgrades, "machine": machine.facts(), "load": report, "wrong": wrong}, file, indent=1)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(2)
