#!/usr/bin/env python3
"""Plays systemd for one edge: notifications, sockets that are handed over, the watchdog, signals.

    supervisor.py SCENARIO EDGE FOLDER IO

Exits with 0 and prints `ok`, or says what was not as it must be.
"""
import atexit
import os
import signal
import socket
import sys
import time

scenario, edge, folder, io = sys.argv[1:]
configuration = os.path.join(folder, "supervised.conf")
common = f"io {io}\nworkers 2\n"


def expect(holds, *what):
    if not holds:
        print("not so:", *what)
        print(open(os.path.join(folder, "log")).read())
        sys.exit(1)


class Manager:
    def __init__(self, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = f"@switchyard-test-{os.getpid()}" if abstract else os.path.join(folder, "notify")
        self.socket.bind("\0" + self.name[1:] if abstract else self.name)
        if not abstract:
            # As systemd does: whoever a service becomes may write to it.
            os.chmod(folder, 0o755)
            os.chmod(self.name, 0o777)
        self.socket.settimeout(10)
        self.seen = []

    def start(self, settings, sockets=(), names=None, watchdog=None, lines=()):
        listeners = "".join(f"listen tls {address}\n" for address in settings)
        with open(configuration, "w") as file:
            file.write(listeners + common + "".join(line + "\n" for line in lines))
        environment = dict(os.environ, NOTIFY_SOCKET=self.name)
        if watchdog:
            environment["WATCHDOG_USEC"] = str(watchdog)

        def prepare():
            high = [os.dup2(item.fileno(), 100 + index) for index, item in enumerate(sockets)]
            for index, descriptor in enumerate(high):
                os.dup2(descriptor, 3 + index)
                os.close(descriptor)
            if sockets:
                os.environ["LISTEN_FDS"] = str(len(sockets))
                os.environ["LISTEN_PID"] = str(os.getpid())
                if names:
                    os.environ["LISTEN_FDNAMES"] = names
            for key, value in environment.items():
                os.environ[key] = value

        log = open(os.path.join(folder, "log"), "w")
        child = os.fork()
        if child == 0:
            prepare()
            os.dup2(log.fileno(), 2)
            os.closerange(3 + len(sockets), 256)
            for index in range(len(sockets)):
                os.set_inheritable(3 + index, True)
            os.execv(edge, [edge, "--config", configuration])
        self.child = child
        # Nothing that fails here leaves an edge behind.
        atexit.register(Manager.stop, child)

    @staticmethod
    def stop(child):
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def next(self):
        message = self.socket.recv(4096).decode()
        fields = dict(line.split("=", 1) for line in message.split("\n"))
        self.seen.append(fields)
        return fields

    def until(self, key, value=None):
        while True:
            fields = self.next()
            if key in fields and (value is None or fields[key] == value):
                return fields

    def end(self, number=signal.SIGTERM):
        os.kill(self.child, number)
        self.until("STOPPING")
        _, status = os.waitpid(self.child, 0)
        expect(status == 0, "it ends with status 0", status)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening():
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.listen(16)
    return found, "%s:%d" % found.getsockname()


def answers(address):
    """Plain HTTP on a TLS port is answered with a sentence: the whole way through a worker."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return client.recv(100).startswith(b"HTTP/1.1 400")


def log_has(text):
    return text in open(os.path.join(folder, "log")).read()


def life(abstract):
    manager = Manager(abstract)
    address = f"127.0.0.1:{free_port()}"
    manager.start([address])
    ready = manager.until("READY", "1")
    expect("STATUS" in ready, "READY comes with a status")
    expect(answers(address), "it serves once it is ready")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    os.kill(manager.child, signal.SIGHUP)
    reloading = manager.next()
    expect(reloading.get("RELOADING") == "1", "a reload is told", reloading)
    expect(int(reloading["MONOTONIC_USEC"]) >= before, "with its time", reloading)
    expect(manager.next().get("READY") == "1", "and that it is over")
    with open(configuration, "a") as file:
        file.write("nonsense\n")
    os.kill(manager.child, signal.SIGHUP)
    manager.until("RELOADING")
    expect("failed" in manager.next()["STATUS"], "a reload that failed is in the status")
    manager.end()


def watchdog():
    manager = Manager()
    manager.start([f"127.0.0.1:{free_port()}"], watchdog=800_000)
    manager.until("READY")
    manager.until("WATCHDOG")
    times = []
    for _ in range(6):
        manager.until("WATCHDOG")
        times.append(time.monotonic())
    gaps = [after - before for before, after in zip(times, times[1:])]
    expect(max(gaps) < 0.6, "it is told in time", gaps)
    expect(min(gaps) > 0.05, "and not without a pause", gaps)
    # One worker hangs; the main thread goes on. (A thread that is traced and stopped stands for any hang.)
    tasks = f"/proc/{manager.child}/task"
    worker = next(task for task in os.listdir(tasks) if open(f"{tasks}/{task}/comm").read() == "worker-0\n")
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
    expect(libc.ptrace(0x4206, int(worker), None, None) == 0, "the thread can be traced")  # PTRACE_SEIZE
    expect(libc.ptrace(0x4207, int(worker), None, None) == 0, "the thread can be stopped")  # PTRACE_INTERRUPT
    time.sleep(0.7)
    manager.socket.setblocking(False)
    try:
        while True:
            manager.next()
    except BlockingIOError:
        pass
    time.sleep(1)
    try:
        expect(False, "nothing is told while a worker hangs:", manager.next())
    except BlockingIOError:
        pass
    os.kill(manager.child, signal.SIGKILL)


def sockets():
    manager = Manager()
    wanted, address = listening()
    stranger, strange = listening()
    own = f"127.0.0.1:{free_port()}"
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    manager.start([address, own], sockets=[stranger, wanted, datagrams], names="odd:https:dns")
    manager.until("READY")
    expect(log_has(f"a socket (odd) on {strange}"), "a stranger is named")
    expect(log_has("a socket (dns) that does not listen"), "another kind is named")
    for _ in range(40):
        expect(answers(address) and answers(own), "both are served")
    # Given up, and wanted again; all the while the manager holds it, and nobody else could bind it.
    for listeners in ([own], [own, address]):
        with open(configuration, "w") as file:
            file.write("".join(f"listen tls {item}\n" for item in listeners))
            file.write(common)
        os.kill(manager.child, signal.SIGHUP)
        manager.until("READY")
        expect(not log_has("reload failed"), "the reload works")
    expect(answers(address), "it is served again")
    manager.end()
    # Who comes meanwhile waits in the queue that the manager keeps.
    host, port = address.split(":")
    early = socket.create_connection((host, int(port)), timeout=5)
    early.sendall(b"GET / HTTP/1.0\r\n\r\n")
    manager.start([address], sockets=[wanted])
    manager.until("READY")
    early.settimeout(5)
    expect(early.recv(100).startswith(b"HTTP/1.1 400"), "a client from before the start is served")
    manager.end()


def privileges():
    manager = Manager()
    address = f"127.0.0.1:{free_port()}"
    home = os.path.join(folder, "log.d")
    os.mkdir(home)
    os.chmod(folder, 0o755)
    pidfile = os.path.join(home, "pid")
    log = os.path.join(home, "edge.log")
    manager.start([address], lines=["user nobody", f"pidfile {pidfile}", f"log {log}"])
    manager.until("READY")
    status = dict(line.split(":", 1) for line in open(f"/proc/{manager.child}/status"))
    status = {key: value.strip() for key, value in status.items()}
    for key in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
        expect(int(status[key], 16) == 1 << 10, "only CAP_NET_BIND_SERVICE is left:", key, status[key])
    expect(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", "it is confined", status)
    expect(set(status["Uid"].split()) == {"65534"}, "it is nobody", status["Uid"])
    expect("0" not in status["Groups"].split(), "without root's groups", status["Groups"])
    for task in os.listdir(f"/proc/{manager.child}/task"):
        lines = open(f"/proc/{manager.child}/task/{task}/status").read()
        expect("Seccomp:\t2\n" in lines and "CapEff:\t0000000000000400\n" in lines, "each thread is", task, lines)
    expect(os.stat(log).st_uid == 65534 and os.stat(pidfile).st_uid == 65534, "its files are its own")
    # A port below 1024, in a reload.
    with open(configuration, "a") as file:
        file.write("listen tls 127.0.0.7:81\n")
    os.kill(manager.child, signal.SIGHUP)
    manager.until("READY")
    expect(answers("127.0.0.7:81"), "a reload binds a low port", open(log).read())
    before = os.stat(log).st_size
    os.kill(manager.child, signal.SIGHUP)
    manager.until("READY")
    time.sleep(0.2)
    expect("cannot be opened" not in open(log).read() and os.stat(log).st_size > before, "its log is reopened")
    manager.end()
    expect(open(pidfile).read() == "", "no file names a process that is not there")


def upgrade():
    """Three programs in a row: the manager is told which is the main one, and nothing of the first is lost on the way."""
    import ctypes
    import json
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: as for systemd, what is left behind is ours.
    manager = Manager()
    wanted, address = listening()
    home = os.path.join(folder, "run")
    os.mkdir(home)
    os.chown(home, 65534, 65534)
    pidfile, control = os.path.join(home, "pid"), os.path.join(home, "control.sock")
    lines = ["user nobody", f"pidfile {pidfile}", f"control {control}"]
    manager.start([address], sockets=[wanted], names="https", watchdog=1_200_000, lines=lines)
    manager.until("READY")

    def facts():
        status = dict(line.split(":", 1) for line in open(f"/proc/{manager.child}/status"))
        keys = ("Uid", "Groups", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Seccomp", "Seccomp_filters", "NoNewPrivs")
        return {key: status[key].split() for key in keys if key in status}

    def descriptor_count():
        return len(os.listdir(f"/proc/{manager.child}/fd"))

    def ask(command):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(15)
            client.connect(control)
            client.sendall(json.dumps({"command": command}).encode() + b"\n")
            return json.loads(client.makefile().readline())

    first, number, counts = facts(), os.stat(control).st_ino, []
    for turn in range(3):
        before = manager.child
        if turn == 1:
            answer = ask("upgrade")
            expect(answer["ok"], "the control socket upgrades", answer)
        else:
            os.kill(before, signal.SIGUSR2)
        manager.child = int(manager.until("MAINPID")["MAINPID"])
        atexit.register(Manager.stop, manager.child)
        if turn == 1:
            expect(answer["pid"] == manager.child, "and tells who serves now", answer)
        _, status = os.waitpid(before, 0)
        expect(status == 0, "the process before ends with status 0", status)
        manager.until("WATCHDOG")
        expect(any("READY" in fields for fields in manager.seen[-4:]), "it says that it is ready", manager.seen)
        expect(answers(address), "it serves")
        expect(facts() == first, "it may do no more and no less", first, facts())
        expect(open(pidfile).read() == f"{manager.child}\n", "the pidfile names it")
        expect(os.stat(control).st_ino == number, "the control socket is the same")
        expect(ask("status")["pid"] == manager.child, "and it answers there")
        counts.append(descriptor_count())
        # Whoever asked before is let go a moment later.
        for _ in range(100):
            if counts[-1] <= counts[0]:
                break
            time.sleep(0.02)
            counts[-1] = descriptor_count()
    expect(max(counts) == counts[0], "descriptors do not grow", counts)
    # What the manager has opened is still known: given up, and wanted again. And a low port can be bound.
    for listeners in (["127.0.0.7:82"], ["127.0.0.7:82", address]):
        with open(configuration, "w") as file:
            file.write("".join(f"listen tls {item}\n" for item in listeners) + common)
            file.write("".join(line + "\n" for line in lines))
        os.kill(manager.child, signal.SIGHUP)
        manager.until("RELOADING")
        manager.until("READY")
        expect(not log_has("reload failed"), "the reload works")
    expect(answers(address) and answers("127.0.0.7:82"), "all is served")
    # A program that cannot take over: this one goes on, and the manager hears of no other.
    with open(configuration, "a") as file:
        file.write("nonsense\n")
    answer = ask("upgrade")
    expect(not answer["ok"] and "nonsense" in answer["error"], "a mistake is told", answer)
    expect(answers(address) and ask("status")["pid"] == manager.child, "and the process goes on")
    manager.end()
    expect(not os.path.exists(pidfile) and not os.path.exists(control), "its files are gone", os.listdir(home))


def descriptors():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (70, 70))
    manager = Manager()
    manager.start([f"127.0.0.1:{free_port()}"])
    _, status = os.waitpid(manager.child, 0)
    expect(os.waitstatus_to_exitcode(status) == 1, "it does not start", status)
    expect(log_has("may have 70 descriptors only"), "and says why")


{"life": lambda: life(False), "abstract": lambda: life(True), "watchdog": watchdog, "sockets": sockets,
 "upgrade": upgrade, "privileges": privileges, "descriptors": descriptors}[scenario]()
print("ok")
