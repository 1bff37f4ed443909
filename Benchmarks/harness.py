"""What the benchmark scripts share: building and starting peers, and ending them.

Everything that is started here is ended by its own process id, also when a script fails or is interrupted.
"""

import atexit
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import machine

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


def _child_setup(cpus, niceness):
    def setup():
        _libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: nothing outlives this script, not even after SIGKILL
        if cpus:
            os.sched_setaffinity(0, cpus)
        if niceness:
            os.nice(niceness)
    return setup


def start(command, cpus=None, niceness=0, **options):
    process = subprocess.Popen(command, preexec_fn=_child_setup(cpus, niceness), **options)
    _started.append(process)
    return process


def end(process, patience=5):
    """SIGTERM to the process and, when it does not go, SIGKILL to its whole tree: by id, never by name."""
    if process.poll() is None:
        members = machine.tree(process.pid)
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


def build_peers(*targets):
    """Load, backend and relay; with targets, these of peers/Makefile. `tls` needs OpenSSL's headers."""
    made = subprocess.run(["make", "-C", os.path.join(HERE, "peers"), *targets], capture_output=True, text=True)
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


def wait_for_port(host, port, process, log=None, seconds=20):
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
    return with_options([os.path.join(BIN, "load"), work, "--connect", f"127.0.0.1:{port}", "--json"], options)


def with_options(command, options):
    for key, value in options.items():
        if value is None or value is False:
            continue
        command.append("--" + key.replace("_", "-"))
        if value is not True:
            command.append(str(value))
    return command


def run_load(work, port, cpus=None, limit=600, **options):
    """Runs one load to its end and returns its report."""
    return run_client(load_command(work, port, **options), cpus, limit)


def run_client(command, cpus=None, limit=600):
    """Runs a program of ours that reports in JSON, bounded in time."""
    process = start(command, cpus, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command[:2])} was not done after {limit} s") from None
    finally:
        end(process)
    if process.returncode not in (0, 1):
        raise Failed(f"{' '.join(command[:2])} ended with status {process.returncode}")
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
