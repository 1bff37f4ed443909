"""Asks the edge's control socket and metrics, and prints what was wrong; nothing when all is well.

control_client.py SOCKET METRICS_PORT LISTENER_PORT ORIGIN_PORT DOCUMENT
"""
import json
import re
import socket
import sys
import time
import urllib.error
import urllib.request

path, metrics_port, port, origin_port = sys.argv[1], *map(int, sys.argv[2:5])
document = open(sys.argv[5]).read()


def expect(condition, text):
    if not condition:
        print("wrong:", text)


def hello(name):
    def vector(size, body):
        return len(body).to_bytes(size, "big") + body

    server_name = vector(2, b"\0" + vector(2, name.encode()))
    extensions = b"\0\0" + vector(2, server_name)
    body = b"\3\3" + b"r" * 32 + b"\0" + vector(2, b"\x13\1") + b"\1\0" + vector(2, extensions)
    return b"\x16\3\1" + vector(2, b"\1" + vector(3, body))


class Control:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        for _ in range(200):
            try:
                self.socket.connect(path)
                break
            except BlockingIOError:
                # Its queue is full; a unix socket says so at once.
                time.sleep(0.02)
        self.file = self.socket.makefile("rb")

    def ask(self, command, **keys):
        self.socket.sendall(json.dumps({"command": command, **keys}).encode() + b"\n")
        items, answer = [], {"more": True}
        while answer.get("more"):
            answer = json.loads(self.file.readline())
            items += answer.get("items", [])
            expect(len(answer.get("items", [])) <= 500, "more than 500 items in a line")
        return items if "items" in answer else answer


def scrape(path="/metrics", method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{metrics_port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode()


def hostile():
    for request in (b"[]", b"{}", b'{"command":[[[[]]]]}', b"\0", b"{" * 70000, b'{"command":"status"}x', b'"' + b"\xff" * 9,
                    b'{"command":"status","command":"stats"}', b'{"command":"\\ud800"}', b'{"command":01}'):
        other = Control()
        try:
            other.socket.sendall(request + b"\n")
        except BrokenPipeError:
            pass
        expect(json.loads(other.file.readline())["ok"] is False, f"{request[:40]} was taken")
    # More than there is room for, none of which says anything: those that go make room.
    many = []
    for _ in range(100):
        silent = socket.socket(socket.AF_UNIX)
        silent.setblocking(False)
        try:
            silent.connect(path)
        except BlockingIOError:
            pass
        many.append(silent)
    for silent in many:
        silent.close()
    expect(Control().ask("status")["ok"], "no answer after a hundred clients")
    for method, where, status in (("POST", "/metrics", 405), ("GET", "/", 404), ("GET", "/metricsx", 404)):
        try:
            scrape(where, method)
            expect(False, f"{method} {where} is answered")
        except urllib.error.HTTPError as error:
            expect(error.code == status, f"{method} {where}: {error.code}")


def main():
    listener = socket.create_server(("127.0.0.1", origin_port))
    names = ["one.example"] * 5 + ["x.wild.example"] * 3 + ["refused.example"] * 2 + ["dead.example"]
    clients, origins = [], []
    for name in names:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(hello(name))
        clients.append(client)
        if name.split(".")[0] in ("one", "x"):
            origins.append(listener.accept()[0])
            origins[-1].sendall(b"y" * 1000)
            expect(len(client.recv(1000, socket.MSG_WAITALL)) == 1000, "the bytes")
    time.sleep(0.3)
    control = Control()
    status = control.ask("status")
    expect(status["ok"] and status["state"] == "running" and status["routes"] == 1204, status)
    expect(status["sessions"] == len(names), status["sessions"])
    sessions = control.ask("sessions")
    expect(len({item["id"] for item in sessions}) == len(names), "sessions")
    expect(len(control.ask("sessions", name="one.example")) == 5, "sessions of a name")
    expect(len(control.ask("sessions", limit=2)) == 2, "limited sessions")
    routes = control.ask("routes")
    expect(len(routes) == 1204, f"{len(routes)} routes")
    expect(control.ask("routes", name="a.wild.example")[0]["match"] == "wildcard", "the match")
    targets = {item["address"]: item for item in control.ask("targets")}
    origin = targets[f"127.0.0.1:{origin_port}"]
    expect(origin["sessions"] == 8 and origin["connections"] == 8, origin)
    expect(targets["127.0.0.1:1"]["failures"] == 1, targets["127.0.0.1:1"])
    top = {item["name"]: item for item in control.ask("top")["names"]}
    expect(top["one.example"]["connections"] == 5 and top["one.example"]["bytes_down"] == 5000, top)
    expect(top["*.wild.example"]["sessions"] == 3, top)
    expect(top["one.example"]["bytes_up"] == 5 * len(hello("one.example")), top)
    stats = control.ask("stats")
    expect(stats["histograms"]["hello_bytes"]["count"] == len(names), stats)
    expect(control.ask("check")["ok"] and control.ask("reload")["ok"], "check and reload")
    expect(control.ask("status")["reloads"]["succeeded"] == 1, "the reload is not counted")

    text = scrape()
    expect(scrape("/healthz") == "ok\n", "health")
    listed = set(re.findall(r"^\| `([a-z_]+)`", document, re.M))
    served = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    expect(listed == served, f"docs/metrics.md differs: {listed ^ served}")
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        print("wrong: python3-prometheus-client is missing")
        return
    families = {family.name: family for family in text_string_to_metric_families(text)}
    expect(len(families) == len(served), "families")
    for family in families.values():
        expect(family.documentation.endswith("."), f"{family.name} has no sentence")
    values = {sample.labels["name"]: sample.value for sample in families["switchyard_name_connections"].samples}
    expect(values["one.example"] == 5 and values["*.wild.example"] == 3, values)
    relayed = {sample.labels["direction"]: sample.value for sample in families["switchyard_relayed_bytes"].samples}
    expect(relayed["down"] == 8000, relayed)
    hostile()


main()
