"""What the benchmark scripts share: building and starting peers and routers, and reading /proc.

Everything that is started here is ended by its own process id, also when a script fails or is interrupted.
"""

import atexit
import ctypes
import json
import os
import platform
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(HERE, "bin")
OUT = os.path.join(HERE, "out")
BACKEND_FIRST = "127.0.1.1"
SOURCES = "127.0.2.1-127.0.2.100"


class Failed(Exception):
    """A message for the person at the terminal; scripts print it and exit with status 2."""


# ---- processes -------------------------------------------------------------------------------------------------

_started = []
_directories = []
_libc = ctypes.CDLL(None, use_errno=True)


def _child_setup(cpus):
    def setup():
        _libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: nothing outlives this script, not even after SIGKILL
        if cpus:
            os.sched_setaffinity(0, cpus)
    return setup


def start(command, cpus=None, **options):
    process = subprocess.Popen(command, preexec_fn=_child_setup(cpus), **options)
    _started.append(process)
    return process


def end(process, patience=5):
    """SIGTERM to the process and, when it does not go, SIGKILL to its whole tree: by id, never by name."""
    if process.poll() is None:
        members = tree(process.pid)
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            for member in members:
                try:
                    os.kill(member, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.wait()
    if process in _started:
        _started.remove(process)


@atexit.register
def end_all():
    for process in reversed(_started[:]):
        end(process)
    for directory in _directories:
        shutil.rmtree(directory, ignore_errors=True)


def exit_on_signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, frame: sys.exit(128 + received))


def scratch_directory():
    directory = tempfile.mkdtemp(prefix="switchyard-bench-")
    os.chmod(directory, 0o755)  # nginx reads from it as another user
    _directories.append(directory)
    return directory


def build_peers():
    made = subprocess.run(["make", "-C", os.path.join(HERE, "peers")], capture_output=True, text=True)
    if made.returncode != 0:
        raise Failed("the peers did not build:\n" + made.stdout + made.stderr)


def find_edge(given):
    """The edge's binary: the one named, or the one that `swift build -c release` leaves."""
    path = given or os.path.join(os.path.dirname(HERE), ".build", "release", "switchyard")
    if not os.access(path, os.X_OK):
        raise Failed(f"no edge at {path}: build it (swift build -c release) or name it with --edge PATH")
    return os.path.abspath(path)


# ---- ports, names, addresses -----------------------------------------------------------------------------------

def backend_address(index):
    first = struct.unpack("!I", socket.inet_aton(BACKEND_FIRST))[0]
    return socket.inet_ntoa(struct.pack("!I", first + index))


def backend_range(count, port):
    return f"{BACKEND_FIRST}-{backend_address(count - 1)}:{port}"


def free_port(hosts=("127.0.0.1",)):
    """A port below the ephemeral range that nobody listens on at these addresses."""
    for _ in range(200):
        port = random.randint(15000, 30000)
        held = []
        try:
            for host in hosts:
                probe = socket.socket()
                held.append(probe)
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
            return port
        except OSError:
            continue
        finally:
            for probe in held:
                probe.close()
    raise Failed("no free port found")


def static_routes(names, backends, port):
    return [(f"site{index}.example", backend_address(index % backends), port) for index in range(names)]


