#!/usr/bin/env python3
"""Upgrades under a real systemd: a manager for a user, which needs no machine of its own.

    unshare --mount systemd.py EDGE FOLDER IO

Exits with 0 and prints `ok`, or `cannot` and why where no such manager starts, or says what was not as it must be.
"""
import atexit
import os
import socket
import subprocess
import sys
import time

edge, folder, io = sys.argv[1:]
folder = os.path.realpath(folder)
environment = dict(os.environ, XDG_RUNTIME_DIR=os.path.join(folder, "run"), XDG_CONFIG_HOME=os.path.join(folder, "config"),
                   SYSTEMD_LOG_TARGET="console", SYSTEMD_LOG_LEVEL="warning")
environment.pop("NOTIFY_SOCKET", None)


def expect(holds, *what):
    if not holds:
        print("not so:", *what)
        print(open(os.path.join(folder, "log")).read())
        sys.exit(1)


def systemctl(*arguments):
    return subprocess.run(["systemctl", "--user", *arguments], env=environment, capture_output=True, text=True, timeout=30)


def show():
    lines = systemctl("show", "edge", "-p", "MainPID,ActiveState,Result,ExecMainCode,ExecMainStatus,NRestarts").stdout.split()
    return dict(line.split("=", 1) for line in lines)


def wait(what, holds, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.05)
    expect(False, what, show())


# It wants to see a machine that systemd has booted; only this process and what it starts see it.
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
os.makedirs("/run/systemd/system")
units = os.path.join(folder, "config/systemd/user")
os.makedirs(units)
os.makedirs(os.path.join(folder, "run"), mode=0o700)
listener = socket.create_server(("127.0.0.1", 0))
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
with open(os.path.join(folder, "edge.conf"), "w") as file:
    file.write(f"listen tcp 127.0.0.1:{port} to=127.0.0.1:{listener.getsockname()[1]}\nlog {folder}/log\n"
               f"io {io}\ntimeout drain=30s\n")
with open(os.path.join(units, "edge.service"), "w") as file:
    file.write(f"[Service]\nType=notify\nNotifyAccess=main\nExecStart={edge} --config {folder}/edge.conf\n"
               "WatchdogSec=2\nRestart=on-failure\nKillMode=mixed\nTimeoutStopSec=20\n")
with open(os.path.join(units, "edge.socket"), "w") as file:
    file.write(f"[Socket]\nListenStream=127.0.0.1:{port}\n")

manager = subprocess.Popen(["/lib/systemd/systemd", "--user", "--unit=basic.target"], env=environment,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
atexit.register(lambda: (manager.terminate(), manager.wait(10)))
for _ in range(100):
    if manager.poll() is not None or systemctl("is-system-running").stdout.strip() in ("running", "degraded"):
        break
    time.sleep(0.1)
else:
    manager.terminate()
if manager.poll() is not None:
    print("cannot:", manager.stderr.read())
    sys.exit(0)

started = systemctl("start", "edge.socket", "edge.service")
expect(started.returncode == 0, "it starts", started.stderr)
client = socket.create_connection(("127.0.0.1", port), timeout=5)
server, _ = listener.accept()
for _ in range(3):
    before = show()["MainPID"]
    systemctl("kill", "--kill-whom=main", "-s", "USR2", "edge")
    wait("another process is the main one", lambda: show()["MainPID"] not in (before, "0"))
    client.sendall(b"before")
    expect(server.recv(6) == b"before", "the session goes on")
time.sleep(3)
now = show()
expect(now["ActiveState"] == "active" and now["NRestarts"] == "0", "the watchdog is fed by the last process", now)
expect(os.path.realpath(f"/proc/{now['MainPID']}/exe") == os.path.realpath(edge), "the main process is the edge", now)

# A stop lets sessions end: what systemd does not take for its own child it would kill at once.
stop = subprocess.Popen(["systemctl", "--user", "stop", "edge.service"], env=environment, stderr=subprocess.DEVNULL)
time.sleep(1)
client.sendall(b"while it drains")
expect(server.recv(15) == b"while it drains", "the session goes on while it drains")
expect(stop.poll() is None, "and the stop waits for it")
client.close()
server.close()
stop.wait(10)
now = show()
expect(now["Result"] == "success" and now["ExecMainCode"] == "1" and now["ExecMainStatus"] == "0", "it ends in order", now)
systemctl("stop", "edge.socket")
print("ok")