def write_file(path, text):
    """Whole or not at all, as every author of a routes file should do it."""
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def wait_for_port(host, port, process, log=None, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    said = ""
    if log and os.path.exists(log):
        with open(log, errors="replace") as file:
            said = "\n" + file.read()[-4000:]
    raise Failed(f"{process.args[0]} does not answer on {host}:{port}{said}")


# ---- load and backend ------------------------------------------------------------------------------------------

def start_backend(count, port, cpus=None, workers=1):
    process = start([os.path.join(BIN, "backend"), "--listen", backend_range(count, port), "--workers", str(workers)], cpus)
    wait_for_port(backend_address(count - 1), port, process)
    return process


def check_backend(process, count, port):
    """Raises when the backend is to blame for what went wrong, not the router."""
    if process.poll() is not None:
        raise Failed(f"the backend ended with status {process.returncode}: the run proves nothing")
    for index in range(count):
        with socket.socket() as probe_socket:
            probe_socket.settimeout(2)
            if probe_socket.connect_ex((backend_address(index), port)) != 0:
                raise Failed(f"the backend does not answer at {backend_address(index)}:{port}: the run proves nothing")


def load_command(work, port, **options):
    command = [os.path.join(BIN, "load"), work, "--connect", f"127.0.0.1:{port}", "--json"]
    for key, value in options.items():
        if value is None or value is False:
            continue
        command.append("--" + key.replace("_", "-"))
        if value is not True:
            command.append(str(value))
    return command


def run_load(work, port, cpus=None, limit=600, **options):
    """Runs one load to its end and returns its report."""
    process = start(load_command(work, port, **options), cpus, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=limit)
    finally:
        end(process)
    if process.returncode not in (0, 1):
        raise Failed(f"load {work} ended with status {process.returncode}")
    return json.loads(output.splitlines()[-1])


def synthesise_hello(name):
    """A small ClientHello for probes from Python; the C load makes the larger, more lifelike ones."""
    host = name.encode()
    server_name = struct.pack("!HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    versions = bytes.fromhex("002b0003020304")
    groups = bytes.fromhex("000a00040002001d")
    signatures = bytes.fromhex("000d0006000404030804")
    share = bytes.fromhex("003300260024001d0020") + bytes(range(32))
    extensions = server_name + versions + groups + signatures + share
    body = b"\x03\x03" + os.urandom(32) + b"\x20" + os.urandom(32) + b"\x00\x02\x13\x01\x01\x00"
    body += struct.pack("!H", len(extensions)) + extensions
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def probe(port, name, seconds=2.0):
    """Which backend address answers for this name now; None when the router refuses it."""
    with socket.socket() as client:
        client.settimeout(seconds)
        try:
            client.connect(("127.0.0.1", port))
            client.sendall(synthesise_hello(name))
            received = b""
            while len(received) < 280:
                part = client.recv(4096)
                if not part:
                    return None
                received += part
        except OSError:
            return None
    magic, address = received[:4], received[4:8]
    return socket.inet_ntoa(address) if magic == b"HLLO" else None


# ---- routers ---------------------------------------------------------------------------------------------------

def edge_configuration(directory, port, workers=1, io="epoll", connections=9000, timeout=""):
    text = f"""listen tls 127.0.0.1:{port}
routes bench.routes
workers {workers}
io {io}
log stderr access=off
limit connections={connections} per-source={connections}
"""
    if timeout:
        text += f"timeout {timeout}\n"
    path = os.path.join(directory, "switchyard.conf")
    write_file(path, text)
    return path


def edge_routes(routes):
    return "".join(f"{name} {host}:{port}\n" for name, host, port in routes)


def haproxy_configuration(directory, port, routes, workers=1, hello_timeout="10s", idle_timeout="1h", maxconn=9000,
                          always_splice=False):
    targets = sorted({(host, target) for _, host, target in routes})
    label = {target: f"b{index}" for index, target in enumerate(targets)}
    write_file(os.path.join(directory, "haproxy.map"),
               "".join(f"{name} {label[(host, target)]}\n" for name, host, target in routes))
    splice = "\n    option splice-request\n    option splice-response" if always_splice else ""
    text = f"""global
    nbthread {workers}
    maxconn {maxconn}
    maxpipes 256
defaults
    mode tcp
    option splice-auto{splice}
    timeout connect 5s
    timeout client {idle_timeout}
    timeout server {idle_timeout}
frontend sni
    bind 127.0.0.1:{port}
    tcp-request inspect-delay {hello_timeout}
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    tcp-request content reject if WAIT_END
    use_backend %[req.ssl_sni,lower,map({directory}/haproxy.map)]
"""
    for host, target in targets:
        text += f"backend {label[(host, target)]}\n    server s {host}:{target}\n"
    path = os.path.join(directory, "haproxy.cfg")
    write_file(path, text)
    return path


def nginx_configuration(directory, port, routes, workers=1):
    modules = [module for module in ("/usr/lib/nginx/modules/ngx_stream_module.so",) if os.path.exists(module)]
    write_file(os.path.join(directory, "nginx.map"), "".join(f"{name} {host}:{target};\n" for name, host, target in routes))
    text = "".join(f"load_module {module};\n" for module in modules) + f"""
worker_processes {workers};
worker_rlimit_nofile 20000;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.error;
events {{ worker_connections 19000; }}
stream {{
    map_hash_max_size {max(2048, 2 * len(routes))};
    map_hash_bucket_size 128;
    map $ssl_preread_server_name $target {{
        include {directory}/nginx.map;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        ssl_preread on;
        proxy_connect_timeout 5s;
        proxy_timeout 1h;
        proxy_half_close on;
        proxy_pass $target;
    }}
}}
"""
    path = os.path.join(directory, "nginx.conf")
    write_file(path, text)
    return path


def sniproxy_configuration(directory, port, routes):
    table = "".join(f"    ^{name.replace('.', chr(92) + '.')}$ {host}:{target}\n" for name, host, target in routes)
    path = os.path.join(directory, "sniproxy.conf")
    write_file(path, f"""user root
pidfile {directory}/sniproxy.pid
listener 127.0.0.1:{port} {{
    proto tls
    table sites
    access_log {{
        filename /dev/null
    }}
}}
table sites {{
{table}}}
""")
    return path


def program_of(kind):
    return "haproxy" if kind == "haproxy-splice" else kind


class Router:
    """One router under test, with a directory, a port and a process of its own."""

    def __init__(self, kind, routes, workers=1, cpus=None, edge=None):
        self.kind, self.routes, self.workers, self.cpus, self.edge = kind, routes, workers, cpus, edge
        self.directory = scratch_directory()
        self.port = free_port()
        self.log = os.path.join(self.directory, "log")
        self.process = None

    def command(self):
        if self.kind in ("haproxy", "haproxy-splice"):
            return ["haproxy", "-db", "-f", haproxy_configuration(self.directory, self.port, self.routes, self.workers,
                                                                  always_splice=self.kind == "haproxy-splice")]
        if self.kind == "nginx":
            return ["nginx", "-p", self.directory, "-e", os.path.join(self.directory, "nginx.error"),
                    "-c", nginx_configuration(self.directory, self.port, self.routes, self.workers)]
        if self.kind == "sniproxy":
            return ["sniproxy", "-f", "-n", "19000", "-c", sniproxy_configuration(self.directory, self.port, self.routes)]
        path = os.path.join(self.directory, "bench.routes")
        write_file(path, edge_routes(self.routes))
        if self.kind == "relay":
            return [os.path.join(BIN, "relay"), "--listen", f"127.0.0.1:{self.port}", "--routes", path,
                    "--workers", str(self.workers)]
        io = "io_uring" if self.kind == "edge-uring" else "epoll"
        return [self.edge, "--config", edge_configuration(self.directory, self.port, self.workers, io)]

    def start(self):
        with open(self.log, "w") as log:
            self.process = start(self.command(), self.cpus, stdout=log, stderr=log)
        wait_for_port("127.0.0.1", self.port, self.process, self.log)

    def stop(self):
        if self.process:
            end(self.process)
            self.process = None

    def version(self):
        if self.kind in ("relay", "edge", "edge-uring"):
            return "this tree"
        program = program_of(self.kind)
        said = subprocess.run([program, "-V" if program == "sniproxy" else "-v"], capture_output=True, text=True)
        lines = (said.stdout + said.stderr).strip().splitlines()
        return lines[0].removeprefix("nginx version: ").partition(" 20")[0] if lines else "?"


# ---- /proc -----------------------------------------------------------------------------------------------------

def tree(pid):
    """The process and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        member = queue.pop()
        found.append(member)
        queue += children.get(member, [])
    return found


def cpu_seconds(pid):
    """User and system time of the whole tree.

    schedstat has nanoseconds but forgets threads that ended; stat has ticks and remembers them, and also children
    that were waited for. The finer one is used unless the coarser shows that something is missing from it.
    """
    tick = os.sysconf("SC_CLK_TCK")
    fine = coarse = 0.0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            coarse += sum(int(field) for field in fields[11:15]) / tick
            for task in os.listdir(f"/proc/{member}/task"):
                with open(f"/proc/{member}/task/{task}/schedstat") as file:
                    fine += int(file.read().split()[0]) / 1e9
        except OSError:
            continue
    return fine if fine and coarse - fine < 0.05 else coarse


def memory_bytes(pid):
    """Memory of the whole tree: proportional (shared pages counted once) and resident."""
    sums = {"Pss": 0, "Rss": 0}
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup") as file:
                for line in file:
                    key, _, rest = line.partition(":")
                    if key in sums:
                        sums[key] += int(rest.split()[0]) * 1024
        except OSError:
            continue
    return sums


def descriptor_count(pid):
    return sum(len(os.listdir(f"/proc/{member}/fd")) for member in tree(pid))


def descriptor_kinds(pid):
    """How many of the tree's descriptors are sockets, pipe ends, and anything else."""
    kinds = {"socket": 0, "pipe": 0, "other": 0}
    for member in tree(pid):
        for descriptor in os.listdir(f"/proc/{member}/fd"):
            try:
                kind = os.readlink(f"/proc/{member}/fd/{descriptor}").partition(":")[0]
            except OSError:
                continue  # closed meanwhile
            kinds[kind if kind in kinds else "other"] += 1
    return kinds


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {"kernel": platform.release(), "cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(),
            "load_average": os.getloadavg(), "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


class ConnectionTracking:
    """Docker's NAT rules switch tracking on, for loopback too. It costs a part of each connection, and a full table
    drops SYNs, which shows as latencies of a second: figures from such a run mean nothing."""

    def __init__(self):
        self.restored = None
        self.active = self._is_active()
        self.drops = self._drops()

    @staticmethod
    def _number(name):
        try:
            with open(f"/proc/sys/net/netfilter/{name}") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def _is_active(self):
        # The module may be loaded without any rule that uses it, so the count is asked before and after.
        before = self._number("nf_conntrack_count")
        if before is None:
            return False
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            held = [socket.create_connection(listener.getsockname()) for _ in range(48)]
            after = self._number("nf_conntrack_count")
            for client in held:
                client.close()
        return after - before >= 24

    @staticmethod
    def _drops():
        try:
            with open("/proc/net/stat/nf_conntrack") as file:
                header, *rows = [line.split() for line in file]
        except (OSError, ValueError):
            return 0
        wanted = [header.index(name) for name in ("drop", "early_drop") if name in header]
        return sum(int(row[column], 16) for row in rows for column in wanted)

    def prepare(self):
        """Says so when tracking is on, and makes the table large enough where it may; undone at the end."""
        if not self.active:
            return
        limit = self._number("nf_conntrack_max")
        print(f"warning: connection tracking is on ({self._number('nf_conntrack_count')} of {limit} entries): "
              "every router pays 10-15 % more a connection", file=sys.stderr)
        if limit < 1048576:
            try:
                with open("/proc/sys/net/netfilter/nf_conntrack_max", "w") as file:
                    file.write("1048576")
                self.restored = limit
                atexit.register(self._restore)
                print("nf_conntrack_max raised to 1048576 for this run", file=sys.stderr)
            except OSError as error:
                print(f"warning: nf_conntrack_max stays at {limit}: {error}", file=sys.stderr)

    def _restore(self):
        with open("/proc/sys/net/netfilter/nf_conntrack_max", "w") as file:
            file.write(str(self.restored))

    def overflowed(self):
        return self._drops() > self.drops
